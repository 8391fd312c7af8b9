"""Laws of what a look leaves: a small record of an unchanged page, all of a changed one."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.capture.warc_check import check_warc
from feedsvc.jobs.contents import contents_of, look_in
from feedsvc.model import Outcome, Snapshot, Verdict
from feedsvc.replay.content import Found, Missing
from feedsvc.runtime import Runtime
from tests.jobs.originals import snapshots
from tests.jobs.site import Clock, Seeds
from tests.jobs.watched import (
    OTHER,
    PARAGRAPHS,
    REWRITTEN,
    archive,
    look,
    original,
    page,
    serve,
)
from tests.origin import Origin, Seen

ETAG = '"light-1"'
STYLED = "Read next: " + "a long list of other things that happened at sea. " * 300


def fields(runtime: Runtime, snapshot: Snapshot) -> list[dict[str, str]]:
    """The headers of the records of a snapshot, by lower-case name."""
    with runtime.archive.open(snapshot.key) as file:
        return [
            {name.lower(): value for name, value in record.rec_headers.headers}
            for record in ArchiveIterator(file, check_digests="raise")
        ]


def conditional(origin: Origin, path: str = "/light") -> None:
    """Answer 304 to whoever has the page already."""
    whole = origin.replies[path]
    assert isinstance(whole, bytes)

    def answer(connection: object, seen: Seen) -> None:
        same = seen.header("If-None-Match") == ETAG
        head = f"HTTP/1.1 304 Not Modified\r\nETag: {ETAG}\r\n\r\n".encode()
        connection.sendall(head if same else whole)  # type: ignore[attr-defined]  # a socket

    origin.raw(path, answer)


def archived(online: Runtime, seeds: Seeds, origin: Origin, *, modified: bool) -> str:
    """Archive an original whose server answers 304, or just the same again."""
    url = serve(origin, page(*PARAGRAPHS, aside=STYLED), ETag=ETAG)
    if not modified:
        conditional(origin)
    return archive(online, seeds, url)


@pytest.mark.parametrize("modified", [False, True], ids=["304", "same-bytes"])
def test_an_unchanged_page_leaves_a_small_record_that_every_tool_reads(
    modified: bool, online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archived(online, seeds, origin, modified=modified)
    (first,) = snapshots(online, article)
    styles = origin.count("/site.css")
    clock.advance(days=2)
    jobs.publish_feeds(online)
    assert look(online, article).outcome is Outcome.UNCHANGED
    repeat, base = snapshots(online, article)
    assert (base, repeat.repeats, repeat.judgement) == (first, first.id, first.judgement)
    assert repeat.size <= 0.15 * first.size
    assert origin.count("/site.css") == styles
    kinds = [one["warc-type"] for one in fields(online, repeat)]
    assert kinds == ["warcinfo", "revisit", "request", "metadata"]
    revisit = fields(online, repeat)[1]
    response = next(one for one in fields(online, first) if one["warc-type"] == "response")
    profile = "identical-payload-digest" if modified else "server-not-modified"
    assert revisit["warc-profile"].endswith(f"/revisit/{profile}")
    assert revisit["warc-refers-to"] == response["warc-record-id"]
    assert revisit["warc-refers-to-date"] == response["warc-date"]
    assert revisit["warc-refers-to-target-uri"] == response["warc-target-uri"]
    assert revisit["warc-payload-digest"] == response["warc-payload-digest"]
    path = Path(online.archive.place(repeat.key))
    assert check_warc(io.BytesIO(path.read_bytes())).problems == ()
    checked = subprocess.run(
        [sys.executable, "-m", "warcio.cli", "check", str(path)], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    for record in FastIterator(io.BytesIO(path.read_bytes()), parse_http=False):
        assert record.verify_block_digest()
    assert jobs.verify(online).damage == ()
    # Feeds go on to lead to what holds the page.
    with online.database.reading() as store:
        assert store.good_snapshots([article])[article] == first
        assert [one.snapshot_id for one in store.mementos(first.url, limit=9)] == [
            first.id,
            repeat.id,
        ]
    assert jobs.publish_feeds(online).written == 0


@pytest.mark.parametrize("modified", [False, True], ids=["304", "same-bytes"])
def test_a_repeat_is_replayed_from_what_it_repeats(
    modified: bool, online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archived(online, seeds, origin, modified=modified)
    clock.advance(days=2)
    look(online, article)
    repeat, first = snapshots(online, article)
    contents = contents_of(online)
    shown = look_in(online, contents, repeat, repeat.final_url, follow=True)
    assert isinstance(shown, Found)
    assert contents.content(shown, limit=1 << 20)[0] == page(*PARAGRAPHS, aside=STYLED)
    assert shown.media_type == "text/html; charset=utf-8"
    assert (shown.record.status, shown.record.captured) == (200, repeat.captured)
    style = look_in(online, contents, repeat, origin.url("/site.css"), follow=True)
    assert isinstance(style, Found)
    Path(online.archive.place(first.key)).write_bytes(b"")
    for url in (repeat.final_url, origin.url("/site.css")):
        lost = look_in(online, contents_of(online), repeat, url, follow=True)
        assert isinstance(lost, Missing)
        assert lost.damaged
    damaged = {one.name for one in jobs.verify(online).damage}
    assert {online.archive.place(one.key) for one in (first, repeat)} == damaged


def test_conditions_go_to_the_address_they_came_from_only(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    serve(
        origin, page(*PARAGRAPHS), "/now", ETag=ETAG, Last_Modified="Sun, 01 Nov 2026 10:00:00 GMT"
    )
    origin.redirect("/light", "/now")
    article = archive(online, seeds, origin.url("/light"))
    assert not any(one.header("If-None-Match") for one in origin.seen)
    origin.seen.clear()
    look(online, article)
    asked = {one.target: one.header("If-None-Match") for one in origin.seen}
    assert (asked["/light"], asked["/now"]) == (None, ETAG)
    assert {one.header("If-Modified-Since") for one in origin.seen if one.target == "/now"} == {
        "Sun, 01 Nov 2026 10:00:00 GMT"
    }
    serve(origin, page(*PARAGRAPHS), "/elsewhere", ETag=ETAG)
    origin.redirect("/light", "/elsewhere")
    origin.seen.clear()
    look(online, article)
    assert not any(one.header("If-None-Match") for one in origin.seen)


def test_a_validator_of_any_bytes_is_sent_back_as_it_came(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    tag = '"caf\xe9"'
    url = serve(origin, page(*PARAGRAPHS), ETag=tag, Last_Modified="y\u00eb\x01sterday")
    article = archive(online, seeds, url)
    origin.seen.clear()
    assert look(online, article).outcome is Outcome.UNCHANGED
    (asked,) = (one for one in origin.seen if one.target == "/light")
    assert (asked.header("If-None-Match"), asked.header("If-Modified-Since")) == (tag, None)


def test_a_page_that_differs_around_the_article_is_no_change(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    serve(origin, page(*PARAGRAPHS, aside="Read next: 4 new stories, 1,203 readers today"))
    attempt = look(online, article)
    assert (attempt.outcome, attempt.snapshot_id) == (Outcome.ALIVE, None)
    assert len(snapshots(online, article)) == 1
    with online.database.reading() as store:
        assert store.changes_of(article) == []


def test_a_changed_article_is_kept_with_the_difference(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    jobs.publish_feeds(online)
    clock.advance(days=1)
    edited = (*PARAGRAPHS[:3], PARAGRAPHS[3].replace("Money is short", "Money abounds"))
    serve(origin, page(*edited, *PARAGRAPHS[4:]))
    assert look(online, article).outcome is Outcome.CHANGED
    after, before = snapshots(online, article)
    assert (after.judgement.verdict, after.requisites, after.missing) == (Verdict.VERIFIED, 3, 1)
    with online.database.reading() as store:
        (change,) = store.changes_of(article)
        assert store.recent_changes(limit=9) == [change]
        assert store.change(change.id) == change
        found = store.original(article)
        assert store.good_snapshots([article])[article].id == after.id
    assert (change.before_id, change.after_id, change.at) == (before.id, after.id, after.captured)
    assert (change.difference.added, change.difference.removed) == (1, 2)
    assert found is not None
    assert found.state == "changed"
    assert jobs.publish_feeds(online).written > 0
    # What it says now is what later looks compare with.
    clock.advance(days=1)
    assert look(online, article).outcome is Outcome.UNCHANGED
    assert snapshots(online, article)[0].repeats == after.id
    with online.database.reading() as store:
        again = store.original(article)
    assert again is not None
    assert (again.state, again.since) == (found.state, found.since)


def test_a_change_beyond_the_seed_is_kept_but_not_shown_in_its_place(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (good,) = snapshots(online, article)
    beyond = [(*PARAGRAPHS[:1], *REWRITTEN, f"This is edition {number}.") for number in range(4)]
    for mixture in ((*PARAGRAPHS[:3], *REWRITTEN[:4]), *beyond):
        clock.advance(days=1)
        serve(origin, page(*mixture))
        assert look(online, article).outcome is Outcome.CHANGED
    last = snapshots(online, article)[0]
    assert last.judgement.verdict is Verdict.MISMATCH
    with online.database.reading() as store:
        assert store.good_snapshots([article])[article] == good
        shown = {one.id for one in store.snapshots(article)}
        found = store.changes_of(article)
    assert len(found) == 5
    assert all({one.before_id, one.after_id} <= shown for one in found)
    clock.advance(days=1)
    assert look(online, article).outcome is Outcome.UNCHANGED
    assert jobs.verify(online).damage == ()


def test_an_article_that_was_written_anew_under_its_headline_changed(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (good,) = snapshots(online, article)
    serve(origin, page(*OTHER))
    assert look(online, article).outcome is Outcome.CHANGED
    with online.database.reading() as store:
        assert store.good_snapshots([article])[article] == good
        assert len(store.changes_of(article)) == 1
    assert look(online, article).outcome is Outcome.UNCHANGED


def test_a_page_that_its_server_cut_short_says_nothing(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    packed = gzip.compress(page(*PARAGRAPHS, aside="Read next: turnips"))
    headers = (("Content-Type", "text/html; charset=utf-8"), ("Content-Encoding", "gzip"))
    for size, outcome in ((300, Outcome.MISMATCH), (len(packed), Outcome.ALIVE)):
        origin.page("/light", packed[:size], headers=headers)
        assert look(online, article).outcome is outcome
    assert original(online, article).missed is None


def test_a_capture_by_hand_finds_changes_too(online: Runtime, seeds: Seeds, origin: Origin) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    serve(origin, page(*PARAGRAPHS, "Correction: the club sells cups, not mugs."))
    assert jobs.capture_due(online, article=article).archived == 1
    with online.database.reading() as store:
        (change,) = store.changes_of(article)
    assert change.difference.added == 7


@pytest.mark.parametrize("modified", [False, True], ids=["304", "same-bytes"])
def test_repeats_are_handed_on_and_forgotten_with_their_article(
    modified: bool, online: Runtime, seeds: Seeds, origin: Origin, clock: Clock, tmp_path: Path
) -> None:
    other = archive(online, seeds, serve(origin, page(*PARAGRAPHS, aside=STYLED), "/twin"), "a.md")
    article = archived(online, seeds, origin, modified=modified)
    clock.advance(days=2)
    look(online, article)
    assert [bool(one.repeats) for one in snapshots(online, article)] == [True, False]
    target = tmp_path / "out.warc.gz"
    report = jobs.export_archive(online, "warc", target, article=article)
    assert (report.snapshots, report.problems) == (2, ())
    held: dict[str, str] = {}
    with target.open("rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            about = record.rec_headers
            if record.rec_type == "response":
                held[about.get_header("WARC-Record-ID")] = record.http_headers.get_statuscode()
            elif record.rec_type == "revisit":
                assert held[about.get_header("WARC-Refers-To")] == "200"
    wacz = tmp_path / "out.wacz"
    assert jobs.export_archive(online, "wacz", wacz, article=article).problems == ()
    # Its page is the other article's too, whose bytes go now.
    assert jobs.forget_article(online, other, who="test").problems == ()
    assert jobs.verify(online).damage == ()
    assert jobs.forget_article(online, article, who="test").problems == ()
    assert list(online.archive.stored()) == []


def test_a_tiny_page_is_repeated_and_handed_on_as_well(
    online: Runtime, seeds: Seeds, origin: Origin, tmp_path: Path
) -> None:
    url = serve(origin, b"<title>Korsvik is lit</title><h1>Korsvik is lit</h1>", ETag=ETAG)
    conditional(origin)
    seeds.write("light.md", title="Korsvik is lit", url=url, body="")
    jobs.ingest_seeds(online)
    assert jobs.capture_due(online).archived == 1
    (attempt,) = jobs.recheck_due(online, everything=True).attempts
    assert (attempt.outcome, attempt.status) == (Outcome.UNCHANGED, 304)
    assert jobs.export_archive(online, "warc", tmp_path / "out.warc.gz").problems == ()
    (repeat, _) = snapshots(online, attempt.article_id)
    assert isinstance(look_in(online, contents_of(online), repeat, url, follow=True), Found)
