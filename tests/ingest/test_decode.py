"""From bytes to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SeedRejected
from feedsvc.ingest import parse_seed
from feedsvc.ingest.decode import decode
from feedsvc.text import is_clean

SEED = "# Žluťoučký kůň\n\nText — with 日本語 and عربي.\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SEED.encode(), id="utf-8"),
        pytest.param(SEED.encode("utf-8-sig"), id="utf-8-mark"),
        pytest.param(b"\xff\xfe" + SEED.encode("utf-16-le"), id="utf-16-le"),
        pytest.param(b"\xfe\xff" + SEED.encode("utf-16-be"), id="utf-16-be"),
        pytest.param(SEED.encode("utf-32"), id="utf-32"),
        pytest.param(SEED.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(SEED.replace("\n", "\r").encode(), id="cr"),
        pytest.param(SEED.replace("\n", "\u2028").encode(), id="line-separator"),
        pytest.param(SEED.replace("\n\n", "\u2029\u2029").encode(), id="paragraph-separator"),
    ],
)
def test_encodings_and_line_ends_make_no_difference(content: bytes) -> None:
    assert parse_seed("a.md", content) == parse_seed("a.md", SEED.encode())


def test_windows_1252_is_read_with_a_warning() -> None:
    article = parse_seed("a.txt", "# Café\n\n“Naïve” — 5 €.\n".encode("cp1252"))
    assert (article.title, article.text) == ("Café", "“Naïve” — 5 €.")
    assert "Windows-1252" in article.warnings[0]


def test_bytes_without_a_meaning_do_not_stop_the_rest() -> None:
    article = parse_seed("a.txt", b"# Caf\xe9\n\nText \x81\x8d\x8f\x90\x9d.\n")
    assert article.text == "Text \ufffd\ufffd\ufffd\ufffd\ufffd."


def test_damaged_byte_among_utf8_does_not_spoil_the_accents() -> None:
    decoded = decode("# Žluťoučký kůň\n\nText".encode() + b"\xff.\n")
    assert decoded.text == "# Žluťoučký kůň\n\nText\ufffd.\n"
    assert "line 3" in decoded.warnings[0]


def test_characters_that_xml_forbids_are_replaced_and_counted() -> None:
    article = parse_seed("a.md", b"# Ti\x00tle\n\nOne \x0b two \x1b three.\n")
    assert article.title == "Ti\ufffdtle"
    assert "3 characters" in article.warnings[0]
    assert "line 1" in article.warnings[0]


def test_lone_surrogates_do_not_pass() -> None:
    article = parse_seed(
        "a.md", b"\xff\xfe" + "# T\n\nx\ud800y z".encode("utf-16-le", "surrogatepass")
    )
    assert is_clean(article.text)
    assert article.warnings


def test_page_break_parts_lines() -> None:
    assert parse_seed("a.txt", b"# T\n\nOne.\n\x0cTwo.").text == "One.\n\nTwo."


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, id="picture"),
        pytest.param("# Title\n\nSome text.".encode("utf-16-le"), id="utf-16-without-a-mark"),
        pytest.param(bytes(1000), id="zeros"),
    ],
)
def test_what_is_no_text_is_rejected(content: bytes) -> None:
    with pytest.raises(SeedRejected, match="not text"):
        parse_seed("a.md", content)


@given(st.binary(max_size=300))
def test_decoded_text_is_clean(content: bytes) -> None:
    try:
        text = decode(content).text
    except SeedRejected:
        return
    assert is_clean(text)
    assert "\r" not in text
