"""A seed → a ParsedArticle: decoded, taken apart, and each part read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from feedsvc.errors import SeedRejected
from feedsvc.ingest import fields
from feedsvc.ingest.blocks import Block, split_blocks
from feedsvc.ingest.body import paragraphs, render, to_text
from feedsvc.ingest.decode import Decoded, decode
from feedsvc.ingest.frontmatter import FrontMatter, read_front_matter
from feedsvc.ingest.head import Head, read_head
from feedsvc.ingest.origin import find_origins
from feedsvc.ingest.pagebreaks import join_cut_sentences
from feedsvc.ingest.summary import summarise
from feedsvc.model import ParsedArticle

PARSER_VERSION = 1
"""Goes up whenever the same seed would give another article; older ones are then read again."""


def parse_seed(name: str, content: bytes) -> ParsedArticle:
    """Return the article a seed's bytes hold.

    ``name`` decides the format by its suffix. Raises SeedRejected, and nothing else, with
    reason, remedy and line.
    """
    suffix = PurePosixPath(name).suffix.lower()
    form = SEED_FORMATS.get(suffix)
    if form is None:
        raise SeedRejected(
            f"a seed cannot end in {suffix!r}" if suffix else "the name has no suffix",
            remedy=f"Give it one of {', '.join(SEED_FORMATS)}",
        )
    decoded = decode(content)
    if not decoded.text.strip():
        raise SeedRejected("the file is empty", remedy="Write the article, or delete the file")
    return form(decoded)


def parse_markdown(decoded: Decoded) -> ParsedArticle:
    """Read a Markdown seed."""
    lines = decoded.text.split("\n")
    front = read_front_matter(lines)
    return _article(lines[front.lines :], front, decoded.warnings)


def parse_plain(decoded: Decoded) -> ParsedArticle:
    """Read a text seed: Markdown too, but an indented first line begins a paragraph, not code."""
    return parse_markdown(Decoded(_without_first_line_indents(decoded.text), decoded.warnings))


SEED_FORMATS: dict[str, Callable[[Decoded], ParsedArticle]] = {
    ".txt": parse_plain,
    ".text": parse_plain,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
}


def _article(lines: list[str], front: FrontMatter, repaired: tuple[str, ...]) -> ParsedArticle:
    """Take the lines below the front matter apart; each step blanks the lines it has read."""
    given = front.fields
    warnings = [*repaired, *front.warnings]
    blocks = split_blocks(lines)
    origins = find_origins(lines, blocks, offset=front.lines)
    url = fields.original(given.get("url"), origins, warnings)
    if origins:
        blocks = _without(lines, blocks, ((origin.start, origin.end) for origin in origins))
    titled = fields.given_title(given)
    head = read_head(lines, blocks, title=titled, dated="date" in given, offset=front.lines)
    title = fields.title(given.get("title"), head.title, warnings, line=front.lines + 1)
    blocks = _without(lines, blocks, ((block.start, block.end) for block in head.used))
    join_cut_sentences(lines, blocks)
    html = render("\n".join(lines), base=url)
    if url is None and not html:
        raise SeedRejected(
            "there is neither a text nor the address of an original",
            remedy="Write the text below the title, or `Original url:` and the address",
            line=front.lines + 1,
        )
    return _assemble(title, html, url=url, front=front, head=head, warnings=warnings)


def _assemble(
    title: str, html: str, *, url: str | None, front: FrontMatter, head: Head, warnings: list[str]
) -> ParsedArticle:
    given = front.fields
    byline = head.byline
    if head.doubtful is not None:
        warnings.append(
            f"line {head.doubtful} looks like a date and is not understood; "
            "write it as 2024-05-31 on a line of its own below the title"
        )
    article = ParsedArticle(
        title=title,
        html=html,
        text=to_text(html),
        summary=fields.summary(given.get("summary")) or summarise(paragraphs(html)),
        url=url,
        author=fields.names(given.get("author"), byline.author if byline else None),
        agency=fields.names(given.get("agency"), byline.agency if byline else None),
        credit=fields.names(given.get("credit"), head.credit),
        published=fields.moment(given.get("date")) or head.published,
        language=fields.language(given.get("language"), warnings),
        image=fields.image(given.get("image"), url, warnings),
        topics=fields.topics(given.get("topics")),
    )
    return replace(article, warnings=tuple(warnings)) if warnings else article


def _without(
    lines: list[str], blocks: list[Block], spans: Iterable[tuple[int, int]]
) -> list[Block]:
    """Empty lines that are read, so that all others keep their numbers; return what is left."""
    for start, end in spans:
        lines[start:end] = [""] * (end - start)
    left = [block for block in blocks if any(lines[block.start : block.end])]
    if all(lines[block.start] and lines[block.end - 1] for block in left):
        return left
    return split_blocks(lines)


_INDENTED = re.compile(r"(?<=\n\n)(?:[ ]{4,8}|\t)(?P<line>[^\s][^\n]*)(?=\n(?![ \t])|\Z)")


def _without_first_line_indents(text: str) -> str:
    if "\n\n    " not in text and "\n\n\t" not in text:
        return text
    return _INDENTED.sub(
        lambda found: found["line"] if _is_prose(found["line"]) else found[0], text
    )


def _is_prose(line: str) -> bool:
    return len(line) >= 40 and line.count(" ") >= 5 and (line[0].isalpha() or line[0] in "\"'“„«")
