"""Laws of fallbacks: what was gone before it could be captured is had from other archives, judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.jobs.archive import Result
from feedsvc.jobs.fallback import ASKED, is_gone
from feedsvc.model import Attempt, CaptureState, Outcome, Snapshot, Verdict
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, NOON, Clock, Seeds, open_site
from tests.origin import Listener, Origin

PAGE = (
    "<!doctype html><html><head><title>A ferry for the harbour</title>"
    '<link rel="stylesheet" href="/site.css"></head><body><h1>A ferry for the harbour</h1>'
    + "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
    + "</body></html>"
).encode()
STAMP = "20240601030405"
DATED = ("Memento-Datetime", "Sat, 01 Jun 2024 03:04:05 GMT")
HTML = ("Content-Type", "text/html; charset=utf-8")
CSS = ("Content-Type", "text/css")


@pytest.fixture
def origin() -> Iterator[Origin]:
    """Where the article was, and beside it two archives."""
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def runtime(
    request: pytest.FixtureRequest, site: Path, origin: Origin, clock: Clock
) -> Iterator[Runtime]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    archive: dict[str, Any] = {
        "allow_hosts": (origin.host,),
        "per_host_delay": 0.0,
        "per_host": 8,
        "fallbacks": (origin.url("/first/"), origin.url("/second/")),
    }
    with open_site(site, database=url, now=clock, archive=archive) as opened:
        yield opened


@pytest.fixture
def article(runtime: Runtime, seeds: Seeds, origin: Origin) -> str:
    """An article whose original is gone."""
    seeds.write("ferry.md", url=origin.url("/ferry"))
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        return store.newest(1)[0].id


def archived(origin: Origin, name: str, page: bytes = PAGE) -> str:
    """Let an archive have the page and its style; return the address of the memento."""
    url = origin.url("/ferry")
    for modifier in ("", "id_"):
        place = origin.page(f"/{name}/{STAMP}{modifier}/{url}", page, headers=(DATED, HTML))
    style = f"/{name}/{STAMP}id_/{origin.url('/site.css')}"
    origin.page(style, b"h1 { color: red } " * 30, headers=(DATED, CSS))
    origin.redirect(f"/{name}/{url}", f"/{name}/{STAMP}/{url}")
    return place


def snapshots(runtime: Runtime, article: str) -> list[Snapshot]:
    with runtime.database.reading() as store:
        return store.snapshots(article)


def state(runtime: Runtime, article: str) -> CaptureState:
    with runtime.database.reading() as store:
        found = store.capture_state(article)
    assert found is not None
    return found


def files(runtime: Runtime) -> list[str]:
    return sorted(runtime.archive.stored())


@pytest.mark.parametrize("runtime", ["sqlite", "postgresql"], indirect=True)
def test_an_original_that_is_gone_is_had_from_another_archive(
    runtime: Runtime, origin: Origin, article: str
) -> None:
    place = archived(origin, "first")
    (attempt,) = jobs.capture_due(runtime).attempts
    (snapshot,) = snapshots(runtime, article)
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    assert (snapshot.url, snapshot.source) == (origin.url("/ferry"), place)
    assert f"{snapshot.captured:%Y-%m-%d %H:%M:%S}" == "2024-06-01 03:04:05"
    assert snapshot.requisites == 1
    assert (attempt.outcome, attempt.status) == (Outcome.VERIFIED, 404)
    assert attempt.snapshot_id == snapshot.id
    assert f"from {origin.host}, captured 2024-06-01" in attempt.cause
    assert files(runtime) == [snapshot.key]
    assert not jobs.verify(runtime).damage


def test_the_snapshot_says_where_and_when_it_is_from(
    runtime: Runtime, origin: Origin, article: str
) -> None:
    place = archived(origin, "first")
    jobs.capture_due(runtime)
    (snapshot,) = snapshots(runtime, article)
    with runtime.archive.open(snapshot.key) as file:
        kinds = {}
        for record in ArchiveIterator(file, check_digests="raise"):
            target = record.rec_headers.get_header("WARC-Target-URI")
            kinds[record.rec_type, target] = (
                record.rec_headers.get_header("WARC-Date"),
                record.content_stream().read(),
            )
    url = origin.url("/ferry")
    assert kinds["response", url] == ("2024-06-01T03:04:05.000000Z", PAGE)
    assert not any(kind == "request" for kind, _ in kinds)
    facts = kinds["metadata", url][1].decode()
    for line in (
        f"archive: {origin.host}",
        f"timegate: {origin.url('/first/')}",
        f"memento: {place}",
        "mementoDatetime: 2024-06-01T03:04:05Z",
        "fetched: 2026-11-01T12:00:00Z",
    ):
        assert f"{line}\r\n" in facts


def test_archives_are_asked_in_order_and_the_failure_of_one_stops_nothing(
    runtime: Runtime, origin: Origin, article: str
) -> None:
    origin.raw(f"/first/{origin.url('/ferry')}", lambda connection, _: connection.close())
    archived(origin, "second")
    jobs.capture_due(runtime)
    (snapshot,) = snapshots(runtime, article)
    assert "/second/" in (snapshot.source or "")


def test_what_is_not_the_article_is_not_kept(
    runtime: Runtime, origin: Origin, article: str
) -> None:
    archived(origin, "first", b"<h1>Please log in</h1>" + b"<p>to read on with us today</p>" * 50)
    (attempt,) = jobs.capture_due(runtime).attempts
    assert attempt.outcome is Outcome.MISMATCH
    assert "not the article" in attempt.cause
    assert "it has no capture" in attempt.cause
    (inspected,) = snapshots(runtime, article)
    assert (inspected.status, inspected.source) == (404, None)
    assert files(runtime) == [inspected.key]


def test_archives_are_asked_again_with_growing_pauses_and_not_in_a_loop(
    runtime: Runtime, origin: Origin, article: str, clock: Clock
) -> None:
    asked: list[int] = []
    for day in range(40):
        jobs.capture_due(runtime, everything=True)
        clock.advance(days=1)
        if origin.count(f"/first/{origin.url('/ferry')}") > len(asked):
            asked.append(day)
    assert asked == [0, 1, 3, 7, 15, 31]
    assert ASKED not in state(runtime, article).cause


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_original_that_is_there_and_does_not_answer_well_asks_nobody(
    runtime: Runtime, origin: Origin, article: str, status: int
) -> None:
    archived(origin, "first")
    origin.page("/ferry", b"<h1>Sorry</h1>", status=status)
    jobs.capture_due(runtime)
    assert not origin.count(f"/first/{origin.url('/ferry')}")


def test_without_archives_in_the_settings_nobody_is_asked(
    site: Path, seeds: Seeds, origin: Origin
) -> None:
    archived(origin, "first")
    seeds.write("ferry.md", url=origin.url("/ferry"))
    with open_site(site, archive={"allow_hosts": (origin.host,)}) as runtime:
        jobs.ingest_seeds(runtime)
        (attempt,) = jobs.capture_due(runtime).attempts
    assert ASKED not in attempt.cause
    assert [seen.target for seen in origin.seen if "first" in seen.target] == []


def test_a_soft_404_and_a_name_nobody_knows_are_gone_and_a_timeout_is_not(
    runtime: Runtime, origin: Origin, article: str
) -> None:
    archived(origin, "first")
    origin.page("/ferry", b"<title>Page not found</title><h1>Page not found</h1>" * 3)
    jobs.capture_due(runtime)
    assert snapshots(runtime, article)[0].source
    failed = Attempt(article, "", NOON, 1.0, Outcome.FAILED, "no such name")
    assert is_gone(Result(failed, host_unknown=True))
    assert not is_gone(Result(failed))
