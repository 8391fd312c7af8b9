from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.errors import NotFound, OutOfSpace
from feedsvc.model import CaptureState, Outcome, Snapshot, Verdict
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, Clock, Seeds, only, open_site
from tests.origin import Listener, Origin

PAGE = (
    "<!doctype html><html><head><title>A ferry for the harbour</title>"
    '<link rel="stylesheet" href="/site.css"><link rel="icon" href="/icon.png"></head>'
    "<body><nav>Home News Log in</nav><h1>A ferry for the harbour</h1>"
    + "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
    + '<img src="/boat.png"></body></html>'
)


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A web server on loopback."""
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
    """A site that trusts the origin and waits for nothing."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with open_site(site, database=url, now=clock, archive=trusting(origin)) as opened:
        yield opened


def trusting(origin: Origin, **more: Any) -> dict[str, Any]:
    return {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "per_host": 8} | more


def serve(origin: Origin, path: str = "/ferry", page: str = PAGE) -> str:
    """Put the article and its requisites on the origin; return its URL."""
    origin.page("/site.css", b"h1 { background: url(/back.png) }", headers=content("text/css"))
    for image in ("/icon.png", "/boat.png", "/back.png"):
        origin.page(image, b"\x89PNG" + image.encode() * 100, headers=content("image/png"))
    return origin.page(path, page.encode())


def content(kind: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", kind),)


def load(runtime: Runtime, seeds: Seeds, url: str) -> str:
    seeds.write("ferry.md", url=url)
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        return store.newest(1)[0].id


def state(runtime: Runtime, article_id: str) -> CaptureState:
    with runtime.database.reading() as store:
        found = store.capture_state(article_id)
    assert found is not None
    return found


def snapshots(runtime: Runtime, article_id: str) -> list[Snapshot]:
    with runtime.database.reading() as store:
        return store.snapshots(article_id)


def records(runtime: Runtime, snapshot: Snapshot) -> list[tuple[str, str]]:
    with runtime.archive.open(snapshot.key) as file:
        return [
            (record.rec_type, record.rec_headers.get_header("WARC-Target-URI") or "")
            for record in ArchiveIterator(file, check_digests="raise")
        ]


@pytest.mark.parametrize("runtime", ["sqlite", "postgresql"], indirect=True)
def test_an_original_is_archived_with_its_requisites_and_verified(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    url = serve(origin)
    article = load(runtime, seeds, url)
    report = jobs.capture_due(runtime)
    assert (report.archived, report.partial) == (1, False)
    (snapshot,) = snapshots(runtime, article)
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    assert (snapshot.requisites, snapshot.missing) == (4, 0)
    assert runtime.archive.size(snapshot.key) == snapshot.size
    kinds = records(runtime, snapshot)
    assert kinds[0][0] == "warcinfo"
    responses = {target for kind, target in kinds if kind == "response"}
    assert responses == {
        origin.url(path) for path in ("/ferry", "/site.css", "/icon.png", "/boat.png", "/back.png")
    }
    assert jobs.capture_due(runtime).attempts == ()
    assert state(runtime, article).next_at is None


def test_an_archived_article_shows_its_snapshot_in_its_feeds(
    runtime: Runtime, seeds: Seeds, origin: Origin, site: Path
) -> None:
    url = serve(origin)
    article = load(runtime, seeds, url)
    jobs.publish_feeds(runtime)
    before = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries[0]
    jobs.capture_due(runtime)
    assert jobs.publish_feeds(runtime).written >= 4
    (snapshot,) = snapshots(runtime, article)
    entry = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries[0]
    links = {link.rel: link.href for link in entry.links}
    assert links["via"] == url
    assert links["related"] == f"http://127.0.0.1:8080/snapshots/{snapshot.id}/"
    assert snapshot.id in entry.content[0].value
    assert (entry.id, entry.updated) == (before.id, before.updated)


def test_what_was_stored_before_is_a_revisit(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    jobs.capture_due(runtime, article=article)
    second, first = snapshots(runtime, article)
    assert {kind for kind, _ in records(runtime, second)} >= {"revisit", "request", "warcinfo"}
    assert not any(
        kind == "response" and target.endswith(".png") for kind, target in records(runtime, second)
    )
    assert second.size < first.size
    assert jobs.verify(runtime).damage == ()


def test_every_hop_of_a_redirect_is_a_record_of_its_own(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    target = serve(origin)
    origin.redirect("/old", "/older")
    origin.redirect("/older", "/ferry", status=301)
    article = load(runtime, seeds, origin.url("/old"))
    jobs.capture_due(runtime)
    (snapshot,) = snapshots(runtime, article)
    assert snapshot.final_url == target
    responses = {target for kind, target in records(runtime, snapshot) if kind == "response"}
    assert {origin.url("/old"), origin.url("/older"), target} <= responses


def test_a_page_that_is_not_the_article_is_kept_but_does_not_count(
    runtime: Runtime, seeds: Seeds, origin: Origin, site: Path, clock: Clock
) -> None:
    url = origin.page("/ferry", b"<html><body><h1>Are you human?</h1><p>Solve it.</p></body>")
    article = load(runtime, seeds, url)
    report = jobs.capture_due(runtime)
    assert (report.archived, report.partial) == (0, True)
    (snapshot,) = snapshots(runtime, article)
    assert snapshot.judgement.verdict is Verdict.MISMATCH
    jobs.publish_feeds(runtime)
    assert snapshot.id not in (site / "feeds" / "all.atom").read_text()
    waiting = state(runtime, article)
    assert waiting.cause
    assert waiting.next_at is not None
    assert waiting.next_at > clock()
    # Tried again when it is due; and now the article is there.
    serve(origin)
    assert jobs.capture_due(runtime).attempts == ()
    clock.advance(days=2)
    assert jobs.capture_due(runtime).archived == 1


def test_only_the_last_mismatches_are_kept(
    runtime: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    url = origin.page("/ferry", b"<p>Please log in to see this page.</p>")
    article = load(runtime, seeds, url)
    for _ in range(5):
        jobs.capture_due(runtime)
        clock.advance(days=40)
    assert len(snapshots(runtime, article)) == 3
    assert len(list(runtime.archive.stored())) == 3
    assert jobs.verify(runtime).damage == ()


def test_a_later_failure_never_replaces_a_good_snapshot(
    runtime: Runtime, seeds: Seeds, origin: Origin, site: Path
) -> None:
    article = load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    (good,) = snapshots(runtime, article)
    origin.page("/ferry", b"gone", status=404)
    jobs.capture_due(runtime, article=article)
    jobs.publish_feeds(runtime)
    assert good.id in (site / "feeds" / "all.atom").read_text()
    assert jobs.status(runtime).archived == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(404, Outcome.MISMATCH), (410, Outcome.MISMATCH), (500, Outcome.MISMATCH)],
)
def test_error_pages_are_never_the_article(
    status: int, outcome: Outcome, runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    url = origin.page("/ferry", b"<h1>Sorry</h1>", status=status)
    article = load(runtime, seeds, url)
    (attempt,) = jobs.capture_due(runtime).attempts
    assert attempt.outcome in {outcome, Outcome.FAILED}
    assert attempt.status in {status, None}
    assert attempt.next_at is not None
    assert str(status) in state(runtime, article).cause


def test_a_retry_after_is_obeyed(
    runtime: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    headers = (("Retry-After", "7200"), ("Content-Type", "text/plain"))
    url = origin.page("/ferry", b"busy", status=503, headers=headers)
    article = load(runtime, seeds, url)
    jobs.capture_due(runtime)
    waiting = state(runtime, article)
    assert waiting.next_at is not None
    assert waiting.next_at >= clock() + timedelta(hours=2)
    assert "503" in waiting.cause


def test_what_robots_txt_forbids_is_not_fetched(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    url = serve(origin)
    origin.page("/robots.txt", b"User-agent: *\nDisallow: /ferry\n", headers=content("text/plain"))
    article = load(runtime, seeds, url)
    (attempt,) = jobs.capture_due(runtime).attempts
    assert attempt.outcome is Outcome.REFUSED
    assert "robots.txt" in attempt.cause
    assert origin.count("/ferry") == 0
    assert state(runtime, article).next_at is not None


def test_a_private_address_is_refused_with_the_reason(site: Path, seeds: Seeds) -> None:
    with open_site(site) as runtime:
        article = load(runtime, seeds, "http://127.0.0.1/secret")
        (attempt,) = jobs.capture_due(runtime).attempts
        assert attempt.outcome is Outcome.REFUSED
        assert "127.0.0.1" in attempt.cause
        assert list(runtime.archive.stored()) == []
        assert jobs.status(runtime).failures[0].article_id == article


def test_a_redirect_to_a_private_address_is_refused(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    origin.redirect("/ferry", "http://169.254.169.254/latest/meta-data/")
    load(runtime, seeds, origin.url("/ferry"))
    (attempt,) = jobs.capture_due(runtime).attempts
    assert attempt.outcome is Outcome.REFUSED
    assert list(runtime.archive.stored()) == []


def test_one_bad_original_never_stops_the_others(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    good = serve(origin)
    seeds.write("a.md", url=good)
    seeds.write("b.md", url="http://127.0.0.1:1/refused")
    seeds.write("c.md", url=origin.url("/missing"))
    origin.raw("/broken", lambda connection, _: connection.sendall(b"garbage\r\n\r\n"))
    seeds.write("d.md", url=origin.url("/broken"))
    jobs.ingest_seeds(runtime)
    report = jobs.capture_due(runtime)
    assert len(report.attempts) == 4
    assert report.archived == 1
    assert all(one.cause and one.next_at for one in report.attempts if one.next_at)


def test_a_limit_is_kept(runtime: Runtime, seeds: Seeds, origin: Origin) -> None:
    for number in range(5):
        seeds.write(f"{number}.md", url=serve(origin, f"/{number}"))
    jobs.ingest_seeds(runtime)
    assert len(jobs.capture_due(runtime, limit=2).attempts) == 2
    assert len(jobs.capture_due(runtime).attempts) == 3


def test_everything_is_captured_again_when_asked(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    assert len(jobs.capture_due(runtime, everything=True).attempts) == 1


def test_an_article_without_an_original_cannot_be_captured(runtime: Runtime, seeds: Seeds) -> None:
    seeds.write("note.md", url=None)
    jobs.ingest_seeds(runtime)
    assert jobs.capture_due(runtime).attempts == ()
    with pytest.raises(NotFound, match="Original url"):
        jobs.capture_due(runtime, article="seeds/note.md")


def test_a_stop_hands_back_what_is_in_flight(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    stop = threading.Event()

    def hang(_connection: object, _seen: object) -> None:
        stop.set()
        origin.pause(30)

    article = load(runtime, seeds, origin.raw("/ferry", hang))
    report = jobs.capture_due(runtime, stop=stop)
    assert report.attempts == ()
    assert state(runtime, article).state == "due"
    assert state(runtime, article).attempts == 0


def test_never_more_at_a_host_than_allowed(
    site: Path, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    flying = most = 0
    lock = threading.Lock()

    def count(connection: Any, _seen: object) -> None:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        origin.pause(0.02)
        with lock:
            flying -= 1
        body = PAGE.encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    for number in range(8):
        seeds.write(f"{number}.md", url=origin.raw(f"/{number}", count))
    options = trusting(origin, per_host=2, robots="ignore", max_requisites=0)
    with open_site(site, now=clock, archive=options) as runtime:
        jobs.ingest_seeds(runtime)
        assert len(jobs.capture_due(runtime).attempts) == 8
    assert most == 2


def test_captures_stop_before_the_disk_is_full(
    site: Path, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    with open_site(site, now=clock, archive=trusting(origin, min_free=1 << 60)) as runtime:
        article = load(runtime, seeds, serve(origin))
        with pytest.raises(OutOfSpace, match="min_free") as caught:
            jobs.capture_due(runtime)
        assert caught.value.exit_code == 3
        assert state(runtime, article).state == "due"
        assert origin.seen == []
        (run,) = [one for one in jobs.status(runtime).runs if one.job == "capture"]
        assert not run.ok
        assert "min_free" in run.error


def test_a_body_over_the_cap_is_cut_and_marked(
    site: Path, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    large = PAGE.encode() + b"<!-- " + b"x" * 300_000 + b" -->"
    url = origin.page("/ferry", large)
    with open_site(site, now=clock, archive=trusting(origin, max_page=100_000)) as runtime:
        article = load(runtime, seeds, url)
        jobs.capture_due(runtime)
        (snapshot,) = snapshots(runtime, article)
        with runtime.archive.open(snapshot.key) as file:
            marks = [
                record.rec_headers.get_header("WARC-Truncated") for record in ArchiveIterator(file)
            ]
    assert "length" in marks


def test_content_codings_are_kept_as_they_came(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    packed = gzip.compress(PAGE.encode(), mtime=0)
    headers = (("Content-Type", "text/html"), ("Content-Encoding", "gzip"))
    url = origin.page("/ferry", packed, headers=headers)
    article = load(runtime, seeds, url)
    jobs.capture_due(runtime)
    (snapshot,) = snapshots(runtime, article)
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    with runtime.archive.open(snapshot.key) as file:
        stored = [
            record.raw_stream.read()
            for record in ArchiveIterator(file)
            if record.rec_type == "response"
            and record.rec_headers.get_header("WARC-Target-URI") == url
        ]
    assert stored == [packed]


@pytest.mark.parametrize("where", [0.0, 0.1, 0.5, 0.9, 0.9999])
def test_a_flipped_byte_is_found_and_its_article_named(
    where: float, runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    (snapshot,) = snapshots(runtime, article)
    path = runtime.archive.path(snapshot.key)
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 1
    path.write_bytes(data)
    (damage,) = jobs.verify(runtime).damage
    assert (damage.what, damage.article_id) == ("snapshot", article)
    assert damage.title == "A ferry for the harbour"


def test_missing_cut_and_unknown_files_are_found(
    runtime: Runtime, seeds: Seeds, origin: Origin, site: Path
) -> None:
    load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    jobs.publish_feeds(runtime)
    assert jobs.verify(runtime).damage == ()
    (key,) = runtime.archive.stored()
    path = runtime.archive.path(key)
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    assert [one.what for one in jobs.verify(runtime).damage] == ["snapshot"]
    path.unlink()
    assert "missing" in jobs.verify(runtime).damage[0].problem
    path.write_bytes(data)
    (site / "data" / "snapshots" / "stray.warc.gz").write_bytes(b"x")
    (site / "feeds" / "all.rss").write_bytes(b"x")
    (site / "feeds" / "index.opml").unlink()
    found = {(one.what, Path(one.name).name) for one in jobs.verify(runtime).damage}
    assert found == {
        ("unknown file", "stray.warc.gz"),
        ("feed", "all.rss"),
        ("feed", "index.opml"),
    }


def test_a_sample_checks_so_many(runtime: Runtime, seeds: Seeds, origin: Origin) -> None:
    for number in range(4):
        seeds.write(f"{number}.md", url=serve(origin, f"/{number}"))
    jobs.ingest_seeds(runtime)
    jobs.capture_due(runtime)
    assert jobs.verify(runtime, sample=2).snapshots == 2
    assert only(jobs.verify(runtime))["snapshots"] == 4


def test_the_status_tells_what_failed_and_why(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    load(runtime, seeds, origin.url("/missing"))
    jobs.capture_due(runtime)
    found = jobs.status(runtime)
    (failure,) = found.failures
    assert failure.url == origin.url("/missing")
    assert failure.cause
    assert failure.tried is not None
    assert failure.next_at is not None
    assert (found.due, found.archived) == (0, 0)


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_page_whose_connection_broke_is_never_the_whole_article(
    share: float, runtime: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    body = PAGE.encode()
    half = body[: int(len(body) * share)]

    def cut(connection: Any, _seen: object) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), half))

    article = load(runtime, seeds, origin.raw("/ferry", cut))
    jobs.capture_due(runtime)
    waiting = state(runtime, article)
    assert waiting.outcome != Outcome.VERIFIED
    assert "cut off" in waiting.cause
    assert waiting.next_at is not None
    serve(origin)
    clock.advance(days=1)
    assert jobs.capture_due(runtime).archived == 1
    assert state(runtime, article).outcome == Outcome.VERIFIED


def test_a_host_that_wants_a_pause_does_not_hold_up_the_others(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    other = Origin()
    listener = Listener(other)
    try:
        other.page("/busy", b"", status=429)
        for number in range(3):
            seeds.write(f"busy{number}.md", url=other.url(f"/busy?{number}"))
        seeds.write("good.md", url=serve(origin))
        settings = runtime.settings.archive
        trusted = (*settings.allow_hosts, other.host)
        archive = settings.model_copy(update={"allow_hosts": trusted, "per_host": 1})
        runtime.settings = runtime.settings.model_copy(update={"archive": archive})
        jobs.ingest_seeds(runtime)
        report = jobs.capture_due(runtime)
        assert (len(report.attempts), report.archived) == (4, 1)
        assert other.count("/busy") == 1
        assert all(one.next_at for one in report.attempts if one.outcome is Outcome.FAILED)
    finally:
        listener.close()


def test_a_lost_snapshot_is_captured_again_whole_and_then_all_is_well(
    runtime: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    seeds.write("other.md", title="A ferry for the harbour", url=serve(origin, "/other"))
    jobs.ingest_seeds(runtime)
    jobs.capture_due(runtime)
    article = load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    with runtime.database.reading() as store:
        everything = {one.id: one for one in store.all_snapshots()}
    lost = next(one for one in everything.values() if not one.refers)
    runtime.archive.path(lost.key).unlink()
    found = {one.article_id for one in jobs.verify(runtime).damage}
    # What refers to the lost one is incomplete too.
    assert found == {one.article_id for one in everything.values()} >= {article}
    clock.advance(minutes=1)
    assert jobs.capture_due(runtime).archived == 2
    report = jobs.verify(runtime)
    assert (report.damage, report.superseded) == ((), 2)
    with runtime.database.reading() as store:
        for one in everything.values():
            assert store.good_snapshots([one.article_id])[one.article_id].id not in everything


def test_a_snapshot_that_is_restored_counts_again(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = load(runtime, seeds, serve(origin))
    jobs.capture_due(runtime)
    (snapshot,) = snapshots(runtime, article)
    path = runtime.archive.path(snapshot.key)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert jobs.verify(runtime).damage
    assert jobs.status(runtime).archived == 0
    path.write_bytes(whole)
    assert jobs.verify(runtime).damage == ()
    assert jobs.status(runtime).archived == 1
