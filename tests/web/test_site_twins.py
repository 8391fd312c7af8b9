"""Laws of pages as JSON: every page has its twin, its names stay, and errors are problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.web.conftest import Library, Served, opened
from tests.web.lively import SECTIONS, Lively, settle

if TYPE_CHECKING:
    from tests.web.conftest import Servers

ENVELOPE = {"feedsvc", "title", "url", "self", "next"}
BRIEF = {
    *("id", "entry_id", "title", "summary", "language", "url", "json", "author", "agency"),
    *("published", "updated", "original", "topics", "snapshot"),
}
PROOF = {
    *("id", "url", "warc", "captured", "verdict", "share", "likely", "size", "sha256"),
    *("image", "thumbnail"),
}
ORIGINAL = {"url", "host", "state", "since", "looked", "status", "cause", "final_url"}


@pytest.fixture(scope="module")
def lively(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[tuple[Lively, Served]]:
    from feedsvc.web import create_app

    with opened(tmp_path_factory.mktemp("lively"), **SECTIONS) as runtime:
        there = settle(Library(runtime))
        with servers.serving(create_app(runtime)) as running:
            yield there, running


def twin(path: str) -> str:
    page, mark, query = path.partition("?")
    page = "/index" if page == "/" else page.rstrip("/")
    return f"{page}.json{mark}{query}"


def get(web: Served, path: str) -> dict[str, Any]:
    answer = web.get(path)
    assert answer.status_code == 200, path
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    return document


def test_every_page_has_a_twin_that_says_where_it_is(lively: tuple[Lively, Served]) -> None:
    there, web = lively
    for name, path in there.pages().items():
        if name == "not-found":
            continue
        document = get(web, twin(path))
        assert set(document) > ENVELOPE, path
        assert document["feedsvc"] == {"version": 1}
        own = document["self"].removeprefix("https://ledger.example.org")
        assert get(web, own) == document
        page = web.get(path)
        assert f'type="application/json" href="{own.replace("&", "&amp;")}"' in page.text, path


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/index.json", {"articles", "topics"}),
        ("/topics.json", {"topics"}),
        ("/authors.json", {"authors"}),
        ("/topics/science-technology.json", {"channel", "articles"}),
        ("/search.json?q=ferry", {"query", "total", "more", "articles"}),
        ("/changes.json", {"changes"}),
        ("/gone.json", {"counts", "originals"}),
        ("/feeds.json", {"opml", "feeds", "more"}),
        ("/about.json", {"site", "software", "hubs"}),
    ],
)
def test_the_names_of_a_document_stay(
    lively: tuple[Lively, Served], path: str, names: set[str]
) -> None:
    assert set(get(lively[1], path)) == ENVELOPE | names


def test_the_names_of_an_article_stay(lively: tuple[Lively, Served]) -> None:
    there, web = lively
    brief = next(one for one in get(web, "/index.json")["articles"] if one["id"] == there.first)
    assert set(brief) == BRIEF
    assert set(brief["snapshot"]) == PROOF
    assert set(brief["original"]) == ORIGINAL
    document = get(web, f"/articles/{there.first}.json")
    assert set(document) == ENVELOPE | {"article", "capture", "looks", "changes", "revisions"}
    whole = document["article"]
    assert set(whole) == BRIEF | {"credit", "html", "text", "revision", "snapshots"}
    assert whole["revision"] == 2
    assert [one["number"] for one in document["revisions"]] == [2, 1]
    assert whole["published"] == "2024-05-31T12:00:00Z"
    assert whole["original"]["state"] == "changed"
    assert whole["topics"][0]["source"] == "keywords"
    assert get(web, twin(f"/snapshots/{there.snapshot}/"))["snapshot"]["of"].startswith("https://")


def test_a_list_is_walked_by_next(lively: tuple[Lively, Served]) -> None:
    _, web = lively
    seen: list[str] = []
    path: str | None = "/index.json"
    while path:
        document = get(web, path)
        seen += [one["id"] for one in document["articles"]]
        following = document["next"]
        path = following and following.removeprefix("https://ledger.example.org")
    assert len(seen) == len(set(seen)) == 41


def test_scripts_of_other_sites_may_read_it_and_ask_whether_it_changed(
    lively: tuple[Lively, Served],
) -> None:
    _, web = lively
    first = web.get("/index.json")
    assert first.headers["access-control-allow-origin"] == "*"
    again = web.get("/index.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/articles/none.json", 404),
        ("GET", "/articles/%00.json", 404),
        ("GET", "/topics/none.json", 404),
        ("GET", "/authors/none.json", 404),
        ("GET", "/index.json?after=none", 404),
        ("GET", "/nowhere.json", 404),
        ("GET", "/gone.json?state=odd", 404),
        ("POST", "/index.json", 405),
        ("DELETE", "/topics.json", 405),
    ],
)
def test_errors_are_problem_documents_where_json_was_asked_for(
    reading: Served, method: str, path: str, status: int
) -> None:
    answer = reading.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status


def test_a_header_asks_for_problems_in_json_too(reading: Served) -> None:
    for accept, kind in (
        ("application/json", "application/problem+json"),
        ("text/html,application/json;q=0.1", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("\xff;;q=,,", "text/html; charset=utf-8"),
    ):
        answer = reading.get("/nowhere", headers={"accept": accept.encode("latin-1")})
        assert (answer.status_code, answer.headers["content-type"]) == (404, kind)


def test_a_withdrawn_article_is_gone_in_json_too(library: Library, web: Served) -> None:
    key = library.article("Secret text", summary="Secret words")
    library.withdraw(key)
    answer = web.get(f"/articles/{key}.json")
    assert answer.status_code == 410
    assert answer.json()["article"] == {"id": key, "withdrawn": "2024-05-31T12:00:00Z"}
    assert "Secret" not in answer.text
