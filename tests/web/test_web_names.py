"""Laws of names below `/feeds/`: what they name, and where those lead that name nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.storage.store_names import FormerFeed
from feedsvc.web.former import MOST_REMEMBERED, SECONDS, FormerFeeds, Signposts
from feedsvc.web.names import feed_name

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

TOKEN = "Zm9vYmFy-_0123456789"  # noqa: S105 - opens nothing


@pytest.mark.parametrize(
    ("path", "feed", "page", "token"),
    [
        ("all.atom", "all", None, ""),
        ("science/0001.json", "science", 1, ""),
        ("science/12345.rss", "science", 12345, ""),
        ("authors/jane-doe.atom", "authors/jane-doe", None, ""),
        pytest.param("authors/2024.atom", "authors/2024", None, "", id="an-author-of-digits"),
        ("authors/2024/0001.atom", "authors/2024", 1, ""),
        ("hosts/news.example.org.atom", "hosts/news.example.org", None, ""),
        ("hosts/news.example.org/0002.rss", "hosts/news.example.org", 2, ""),
        (f"private/{TOKEN}/status.json", "status", None, TOKEN),
        (f"private/{TOKEN}/searches/mine/0003.atom", "searches/mine", 3, TOKEN),
        ("index.opml", "", None, ""),
        ("style.css", "", None, ""),
        ("about.txt", "", None, ""),
    ],
)
def test_every_document_has_its_name(path: str, feed: str, page: int | None, token: str) -> None:
    name = feed_name(path)
    assert name is not None
    assert (name.path, name.feed, name.page, name.token) == (path, feed, page, token)
    assert name.pushed is (bool(feed) and page is None and not token)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "all",
        "all.opml",
        "all.css",
        "all.atom.gz",
        "science/1.atom",
        "science/other.atom",
        "science/0001/0001.atom",
        "authors.d/x.atom",
        "private/index.atom",
        f"private/{TOKEN}.atom",
        f"private/{TOKEN}/index.opml",
        "private/short/all.atom",
        "private/../all.atom",
        f"private/{TOKEN}/../all.atom",
        "../all.atom",
        "./all.atom",
        "/all.atom",
        "all.atom\n",
        "aLl.atom",
        "\u0660\u0660\u0660\u0661/0001.atom",
        "science/\u0660\u0660\u0660\u0661.atom",
        "x" * 500 + ".atom",
    ],
)
def test_nothing_else_is_a_name(path: str) -> None:
    assert feed_name(path) is None


@given(st.text(max_size=60), st.sampled_from(["", ".atom", ".json", "/0001.rss"]))
def test_no_name_leaves_the_folder(text: str, ending: str) -> None:
    name = feed_name(text + ending)
    if name is not None:
        assert not any(part in {"", ".", ".."} for part in name.path.split("/"))
        assert not name.path.startswith("/")


class Past:
    """What became of some feeds, and how often somebody asked."""

    def __init__(self, **successors: str | None) -> None:
        self.successors = successors
        self.asked = 0

    def __call__(self, slug: str) -> FormerFeed | None:
        self.asked += 1
        if slug not in self.successors:
            return None
        return FormerFeed(slug, self.successors[slug])


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("old.atom", (301, "/news/feeds/new.atom")),
        ("old/0007.json", (301, "/news/feeds/new/0007.json")),
        ("old", (301, "/news/topics/new")),
        (f"private/{TOKEN}/old.rss", (301, f"/news/feeds/private/{TOKEN}/new.rss")),
        ("gone.rss", (410, "")),
        ("gone/0001.rss", (410, "")),
        ("gone", (410, "")),
        pytest.param(f"private/{TOKEN}/gone.rss", (404, ""), id="private-was-never-there"),
        ("other.atom", (404, "")),
        ("other", (308, "/news/topics/other")),
        ("all", (308, "/news/")),
        ("changes", (308, "/news/changes")),
        ("authors/jane", (308, "/news/authors/jane")),
        ("", (308, "/news/feeds")),
        ("index.opml", (404, "")),
        ("other.exe", (404, "")),
        (".tmp-1", (404, "")),
        ("other/", (404, "")),
        ("private", (308, "/news/topics/private")),
    ],
)
def test_renamed_feeds_lead_to_the_new_name_and_withdrawn_ones_are_gone(
    path: str, answer: tuple[int, str]
) -> None:
    signposts = Signposts(FormerFeeds(Past(old="new", gone=None)), prefix="/news")
    assert anyio.run(signposts, path) == answer


def test_the_database_is_asked_once_in_a_while_and_memory_is_bounded() -> None:
    past, now = Past(), [0.0]
    former = FormerFeeds(past, clock=lambda: now[0])

    async def ask() -> None:
        for _ in range(10):
            await former.find("a")
        assert past.asked == 1
        now[0] += SECONDS
        past.successors["a"] = "b"
        assert await former.find("a") == FormerFeed("a", "b")
        for number in range(MOST_REMEMBERED + 10):
            await former.find(str(number))
        await former.find("a")
        assert past.asked == MOST_REMEMBERED + 13

    anyio.run(ask)


def test_a_renamed_topic_is_found_under_its_new_name(library: Library, web: Served) -> None:
    with library.runtime.database.transaction() as store:
        store.put_renamed("old", "new", now=library.runtime.now())
    library.feed("new.atom", b"<feed/>")
    answer = web.get("/feeds/old.atom")
    assert (answer.status_code, answer.headers["location"]) == (301, "/feeds/new.atom")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert web.client.head("/feeds/old.atom").status_code == 301
    page = web.get("/topics/old")
    assert (page.status_code, page.headers["location"]) == (301, "/topics/new")
    assert web.get("/feeds/new.atom").status_code == 200


@pytest.mark.parametrize(
    ("name", "keeping", "links"),
    [
        ("all.atom", "public, max-age=60", ["self", "hub"]),
        ("authors/jane.json", "public, max-age=60", ["self", "hub"]),
        ("all/0001.rss", "public, max-age=86400", ["self"]),
        (f"private/{TOKEN}/all.atom", "private, no-cache", ["self"]),
        ("index.opml", "public, max-age=60", ["self"]),
        ("style.css", "public, max-age=60", ["self"]),
    ],
)
def test_each_kind_of_document_says_how_long_it_keeps_and_who_tells_of_changes(
    open_site: Callable[..., tuple[Library, Served]], name: str, keeping: str, links: list[Any]
) -> None:
    library, web = open_site(websub={"hubs": ["https://hub.example.org/"]})
    library.feed(name, b"content")
    answer = web.get(f"/feeds/{name}")
    again = web.get(f"/feeds/{name}", headers={"if-none-match": answer.headers["etag"]})
    assert (answer.status_code, again.status_code) == (200, 304)
    for one in (answer, again):
        assert one.headers["cache-control"] == keeping
        assert [
            part.partition("rel=")[2].split('"')[1] for part in one.headers["link"].split(", ")
        ] == links
    assert answer.headers.get("x-robots-tag") == ("noindex" if "private" in name else None)
