"""Laws of comparing: what a reader reads is compared, and nothing else; the difference is readable."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.capture.align import MAX_CELLS, align
from feedsvc.capture.compare import MainText, compare
from feedsvc.capture.hunks import CONTEXT, MAX_SHOWN
from feedsvc.model import Difference, Mark

FERRY = (
    "The harbour council met on 3 May to talk about the ferry, which is late again, and nobody had an answer.",
    "Members said “it costs too much” and asked for a new plan by the end of the year, when the engineers will have looked at it once more.",
    "A decision is expected in spring.",
)


def text(*paragraphs: str, title: str = "The ferry", visible: str = "") -> MainText:
    return MainText(title, paragraphs, visible)


def edited(old: str, new: str) -> Difference:
    return compare(text(*FERRY), text(*(one.replace(old, new) for one in FERRY)))


def words(difference: Difference, mark: Mark) -> list[str]:
    pieces = [p for hunk in difference.hunks for line in hunk.paragraphs for p in line]
    return [piece.text.strip() for piece in pieces if piece.mark is mark]


@pytest.mark.parametrize(
    ("old", "new", "removed", "added"),
    [
        pytest.param("3 May", "4 May", ["3"], ["4"], id="day-in-a-sentence"),
        pytest.param("spring", "autumn", ["spring."], ["autumn."], id="last-word"),
        pytest.param("The harbour", "A harbour", ["The"], ["A"], id="first-word"),
        pytest.param("council", "Council", ["council"], ["Council"], id="capital"),
        pytest.param("too much", "too little", ["much”"], ["little”"], id="quotation"),
    ],
)  # fmt: skip
def test_a_word_of_a_sentence_is_a_change(
    old: str, new: str, removed: list[str], added: list[str]
) -> None:
    found = edited(old, new)
    assert found.changed
    assert (words(found, Mark.REMOVED), words(found, Mark.ADDED)) == (removed, added)
    assert (found.removed, found.added) == (1, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("It rose by 3.5 per cent.", "It rose by 35 per cent.", id="decimal-point"),
        pytest.param("It was -5 degrees.", "It was 5 degrees.", id="minus"),
        pytest.param("It costs 5%.", "It costs $5.", id="sign"),
        pytest.param("He paid €50.", "He paid £50.", id="currency"),
        pytest.param("An area of 10² metres.", "An area of 102 metres.", id="superscript"),
        pytest.param("At 14:02 it sank.", "At 14:20 it sank.", id="time-in-a-sentence"),
        pytest.param("他说会议五月三日举行。", "他说会议五月四日举行。", id="chinese"),
        pytest.param("ประชุมที่กรุงเทพ", "ประชุมที่เชียงใหม่", id="thai"),
        pytest.param("انعقد يوم الاثنين.", "انعقد يوم الثلاثاء.", id="arabic"),
        pytest.param("मंत्री ने कहा।", "मंत्रि ने कहा।", id="vowel-sign"),
    ],
)
def test_numbers_signs_and_letters_of_any_script_are_words(before: str, after: str) -> None:
    assert compare(text(before), text(after)).changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("“Yes,” he said — ‘no’.", "\"Yes,\" he said - 'no'.", id="quotes-and-dashes"),
        pytest.param("It's late…", "It’s late...", id="apostrophe-and-ellipsis"),
        pytest.param("Straßenbahn fährt", "Stra\u00adßen\u00adbahn fährt", id="soft-hyphens"),
        pytest.param("Café in Zürich", unicodedata.normalize("NFD", "Café in Zürich"), id="nfd"),
        pytest.param("One\u00a0thing and\u2009another", "One thing  and another", id="spaces"),
        pytest.param("It was \u22125 degrees", "It was -5 degrees", id="minus-sign"),
        pytest.param("The e‑mail of 2020–2024", "The e-mail of 2020-2024", id="hyphens"),
        pytest.param("می\u200cشود گفت", "می\u200cشود\u200f گفت", id="direction-mark"),
        pytest.param("Ｆｕｌｌ width", "Full width", id="full-width"),
        pytest.param("צה״ל הודיע", 'צה"ל הודיע', id="gershayim"),
        pytest.param("كتـــاب جديد", "كتاب جديد", id="tatweel"),
    ],
)
def test_typography_is_no_change(before: str, after: str) -> None:
    assert not compare(text(before), text(after)).changed


def test_where_paragraphs_are_divided_is_no_change() -> None:
    joined = text(f"{FERRY[0]} {FERRY[1]}", FERRY[2])
    assert not compare(text(*FERRY), joined).changed
    assert not compare(joined, text(*FERRY)).changed


def test_a_removed_paragraph_is_shown_in_its_place() -> None:
    found = compare(text(*FERRY), text(FERRY[0], FERRY[2]))
    assert (found.added, found.removed) == (0, len(FERRY[1].split()))
    (hunk,) = found.hunks
    assert [line[-1].mark for line in hunk.paragraphs] == [Mark.FOLDED, Mark.REMOVED, Mark.KEPT]
    assert words(found, Mark.REMOVED) == [FERRY[1]]


def test_the_headline_is_compared_without_case_and_typography() -> None:
    before = text(*FERRY, title="Ferry ‘late’ again")
    assert compare(before, text(*FERRY, title='FERRY "LATE" AGAIN')).headline is None
    found = compare(before, text(*FERRY, title="Ferry ‘lost’ again"))
    assert found.headline == ("Ferry ‘late’ again", "Ferry ‘lost’ again")
    assert found.changed
    assert not found.hunks


def test_a_headline_in_the_text_is_not_counted_twice() -> None:
    before = text("Old name", *FERRY, title="Old name")
    found = compare(before, text("New name", *FERRY, title="New name"))
    assert (found.headline, found.added, found.removed) == (("Old name", "New name"), 0, 0)


def test_what_still_stands_on_the_page_was_not_removed() -> None:
    page = "\n".join(FERRY)
    lost = text(FERRY[0], FERRY[2], visible=page)
    assert not compare(text(*FERRY, visible=page), lost).changed
    assert compare(text(*FERRY, visible=page), text(FERRY[0], FERRY[2])).changed


def test_an_edit_counts_though_the_old_wording_is_repeated_elsewhere() -> None:
    now = [FERRY[0].replace("3 May", "4 May"), *FERRY[1:]]
    page = "\n".join([*now, f"As we wrote: {FERRY[0]}"])
    found = compare(text(*FERRY, visible="\n".join(FERRY)), text(*now, visible=page))
    assert (found.added, found.removed) == (1, 1)


@pytest.mark.parametrize(
    "note",
    [
        "Correction: 4 May 2026.",
        "An earlier version of this article named the wrong council.",
        "Korrektur vom 4. Mai 2026",
        "Rectificatif : 4 mai 2026",
        "訂正：2026年5月4日",
        "تصحيح: 4 مايو 2026",
    ],
)
def test_a_note_of_correction_is_a_change_though_it_may_hold_nothing_but_a_date(note: str) -> None:
    assert compare(text(*FERRY), text(*FERRY, note)).changed


@pytest.mark.parametrize(
    "line",
    [
        "Register of voters: 1,200 names.",
        "Loading docks stand empty.",
        "By Monday, it was over.",
        "May is the month of the ferry.",
        "Updated rules apply from Monday.",
        "3 people died.",
        "This article was amended.",
        "More than 45 comments reached the council.",
        "Anzeige erstattete am Montag niemand.",
    ],
)
def test_a_sentence_that_begins_like_furniture_is_text(line: str) -> None:
    filler = [f"Paragraph number {word} of the text." for word in ("one", "two", "three", "four")]
    assert compare(text(*filler[:2], line, *filler[2:]), text(*filler)).changed


def test_a_date_as_a_heading_within_the_text_is_text() -> None:
    days = [*FERRY, "3 May 2026", *FERRY]
    assert compare(text(*days), text(*FERRY, "4 May 2026", *FERRY)).changed


def test_long_kept_text_is_folded_and_its_words_are_counted() -> None:
    many = " ".join(f"word{at}" for at in range(100))
    found = compare(text(f"{many} old {many}"), text(f"{many} new {many}"))
    pieces = found.hunks[0].paragraphs[0]
    assert [p.words for p in pieces if p.mark is Mark.FOLDED] == [100 - CONTEXT] * 2
    assert words(found, Mark.ADDED) == ["new"]


def test_what_has_little_in_common_is_shown_as_whole_paragraphs() -> None:
    new = "Quite another text about a match in Rome that ended on Sunday with goals for everyone."
    found = compare(text(*FERRY), text(new))
    assert words(found, Mark.REMOVED) == list(FERRY)
    assert words(found, Mark.ADDED) == [new]
    assert found.rewritten


def test_a_few_words_kept_by_accident_make_no_edit() -> None:
    before, after = (
        " ".join(
            f"and so it {side}" + f" {side}".join(map(str, range(at, at + 9))) for at in range(5)
        )
        for side in "ab"
    )
    found = compare(text(before), text(after))
    assert (words(found, Mark.REMOVED), words(found, Mark.ADDED)) == ([before], [after])


def test_a_long_text_that_was_rewritten_is_told_within_bounds() -> None:
    chance = random.Random(1)
    names = [f"w{number}" for number in range(2000)]
    before, after = ([" ".join(chance.choices(names, k=60)) for _ in range(700)] for _ in "ab")
    found = compare(text(*before), text(*after))
    shown = sum(len(p.text) for h in found.hunks for line in h.paragraphs for p in line)
    assert shown <= MAX_SHOWN
    assert found.rewritten
    assert found.unshown
    assert (found.added, found.removed) == (42_000, 42_000)


def test_one_word_in_a_long_text_is_found() -> None:
    chance = random.Random(2)
    long = [" ".join(f"w{chance.randrange(2000)}" for _ in range(60)) for _ in range(1000)]
    other = [*long[:500], long[500] + " new", *long[501:]]
    found = compare(text(*long), text(*other))
    assert (found.added, found.removed, found.skipped) == (1, 0, 499)
    assert found.hunks[0].skipped == 500


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_aligned_items_are_the_same_and_in_order(before: list[str], after: list[str]) -> None:
    a = b = 0
    for block in align(before, after, run=3):
        assert block.before >= a
        assert block.after >= b
        a, b = block.before + block.size, block.after + block.size
        assert before[block.before : a] == after[block.after : b]


def test_an_alignment_is_pinned_where_it_is_too_large_to_be_tried() -> None:
    size = int(MAX_CELLS**0.5) * 4
    before = list(range(size))
    after = [-1, *before[: size // 2], -2, *before[size // 2 :], -3]
    assert sum(block.size for block in align(before, after, run=3)) == size


LINES = st.lists(st.text("aäб字ก3 .,'“-\u00ad", max_size=30), max_size=8).map(tuple)


@given(LINES, LINES, st.text(max_size=8), st.text(max_size=8))
def test_a_difference_survives_being_stored(
    before: tuple[str, ...], after: tuple[str, ...], old: str, new: str
) -> None:
    found = compare(MainText(old, before), MainText(new, after))
    assert Difference.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert not compare(MainText(old, before), MainText(old, before)).changed
    assert bool(found.hunks) == bool(found.added or found.removed)
