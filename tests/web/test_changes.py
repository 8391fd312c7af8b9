"""Laws of what the site tells of originals: what changed, what is gone, and each one's history."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta

import pytest

from feedsvc.model import (
    Attempt,
    Change,
    Difference,
    Hunk,
    Mark,
    Original,
    OriginalState,
    Outcome,
    Piece,
)
from feedsvc.web.changes import PAGE, history
from tests.web.conftest import NOON, Library, Served

WORDS = Difference(
    headline=("Old <i>name</i>", "New name"),
    added=1,
    removed=2,
    hunks=(
        Hunk(
            (
                (
                    Piece(Mark.KEPT, "on "),
                    Piece(Mark.REMOVED, "3 <script>x</script> "),
                    Piece(Mark.ADDED, "4 "),
                    Piece(Mark.KEPT, "May "),
                    Piece(Mark.FOLDED, "", 30),
                ),
            ),
            skipped=2,
        ),
    ),
    skipped=1,
    unshown=7,
)


def flat(page: str) -> str:
    return re.sub(r"\s+", " ", page)


def put_change(
    library: Library,
    article: str,
    *,
    at: datetime = NOON,
    before: str = "s1",
    after: str = "s2",
    difference: Difference = WORDS,
) -> Change:
    key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{article} {at}"))
    change = Change(key, article, at, before, after, difference)
    with library.runtime.database.transaction() as store:
        store.add_changes([change])
    return change


def put_original(library: Library, article: str, state: OriginalState, **more: object) -> None:
    given = {"since": NOON, "looked": NOON, "status": 404, "cause": "it is <not> there"} | more
    with library.runtime.database.transaction() as store:
        store.put_originals([Original(article, state, **given)])  # type: ignore[arg-type]  # tests know the types


def test_a_change_shows_every_word_and_leads_to_both_snapshots(
    library: Library, web: Served
) -> None:
    article = library.article("A <b>title", language="ar")
    snapshots = [library.snapshot(article, captured=NOON + timedelta(days=days)) for days in (0, 1)]
    change = put_change(library, article, before=snapshots[0].id, after=snapshots[1].id)
    page = flat(web.get(f"/changes/{change.id}").text)
    assert "<script>x" not in page
    assert "<i>name" not in page
    shown = re.sub(r'<span class="told"[^>]*>([^<]*)</span>', r"[\1]", page)
    assert "<del>[removed: ]3 &lt;script&gt;x&lt;/script&gt;[ end of removed]</del> " in shown
    assert "<ins>[added: ]4[ end of added]</ins> May" in shown
    assert "<del>[before: ]Old &lt;i&gt;name&lt;/i&gt;</del>" in shown
    assert "<ins>[after: ]New name</ins>" in shown
    assert "2 unchanged paragraphs" in page
    assert "7 more words changed" in page
    assert 'class="difference" lang="ar"' in page
    assert '<p dir="auto">on ' in page
    for snapshot in snapshots:
        assert f'href="/snapshots/{snapshot.id}/"' in page
    assert f'href="/articles/{article}"' in page


def test_a_change_whose_snapshot_is_gone_is_shown_all_the_same(
    library: Library, web: Served
) -> None:
    change = put_change(library, library.article())
    page = web.get(f"/changes/{change.id}")
    assert page.status_code == 200
    assert page.text.count("not here any more") == 2


def test_the_change_of_a_withdrawn_article_is_gone(library: Library, web: Served) -> None:
    article = library.article()
    change = put_change(library, article)
    library.withdraw(article)
    assert web.get(f"/changes/{change.id}").status_code == 410
    assert change.id not in web.get("/changes").text


@pytest.mark.parametrize(
    "path",
    [
        "/changes/none",
        "/changes/a%20b",
        "/changes/%2e%2e",
        "/changes?after=none",
        "/changes?after=%00",
        "/gone?after=none",
        "/gone?state=alive",
        "/gone?state=x",
    ],
)
def test_what_is_nowhere_is_not_found(web: Served, path: str) -> None:
    assert web.get(path).status_code == 404


def test_changes_stand_newest_first_and_every_one_on_one_page(
    library: Library, web: Served
) -> None:
    article = library.article()
    # Several at one moment, so that the key has to part them.
    made = [
        put_change(library, article, at=NOON + timedelta(minutes=at // 3, microseconds=at))
        for at in range(PAGE * 2 + 3)
    ]
    seen: list[str] = []
    path = "/changes"
    for _ in range(3):
        page = web.get(path).text
        seen += re.findall(r'<h2 class="entry"[^>]*><a data-key="o" href="/changes/([^"]+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1] if following else ""
    assert path == ""
    assert seen == [change.id for change in reversed(made)]


def test_gone_originals_stand_newest_first_with_their_cause(library: Library, web: Served) -> None:
    keys = [library.article(f"Article {number}") for number in range(PAGE + 2)]
    for number, key in enumerate(keys):
        put_original(library, key, OriginalState.GONE, since=NOON + timedelta(minutes=number // 2))
    moved = library.article("Moved one")
    put_original(library, moved, OriginalState.REDIRECTED, final_url="https://else.example/<x>")
    first = web.get("/gone").text
    assert "it is &lt;not&gt; there" in first
    assert f"Gone ({PAGE + 2})" in flat(first)
    assert "Moved (1)" in flat(first)
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = web.get(following[1].replace("&amp;", "&")).text
    found = re.findall(
        r'<h2 class="entry"[^>]*><a data-key="o" href="/articles/([^"]+)"', first + second
    )
    assert sorted(found) == sorted(keys)
    assert moved not in found
    elsewhere = web.get("/gone?state=redirected").text
    assert "https://else.example/&lt;x&gt;" in elsewhere
    assert web.get(f"/gone?after={moved}").status_code == 404


def test_empty_lists_say_so(web: Served) -> None:
    assert "No original changed so far" in web.get("/changes").text
    assert "None." in web.get("/gone").text


def test_lists_name_their_feeds_only_where_those_are_written(library: Library, web: Served) -> None:
    for name in ("changes", "gone"):
        assert f"/feeds/{name}.atom" not in web.get(f"/{name}").text
        library.feed(f"{name}.atom", b"<feed/>")
        assert f"/feeds/{name}.atom" in web.get(f"/{name}").text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (OriginalState.ALIVE, "There, and its text is what was archived, since 31 May 2024"),
        (OriginalState.GONE, "Gone, since 31 May 2024, 12:00 UTC"),
        (OriginalState.BLOCKED, "Blocked"),
        (OriginalState.UNKNOWN, "Missed once"),
    ],
)
def test_an_article_says_how_its_original_is_since_when_and_why(
    library: Library, web: Served, state: OriginalState, said: str
) -> None:
    article = library.article()
    assert "<dt>Today</dt>" not in web.get(f"/articles/{article}").text
    put_original(library, article, state, looked=NOON + timedelta(days=9))
    page = flat(web.get(f"/articles/{article}").text)
    assert said in page
    assert "last looked at on 9 June 2024" in page
    assert "it is &lt;not&gt; there." in page


def test_an_article_shows_its_changes_in_its_history(library: Library, web: Served) -> None:
    article = library.article()
    first = library.snapshot(article)
    second = library.snapshot(article, captured=NOON + timedelta(days=1))
    change = put_change(library, article, before=first.id, after=second.id)
    page = flat(web.get(f"/articles/{article}").text)
    assert f'href="/changes/{change.id}">changed: headline changed, 1 word added' in page
    assert page.index(second.id) < page.index(first.id)


def test_a_look_and_its_snapshot_are_one_moment_and_a_vain_look_is_one_too(
    library: Library,
) -> None:
    article = library.article()
    snapshot = library.snapshot(article)

    def look(hours: int, outcome: Outcome, kept: str | None = None) -> Attempt:
        started = NOON + timedelta(hours=hours)
        url = "https://example.org/a"
        return Attempt(article, url, started, 1.0, outcome, "why", snapshot_id=kept)

    looks = [
        look(48, Outcome.BLOCKED),
        look(24, Outcome.UNCHANGED),
        look(0, Outcome.VERIFIED, snapshot.id),
    ]
    moments = history([snapshot], looks, [])
    assert [(one.seen, one.snapshot) for one in moments] == [
        ("blocked", None),
        ("unchanged", None),
        ("archived", snapshot),
    ]
