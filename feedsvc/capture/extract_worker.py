"""The child process that takes pages apart: `python -m feedsvc.capture.extract_worker`.

It reads a line of JSON (`url`, `size`, `want`) and a page of that size from stdin, writes one line
of JSON to stdout, and so on until stdin ends. `want` is `article`, for a seed, or `text`, to compare.
It limits itself before it reads anything.
"""

from __future__ import annotations

import html
import json
import logging
import re
import resource
import sys
import warnings
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import trafilatura
from trafilatura.settings import DEFAULT_CONFIG

from feedsvc.capture.extract_text import main_text

MEMORY = 1 << 30
"""Bytes of address space."""
SECONDS = 10
"""Processor time for one page."""

_META = re.compile(r"<meta\s[^<>]{0,2000}>", re.IGNORECASE)
_LINK = re.compile(r"<link\s[^<>]{0,2000}>", re.IGNORECASE)
_HTML = re.compile(r"<html\s[^<>]{0,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"([a-z:-]{1,20})\s{0,3}=\s{0,3}(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE
)
_DATES = frozenset(
    {"article:published_time", "datepublished", "date", "dc.date", "dcterms.created"}
)
_JSON_DATE = re.compile(r"\"datePublished\"\s{0,3}:\s{0,3}\"([0-9T:.+Z -]{10,40})\"")
_HEAD = 256 << 10


def main() -> None:
    """Answer until there is nothing more to read."""
    logging.disable()
    warnings.simplefilter("ignore")
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        page = sys.stdin.buffer.read(request["size"]).decode("utf-8")
        _allow(SECONDS)
        try:
            answer = _WANTED[request["want"]](page, request["url"])
        except MemoryError:
            raise SystemExit(1) from None
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is told, the next page may be fine
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        # What a page needed stays taken; whoever asks ends a child that has grown.
        answer["peak"] = _peak()
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def _peak() -> int:
    """Return the most bytes this process held at once."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # On Linux getrusage(2) also counts what the process that started this one held.
    with suppress(OSError):
        for line in (
            Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        ):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def _allow(seconds: int) -> None:
    """Let the process use so much more processor time; then the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _extract(page: str, url: str) -> dict[str, Any]:
    # Only the deprecated `as_dict` would make it anything else than a Document.
    found: Any = trafilatura.bare_extraction(
        page,
        url=url,
        with_metadata=True,
        include_comments=False,
        date_extraction_params={"original_date": True, "extensive_search": False},
    )
    head = page[:_HEAD]
    about = {
        "canonical": _first(head, _LINK, "rel", {"canonical"}, "href"),
        "published": _published(head),
        "language": _lang(head) or _first(head, _META, "property", {"og:locale"}, "content"),
    }
    if found is None:
        return about | {"title": "", "parts": []}
    return about | {
        "title": found.title,
        "author": found.author,
        "image": found.image,
        "published": about["published"] or found.date,
        "parts": list(_parts(found.body)),
    }


def _parts(body: Any) -> Iterator[tuple[str, str]]:
    """Yield the pieces of trafilatura's tree."""
    for element in body:
        if element.tag == "list":
            yield from (("item", _text(one)) for one in element.iter("item"))
        elif element.tag == "table":
            for row in element.iter("row"):
                yield "paragraph", " | ".join(filter(None, map(_text, row.iter("cell"))))
        elif element.tag == "quote":
            inner = [one for one in element if one.tag == "p"]
            yield from (("quote", _text(one)) for one in inner or [element])
        elif element.tag == "head":
            yield "heading", _text(element)
        elif element.tag == "code":
            yield "code", "".join(element.itertext())
        else:
            yield "paragraph", _text(element)


def _text(element: Any) -> str:
    for line_break in element.iter("lb"):
        line_break.tail = f" {line_break.tail or ''}"
    return " ".join("".join(element.itertext()).split())


def _published(head: str) -> str | None:
    """Return the date of publication with its time, where the page gives it to machines."""
    for name in ("property", "itemprop", "name"):
        if found := _first(head, _META, name, _DATES, "content"):
            return found
    found_json = _JSON_DATE.search(head)
    return found_json[1] if found_json else None


def _lang(head: str) -> str | None:
    tag = _HTML.search(head)
    return _attributes(tag[0]).get("lang") if tag else None


def _first(
    head: str, tags: re.Pattern[str], name: str, values: set[str] | frozenset[str], wanted: str
) -> str | None:
    for tag in tags.finditer(head):
        attributes = _attributes(tag[0])
        if attributes.get(name, "").lower() in values and (value := attributes.get(wanted)):
            return value
    return None


def _attributes(tag: str) -> dict[str, str]:
    return {
        found[1].lower(): html.unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(tag)
    }


def _compared(page: str, url: str) -> dict[str, Any]:
    def find(tree: Any) -> Any:
        found: Any = trafilatura.bare_extraction(
            tree, url=url, fast=True, favor_recall=True, include_comments=False, config=_steady()
        )
        return None if found is None else found.body

    return main_text(trafilatura.load_html(page), find=find)


@cache
def _steady() -> ConfigParser:
    """Return trafilatura's settings without the size below which it tries something else.

    Nor has the fast way fallbacks, or the one that favours recall a second try: between two
    methods a small change of a page would choose.
    """
    settings = ConfigParser()
    settings.read_dict(DEFAULT_CONFIG)
    settings["DEFAULT"]["min_extracted_size"] = "1"
    return settings


_STEADY = _steady()
_WANTED = {"article": _extract, "text": _compared}


if __name__ == "__main__":
    main()
