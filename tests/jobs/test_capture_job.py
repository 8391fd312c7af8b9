"""Laws of capturing what is due: what is tried, when, and what ends it."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from feedsvc import jobs
from feedsvc.errors import NotFound, OutOfSpace
from feedsvc.model import Outcome, Verdict
from feedsvc.runtime import Runtime
from tests.jobs.originals import PAGE, content, load, records, serve, snapshots, state, trusting
from tests.jobs.site import Clock, Seeds, open_site
from tests.origin import Listener, Origin


@pytest.mark.parametrize("online", ["sqlite", "postgresql"], indirect=True)
def test_an_original_is_archived_with_its_requisites_and_verified(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    url = serve(origin)
    article = load(online, seeds, url)
    report = jobs.capture_due(online)
    assert (report.archived, report.partial) == (1, False)
    (snapshot,) = snapshots(online, article)
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    assert (snapshot.requisites, snapshot.missing) == (4, 0)
    assert online.archive.size(snapshot.key) == snapshot.size
    kinds = records(online, snapshot)
    assert kinds[0][0] == "warcinfo"
    responses = {target for kind, target in kinds if kind == "response"}
    assert responses == {
        origin.url(path) for path in ("/ferry", "/site.css", "/icon.png", "/boat.png", "/back.png")
    }
    assert jobs.capture_due(online).attempts == ()
    waiting = state(online, article)
    assert (waiting.purpose, waiting.attempts) == ("look", 0)
    assert waiting.next_at is not None
    assert timedelta(days=1) <= waiting.next_at - clock() <= timedelta(days=1.1)


def test_a_retry_after_is_obeyed(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    headers = (("Retry-After", "7200"), ("Content-Type", "text/plain"))
    url = origin.page("/ferry", b"busy", status=503, headers=headers)
    article = load(online, seeds, url)
    jobs.capture_due(online)
    waiting = state(online, article)
    assert waiting.next_at is not None
    assert waiting.next_at >= clock() + timedelta(hours=2)
    assert "503" in waiting.cause


def test_what_robots_txt_forbids_is_not_fetched(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    url = serve(origin)
    origin.page("/robots.txt", b"User-agent: *\nDisallow: /ferry\n", headers=content("text/plain"))
    article = load(online, seeds, url)
    (attempt,) = jobs.capture_due(online).attempts
    assert attempt.outcome is Outcome.REFUSED
    assert "robots.txt" in attempt.cause
    assert origin.count("/ferry") == 0
    assert state(online, article).next_at is not None


def test_a_private_address_is_refused_with_the_reason(site: Path, seeds: Seeds) -> None:
    with open_site(site) as online:
        article = load(online, seeds, "http://127.0.0.1/secret")
        (attempt,) = jobs.capture_due(online).attempts
        assert attempt.outcome is Outcome.REFUSED
        assert "127.0.0.1" in attempt.cause
        assert list(online.archive.stored()) == []
        assert jobs.status(online).failures[0].article_id == article


def test_a_redirect_to_a_private_address_is_refused(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    origin.redirect("/ferry", "http://169.254.169.254/latest/meta-data/")
    load(online, seeds, origin.url("/ferry"))
    (attempt,) = jobs.capture_due(online).attempts
    assert attempt.outcome is Outcome.REFUSED
    assert list(online.archive.stored()) == []


def test_one_bad_original_never_stops_the_others(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    good = serve(origin)
    seeds.write("a.md", url=good)
    seeds.write("b.md", url="http://127.0.0.1:1/refused")
    seeds.write("c.md", url=origin.url("/missing"))
    origin.raw("/broken", lambda connection, _: connection.sendall(b"garbage\r\n\r\n"))
    seeds.write("d.md", url=origin.url("/broken"))
    jobs.ingest_seeds(online)
    report = jobs.capture_due(online)
    assert len(report.attempts) == 4
    assert report.archived == 1
    assert all(one.cause and one.next_at for one in report.attempts if one.next_at)


def test_a_limit_is_kept(online: Runtime, seeds: Seeds, origin: Origin) -> None:
    for number in range(5):
        seeds.write(f"{number}.md", url=serve(origin, f"/{number}"))
    jobs.ingest_seeds(online)
    assert len(jobs.capture_due(online, limit=2).attempts) == 2
    assert len(jobs.capture_due(online).attempts) == 3


def test_everything_is_captured_again_when_asked(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    load(online, seeds, serve(origin))
    jobs.capture_due(online)
    assert len(jobs.capture_due(online, everything=True).attempts) == 1


def test_an_article_without_an_original_cannot_be_captured(online: Runtime, seeds: Seeds) -> None:
    seeds.write("note.md", url=None)
    jobs.ingest_seeds(online)
    assert jobs.capture_due(online).attempts == ()
    with pytest.raises(NotFound, match="Original url"):
        jobs.capture_due(online, article="seeds/note.md")


def test_a_stop_hands_back_what_is_in_flight(online: Runtime, seeds: Seeds, origin: Origin) -> None:
    stop = threading.Event()

    def hang(_connection: object, _seen: object) -> None:
        stop.set()
        origin.pause(30)

    article = load(online, seeds, origin.raw("/ferry", hang))
    report = jobs.capture_due(online, stop=stop)
    assert report.attempts == ()
    assert state(online, article).state == "due"
    assert state(online, article).attempts == 0


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
    with open_site(site, now=clock, archive=options) as online:
        jobs.ingest_seeds(online)
        assert len(jobs.capture_due(online).attempts) == 8
    assert most == 2


def test_captures_stop_before_the_disk_is_full(
    site: Path, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    with open_site(site, now=clock, archive=trusting(origin, min_free=1 << 60)) as online:
        article = load(online, seeds, serve(origin))
        with pytest.raises(OutOfSpace, match="min_free") as caught:
            jobs.capture_due(online)
        assert caught.value.exit_code == 3
        assert state(online, article).state == "due"
        assert origin.seen == []
        (run,) = [one for one in jobs.status(online).runs if one.job == "capture"]
        assert not run.ok
        assert "min_free" in run.error


def test_the_status_tells_what_failed_and_why(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    load(online, seeds, origin.url("/missing"))
    jobs.capture_due(online)
    found = jobs.status(online)
    (failure,) = found.failures
    assert failure.url == origin.url("/missing")
    assert failure.cause
    assert failure.tried is not None
    assert failure.next_at is not None
    assert (found.due, found.archived) == (0, 0)


def test_a_host_that_wants_a_pause_does_not_hold_up_the_others(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    other = Origin()
    listener = Listener(other)
    try:
        other.page("/busy", b"", status=429)
        for number in range(3):
            seeds.write(f"busy{number}.md", url=other.url(f"/busy?{number}"))
        seeds.write("good.md", url=serve(origin))
        settings = online.settings.archive
        trusted = (*settings.allow_hosts, other.host)
        archive = settings.model_copy(update={"allow_hosts": trusted, "per_host": 1})
        online.settings = online.settings.model_copy(update={"archive": archive})
        jobs.ingest_seeds(online)
        report = jobs.capture_due(online)
        assert (len(report.attempts), report.archived) == (4, 1)
        assert other.count("/busy") == 1
        assert all(one.next_at for one in report.attempts if one.outcome is Outcome.FAILED)
    finally:
        listener.close()
