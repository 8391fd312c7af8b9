"""Pages around an article as different sites build them, for looking at the same article twice."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

TEXTS = Path(__file__).parents[1] / "data" / "compare" / "texts.toml"
RTL = {"ar", "he"}


@dataclass(frozen=True)
class Story:
    """An article and what stood around it at one of two looks."""

    lang: str
    title: str
    byline: str
    paragraphs: tuple[str, ...]
    published: str
    counter: str
    reading: str
    related: tuple[str, ...]
    invitation: str
    cookies: str
    look: int

    @property
    def dir(self) -> str:
        return "rtl" if self.lang in RTL else "ltr"

    @property
    def body(self) -> str:
        return "\n".join(f"<p>{escape(one, quote=False)}</p>" for one in self.paragraphs)

    @property
    def links(self) -> str:
        return "".join(
            f'<li><a href="/{self.look}/{at}">{one}</a></li>' for at, one in enumerate(self.related)
        )


def story(lang: str, look: int) -> Story:
    """Return an article as it stood at look 0 or 1; only what surrounds it differs."""
    given = tomllib.loads(TEXTS.read_text("utf-8"))[lang]
    return Story(
        lang=lang,
        title=given["title"],
        byline=given["byline"],
        paragraphs=tuple(given["paragraphs"]),
        published=given["published"][look],
        counter=given["counter"][look],
        reading=given["reading"][look],
        related=tuple(given["related"][look]),
        invitation=given["invitation"][look],
        cookies=given["cookies"][look],
        look=look,
    )


def _page(one: Story, head: str, body: str, site: str = "The Island Post") -> str:
    return (
        f'<!doctype html><html lang="{one.lang}" dir="{one.dir}"><head><meta charset="utf-8">'
        f"<title>{one.title} - {site}</title>{head}</head>\n{body}</html>"
    )


def weblog(one: Story) -> str:
    """A blog of the usual kind, its counters and sharing buttons within the article."""
    cls = f"post-{8000 + one.look} post type-post status-publish category-news hentry"
    return _page(
        one,
        f'<meta property="og:title" content="{one.title}"><script>var hits={one.look * 77};</script>',
        f"""<body class="single single-post postid-{8000 + one.look} has-sidebar newsletter-on">
<header id="masthead" class="site-header"><h1 class="site-title"><a href="/">The Island Post</a></h1>
<nav id="site-navigation"><ul><li><a href="/">Home</a></li><li><a href="/news">News</a></li></ul></nav></header>
<div id="content"><main id="main"><article id="post-{8000 + one.look}" class="{cls}">
<header class="entry-header"><h1 class="entry-title">{one.title}</h1>
<div class="entry-meta"><span class="posted-on">{one.published}</span> <span class="views">{one.counter}</span></div></header>
<div class="entry-content">{one.body}
<div class="sharedaddy sd-sharing-enabled"><h3>Share this:</h3><ul><li>Facebook {one.look * 12}</li><li>X</li></ul></div>
<div id="jp-relatedposts" class="jp-relatedposts"><h3>Related</h3><ul>{one.links}</ul></div></div>
<footer class="entry-footer"><span class="cat-links">News</span> {one.counter}</footer></article>
<section id="comments" class="comments-area"><h2>{one.counter}</h2><ol class="comment-list">{"<li><p>I have waited for this ferry for years and shall wait for it for years to come, I am sure.</p></li>" * (1 + 3 * one.look)}</ol></section>
</main><aside id="secondary" class="widget-area"><section class="widget"><h2>{one.invitation}</h2><ul>{one.links}</ul></section></aside></div>
<footer id="colophon">© {2026 + one.look} The Island Post</footer><div class="cookie-notice">{one.cookies}</div></body>""",
    )


def newsroom(one: Story) -> str:
    """A large site: hashed class names, blocks between the paragraphs, no <article>."""
    seed = "9x2" if one.look else "4kq"
    blocks = [
        f'<div data-component="text-block" class="ssrcss-{seed}-RichText e5tfeyi1"><p class="ssrcss-{seed}-P">{escape(text, quote=False)}</p></div>'
        for text in one.paragraphs
    ]
    advert = f'<div class="ad-slot" id="ad-{one.look}"><span>Advertisement</span></div>'
    links = f'<div data-component="related-box" class="ssrcss-{seed}-Promo"><h2>Related</h2><ul>{one.links}</ul></div>'
    return _page(
        one,
        f'<meta property="og:title" content="{one.title}"><meta property="article:modified_time" content="2026-05-0{3 + one.look}T10:00:00Z">',
        f"""<body><div id="root"><div class="ssrcss-{seed}-Nav" role="navigation"><ul><li>News</li><li>Sport</li></ul></div>
<main id="main-content"><div class="ssrcss-{seed}-Wrap"><h1 id="main-heading" tabindex="-1">{one.title}</h1>
<div data-component="byline-block"><div class="ssrcss-{seed}-By">{one.byline}</div><time datetime="2026-05-0{3 + one.look}">{one.published}</time><span>{one.reading}</span></div>
<figure><img src="/{seed}.jpg" alt=""><figcaption>{"File photo: " * one.look}The old ferry in the harbour</figcaption></figure>
{blocks[0]}{advert * (1 + one.look)}{"".join(blocks[1:2])}{links}{"".join(blocks[2:])}
<section class="newsletter-promo"><p>{one.invitation}</p><form><input name="mail"></form></section></div></main>
<div class="most-read"><h2>Most read</h2><ol>{one.links}</ol></div></div>
<div id="onetrust-banner-sdk">{one.cookies}</div></body>""",
        site="Channel Seven News",
    )


def tables(one: Story) -> str:
    """A site of the last century: layout by tables, line breaks instead of paragraphs."""
    text = "<br><br>\n".join(escape(text, quote=False) for text in one.paragraphs)
    return _page(
        one,
        "",
        f"""<body bgcolor="#ffffff"><table width="100%"><tr><td colspan="2"><font size="6">Inselbote</font></td></tr>
<tr><td valign="top" width="150"><a href="/">Start</a><br><a href="/{one.look}">Ausgaben</a><br>{one.counter}</td>
<td valign="top"><h1>{one.title}</h1><font size="1">{one.published}</font><br><br>
<font face="Times">{text}</font><br><br><font size="1">{one.counter}</font></td></tr></table></body>""",
        site="Inselbote",
    )


def magazine(one: Story) -> str:
    """A magazine: byline, date and counters in lines of their own within the text's container."""
    return _page(
        one,
        f'<meta property="og:title" content="{one.title}">',
        f"""<body><div class="page"><div class="gh-head"><a href="/">Meer</a></div>
<article class="gh-article"><h1>{one.title}</h1><section class="gh-content">
<p>{one.byline}</p><p>{one.published}</p><p>{one.reading}</p>
{one.body}
<p>{one.counter}</p><p>{one.invitation}</p></section></article>
<div class="kg-card read-next"><h4>Read next</h4><ul>{one.links}</ul></div></div></body>""",
        site="Meer",
    )


def agency(one: Story) -> str:
    """A news agency: links between the paragraphs, a live counter, the date within a <header>."""
    first, *rest = (f"<p>{escape(text, quote=False)}</p>" for text in one.paragraphs)
    link = f'<p><a href="/{one.look}/x">{"Read more: " if one.lang == "en" else ""}{one.related[0]}</a></p>'
    box = f'<div class="article-inline-related"><ul>{one.links}</ul></div>'
    return _page(
        one,
        f'<meta property="og:title" content="{one.title}"><meta property="og:site_name" content="Agency">',
        f"""<body><div class="ticker">{one.related[-1]}</div><div class="article-page"><article>
<header><h1 class="headline">{one.title}</h1><p class="article-meta">{one.byline} <time>{one.published}</time> {one.reading}</p></header>
<div class="article-body" itemprop="articleBody">{first}
{box if one.lang != "en" else link}
{chr(10).join(rest)}</div>
<div class="article-tags"><a href="/t/{one.look}">harbour</a></div>
<div class="reactions">{one.counter}</div></article>
<section class="recirc recommended"><h2>Recommended</h2><ul>{one.links}</ul></section></div>
<p class="cookie-line">{one.cookies}</p></body>""",
        site="Agency",
    )


LAYOUTS: dict[str, Callable[[Story], str]] = {
    "weblog": weblog,
    "newsroom": newsroom,
    "tables": tables,
    "magazine": magazine,
    "agency": agency,
}
