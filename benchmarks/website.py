"""A made-up website like documentation: pages of about 75 kB that share six files."""

from __future__ import annotations

import random
import zlib
from html import escape
from pathlib import Path

from benchmarks.corpus import MadeArticle, make_article

PAGE_SIZE = 75_000
_SHARED = {
    "theme.css": 24_000,
    "code.css": 9_000,
    "search.js": 60_000,
    "theme.js": 18_000,
    "logo.svg": 4_000,
    "diagram.png": 40_000,
}


_SYLLABLES = [a + b for a in "bcdfghklmnprstvwz" for b in ("a", "e", "i", "o", "u", "er", "in")]


def write_site(folder: Path, pages: int) -> int:
    """Write the site; return its bytes."""
    (folder / "_static").mkdir(parents=True, exist_ok=True)
    for name, size in _SHARED.items():
        (folder / "_static" / name).write_bytes(_shared(name, size))
    for number in range(pages):
        path = folder / f"{number}.html"
        path.write_text(page(make_article(number), pages), encoding="utf-8")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def page(article: MadeArticle, pages: int) -> str:
    """Return an article's page: navigation, the article, and much reference text around it."""
    chance = random.Random(f"page {article.number}")
    parts = [
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
        f"<title>{escape(article.title)} — Reference</title>\n"
        '<link rel="stylesheet" href="_static/theme.css"><link rel="stylesheet" href="_static/code.css">\n'
        '<script src="_static/search.js"></script><script defer src="_static/theme.js"></script>\n'
        '</head><body><header><img src="_static/logo.svg" alt="Reference"></header>\n<nav><ul>',
        *(
            f'<li><a class="reference internal" href="{other}.html">Chapter {other}</a></li>\n'
            for other in (chance.randrange(pages) for _ in range(200))
        ),
        f"</ul></nav>\n<main><article><h1>{escape(article.title)}</h1>\n",
        f'<p class="byline">By {escape(article.author)}</p>\n',
        *(f"<p>{escape(paragraph)}</p>\n" for paragraph in article.paragraphs),
        '<figure><img src="_static/diagram.png" alt="diagram"></figure>\n</article>\n',
    ]
    size = sum(map(len, parts))
    section = 0
    while size < PAGE_SIZE:
        section += 1
        other = make_article(1_000_000 + article.number * 40 + section)
        block = _section(other, section)
        parts.append(block)
        size += len(block)
    parts.append("</main><footer>Made for measuring.</footer></body></html>\n")
    return "".join(parts)


def _section(article: MadeArticle, number: int) -> str:
    """Return a section as reference manuals have them: signatures, a table, a paragraph or two."""
    chance = random.Random(f"section {article.number}")
    module = ".".join(_identifier(chance) for _ in range(2))
    entries = "".join(_entry(chance, module, paragraph) for paragraph in article.paragraphs)
    return (
        f'<section id="{module}"><h2>{escape(article.title)}'
        f'<a class="headerlink" href="#{module}" title="Link to this heading">¶</a></h2>\n'
        f"{entries}</section>\n"
    )


def _entry(chance: random.Random, module: str, paragraph: str) -> str:
    name = f"{module}.{_identifier(chance)}"
    arguments = ", ".join(
        f'<em class="sig-param"><span class="n">{_identifier(chance)}</span>'
        f'<span class="o">=</span><span class="default_value">{chance.randrange(10_000)}</span></em>'
        for _ in range(chance.randrange(1, 5))
    )
    see = " ".join(
        f'<a class="reference internal" href="{chance.randrange(500)}.html#{other}" title="{other}">'
        f'<code class="xref py py-func docutils literal notranslate"><span class="pre">{other}()</span></code></a>'
        for other in (_identifier(chance) for _ in range(2))
    )
    # Prose that does not repeat itself, so that pages compress as manuals do, to about a fifth.
    details = " ".join(_identifier(chance) for _ in range(25))
    return (
        f'<dl class="py function"><dt class="sig sig-object py" id="{name}">'
        f'<span class="sig-name descname"><span class="pre">{name}</span></span>'
        f'<span class="sig-paren">(</span>{arguments}<span class="sig-paren">)</span>'
        f'<a class="headerlink" href="#{name}">¶</a></dt>\n'
        f"<dd><p>{escape(paragraph)} See {see}.</p>\n<p>{details}.</p></dd></dl>\n"
    )


def _identifier(chance: random.Random) -> str:
    return "_".join(
        "".join(chance.choices(_SYLLABLES, k=chance.randrange(2, 4)))
        for _ in range(chance.randrange(1, 3))
    )


def _shared(name: str, size: int) -> bytes:
    """Return bytes that compress as such a file does: pictures hardly, the rest well."""
    chance = random.Random(name)
    if name.endswith(".png"):
        return b"\x89PNG\r\n\x1a\n" + chance.randbytes(size)
    if name.endswith(".svg"):
        points = " ".join(
            f"{chance.randrange(900)},{chance.randrange(900)}" for _ in range(size // 8)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg"><polyline points="{points}"/></svg>'.encode()
        )
    line = (
        "a.c{0} {{ margin: {0}px }}\n" if name.endswith(".css") else "var v{0} = [{0}, 'x{0}'];\n"
    )
    text = "".join(
        line.format(zlib.crc32(f"{name}{n}".encode()) % 10_000) for n in range(size // 24)
    )
    return text.encode()
