from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedsvc.model import Judgement, Likely, Outcome, Site, Topic, TopicSource, Verdict
from feedsvc.runtime import Runtime
from feedsvc.web.answers import Pages
from feedsvc.web.door import SecurityHeaders
from feedsvc.web.errors import handlers
from feedsvc.web.reasons import SOURCES
from feedsvc.web.rendering import direction, environment

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served, Servers

ACT = Topic(slug="arts", label="Arts")
HOSTILE = "<script>alert(1)</script>\"'&\x1b]]>"


def flat(page: str) -> str:
    return " ".join(page.split())


def test_an_empty_site_says_the_next_command(web: Served) -> None:
    page = web.get("/")
    assert page.status_code == 200
    assert "feedsvc ingest" in page.text
    assert "seeds/" in page.text


def test_the_home_page_lists_topics_with_counts_feeds_and_newest_articles(
    library: Library, web: Served
) -> None:
    library.article("Older", topics=(ACT,), published=datetime(2024, 1, 1, tzinfo=UTC))
    library.article("Newer", topics=(ACT,), published=datetime(2024, 2, 1, tzinfo=UTC))
    page = web.get("/").text
    assert "feedsvc publish" in page  # nothing is written yet
    library.feed("all.atom", b"<feed/>")
    page = web.get("/").text
    assert "feedsvc publish" not in page
    assert '<a href="/topics/arts" dir="auto">Arts</a>' in page
    assert '<span class="count" title="articles">2</span>' in page
    for name in ("all.rss", "all.atom", "all.json", "arts.rss", "arts.atom", "index.opml"):
        assert f'href="/feeds/{name}"' in page
    assert page.index("Newer") < page.index("Older")


def test_feed_readers_find_the_feeds_of_every_page(library: Library, web: Served) -> None:
    key = library.article(topics=(ACT,))
    link = '<link rel="alternate" type="application/{}\\+xml" title="[^"]+" href="/feeds/{}"'
    for path, slugs in (
        ("/", ("all", "arts")),
        ("/topics/arts", ("arts",)),
        (f"/articles/{key}", ("all", "arts")),
    ):
        page = web.get(path).text
        for slug in slugs:
            for form in ("rss", "atom"):
                assert re.search(link.format(form, f"{slug}.{form}"), page), (path, slug, form)


def test_an_article_shows_text_original_topics_and_snapshots(library: Library, web: Served) -> None:
    key = library.article(
        "Why feeds",
        url="https://example.org/why?a=1&b=2",
        html="<p>One <em>two</em>.</p>",
        author="Ann Author",
        agency="Agency",
        credit="A Photographer",
        topics=(ACT,),
    )
    snapshot = library.snapshot(key, b"x" * 1500)
    page = flat(web.get(f"/articles/{key}").text)
    assert "<h1>Why feeds</h1>" in page
    assert "<p>One <em>two</em>.</p>" in page
    assert "Ann Author, Agency" in page
    assert "A Photographer" in page
    assert '<time datetime="2024-05-31T12:00:00Z">31 May 2024</time>' in page
    assert 'href="https://example.org/why?a=1&amp;b=2" rel="nofollow noopener noreferrer"' in page
    assert f'href="/snapshots/{snapshot.id}/"' in page
    assert f'href="/snapshots/{snapshot.id}.warc.gz"' in page
    assert snapshot.sha256 in page
    assert "97 % of the text found" in page
    assert "1.5 kB" in page
    assert SOURCES[TopicSource.KEYWORDS] in page
    assert f"urn:uuid:{key}" in page
    assert "Not archived yet" not in page


def test_every_source_of_a_topic_has_its_words() -> None:
    assert set(SOURCES) == set(TopicSource)


def test_an_article_without_a_snapshot_says_where_its_capture_stands(
    library: Library, runtime: Runtime, web: Served
) -> None:
    key = library.article("Wanted", url="https://example.org/wanted")
    path = f"/articles/{key}"
    assert "Not archived yet. It is due now" in web.get(path).text
    with runtime.database.transaction() as store:
        now = runtime.now()
        store.claim_captures([key], now=now, lease="l", until=now + timedelta(hours=1))
    assert "being captured now" in web.get(path).text
    with runtime.database.transaction() as store:
        store.release_captures("l")
    library.attempt(
        key,
        Outcome.FAILED,
        cause="no answer <in> 20 s.",
        next_at=datetime(2099, 1, 2, 3, 4, tzinfo=UTC),
    )
    page = web.get(path).text
    assert (
        "did not archive it: no answer &lt;in&gt; 20 s. The next attempt is on 2 January 2099, 03:04 UTC."
        in page
    )


def test_an_article_without_an_original_says_so(library: Library, web: Served) -> None:
    key = library.article("Only here", url=None)
    page = web.get(f"/articles/{key}").text
    assert "names no original address" in page
    assert "No capture" not in page


def test_a_snapshot_that_is_not_the_article_is_labelled(library: Library, web: Served) -> None:
    key = library.article("Walled")
    judgement = Judgement(Verdict.MISMATCH, 0.02, Likely.CONSENT, "a wall <b>")
    snapshot = library.snapshot(key, judgement=judgement)
    page = flat(web.get(f"/articles/{key}").text)
    assert '<span class="verdict mismatch">mismatch</span>: consent wall' in page
    assert "Not archived yet" in page
    page = flat(web.get(f"/snapshots/{snapshot.id}/").text)
    assert "a wall &lt;b&gt;" in page


def test_a_snapshot_shows_its_facts(library: Library, web: Served) -> None:
    key = library.article("Of this")
    snapshot = library.snapshot(key)
    page = flat(web.get(f"/snapshots/{snapshot.id}/").text)
    for fact in (
        f'href="/articles/{key}"',
        "Of this",
        "https://example.org/a",
        "https://www.example.org/a?x=&lt;1&gt;",
        "31 May 2024, 12:00 UTC",
        "found in the page",
        snapshot.sha256,
        "<dd>7</dd>",
        "3 captured, 1 missing",
        f'href="/snapshots/{snapshot.id}.warc.gz"',
    ):
        assert fact in page


def test_a_withdrawn_article_is_gone_but_its_snapshots_are_not(
    library: Library, web: Served
) -> None:
    key = library.article("Taken back", html="<p>Secret text</p>", topics=(ACT,))
    snapshot = library.snapshot(key)
    library.withdraw(key)
    page = web.get(f"/articles/{key}")
    assert page.status_code == 410
    assert "Secret text" not in page.text
    assert "Taken back" not in page.text
    assert f"/snapshots/{snapshot.id}/" in page.text
    assert "Taken back" not in web.get("/").text
    assert web.get("/topics/arts").status_code == 404
    assert web.get(f"/snapshots/{snapshot.id}/").status_code == 200


@pytest.mark.parametrize("place", ["title", "author", "agency", "credit", "summary"])
def test_nothing_a_seed_says_becomes_markup(library: Library, web: Served, place: str) -> None:
    topic = Topic(slug="odd", label=HOSTILE, definition=HOSTILE)
    values = {"title": HOSTILE, place: HOSTILE}
    key = library.article(values.pop("title"), topics=(topic,), **values)
    for path in ("/", "/topics/odd", f"/articles/{key}"):
        page = web.get(path)
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "alert(1)&lt;/script&gt;&#34;&#39;&amp;" in page.text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (None, "auto"),
        ("", "auto"),
        ("en", "ltr"),
        ("ar", "rtl"),
        ("he-IL", "rtl"),
        ("fa_IR", "rtl"),
        ("az-Arab", "rtl"),
        ("ks-Deva-IN", "ltr"),
        ("ar-Latn", "ltr"),
        ("und", "ltr"),
    ],
)
def test_direction_follows_script_then_language(language: str | None, told: str) -> None:
    assert direction(language) == told


def test_an_article_carries_its_language_and_direction(library: Library, web: Served) -> None:
    key = library.article("כותרת", language="he")
    assert '<article lang="he" dir="rtl">' in web.get(f"/articles/{key}").text


@pytest.mark.parametrize(
    "path",
    [
        b"/articles/nothing",
        b"/articles/%00",
        b"/articles/..%2f..%2fetc%2fpasswd",
        b"/articles/../snapshots/",
        b"/articles/%ff%fe",
        b"/articles/%0d%0aSet-Cookie:x=1",
        b"/articles/'%20OR%201=1--",
        b"/articles/" + b"a" * 500,
        b"/snapshots/nothing/",
        b"/snapshots/nothing.warc.gz",
        b"/snapshots/%2e%2e.warc.gz",
        b"/snapshots/..%2f..%2ffeedsvc.db",
        b"/topics/nothing",
        b"/topics/%00",
        b"/topics/%E2%98%83",
        b"/topics/",
        b"/static/style.css",
        b"/static/../pages.py",
        b"//evil.example/",
        b"/%",
        b"/favicon.ico/",
    ],
)
def test_an_odd_address_is_not_found(reading: Served, path: bytes) -> None:
    answer = reading.ask(path)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"Traceback" not in answer
    assert b"\r\nset-cookie" not in answer.lower()


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (b"/topics/science/", b"/topics/science"),
        (b"/articles/x/", b"/articles/x"),
        (b"/snapshots/x", b"/snapshots/x/"),
        (b"/topics/all", b"/"),
        (b"/topics/%0d%0aEvil:%20x/", b"/topics/%0D%0AEvil:%20x"),
    ],
)
def test_a_slash_too_many_or_too_few_leads_on_within_the_site(
    reading: Served, path: bytes, to: bytes
) -> None:
    answer = reading.ask(path)
    assert answer.startswith(b"HTTP/1.1 308 ")
    assert b"\r\nlocation: " + to + b"\r\n" in answer


def test_a_page_is_asked_for_again_but_not_sent_again(reading: Served) -> None:
    first = reading.get("/")
    again = reading.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert first.headers["content-encoding"] == "gzip"
    plain = reading.get("/", headers={"accept-encoding": "identity"})
    assert plain.text == first.text
    assert plain.headers["etag"] != first.headers["etag"]


def test_the_style_is_kept_for_ever_under_the_name_of_its_content(reading: Served) -> None:
    (path,) = re.findall(r'rel="stylesheet" href="([^"]+)"', reading.get("/").text)
    style = reading.get(path)
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in style.headers["cache-control"]
    assert len(gzip.compress(style.content)) <= 6000
    assert "url(" not in style.text


@pytest.mark.parametrize(
    ("path", "media_type", "begins"),
    [
        ("/favicon.svg", "image/svg+xml", b"<svg"),
        ("/favicon.ico", "image/x-icon", b"\0\0\1\0"),
        ("/robots.txt", "text/plain; charset=utf-8", b"User-agent: *"),
    ],
)
def test_the_small_files_are_there(
    reading: Served, path: str, media_type: str, begins: bytes
) -> None:
    answer = reading.get(path)
    assert answer.headers["content-type"] == media_type
    assert answer.content.startswith(begins)


def test_pages_ask_nothing_of_other_hosts(library: Library, web: Served) -> None:
    key = library.article(topics=(ACT,))
    (script,) = re.findall('<script src="(/static/site-[0-9a-f]+[.]js)" defer>', web.get("/").text)
    for path in ("/", "/topics/arts", f"/articles/{key}", "/nowhere"):
        page = web.get(path).text
        assert not re.findall(r'(?:src|<link[^>]+stylesheet[^>]+href)="(?!/)', page)
        assert re.findall("<script(?! type=.application/ld.json.>)([^>]*)>", page) == [
            f' src="{script}" defer'
        ]
        assert "style=" not in page


def test_a_site_open_under_another_port_than_its_address_leads_to_itself(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(site={"base_url": "https://feeds.example.org"})
    key = library.article(topics=(ACT,))
    for path in ("/", "/topics/arts", f"/articles/{key}"):
        page = web.get(path, headers={"host": f"localhost:{web.port}"})
        assert page.status_code == 200
        own = re.findall(r'href="(https://feeds\.example\.org[^"]*)"', page.text)
        assert len(own) == 1  # the canonical link only


def test_a_damaged_database_is_503_while_feeds_are_served(
    library: Library, runtime: Runtime, web: Served
) -> None:
    library.feed("all.atom", b"<feed/>")
    key = library.article()
    runtime.database.close()
    assert runtime.database.file is not None
    for part in ("-wal", "-shm"):
        runtime.database.file.with_name(runtime.database.file.name + part).unlink(missing_ok=True)
    runtime.database.file.write_bytes(b"not a database at all" * 1000)
    for path in ("/", f"/articles/{key}", "/topics/arts", "/snapshots/x/", "/snapshots/x.warc.gz"):
        answer = web.get(path)
        assert answer.status_code == 503, path
        assert answer.headers["retry-after"] == "30"
        assert "sqlite" not in answer.text.lower()
    assert web.get("/feeds/all.atom").text == "<feed/>"
    assert web.get("/healthz").status_code == 200
    assert web.get("/readyz").status_code == 503
    assert "feedsvc_database_up 0.0" in web.get("/metrics").text


def test_a_fault_of_ours_shows_no_trace(servers: Servers) -> None:
    def broken(_request: Request) -> Response:
        raise RuntimeError("secret detail")

    site = Site(title="S", base_url="https://example.org", author="A", language="en")
    pages = Pages(environment(), site=site, prefix="", style="/s.css", version="1")
    app = Starlette(routes=[Route("/", broken)], exception_handlers=handlers(pages))
    with servers.serving(SecurityHeaders(app)) as web:
        answer = web.get("/")
    assert answer.status_code == 500
    assert "Something broke here" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers
