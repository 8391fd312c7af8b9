"""The fields of an article: what front matter gives, what the text says, and which wins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from feedsvc import urls
from feedsvc.errors import SeedRejected
from feedsvc.ingest.body import absolute_link, inline_text
from feedsvc.ingest.dates import DateProblem, parse_date
from feedsvc.ingest.frontmatter import Value
from feedsvc.ingest.invisible import is_visible
from feedsvc.ingest.origin import Origin
from feedsvc.ingest.summary import LENGTH
from feedsvc.text import shorten, single_line

MAX_LINE = 500
"""Characters of a title or a name; what is longer is cut."""
_MAX_TOPICS = 50

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")


def given_title(given: Mapping[str, Value]) -> str | None:
    """Return the title that front matter gives, None if it gives none."""
    title = given["title"].text if "title" in given else ""
    return title if is_visible(title) else None


def title(given: Value | None, found: str | None, warnings: list[str], *, line: int) -> str:
    """Return the title as one plain line; raise SeedRejected if there is none."""
    if given and not is_visible(given.text):
        given = None
    source = given.text if given else inline_text((found or "")[: 8 * MAX_LINE])
    text = single_line(source)
    if not is_visible(text):
        raise SeedRejected(
            "there is no title", remedy="Begin the text with a line `# Title`", line=line
        )
    if len(text) > MAX_LINE or (found and not given and len(found) > 8 * MAX_LINE):
        warnings.append(f"the title has more than {MAX_LINE} characters and is cut")
    return shorten(text, MAX_LINE)


def original(given: Value | None, origins: Sequence[Origin], warnings: list[str]) -> str | None:
    """Return the original's URL: from front matter, else the last one the text names."""
    found = [origin.url for origin in origins]
    if given is not None:
        found.append(_given_url(given))
    if not found:
        return None
    chosen = found[-1]
    others = [url for url in found[:-1] if urls.normalise(url) != urls.normalise(chosen)]
    if others:
        source = "the one in the front matter" if given else "the last one"
        warnings.append(f"several originals are named, and {source} is used; ignored: {others[0]}")
    return chosen


def _given_url(given: Value) -> str:
    try:
        return urls.absolute(given.text.strip().removeprefix("<").removesuffix(">"))
    except urls.InvalidURL as error:
        raise SeedRejected(
            f"the original's address {given.text[:200]!r} cannot be used: {error}",
            remedy="Write the whole address, such as https://example.org/article",
            line=given.line,
        ) from error


def names(given: Value | None, found: str | None) -> str | None:
    """Return one line of names, those of front matter first."""
    line = single_line(", ".join(given.items) if given else found or "")
    return shorten(line, MAX_LINE) or None


def moment(given: Value | None) -> datetime | None:
    """Return the date front matter gives; raise SeedRejected if it is none, or two."""
    if given is None:
        return None
    try:
        found = parse_date(single_line(given.text))
    except DateProblem as error:
        raise SeedRejected(str(error), remedy=error.remedy, line=given.line) from error
    if found is None:
        raise SeedRejected(
            f"the date {given.text[:80]!r} is not understood",
            remedy="Write it as 2024-05-31 or 2024-05-31T14:30:00+02:00",
            line=given.line,
        )
    return found


def summary(given: Value | None) -> str:
    """Return the summary front matter gives, cut at a word; empty if it gives none."""
    return shorten(given.text, LENGTH) if given else ""


def language(given: Value | None, warnings: list[str]) -> str | None:
    """Return a BCP 47 tag in its usual spelling (RFC 5646 §2.1.1)."""
    if given is None:
        return None
    tag = given.text.strip()
    if len(tag) > 35 or not _LANGUAGE.fullmatch(tag):
        warnings.append(
            f"line {given.line}: {tag[:40]!r} is not a language tag and is ignored; write en or pt-BR"
        )
        return None
    first, *rest = tag.replace("_", "-").split("-")
    return "-".join([first.lower(), *map(_subtag, rest)])


def _subtag(subtag: str) -> str:
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag.lower()


def image(given: Value | None, base: str | None, warnings: list[str]) -> str | None:
    """Return an image's absolute URL, resolved against the original's."""
    if given is None:
        return None
    link = absolute_link(given.text, base)
    if link is None:
        warnings.append(
            f"line {given.line}: the image {given.text[:200]!r} is no address that can be used and is ignored"
        )
    return link


def topics(given: Value | None) -> tuple[str, ...]:
    """Return topics as front matter names them, each once: a list, or one string with commas."""
    if given is None:
        return ()
    items = given.items if given.listed else tuple(given.text.split(","))
    unique: dict[str, str] = {}
    for item in items:
        line = shorten(item, 100)
        if line:
            unique.setdefault(line.casefold(), line)
    return tuple(unique.values())[:_MAX_TOPICS]
