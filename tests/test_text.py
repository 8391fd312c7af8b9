from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from feedsvc.text import clean, is_clean, nfc, printable, shorten, single_line

ANY = st.text(st.characters(exclude_categories=()), max_size=60)


@given(ANY)
def test_cleaned_text_fits_xml_and_what_fits_is_left_alone(text: str) -> None:
    cleaned = clean(text)
    assert is_clean(cleaned)
    element = etree.Element("x")
    element.text = cleaned
    assert (cleaned == text) == is_clean(text)


@given(ANY)
def test_a_single_line_has_no_breaks_and_no_overrides(text: str) -> None:
    line = single_line(text)
    assert line == line.strip()
    assert len(line.splitlines()) <= 1
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x1b\x00")


@given(ANY)
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    for character in printable(text):
        assert unicodedata.category(character) != "Cc" or character in "\t\n"


@given(st.text(max_size=200), st.integers(20, 60))
def test_a_shortened_line_is_never_longer_than_asked(text: str, length: int) -> None:
    assert len(shorten(text, length)) <= length


def test_a_line_is_cut_at_a_word() -> None:
    assert shorten("one two three four five", 15) == "one two three…"
    assert shorten("one two", 15) == "one two"
    assert shorten("x" * 30, 10) == "x" * 9 + "…"


@given(ANY)
def test_composing_is_that_of_unicode(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)


def test_a_heap_of_marks_is_cut_and_costs_no_more_than_other_text() -> None:
    # Sorting it whole would take minutes: this test would not end.
    heap = "a" + "\u0301\u0323" * 200_000 + "b" + "=" * 500
    assert len(nfc(heap)) < 600
    assert nfc(heap).endswith("b" + "=" * 500)
