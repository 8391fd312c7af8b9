"""Laws of notices: one entry for what happened, however often it is told, readable without styles."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.model import (
    Article,
    Attempt,
    CaptureState,
    Change,
    Channel,
    ChannelKind,
    Difference,
    FileStamp,
    Hunk,
    Judgement,
    Mark,
    Notice,
    Original,
    OriginalState,
    Outcome,
    Piece,
    SeedRecord,
    SeedState,
    Site,
    Snapshot,
    Verdict,
)
from feedsvc.publish import FEED_FORMATS, compose_notices, render
from feedsvc.publish.notices import (
    capture_notice,
    change_notice,
    damage_notice,
    failing_since,
    original_notice,
    seed_notice,
)

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=3)
SITE = Site("The Site", "https://feeds.example", "The Site", "en")
KEY = "11111111-1111-5111-8111-111111111111"
ARTICLE = Article(
    id=KEY,
    title="Ferry <late> & lost",
    html="<p>x</p>",
    text="x",
    summary="x",
    url="https://example.org/ferry?a=1&b=2",
    author=None,
    agency=None,
    credit=None,
    published=NOON,
    updated=NOON,
    language="he",
    image=None,
    topics=(),
    revision=1,
    seed="seeds/ferry.md",
)
DIFFERENCE = Difference(
    headline=("Old <b>", "New & better"),
    added=1,
    removed=2,
    hunks=(
        Hunk(
            (
                (
                    Piece(Mark.FOLDED, "", 40),
                    Piece(Mark.KEPT, "on "),
                    Piece(Mark.REMOVED, "3 <script> "),
                    Piece(Mark.ADDED, "4 "),
                    Piece(Mark.KEPT, "May."),
                ),
            ),
            skipped=2,
        ),
    ),
    skipped=1,
)
CHANGE = Change("22222222-2222-5222-8222-222222222222", KEY, NOON, "s1", "s2", DIFFERENCE)
GONE = Original(KEY, OriginalState.GONE, NOON, LATER, 404, "the server answered 404")
STATE = CaptureState(
    *(KEY, "Ferry <late>", "https://example.org/f", "due", 3, "failed", None),
    *("connection refused", LATER, LATER),
)
SEED = SeedRecord(
    "seeds/a.md",
    FileStamp(1, 1, 1),
    "d",
    SeedState.REJECTED,
    line=4,
    reason="no title was found",
    remedy="Begin with one",
    since=NOON,
)
SNAPSHOT = Snapshot(
    *("s1", KEY, "https://example.org/f", "https://example.org/f", NOON, 200),
    *(Judgement(Verdict.VERIFIED, 1.0), "2026/s1.warc.gz", 9, "0" * 64, 5),
    damaged=LATER,
)

NOTICES: dict[str, Callable[[], Notice]] = {
    "change": lambda: change_notice(CHANGE, ARTICLE, site=SITE),
    "gone": lambda: original_notice(GONE, ARTICLE, site=SITE),
    "capture": lambda: capture_notice(STATE, began=NOON, site=SITE),
    "seed": lambda: seed_notice(SEED, site=SITE),
    "damage": lambda: damage_notice(SNAPSHOT, ARTICLE, site=SITE),
}


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_has_an_id_a_link_and_clean_html(kind: str) -> None:
    notice = NOTICES[kind]()
    assert uuid.UUID(notice.id).version == 5
    assert notice.link.startswith("https://feeds.example/")
    assert notice.summary
    assert "<script>" not in notice.html
    assert "<late>" not in notice.html
    assert re.findall(r"&(?!\w+;|#)", notice.html) == []
    assert "style=" not in notice.html
    assert "class=" not in notice.html


def test_every_notice_is_written_in_every_format_without_a_problem() -> None:
    channel = Channel(ChannelKind.STATUS, "status", "")
    feed = compose_notices(channel, [make() for make in NOTICES.values()], site=SITE)
    assert len(feed.entries) == len({entry.id for entry in feed.entries}) == len(NOTICES)
    for name in FEED_FORMATS:
        written = render(feed, name)
        assert not written.problems
        assert b"Ferry" in written.data


def test_a_change_reads_without_styles() -> None:
    notice = change_notice(CHANGE, ARTICLE, site=SITE)
    assert "<del>Old &lt;b&gt;</del>" in notice.html
    assert "<ins>New &amp; better</ins>" in notice.html
    assert (
        '<p lang="he" dir="auto">… on <del>3 &lt;script&gt;</del> <ins>4</ins> May.</p>'
        in notice.html
    )
    assert "2 unchanged paragraphs" in notice.html
    assert "1 unchanged paragraph " in notice.html
    assert notice.link == f"https://feeds.example/changes/{CHANGE.id}"
    for snapshot in ("s1", "s2"):
        assert f'href="https://feeds.example/snapshots/{snapshot}/"' in notice.html
    assert notice.summary == "Headline changed, 1 word added, 2 removed."
    assert (notice.published, notice.updated) == (NOON, NOON)


def test_words_that_are_not_shown_are_counted() -> None:
    change = replace(CHANGE, difference=replace(DIFFERENCE, unshown=700, rewritten=True))
    notice = change_notice(change, ARTICLE, site=SITE)
    assert "700 more words" in notice.html
    assert "most of the text rewritten" in notice.summary


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (OriginalState.GONE, "Gone: "),
        (OriginalState.REDIRECTED, "Moved: "),
        (OriginalState.BLOCKED, "Blocked: "),
    ],
)
def test_a_lost_original_says_how_why_and_since_when(state: OriginalState, title: str) -> None:
    original = replace(GONE, state=state, final_url="https://elsewhere.example/?a=1&b=2")
    notice = original_notice(original, ARTICLE, site=SITE)
    assert notice.title.startswith(title)
    assert "3 May 2026" in notice.summary
    assert "the server answered 404." in notice.html
    assert ("https://elsewhere.example/?a=1&amp;b=2" in notice.html) is (
        state is OriginalState.REDIRECTED
    )


def test_looking_again_changes_nothing_in_a_notice() -> None:
    again = replace(GONE, looked=LATER + timedelta(days=300))
    assert original_notice(again, ARTICLE, site=SITE) == original_notice(GONE, ARTICLE, site=SITE)
    tried = replace(STATE, attempts=9, tried=LATER + timedelta(days=9), next_at=None)
    once = capture_notice(STATE, began=NOON, site=SITE)
    assert capture_notice(tried, began=NOON, site=SITE) == once


def test_what_happens_again_later_is_another_entry() -> None:
    ids = {
        original_notice(GONE, ARTICLE, site=SITE).id,
        original_notice(replace(GONE, since=LATER), ARTICLE, site=SITE).id,
        original_notice(replace(GONE, state=OriginalState.BLOCKED), ARTICLE, site=SITE).id,
        capture_notice(STATE, began=NOON, site=SITE).id,
        capture_notice(STATE, began=LATER, site=SITE).id,
        seed_notice(SEED, site=SITE).id,
        seed_notice(replace(SEED, since=LATER), site=SITE).id,
        seed_notice(replace(SEED, name="seeds/b.md"), site=SITE).id,
    }
    assert len(ids) == 8


def test_a_failure_has_one_id_while_its_cause_varies() -> None:
    other = replace(STATE, cause="timed out")
    assert (
        capture_notice(STATE, began=NOON, site=SITE).id
        == capture_notice(other, began=NOON, site=SITE).id
    )


def attempt(hours: int, outcome: Outcome) -> Attempt:
    started = NOON + timedelta(hours=hours)
    return Attempt(KEY, "https://example.org/f", started, 1.0, outcome, "why")


def test_a_row_of_failures_began_with_the_first_of_them() -> None:
    row = [
        attempt(9, Outcome.FAILED),
        attempt(8, Outcome.MISMATCH),
        attempt(7, Outcome.REFUSED),
        attempt(6, Outcome.VERIFIED),
        attempt(5, Outcome.FAILED),
    ]
    assert failing_since(row) == NOON + timedelta(hours=7)
    assert failing_since(row[3:]) is None
    assert failing_since([]) is None


def test_a_seed_says_where_what_and_what_to_do() -> None:
    notice = seed_notice(SEED, site=SITE)
    assert notice.title == "Seed rejected: seeds/a.md"
    assert notice.summary == "seeds/a.md, line 4. no title was found. Begin with one."
    warned = replace(SEED, state=SeedState.LOADED, reason=None, remedy=None, warnings=("a date",))
    assert "a date." in seed_notice(replace(warned, since=None), site=SITE).summary
