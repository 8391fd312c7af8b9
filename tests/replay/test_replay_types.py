"""What archived responses may call themselves, and the text of pages."""

from __future__ import annotations

import time

import pytest

from feedsvc.replay.readable import readable_text
from feedsvc.replay.types import Handling, sent_as


@pytest.mark.parametrize(
    ("given", "start", "expected", "handling"),
    [
        ("text/html", b"", "text/html", Handling.HTML),
        ("Text/HTML;charset=x", b"", "text/html", Handling.HTML),
        ("application/xhtml+xml", b"", "text/html", Handling.HTML),
        ("text/css", b"", "text/css", Handling.CSS),
        ("image/svg+xml", b"", "image/svg+xml", Handling.SVG),
        ("image/jpg", b"", "image/jpeg", Handling.AS_IS),
        ("font/woff2", b"", "font/woff2", Handling.AS_IS),
        ("application/font-woff", b"", "font/woff", Handling.AS_IS),
        ("video/mp4", b"", "video/mp4", Handling.AS_IS),
        ("application/javascript", b"", "text/plain", Handling.AS_IS),
        ("text/javascript", b"", "text/plain", Handling.AS_IS),
        ("application/ld+json", b"", "text/plain", Handling.AS_IS),
        ("text/xml", b"", "text/plain", Handling.AS_IS),
        ("text/xsl", b"", "application/octet-stream", Handling.DOWNLOAD),
        ("application/pdf", b"", "application/octet-stream", Handling.DOWNLOAD),
        ("application/x-shockwave-flash", b"", "application/octet-stream", Handling.DOWNLOAD),
        ("multipart/x-mixed-replace", b"<html>", "application/octet-stream", Handling.DOWNLOAD),
        ("x" * 5000, b"", "application/octet-stream", Handling.DOWNLOAD),
        ("", b"", "application/octet-stream", Handling.DOWNLOAD),
        ("", b"\n<!-- x --><!DOCTYPE html>", "text/html", Handling.HTML),
        ("", b"\x89PNG\r\n\x1a\n", "image/png", Handling.AS_IS),
        ("", b"RIFF....WEBP", "image/webp", Handling.AS_IS),
        ("text/plain", b"<html>", "text/plain", Handling.AS_IS),
    ],
)
def test_only_known_types_go_out_under_their_name(
    given: str, start: bytes, expected: str, handling: Handling
) -> None:
    sent = sent_as(given, start)
    assert (sent.media_type, sent.handling) == (expected, handling)


@pytest.mark.parametrize(
    ("given", "raw"),
    [
        ("text/html; charset=windows-1251", "text/html; charset=windows-1251"),
        ("text/html; charset=utf-7", "text/html"),
        ('text/html; charset="x\r\nSet-Cookie: a=b"', "text/html"),
        ("image/png; charset=utf-8", "image/png"),
    ],
)
def test_of_a_charset_only_the_name_of_a_real_one_passes(given: str, raw: str) -> None:
    assert sent_as(given).raw == raw


def text(page: str) -> str:
    return readable_text(page.encode(), content_type="text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<h1>Head &amp; tail</h1><p>One <b>two</b>\n three<br>four", "Head & tail\n\nOne two three\nfour\n"),
        ("<ul><li>a</li><li>b</ul>", "a\nb\n"),
        ("<table><tr><td>1<td>2<tr><td>3</table>", "1 2\n3\n"),
        ("<head><title>T</title></head><body>x<script>no</script><style>no</style>", "x\n"),
        ("<p hidden>no</p><p>yes<svg><text>no</text></svg>", "yes\n"),
        ("<noscript>shown</noscript><template>no</template>", "shown\n"),
        ("<div hidden><div>no</div>no</div>yes", "yes\n"),
        ("<head><body>a head never closed", "a head never closed\n"),
        ("<textarea>typed</textarea>", "typed\n"),
        ("wo<b>rd</b>s", "words\n"),
        ("", "\n"),
    ],
)  # fmt: skip
def test_the_text_of_a_page_can_be_read(page: str, expected: str) -> None:
    assert text(page) == expected


@pytest.mark.parametrize(
    "page", ["<p>" * 1_000_000, "<div hidden>" * 300_000, "x \x00\x01" * 900_000]
)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_the_text_of_a_hostile_page_takes_a_moment(page: str) -> None:
    begin = time.process_time()
    text(page)
    assert time.process_time() - begin < 15
