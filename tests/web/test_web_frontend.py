"""Laws of the configurations in docs/serve, held by a real nginx and a real Caddy."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.web import frontend

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

FEED = b"<feed>" + b"an entry " * 400 + b"</feed>"
NAMES = {
    "front.atom": "application/atom+xml; charset=utf-8",
    "front.rss": "application/rss+xml; charset=utf-8",
    "front.json": "application/feed+json; charset=utf-8",
    "front/0001.atom": "application/atom+xml; charset=utf-8",
    "authors/2024.atom": "application/atom+xml; charset=utf-8",
    "authors/jane/0001.json": "application/feed+json; charset=utf-8",
    "private/0123456789abcdef/front.atom": "application/atom+xml; charset=utf-8",
}
HEADERS = (
    "content-type",
    "cache-control",
    "vary",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
)


@dataclass(frozen=True)
class Fronted:
    """A site, feedsvc's own answers and those of the server in front of it."""

    library: Library
    ours: httpx.Client
    theirs: httpx.Client
    work: Path


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def fronted(
    request: pytest.FixtureRequest,
    shelf: tuple[Library, Served],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fronted]:
    """Serve the shelf by feedsvc, and by a web server in front of it."""
    library, served = shelf
    for name in NAMES:
        library.feed(name, FEED)
    work: Path = tmp_path_factory.mktemp(request.param)
    start = getattr(frontend, request.param)
    with (
        start(work, root=library.runtime.root, upstream=served.port) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield Fronted(library, served.client, client, work)


def test_feeds_have_the_headers_feedsvc_would_send(fronted: Fronted) -> None:
    for name, media_type in NAMES.items():
        ours, theirs = (one.get(f"/feeds/{name}") for one in (fronted.ours, fronted.theirs))
        assert theirs.content == ours.content == FEED
        assert theirs.headers["content-type"] == media_type
        for header in HEADERS:
            assert theirs.headers.get(header) == ours.headers.get(header), (name, header)
        assert f'/feeds/{name}>; rel="self"' in theirs.headers["link"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_browsers_window_is_answered_as_by_feedsvc(
    fronted: Fronted, name: str, coding: str
) -> None:
    asked = {"accept-encoding": coding, "sec-fetch-dest": "document"}
    theirs, ours = (
        one.get(f"/feeds/{name}", headers=asked) for one in (fronted.theirs, fronted.ours)
    )
    kind = NAMES[name] if name.endswith(".json") else "text/xml; charset=utf-8"
    assert theirs.headers["content-type"] == ours.headers["content-type"] == kind
    assert theirs.content == FEED
    for header in HEADERS:
        assert theirs.headers.get(header) == ours.headers.get(header), header
    # What the reader in a browser has is not what its window shows.
    reader = fronted.theirs.get(f"/feeds/{name}", headers={"accept-encoding": coding})
    crossed = {"if-none-match": reader.headers["etag"]}
    if not name.endswith(".json"):
        again = fronted.theirs.get(f"/feeds/{name}", headers=asked | crossed)
        assert (again.status_code, again.headers["content-type"]) == (200, kind)
    known = {"if-none-match": theirs.headers["etag"]}
    assert fronted.theirs.get(f"/feeds/{name}", headers=asked | known).status_code == 304


def test_a_reader_that_has_it_gets_304_by_tag_or_by_date(fronted: Fronted) -> None:
    for coding in ("identity", "gzip"):
        asked = {"accept-encoding": coding}
        first = fronted.theirs.get("/feeds/front.atom", headers=asked)
        assert first.status_code == 200
        for condition in (
            {"if-none-match": first.headers["etag"]},
            {"if-modified-since": first.headers["last-modified"]},
        ):
            again = fronted.theirs.get("/feeds/front.atom", headers=asked | condition)
            assert (again.status_code, again.content) == (304, b"")
            for header in ("cache-control", "vary", "access-control-allow-origin"):
                assert again.headers[header] == first.headers[header]


def test_feeds_are_packed_for_who_wants_that(fronted: Fronted) -> None:
    answer = fronted.theirs.get("/feeds/front.rss", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == FEED


def test_a_packed_file_beside_the_feed_is_sent_as_it_is(fronted: Fronted) -> None:
    packed = gzip.compress(FEED, 9, mtime=0)
    fronted.library.feed("packed.atom", FEED)
    fronted.library.feed("packed.atom.gz", packed)
    answer = fronted.theirs.get("/feeds/packed.atom", headers={"accept-encoding": "gzip"})
    assert int(answer.headers["content-length"]) == len(packed)
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert answer.content == FEED


def test_a_publication_is_seen_at_once(fronted: Fronted) -> None:
    fronted.library.feed("soon.atom", b"one")
    first = fronted.theirs.get("/feeds/soon.atom")
    fronted.library.feed("soon.atom", b"three")
    assert (first.text, fronted.theirs.get("/feeds/soon.atom").text) == ("one", "three")


def test_private_feeds_are_for_nobody_else(fronted: Fronted) -> None:
    answer = fronted.theirs.get("/feeds/private/0123456789abcdef/front.atom")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-robots-tag"] == "noindex"
    log = fronted.work / "access.log"
    fronted.theirs.get(
        "/feeds/private/0123456789abcdef/front.atom", headers={"sec-fetch-dest": "document"}
    )
    fronted.theirs.get("/feeds/private/0123456789abcdef/revoked.atom")
    assert not log.exists() or "0123456789abcdef" not in log.read_text()


@pytest.mark.parametrize("path", ["/feeds/.tmp-1", "/feeds/front/.tmp-1", "/data/feedsvc.db"])
def test_nothing_but_feeds_is_read_from_the_disk(fronted: Fronted, path: str) -> None:
    file = fronted.library.runtime.root / path[1:]
    if not file.exists():
        file.write_bytes(b"half a feed")
    assert fronted.theirs.get(path).status_code == 404


def test_everything_else_is_answered_by_feedsvc(fronted: Fronted) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/feeds/no-such.atom"),
        ("GET", "/feeds/science"),
        ("GET", "/feeds/"),
        ("HEAD", "/feeds/front.atom"),
        ("OPTIONS", "/feeds/front.atom"),
        ("POST", "/feeds/front.atom"),
        ("GET", "/healthz"),
    ):
        ours, theirs = (one.request(method, path) for one in (fronted.ours, fronted.theirs))
        assert theirs.status_code == ours.status_code, (method, path)
        assert theirs.content == ours.content
        assert theirs.headers.get("location") == ours.headers.get("location")
        assert theirs.headers.get("allow") == ours.headers.get("allow")
