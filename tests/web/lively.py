"""A site as its readers find it: topics, authors, proofs, pictures, changes, several languages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from feedsvc import jobs
from feedsvc.model import (
    Channel,
    ChannelKind,
    Image,
    Judgement,
    OriginalState,
    ParsedArticle,
    Topic,
    Verdict,
)
from feedsvc.storage.store_articles import ArticlePut
from tests.replay.build import exchange, warc
from tests.web.conftest import NOON, VERIFIED, Library
from tests.web.test_changes import put_change, put_original
from tests.web.test_web_replay_browser import png

SCIENCE = Topic(
    "science-technology", "science and technology", definition="Nature, and what is made of it."
)
CULTURE = Topic(
    "arts-culture-entertainment-media",
    "arts, culture and media",
    definition="What people make and enjoy.",
)
WEATHER = Topic("weather", "weather", definition="What the sky does.")
LONG = "https://example.org/an-address/" + "without-any-end" * 12
SECTIONS = {
    "site": {
        "title": "The Harbour Ledger",
        "base_url": "https://ledger.example.org",
        "author": "The Harbour Ledger",
    },
    "feeds": {"also": ["authors", "hosts", "changes", "gone"]},
}

_PARAGRAPHS = (
    "A feed is a file that says what is new. Whoever wants to know asks for it now and then, and "
    "most of the time hears that nothing has changed, which costs both sides next to nothing.",
    "The night ferry to the islands carries the papers, and for forty years the harbour's café has "
    "kept one copy of each. Nobody asked for it. It was simply what one does with newspapers.",
    "Links rot in a way that paper does not: all at once, without a trace, on an afternoon when "
    "somebody tidies up. An archived copy is the difference between a footnote and a rumour.",
)
_TITLES = (
    "Why a plain file outlives every platform",
    "The night ferry still carries the morning papers",
    "How a web page is put into a jar",
    "Storm closes the outer harbour for a second day",
    "What librarians know about links",
    "A small museum puts its whole catalogue on the web",
)


@dataclass(frozen=True, slots=True)
class Lively:
    """Where to look."""

    first: str
    """The article with everything: its id."""
    arabic: str
    gone: str
    change: str
    snapshot: str

    def pages(self) -> dict[str, str]:
        """Return every kind of page by a name for it."""
        return {
            "home": "/",
            "home-older": f"/?after={self.gone}",
            "topics": "/topics",
            "topic": "/topics/science-technology",
            "authors": "/authors",
            "author": "/authors/ada-writer",
            "host": "/hosts/example.org",
            "article": f"/articles/{self.first}",
            "article-arabic": f"/articles/{self.arabic}",
            "revision": f"/articles/{self.first}/revisions/2",
            "change": f"/changes/{self.change}",
            "changes": "/changes",
            "gone": "/gone",
            "snapshot": f"/snapshots/{self.snapshot}/",
            "search": "/search",
            "found": "/search?q=night+ferry&from=2020-01-01",
            "nothing": "/search?q=xyzzy",
            "feeds": "/feeds",
            "about": "/about",
            "not-found": "/nowhere",
        }


def settle(library: Library) -> Lively:
    """Fill a site."""
    topics = (SCIENCE, CULTURE, WEATHER)
    ids = []
    for number in range(40):
        title = _TITLES[number % len(_TITLES)] + ("" if number < 6 else f", part {number // 6 + 1}")
        ids.append(
            library.article(
                title,
                url=f"https://example.org/story/{number}",
                topics=(topics[number % 3], *((CULTURE,) if number % 6 == 0 else ())),
                published=NOON - timedelta(hours=7 * number),
                **_text(number),
            )
        )
    first, gone = ids[0], ids[4]
    arabic = library.article(
        "لماذا تبقى الصفحة المؤرشفة بعد أن تختفي الأصلية",
        url="https://example.org/ar/1",
        language="ar",
        topics=(CULTURE,),
        published=NOON - timedelta(hours=3),
        html="<p>الملف البسيط يعيش أطول من أي منصة، لأن أحدا لا يحتاج إلى إذن ليقرأه.</p>",
        text="الملف البسيط يعيش أطول من أي منصة، لأن أحدا لا يحتاج إلى إذن ليقرأه.",
        summary="الملف البسيط يعيش أطول من أي منصة، لأن أحدا لا يحتاج إلى إذن ليقرأه.",
        author="كاتبة",
    )
    snapshot = illustrated(library, first)
    earlier = library.snapshot(first, b"earlier", captured=NOON - timedelta(days=1))
    for number, one in enumerate(ids[1:9]):
        judgement = VERIFIED if number % 4 else Judgement(Verdict.PARTIAL, 0.61, None, "most of it")
        library.snapshot(one, f"{number}".encode(), judgement=judgement)
    change = put_change(library, first, before=earlier.id, after=snapshot)
    put_original(library, first, OriginalState.CHANGED, cause="", status=200)
    put_original(library, gone, OriginalState.GONE, final_url=LONG)
    revise(library, first)
    _file(library, ids)
    with library.runtime.database.transaction() as store:
        # They are sorted as they are to stand here.
        store.set_topics_version([*ids, arabic], library.runtime.classifier.version)
    jobs.index_articles(library.runtime)
    jobs.publish_feeds(library.runtime)
    return Lively(first, arabic, gone, change.id, snapshot)


def _text(number: int) -> dict[str, str]:
    paragraphs = [_PARAGRAPHS[(number + offset) % 3] for offset in range(3)]
    html = "".join(f"<p>{one}</p>" for one in paragraphs)
    if number == 0:
        html = html.replace(
            "</p><p>",
            '</p><h2>What stays</h2><p><img src="https://example.org/in.png" alt="A jar"> and '
            '<img src="https://elsewhere.example/out.png" alt="A ship"></p><p>',
            1,
        )
    return {
        "html": html,
        "text": "\n\n".join(paragraphs),
        "summary": f"{paragraphs[0][:150]}…",
        "author": "Ada Writer" if number % 2 == 0 else "Ben Setter",
        "agency": "Coast Wire" if number % 5 == 0 else "",
        "credit": "A Photographer",
    }


def illustrated(library: Library, article: str) -> str:
    """Store a snapshot that holds pictures; return its id."""
    page = "https://example.org/story/0"
    shot, inside = "urn:thumbnail:" + page, "https://example.org/in.png"
    picture = png(320, 240)
    content, payloads = warc(
        exchange(page, "<h1>Page</h1><p>archived</p>"),
        requisites=(exchange(shot, picture, "image/png"), exchange(inside, picture, "image/png")),
        snapshot_id="lively",
    )
    made = library.snapshot(article, content, url=page, final_url=page)
    thumbnail = Image(shot, "image/png", len(picture), 320, 240)
    with library.runtime.database.transaction() as store:
        found = store.snapshot(made.id)
        assert found is not None
        store.drop_snapshots([made.id])
        owned = [replace(one, snapshot_id=made.id) for one in payloads]
        store.add_snapshot(replace(found, thumbnail=thumbnail), owned)
    return made.id


def revise(library: Library, article: str) -> None:
    """Give an article a second revision."""
    with library.runtime.database.transaction() as store:
        (now,) = store.identities(ids=[article])
        old = store.article(article)
        assert old is not None
        parsed = ParsedArticle(
            title=f"{old.title}, revised",
            html=old.html.replace("next to nothing", "almost nothing"),
            text=old.text.replace("next to nothing", "almost nothing"),
            summary=old.summary,
            url=old.url,
            author=old.author,
            agency=old.agency,
            credit=old.credit,
            published=old.published,
        )
        put = ArticlePut(
            id=article,
            url_key=now.url_key,
            seed=now.seed,
            revision=2,
            digest="d2",
            published=old.published,
            updated=NOON + timedelta(days=2),
            parsed=parsed,
            topics_version="1",
            revised=True,
        )
        store.put_articles([put], now=NOON + timedelta(days=2))


def _file(library: Library, ids: list[str]) -> None:
    named = (
        Channel(ChannelKind.AUTHOR, "authors/ada-writer", "Ada Writer"),
        Channel(ChannelKind.AUTHOR, "authors/ben-setter", "Ben Setter"),
        Channel(ChannelKind.HOST, "hosts/example.org", "example.org"),
    )
    with library.runtime.database.transaction() as store:
        store.ensure_channels(named)
        store.put_members(
            {one: [named[number % 2].slug, "hosts/example.org"] for number, one in enumerate(ids)}
        )


def written(root: Path) -> Path:
    """Return a folder of its own for a site below ``root``."""
    folder = root / "lively"
    folder.mkdir(exist_ok=True)
    return folder
