from __future__ import annotations

import gzip
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import anyio
import pytest

from feedsvc.runtime import Runtime
from feedsvc.settings import parse_schedule
from feedsvc.web import create_app
from feedsvc.web.conditional import parse_http_date
from feedsvc.web.documents import LARGE, Memory
from feedsvc.web.feeds import FeedCache
from feedsvc.web.folder_shelf import FolderShelf
from feedsvc.web.front import max_age
from feedsvc.web.names import FeedName

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

FEED = b"<feed>" + escape("an entry ").encode() * 400 + b"</feed>"
PLAIN = {"accept-encoding": "identity"}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("all.rss", "application/rss+xml; charset=utf-8"),
        ("all.atom", "application/atom+xml; charset=utf-8"),
        ("index.opml", "text/x-opml; charset=utf-8"),
    ],
)
def test_each_format_has_its_media_type(reading: Served, name: str, media_type: str) -> None:
    answer = reading.get(f"/feeds/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=60"
    opened = "" if name.endswith(".opml") else ", Sec-Fetch-Dest"
    assert answer.headers["vary"] == f"Accept-Encoding{opened}"
    assert f'/feeds/{name}>; rel="self"' in answer.headers["link"]


@pytest.mark.parametrize("content", [FEED, os.urandom(LARGE), b""], ids=["usual", "large", "empty"])
def test_all_codings_give_the_same_bytes_under_their_own_strong_tags(
    library: Library, web: Served, content: bytes
) -> None:
    library.feed("all.atom", content)
    tags = set()
    for coding in CODINGS:
        answer = web.get("/feeds/all.atom", headers={"accept-encoding": coding})
        again = web.get("/feeds/all.atom", headers={"accept-encoding": coding})
        assert answer.content == again.content == content
        assert answer.headers.get("content-encoding", "identity") == coding
        assert dict(answer.headers) | {"date": ""} == dict(again.headers) | {"date": ""}
        assert (int(answer.headers["content-length"]) < len(content)) is (
            content == FEED and coding != "identity"
        )
        assert not answer.headers["etag"].startswith("W/")
        tags.add(answer.headers["etag"])
    assert len(tags) == len(CODINGS)


def test_a_304_never_waits_for_a_document_to_be_packed(library: Library) -> None:
    library.feed("all.atom", FEED)
    tags = {}

    async def first() -> None:
        app = create_app(library.runtime)
        for coding in CODINGS:
            tags[coding] = (await ask(app, "/feeds/all.atom", coding)).headers["etag"]

    async def after_a_restart() -> None:
        held = folder(library.runtime, FolderShelf)
        app = FeedCache(nowhere, held, Counter())
        for coding, tag in tags.items():
            known = (b"if-none-match", tag.encode())
            assert (await ask(app, "/feeds/all.atom", coding, known)).status == 304
        assert held.memory.size == len(FEED)

    anyio.run(first)
    anyio.run(after_a_restart)


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
def test_a_client_that_has_it_gets_304_by_tag_or_by_date(reading: Served, coding: str) -> None:
    first = reading.get("/feeds/all.atom", headers={"accept-encoding": coding})
    for condition in (
        {"if-none-match": first.headers["etag"]},
        {"if-none-match": f'"other", W/{first.headers["etag"]}'},
        {"if-modified-since": first.headers["last-modified"]},
    ):
        again = reading.get("/feeds/all.atom", headers={"accept-encoding": coding} | condition)
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "cache-control", "vary", "last-modified"):
            assert again.headers[name] == first.headers[name]
        assert "content-encoding" not in again.headers
    other = {"if-none-match": '"other"', "if-modified-since": first.headers["last-modified"]}
    assert reading.get("/feeds/all.atom", headers=other).status_code == 200


def test_tags_split_over_two_header_lines_are_one_list(reading: Served) -> None:
    tag = reading.get("/feeds/all.atom", headers=PLAIN).headers["etag"].encode()
    answer = reading.raw(
        b"GET /feeds/all.atom HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b'If-None-Match: "x"\r\nIf-None-Match: ' + tag + b"\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 304 ")


def test_a_publication_is_seen_at_once(library: Library, web: Served) -> None:
    assert web.get("/feeds/new.atom").status_code == 404
    library.feed("new.atom", b"one")
    first = web.get("/feeds/new.atom")
    library.feed("new.atom", b"two")
    second = web.get("/feeds/new.atom", headers={"if-none-match": first.headers["etag"]})
    assert (first.text, second.text, second.status_code) == ("one", "two", 200)
    library.runtime.feeds.delete("new.atom")
    assert web.get("/feeds/new.atom").status_code == 404


def test_last_modified_moves_with_the_bytes_only(library: Library, web: Served) -> None:
    path = library.feed("all.rss", b"<rss/>")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    first = web.get("/feeds/all.rss").headers
    assert first["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    os.utime(path, (1_700_009_999, 1_700_009_999))
    assert web.get("/feeds/all.rss").headers["last-modified"] == first["last-modified"]
    path.write_bytes(b"<rss>new</rss>")
    os.utime(path, (1_700_009_999, 1_700_009_999))
    assert web.get("/feeds/all.rss").headers["last-modified"] == "Wed, 15 Nov 2023 00:59:59 GMT"


def test_a_file_from_the_future_was_modified_now(library: Library, web: Served) -> None:
    path = library.feed("all.rss", b"<rss/>")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    answer = web.get("/feeds/all.rss").headers
    modified, date = (parse_http_date(answer[name]) for name in ("last-modified", "date"))
    assert modified is not None
    assert date is not None
    # uvicorn brings its Date up to date once a second.
    assert modified - date <= timedelta(seconds=1)


def test_the_same_bytes_have_the_same_tag_after_a_restart(library: Library) -> None:
    library.feed("all.atom", FEED)

    async def tags() -> set[str]:
        app = create_app(library.runtime)
        return {(await ask(app, "/feeds/all.atom", coding)).headers["etag"] for coding in CODINGS}

    assert anyio.run(tags) == anyio.run(tags)


def test_a_large_feed_is_read_once_however_many_ask(library: Library) -> None:
    library.feed("all.atom", os.urandom(1 << 20))
    reads = 0

    class Counting(FolderShelf):
        def read(self, name: FeedName) -> Any:
            nonlocal reads
            reads += 1
            return super().read(name)

    async def crowd() -> list[Answer]:
        app = FeedCache(nowhere, folder(library.runtime, Counting), Counter())
        answers: list[Answer] = []

        async def one() -> None:
            answers.append(await ask(app, "/feeds/all.atom"))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one)
        return answers

    answers = anyio.run(crowd)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert reads == 1


def test_memory_stays_within_the_budget_and_every_feed_is_served(library: Library) -> None:
    feeds = {f"topic-{n}.atom": os.urandom(30_000) for n in range(10)}
    for name, content in feeds.items():
        library.feed(name, content)
    held = folder(library.runtime, FolderShelf, budget=100_000)

    async def all_of_them() -> None:
        app = FeedCache(nowhere, held, Counter())
        for name, content in feeds.items():
            assert (await ask(app, f"/feeds/{name}")).body == content
            assert held.memory.size <= 100_000

    anyio.run(all_of_them)
    anyio.run(all_of_them)


def test_names_without_a_file_take_no_memory(library: Library) -> None:
    held = folder(library.runtime, FolderShelf)

    async def guess() -> None:
        app = FeedCache(nowhere, held, Counter())
        for n in range(1000):
            assert (await ask(app, f"/feeds/guess-{n}.atom")).status == 404

    anyio.run(guess)
    assert held.memory.size == 0


def test_a_disk_in_trouble_leaves_the_last_good_document(library: Library, web: Served) -> None:
    path = library.feed("all.atom", FEED)
    assert web.get("/feeds/all.atom").status_code == 200
    # What a name too long, or a loop, does to stat: an error that is not "there is no such file".
    folder = Path(library.runtime.feeds.place())
    folder.rename(folder.with_name("aside"))
    folder.symlink_to(folder)
    assert web.get("/feeds/all.atom").content == FEED
    other = web.get("/feeds/never-read.atom")
    assert (other.status_code, other.headers["retry-after"]) == (503, "5")
    folder.unlink()
    folder.with_name("aside").rename(folder)
    path.unlink()
    assert web.get("/feeds/all.atom").status_code == 404


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_only_a_regular_file_is_a_feed(
    runtime: Runtime, web: Served, tmp_path: Path, kind: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    Path(runtime.feeds.place()).mkdir(exist_ok=True)
    path = Path(runtime.feeds.place("odd.atom"))
    makers = {"symlink": lambda: path.symlink_to(secret), "fifo": lambda: os.mkfifo(path)}
    makers.get(kind, path.mkdir)()
    assert web.get("/feeds/odd.atom").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        b"/feeds/../data/feedsvc.db",
        b"/feeds/%2e%2e/data/feedsvc.db",
        b"/feeds/..%2fdata%2ffeedsvc.db",
        b"/feeds/all.atom%00",
        b"/feeds/all.atom%0a",
        b"/feeds/%00.atom",
        b"/feeds/ALL.atom",
        b"/feeds/all.atom/",
        b"/feeds//all.atom",
        b"/feeds/.tmp-1-1",
        b"/feeds/%ff%fe.rss",
        b"/feeds/all.exe",
        b"/feeds/" + b"a" * 4000 + b".rss",
    ],
)
def test_odd_names_are_not_found(reading: Served, path: bytes) -> None:
    assert reading.ask(path).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/feeds/science", "/topics/science"),
        ("/feeds/all", "/"),
        ("/feeds/", "/feeds"),
        ("/feeds/index", "/feeds"),
        ("/feeds/authors", "/authors"),
        ("/feeds/hosts/", "/hosts"),
    ],
)
def test_a_bare_name_leads_to_the_page(reading: Served, path: str, page: str) -> None:
    answer = reading.get(path)
    assert (answer.status_code, answer.headers["location"]) == (308, page)


def test_a_browser_may_ask_first_whether_it_may_ask(reading: Served) -> None:
    answer = reading.client.options("/feeds/all.atom", headers={"origin": "https://reader.example"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [("1m", 60), ("10s", 60), ("15m", 900), ("1d", 3600), ("0 4 * * *", 900), ("off", 900)],
)
def test_max_age_follows_the_publish_schedule(schedule: str, seconds: int) -> None:
    assert max_age(parse_schedule(schedule)) == seconds


# --- the ASGI layer without a server --------------------------------------------------------

CODINGS = ("identity", "gzip", "br", "zstd")


class Answer:
    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.body += message.get("body", b"")


async def nowhere(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("feeds are answered before any router")


async def ask(app: Any, path: str, coding: str = "identity", *more: tuple[bytes, bytes]) -> Answer:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "headers": [(b"host", b"localhost"), (b"accept-encoding", coding.encode()), *more],
    }
    answer = Answer()
    await app(scope, None, answer.send)
    if answer.headers.get("content-encoding") == "gzip":
        answer.body = gzip.decompress(answer.body)
    return answer


def folder(runtime: Runtime, kind: type[FolderShelf], **more: Any) -> FolderShelf:
    memory = Memory(link="https://example.org/feeds/", max_age=60, now=runtime.now, **more)
    return kind(lambda name: Path(runtime.feeds.place(name)), memory)
