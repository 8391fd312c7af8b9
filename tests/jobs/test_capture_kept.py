"""Laws of what a capture leaves: every byte as it came, and nothing in place of the article."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import feedparser
import pytest
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.model import Outcome, Verdict
from feedsvc.runtime import Runtime
from tests.jobs.originals import PAGE, load, records, serve, snapshots, state, trusting
from tests.jobs.site import Clock, Seeds, open_site
from tests.origin import Origin


def test_an_archived_article_shows_its_snapshot_in_its_feeds(
    online: Runtime, seeds: Seeds, origin: Origin, site: Path
) -> None:
    url = serve(origin)
    article = load(online, seeds, url)
    jobs.publish_feeds(online)
    before = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries[0]
    jobs.capture_due(online)
    assert jobs.publish_feeds(online).written >= 4
    (snapshot,) = snapshots(online, article)
    entry = feedparser.parse((site / "feeds" / "all.atom").read_bytes()).entries[0]
    links = {link.rel: link.href for link in entry.links}
    assert links["via"] == url
    assert links["related"] == f"http://127.0.0.1:8080/snapshots/{snapshot.id}/"
    assert snapshot.id in entry.content[0].value
    assert (entry.id, entry.updated) == (before.id, before.updated)


def test_what_was_stored_before_is_a_revisit(online: Runtime, seeds: Seeds, origin: Origin) -> None:
    article = load(online, seeds, serve(origin))
    jobs.capture_due(online)
    jobs.capture_due(online, article=article)
    second, first = snapshots(online, article)
    assert {kind for kind, _ in records(online, second)} >= {"revisit", "request", "warcinfo"}
    assert not any(
        kind == "response" and target.endswith(".png") for kind, target in records(online, second)
    )
    assert second.size < first.size
    assert jobs.verify(online).damage == ()


def test_every_hop_of_a_redirect_is_a_record_of_its_own(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    target = serve(origin)
    origin.redirect("/old", "/older")
    origin.redirect("/older", "/ferry", status=301)
    article = load(online, seeds, origin.url("/old"))
    jobs.capture_due(online)
    (snapshot,) = snapshots(online, article)
    assert snapshot.final_url == target
    responses = {target for kind, target in records(online, snapshot) if kind == "response"}
    assert {origin.url("/old"), origin.url("/older"), target} <= responses


def test_a_page_that_is_not_the_article_is_kept_but_does_not_count(
    online: Runtime, seeds: Seeds, origin: Origin, site: Path, clock: Clock
) -> None:
    url = origin.page("/ferry", b"<html><body><h1>Are you human?</h1><p>Solve it.</p></body>")
    article = load(online, seeds, url)
    report = jobs.capture_due(online)
    assert (report.archived, report.partial) == (0, True)
    (snapshot,) = snapshots(online, article)
    assert snapshot.judgement.verdict is Verdict.MISMATCH
    jobs.publish_feeds(online)
    assert snapshot.id not in (site / "feeds" / "all.atom").read_text()
    waiting = state(online, article)
    assert waiting.cause
    assert waiting.next_at is not None
    assert waiting.next_at > clock()
    # Tried again when it is due; and now the article is there.
    serve(origin)
    assert jobs.capture_due(online).attempts == ()
    clock.advance(days=2)
    assert jobs.capture_due(online).archived == 1


def test_only_the_last_mismatches_are_kept(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    url = origin.page("/ferry", b"<p>Please log in to see this page.</p>")
    article = load(online, seeds, url)
    for _ in range(5):
        jobs.capture_due(online)
        clock.advance(days=40)
    assert len(snapshots(online, article)) == 3
    assert len(list(online.archive.stored())) == 3
    assert jobs.verify(online).damage == ()


def test_a_later_failure_never_replaces_a_good_snapshot(
    online: Runtime, seeds: Seeds, origin: Origin, site: Path
) -> None:
    article = load(online, seeds, serve(origin))
    jobs.capture_due(online)
    (good,) = snapshots(online, article)
    origin.page("/ferry", b"gone", status=404)
    jobs.capture_due(online, article=article)
    jobs.publish_feeds(online)
    assert good.id in (site / "feeds" / "all.atom").read_text()
    assert jobs.status(online).archived == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(404, Outcome.MISMATCH), (410, Outcome.MISMATCH), (500, Outcome.MISMATCH)],
)
def test_error_pages_are_never_the_article(
    status: int, outcome: Outcome, online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    url = origin.page("/ferry", b"<h1>Sorry</h1>", status=status)
    article = load(online, seeds, url)
    (attempt,) = jobs.capture_due(online).attempts
    assert attempt.outcome in {outcome, Outcome.FAILED}
    assert attempt.status in {status, None}
    assert attempt.next_at is not None
    assert str(status) in state(online, article).cause


def test_a_body_over_the_cap_is_cut_and_marked(
    site: Path, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    large = PAGE.encode() + b"<!-- " + b"x" * 300_000 + b" -->"
    url = origin.page("/ferry", large)
    with open_site(site, now=clock, archive=trusting(origin, max_page=100_000)) as online:
        article = load(online, seeds, url)
        jobs.capture_due(online)
        (snapshot,) = snapshots(online, article)
        with online.archive.open(snapshot.key) as file:
            marks = [
                record.rec_headers.get_header("WARC-Truncated") for record in ArchiveIterator(file)
            ]
    assert "length" in marks


def test_content_codings_are_kept_as_they_came(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    packed = gzip.compress(PAGE.encode(), mtime=0)
    headers = (("Content-Type", "text/html"), ("Content-Encoding", "gzip"))
    url = origin.page("/ferry", packed, headers=headers)
    article = load(online, seeds, url)
    jobs.capture_due(online)
    (snapshot,) = snapshots(online, article)
    assert snapshot.judgement.verdict is Verdict.VERIFIED
    with online.archive.open(snapshot.key) as file:
        stored = [
            record.raw_stream.read()
            for record in ArchiveIterator(file)
            if record.rec_type == "response"
            and record.rec_headers.get_header("WARC-Target-URI") == url
        ]
    assert stored == [packed]


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_page_whose_connection_broke_is_never_the_whole_article(
    share: float, online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    body = PAGE.encode()
    half = body[: int(len(body) * share)]

    def cut(connection: Any, _seen: object) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), half))

    article = load(online, seeds, origin.raw("/ferry", cut))
    jobs.capture_due(online)
    waiting = state(online, article)
    assert waiting.outcome != Outcome.VERIFIED
    assert "cut off" in waiting.cause
    assert waiting.next_at is not None
    serve(origin)
    clock.advance(days=1)
    assert jobs.capture_due(online).archived == 1
    assert state(online, article).outcome == Outcome.VERIFIED
