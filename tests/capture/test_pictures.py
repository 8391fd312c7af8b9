"""Laws of pictures: what a file is, its bytes tell; what the article's picture is, its page and seed."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.capture.images import Picture, picture
from feedsvc.capture.portrait import (
    MAX_SIZE,
    THUMBNAIL_SIZE,
    as_image,
    as_thumbnail,
    named_images,
    portraits,
)
from feedsvc.model import Image
from tests.replay.build import exchange, moved

URL = "https://example.org/news/ferry"
HTML = "text/html; charset=utf-8"
# 64 by 48 pixels of one colour, as a browser writes them.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI//////////////////////////"
    "//////////////////////////2wBDAVVaWnhpeOuCguv////////////////////////////////////////////////"
    "/////////////////////////wAARCAAwAEADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAA"
    "AAAAAAAAAAAAAAAA/8QAFgEBAQEAAAAAAAAAAAAAAAAAAAIE/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAwDAQACEQMR"
    "AD8AkAhoAAAAAAAAAAAAAAAAAAAAAAf/2Q=="
)
_LOSSY = base64.b64decode(
    "VlA4IEAAAACQAwCdASpAADAAP3G41mO0rysmoqgCkC4JZwDOsAd7tTT5bCgAAP7eEnjCaSdH+KHmt7B1Optp9ReppyjiznUAAA=="
)
_LOSSLESS = base64.b64decode("VlA4TBEAAAAvP8ALAAdQkTI3ov+BiOh/AAA=")


def png(width: int = 64, height: int = 48, *, more: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return head + b"\0" * more


def gif(width: int = 64, height: int = 48) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0"


def webp(chunk: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def extended(width: int, height: int) -> bytes:
    edges = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + edges


def box(kind: bytes, *inside: bytes) -> bytes:
    content = b"".join(inside)
    return struct.pack(">I", len(content) + 8) + kind + content


def avif(*sizes: tuple[int, int]) -> bytes:
    properties = (box(b"ispe", b"\0\0\0\0", struct.pack(">II", *size)) for size in sizes)
    meta = box(b"meta", b"\0\0\0\0", box(b"iprp", box(b"ipco", *properties)))
    return box(b"ftyp", b"avif\0\0\0\0avifmif1") + meta


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(png(640, 480), Picture("image/png", 640, 480), id="png"),
        pytest.param(gif(), Picture("image/gif", 64, 48), id="gif"),
        pytest.param(JPEG, Picture("image/jpeg", 64, 48), id="jpeg"),
        pytest.param(
            JPEG[:2] + b"\xff\xff\xe1\x01\x00" + b"\xff\xc0" * 127 + JPEG[2:],
            Picture("image/jpeg", 64, 48),
            id="jpeg-with-padding-and-what-looks-like-a-frame",
        ),
        pytest.param(webp(_LOSSY), Picture("image/webp", 64, 48), id="webp-lossy"),
        pytest.param(webp(_LOSSLESS), Picture("image/webp", 64, 48), id="webp-lossless"),
        pytest.param(webp(extended(3000, 20)), Picture("image/webp", 3000, 20), id="webp-extended"),
        pytest.param(avif((16, 16), (800, 600)), Picture("image/avif", 800, 600), id="avif"),
        pytest.param(png()[:10], Picture("image/png"), id="png-cut"),
        pytest.param(JPEG[:100], Picture("image/jpeg"), id="jpeg-cut"),
        pytest.param(webp(b"VP8X"), Picture("image/webp"), id="webp-cut"),
        pytest.param(avif()[:20], Picture("image/avif"), id="avif-cut"),
    ],
)
def test_a_picture_is_what_its_bytes_say(data: bytes, expected: Picture) -> None:
    assert picture(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="svg"),
        pytest.param(b"<html>\x89PNG\r\n\x1a\n", id="html"),
        pytest.param(b"GIF87", id="not-quite"),
        pytest.param(b"RIFF\0\0\0\0WAVE", id="sound"),
        pytest.param(box(b"ftyp", b"isom"), id="film"),
    ],
)
def test_what_is_not_pixels_is_no_picture(data: bytes) -> None:
    assert picture(data) is None


@given(
    st.sampled_from([png(), gif(), JPEG, webp(_LOSSY), webp(extended(9, 9)), avif((9, 9))]),
    st.binary(),
)
def test_damaged_pictures_are_read_without_failing(start: bytes, rest: bytes) -> None:
    for cut in range(0, len(start), 7):
        picture(start[:cut] + rest)


def test_a_page_names_its_picture() -> None:
    page = b"""<html><head><base href="https://cdn.example.org/a/">
        <meta name="twitter:image" content="https://example.org/small.png">
        <meta property="OG:image" content="big.jpg"><meta property="og:image" content="">
        </head><body><meta property="og:image" content="/in-the-body.png">"""
    assert named_images(page, url=URL, content_type=HTML) == [
        "https://cdn.example.org/a/big.jpg",
        "https://example.org/small.png",
    ]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<meta property='og:image' content='javascript:alert(1)'>", id="script"),
        pytest.param(b"<meta property='og:image' content='data:image/png;base64,AA'>", id="data"),
        pytest.param(b"<p>og:image</p>", id="only-words"),
        pytest.param(b"<meta property='og:title' content='x'>", id="none"),
    ],
)
def test_what_is_no_address_of_the_web_is_no_picture(page: bytes) -> None:
    assert named_images(page, url=URL, content_type=HTML) == []


def test_a_head_of_any_size_and_shape_is_read_in_bounds() -> None:
    many = b"".join(b"<meta property=og:image content=/%d.png>" % n for n in range(50_000))
    assert len(named_images(many, url=URL, content_type=HTML)) == 8
    wild = b"<meta property=og:image content=/a.png " + b"a=b " * 100_000 + b">"
    assert len(named_images(wild, url=URL, content_type=HTML)) <= 1


def test_the_picture_is_found_where_redirects_led() -> None:
    last = exchange("https://cdn.example.org/b.png", png(), "image/png")
    requisites = [moved("https://example.org/a.png", "https://cdn.example.org/b.png"), last]
    assert list(portraits(["http://example.org/a.png"], requisites)) == [last]
    assert list(portraits(["https://example.org/other.png"], requisites)) == []
    circle = [moved("https://example.org/a.png", "/b"), moved("https://example.org/b", "/a.png")]
    assert as_image(next(portraits(["https://example.org/a.png"], circle))) is None


def test_a_picture_is_what_its_bytes_are_whatever_its_header_says() -> None:
    found = as_image(exchange("https://example.org/a", JPEG, "text/html"))
    assert found == Image("https://example.org/a", "image/jpeg", len(JPEG), 64, 48)
    packed = as_image(exchange("https://example.org/a", png(more=5000), "image/png", coding="gzip"))
    assert packed is not None
    assert packed.size == len(png(more=5000))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(exchange(URL, b"<h1>Not found</h1>", "image/png"), id="not-a-picture"),
        pytest.param(exchange(URL, png(1, 1), "image/png"), id="counts-visits"),
        pytest.param(exchange(URL, png(1 << 30, 40), "image/png"), id="absurd"),
        pytest.param(exchange(URL, png(), "image/png", status=404), id="an-error"),
        pytest.param(exchange(URL, png(), "image/png", truncated="length"), id="cut-off"),
        pytest.param(exchange(URL, png(more=MAX_SIZE), "image/png"), id="huge"),
        pytest.param(
            exchange(URL, png(), "image/png", headers=(("Content-Encoding", "br"),)), id="broken"
        ),
    ],
)
def test_what_is_no_picture_of_an_article_is_left_alone(given: object) -> None:
    assert as_image(given) is None  # type: ignore[arg-type]  # pytest gives back what it was given


def test_a_small_picture_is_its_own_thumbnail() -> None:
    small = Image("u", "image/png", THUMBNAIL_SIZE)
    assert as_thumbnail(small) is small
    assert as_thumbnail(Image("u", "image/png", THUMBNAIL_SIZE + 1)) is None
    assert as_thumbnail(None) is None
