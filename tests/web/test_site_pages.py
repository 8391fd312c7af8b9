"""Laws of the site's pages: what each shows, where each leads, and how lists go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from feedsvc.model import Channel, ChannelKind, Topic
from feedsvc.web.pages import NEWEST
from tests.web.conftest import NOON, Library, Served, opened
from tests.web.lively import SECTIONS, Lively, revise, settle

if TYPE_CHECKING:
    from tests.web.conftest import Servers

ARTS = Topic("arts", "arts")
SPORT = Topic("sport", "sport")
ADA = Channel(ChannelKind.AUTHOR, "authors/ada", "Ada")


def flat(page: str) -> str:
    return re.sub(r"\s+", " ", page)


@pytest.fixture(scope="module")
def lively(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[tuple[Lively, Served]]:
    from feedsvc.web import create_app

    with opened(tmp_path_factory.mktemp("lively"), **SECTIONS) as runtime:
        there = settle(Library(runtime))
        with servers.serving(create_app(runtime)) as running:
            yield there, running


def walk(web: Served, path: str) -> list[str]:
    """Return the articles of a list from page to page."""
    seen: list[str] = []
    while path:
        page = web.get(path)
        assert page.status_code == 200
        seen += re.findall(r'<h3[^>]*><a href="/articles/([^"]+)"', page.text)
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = following[1].replace("&amp;", "&") if following else ""
    return seen


@pytest.mark.parametrize("path", ["/", "/topics/arts", "/authors/ada"])
def test_a_list_goes_on_until_every_article_was_shown_once(
    library: Library, web: Served, path: str
) -> None:
    keys = [
        library.article(f"Number {number}", topics=(ARTS,), published=NOON + timedelta(days=number // 4))
        for number in range(NEWEST * 2 + 3)
    ]  # fmt: skip
    with library.runtime.database.transaction() as store:
        store.ensure_channels([ADA])
        store.put_members({one: [ADA.slug] for one in keys})
    seen = walk(web, path)
    assert sorted(seen) == sorted(keys)
    assert web.get(f"{path}?after={keys[0]}").status_code == 200
    assert web.get(f"{path}?after=nothing").status_code == 404


def test_every_page_answers_with_what_it_is(lively: tuple[Lively, Served]) -> None:
    there, web = lively
    for name, path in there.pages().items():
        page = web.get(path)
        assert page.status_code == (404 if name == "not-found" else 200), path
        assert page.text.count("<h1") == 1, path
        assert '<a class="skip" href="#main">' in page.text
        assert "None" not in re.sub(r"<[^>]+>", "", page.text).replace("None.", ""), path


def test_pages_lead_to_nothing_that_is_not_there(lively: tuple[Lively, Served]) -> None:
    there, web = lively
    paths = {path for name, path in there.pages().items() if name != "not-found"}
    links = set()
    for path in paths:
        links |= set(re.findall(r'(?:href|src|action)="(/[^"#]*)', web.get(path).text))
    for link in sorted(links):
        answer = web.get(link.replace("&amp;", "&"), follow_redirects=True)
        assert answer.status_code == 200, link


def test_the_front_page_says_what_this_is_and_how_to_follow_it(
    lively: tuple[Lively, Served],
) -> None:
    _, web = lively
    page = flat(web.get("/").text)
    assert '<h1 class="name" lang="en" dir="auto"><a href="/">The Harbour Ledger</a></h1>' in page
    assert "an archived copy of that page" in page
    assert 'href="feed:https://ledger.example.org/feeds/all.atom">Open in reader</a>' in page
    assert "Archived <time" in page
    assert "original changed" in page
    assert "original gone" in page


def test_an_article_shows_proof_revisions_and_why_it_is_sorted_so(
    lively: tuple[Lively, Served],
) -> None:
    there, web = lively
    page = flat(web.get(f"/articles/{there.first}").text)
    assert f'<a class="proof verified" href="/snapshots/{there.snapshot}/">Archived' in page
    assert "97 % of the text found in the captured page" in page
    assert f'href="/articles/{there.first}/revisions/2"' in page
    assert f'src="/snapshots/{there.snapshot}/thumbnail"' in page
    assert '<a href="/authors/ada-writer" dir="auto">Ada Writer</a>' in page
    assert re.search(
        r'Science and technology</a> <span class="meta">by the words of the text', page
    )


def test_an_article_without_an_original_has_no_empty_sections(
    library: Library, web: Served
) -> None:
    without = web.get(f"/articles/{library.article('A letter', url=None)}").text
    assert "This article names no original address." in without
    assert "Snapshots of the original" not in without
    assert 'class="stamp"' not in without
    named = web.get(f"/articles/{library.article('A report')}").text
    assert "Snapshots of the original" in named
    assert 'class="stamp"' in named


def test_pictures_in_a_text_come_from_its_snapshot_or_are_links(
    lively: tuple[Lively, Served],
) -> None:
    there, web = lively
    page = web.get(f"/articles/{there.first}").text
    place = f"/snapshots/{there.snapshot}/mp_/https://example.org/in.png"
    assert f'<img src="{place}" alt="A jar" loading="lazy">' in page
    assert web.get(place).headers["content-type"] == "image/png"
    assert 'href="https://elsewhere.example/out.png"' in page
    assert ">Picture: A ship</a>" in page
    assert not re.search(r'src="http', page)


def test_a_revision_shows_what_changed_and_all_of_its_text(library: Library, web: Served) -> None:
    key = library.article("Old title", text="It costs next to nothing.", html="<p>x</p>")
    assert "revisions/1" not in web.get(f"/articles/{key}").text
    revise(library, key)
    page = flat(web.get(f"/articles/{key}/revisions/2").text)
    assert "headline changed, 1 word added, 2 removed" in page
    assert "It costs almost nothing." in page
    first = flat(web.get(f"/articles/{key}/revisions/1").text)
    assert "It costs next to nothing." in first
    for number in ("0", "3", "x", "99999999999999999999", "-1", "1.0"):
        assert web.get(f"/articles/{key}/revisions/{number}").status_code == 404
    library.withdraw(key)
    assert web.get(f"/articles/{key}/revisions/1").status_code == 410


def test_private_feeds_are_on_no_page(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(feeds={"private": ["authors/ada"], "also": ["authors"]})
    key = library.article("Of Ada", topics=(ARTS,))
    with library.runtime.database.transaction() as store:
        store.ensure_channels([ADA])
        store.put_members({key: [ADA.slug]})
    for path in ("/feeds", "/authors", "/", f"/articles/{key}", "/feeds.json", "/authors.json"):
        assert "authors/ada" not in web.get(path).text, path
    assert web.get("/authors/ada").status_code == 404
    assert web.get("/authors/ada.json").status_code == 404


def test_a_private_topic_is_named_and_linked_nowhere(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(feeds={"private": ["arts"], "also": ["authors"]})
    key = library.article("Of Ada", topics=(ARTS, SPORT))
    with library.runtime.database.transaction() as store:
        store.ensure_channels([ADA])
        store.put_members({key: [ADA.slug]})
    for path in (
        "/",
        f"/articles/{key}",
        "/topics",
        "/topics/sport",
        "/authors/ada",
        "/search?q=Ada",
    ):
        page = web.get(path)
        assert page.status_code == 200, path
        assert "sport" in page.text, path
        assert "arts" not in page.text, path
        if not path.startswith("/search"):
            assert "arts" not in web.get(f"{path}.json" if path != "/" else "/index.json").text, (
                path
            )


@pytest.mark.parametrize("folder", ["topics", "authors", "agencies", "hosts", "searches"])
def test_lists_of_channels_are_there_even_while_they_are_empty(web: Served, folder: str) -> None:
    page = web.get(f"/{folder}")
    assert page.status_code == 200
    assert 'aria-current="page"' in page.text
    assert web.get(f"/{folder}/").status_code == 404
    assert web.get(f"/{folder}?after=%00").status_code == 404


def test_channels_go_on_from_page_to_page(library: Library, web: Served) -> None:
    from feedsvc.web.channels import LISTED

    key = library.article("One")
    named = [
        Channel(ChannelKind.AUTHOR, f"authors/a{number:04d}", f"A {number}")
        for number in range(LISTED + 7)
    ]
    with library.runtime.database.transaction() as store:
        store.ensure_channels(named)
        store.put_members({key: [one.slug for one in named]})
    first = web.get("/authors").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = web.get(following[1]).text
    shown = re.findall(r'href="/(authors/a\d+)"', first + second)
    assert shown == [one.slug for one in named]
    # A page about feeds tells of a few, and where the others are.
    feeds = web.get("/feeds").text
    assert 'href="/authors">All of them</a>' in feeds
    assert len(feeds) < 50_000
