"""An address leads to what it gave when it was captured, or to the reason why not."""

from __future__ import annotations

import io
from typing import IO

import pytest

from feedsvc.errors import NotFound
from feedsvc.model import Payload
from feedsvc.replay.content import Contents, Found, Missing
from feedsvc.replay.index import Shelf
from feedsvc.replay.records import Unreadable
from tests.replay.build import exchange, moved, packed, warc
from tests.replay.test_replay_records import member

PAGE = "https://example.org/story"
BODY = b"<p>" + b"A page that says something. " * 40
PICTURE = b"\x89PNG" + bytes(range(256)) * 40


class Archive:
    """Files by key, and how often each was opened."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.opened: list[str] = []
        self.payloads: dict[str, str] = {}

    def open(self, key: str, *, at: int = 0) -> IO[bytes]:
        self.opened.append(key)
        if key not in self.files:
            raise NotFound(key)
        file = io.BytesIO(self.files[key])
        file.seek(at)
        return file

    def contents(self) -> Contents:
        return Contents(Shelf(self.open), resolve=self.payloads.get)


def found(contents: Contents, url: str, *, key: str = "one", follow: bool = True) -> Found:
    answer = contents.look(key, url, follow=follow)
    assert isinstance(answer, Found), answer
    return answer


def missing(contents: Contents, url: str, *, key: str = "one", follow: bool = True) -> Missing:
    answer = contents.look(key, url, follow=follow)
    assert isinstance(answer, Missing), answer
    return answer


def content(contents: Contents, one: Found) -> bytes:
    return contents.content(one, limit=1 << 20)[0]


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br", "zstd"])
def test_a_payload_is_given_as_captured_and_unpacked(coding: str) -> None:
    contents = Archive(one=warc(exchange(PAGE, BODY, coding=coding))[0]).contents()
    page = found(contents, PAGE)
    assert b"".join(contents.raw(page)) == packed(coding, BODY)
    assert content(contents, page) == BODY


def test_what_claims_a_coding_it_does_not_have_is_unreadable_and_raw_all_the_same() -> None:
    plain = exchange(PAGE, BODY, headers=(("Content-Encoding", "br"),))
    contents = Archive(one=warc(plain)[0]).contents()
    page = found(contents, PAGE)
    with pytest.raises(Unreadable, match="Content-Encoding br"):
        content(contents, page)
    assert b"".join(contents.raw(page)) == BODY


def test_a_bomb_is_refused() -> None:
    bomb = exchange(PAGE, b"\0" * (64 << 20), coding="zstd")
    contents = Archive(one=warc(bomb)[0]).contents()
    with pytest.raises(Unreadable, match="times as many"):
        contents.content(found(contents, PAGE), limit=256 << 20)


def test_more_than_the_limit_is_cut_and_told() -> None:
    contents = Archive(one=warc(exchange(PAGE, BODY, coding="gzip"))[0]).contents()
    page = found(contents, PAGE)
    assert contents.content(page, limit=100) == (BODY[:100], True)
    assert contents.content(page, limit=len(BODY)) == (BODY, False)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://example.org/story", id="scheme"),
        pytest.param("https://www.example.org/story", id="www"),
        pytest.param("https://example.org/story?utm_source=feed", id="tracking"),
        pytest.param("https://EXAMPLE.org:443/Story#part", id="case-port-fragment"),
    ],
)
def test_another_spelling_of_the_address_leads_to_the_same(url: str) -> None:
    contents = Archive(one=warc(exchange(PAGE, BODY))[0]).contents()
    assert found(contents, url).url == PAGE


def test_of_two_addresses_alike_the_exact_one_is_meant() -> None:
    upper = exchange("https://example.org/A.png", b"upper", "image/png")
    lower = exchange("https://example.org/a.png", b"lower", "image/png")
    contents = Archive(one=warc(exchange(PAGE, BODY), requisites=(upper, lower))[0]).contents()
    assert content(contents, found(contents, lower.url)) == b"lower"
    assert content(contents, found(contents, upper.url)) == b"upper"


def test_redirects_are_followed_or_shown_as_asked() -> None:
    first = moved("http://example.org/s", "https://example.org/s")
    second = moved("https://example.org/s", "/story")
    contents = Archive(one=warc(first, second, exchange(PAGE, BODY))[0]).contents()
    assert found(contents, first.url).url == PAGE
    assert found(contents, first.url, follow=False).record.status == 301


@pytest.mark.parametrize(
    "hops",
    [
        pytest.param([("https://example.org/a", "/a")], id="itself"),
        pytest.param(
            [("https://example.org/a", "/b"), ("https://example.org/b", "/a")], id="circle"
        ),
        pytest.param([("http://example.org/a", "https://www.example.org/a/")], id="alike"),
        pytest.param([("http://example.org/a", "https://other.example/")], id="elsewhere"),
        pytest.param([("http://example.org/a", "http://[broken")], id="broken"),
    ],
)
def test_redirects_that_lead_nowhere_end(hops: list[tuple[str, str]]) -> None:
    contents = Archive(one=warc(*(moved(url, to) for url, to in hops))[0]).contents()
    answer = contents.look("one", hops[0][0], follow=True)
    assert isinstance(answer, Missing) or answer.record.status == 301
    assert not isinstance(answer, Missing) or "not captured" in answer.reason


def shared() -> tuple[bytes, bytes, Payload]:
    """Return two files: the second refers to the first for its picture."""
    picture = "https://example.org/p.png"
    page = exchange(PAGE, BODY, headers=(("X", "1"),))
    first, payloads = warc(page, requisites=(exchange(picture, PICTURE, "image/png"),))
    known = {one.digest: one for one in payloads}
    again = exchange(
        "https://cdn.example.org/other.png", PICTURE, "image/png", headers=(("Y", "2"),)
    )
    second, _ = warc(
        exchange(PAGE, BODY + b"changed"), requisites=(again,), known=known, snapshot_id="two"
    )
    return first, second, next(one for one in payloads if one.url == picture)


def test_a_revisit_shows_what_another_snapshot_holds() -> None:
    first, second, payload = shared()
    archive = Archive(one=first, two=second)
    archive.payloads[payload.digest] = "one"
    contents = archive.contents()
    picture = found(contents, "https://cdn.example.org/other.png", key="two")
    assert picture.record.revisit
    assert picture.media_type == "image/png"
    assert content(contents, picture) == PICTURE
    assert picture.size == len(PICTURE)


def test_a_revisit_within_one_file_is_resolved_there() -> None:
    one = exchange("https://example.org/1.png", PICTURE, "image/png")
    two = exchange("https://example.org/2.png", PICTURE, "image/png")
    contents = Archive(one=warc(exchange(PAGE, BODY), requisites=(one, two))[0]).contents()
    assert content(contents, found(contents, two.url)) == PICTURE


@pytest.mark.parametrize("loss", ["unknown", "gone", "other", "damaged"])
def test_a_revisit_whose_payload_is_lost_says_so(loss: str) -> None:
    first, second, payload = shared()
    archive = Archive(two=second)
    if loss != "unknown":
        archive.payloads[payload.digest] = "one"
    if loss == "other":
        archive.files["one"] = warc(exchange(PAGE, b"x"))[0]
    if loss == "damaged":
        archive.files["one"] = first[: len(first) // 2]
    answer = missing(archive.contents(), "https://cdn.example.org/other.png", key="two")
    assert answer.damaged
    assert "earlier snapshot" in answer.reason


def test_what_was_not_captured_is_not_captured() -> None:
    answer = missing(Archive(one=warc(exchange(PAGE, BODY))[0]).contents(), PAGE + "/other")
    assert (answer.damaged, answer.reason) == (False, "It was not captured.")


@pytest.mark.parametrize("url", ["", "javascript:1", "http://", "x" * 9000, "http://[", "\ud800"])
def test_what_is_no_address_was_not_captured(url: str) -> None:
    assert not missing(Archive(one=warc(exchange(PAGE, BODY))[0]).contents(), url).damaged


def test_a_page_that_is_cut_off_at_rest_is_damaged() -> None:
    data = warc(exchange(PAGE, bytes(range(256)) * 999, "image/png"))[0]
    answer = missing(Archive(one=data[: len(data) // 2]).contents(), PAGE)
    assert answer.damaged
    assert "captured, but is damaged" in answer.reason


def test_where_a_part_of_the_file_is_lost_an_absence_proves_nothing() -> None:
    data = warc(exchange(PAGE, BODY))[0]
    answer = missing(Archive(one=b"nonsense" + data).contents(), PAGE + "/other")
    assert answer.damaged
    assert "or it stood in a part" in answer.reason


def test_a_file_that_is_gone_is_told() -> None:
    answer = missing(Archive().contents(), PAGE)
    assert answer.damaged
    assert "no longer holds" in answer.reason


def test_a_snapshot_is_read_once() -> None:
    archive = Archive(one=warc(exchange(PAGE, BODY))[0])
    contents = archive.contents()
    for _ in range(5):
        found(contents, PAGE)
    assert archive.opened == ["one"]


def test_a_damaged_snapshot_is_read_again_once_it_is_put_right() -> None:
    data = warc(exchange(PAGE, BODY))[0]
    archive = Archive(one=b"nonsense")
    contents = archive.contents()
    assert missing(contents, PAGE).damaged
    archive.files["one"] = data
    assert found(contents, PAGE).url == PAGE


def test_indexes_that_nobody_asks_for_are_forgotten() -> None:
    archive = Archive(**{f"f{number}": warc(exchange(PAGE, BODY))[0] for number in range(9)})
    shelf = Shelf(archive.open, records=50)
    for key in archive.files:
        shelf.index(key)
    shelf.index("f8")
    shelf.index("f0")
    assert archive.opened == [*archive.files, "f0"]


CHUNKS = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(CHUNKS, b"hello world", id="chunks"),
        pytest.param(CHUNKS[:-9], b"hello wor", id="cut"),
        pytest.param(b"hello, no chunks here", b"hello, no chunks here", id="only-the-header"),
        pytest.param(b"", b"", id="empty"),
    ],
)
def test_chunks_that_another_tool_kept_are_undone(body: bytes, expected: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = member(
        "response",
        f"WARC-Target-URI: {PAGE}\r\nContent-Type: application/http; msgtype=response\r\n",
        head + body,
    )
    contents = Archive(one=data).contents()
    page = found(contents, PAGE)
    assert page.size is None
    assert b"".join(contents.raw(page)) == expected
