"""The article in a page, without what surrounds it, read by a child process that serves many pages.

Extraction walks whole trees several times, and libxml2 takes the square of an element's attributes:
a hostile page may cost minutes and gigabytes. So it happens in a process of its own, which has a
processor-time and a memory limit and is killed when it is late (`extract_worker`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

from feedsvc.capture.compare import MainText
from feedsvc.capture.requisites import charset_of
from feedsvc.capture.visible import visible_text
from feedsvc.capture.walls import set_scene, suspect
from feedsvc.errors import CaptureFailed
from feedsvc.model import Likely, Part, PartKind, SeedDraft
from feedsvc.text import shorten, single_line
from feedsvc.urls import InvalidURL, absolute, host_of

MAX_PAGE = 4 << 20
"""Bytes of a page that are read."""
MAX_ANSWER = 64 << 20
TIMEOUT = 20.0
"""Seconds for one page, after which the child process is killed."""
MAX_PAGES = 500
"""Pages after which the child process is replaced: libraries keep a little of each."""
MAX_PEAK = 512 << 20
"""Bytes of memory from which it is."""
MAX_PARTS = 20_000
MAX_LINE = 500
MIN_TEXT = 80
"""Letters of a text below which a page holds no article."""
WALL_TEXT = 600
"""Letters of a text up to which a page that looks like a wall is one."""
_HTML = frozenset({"text/html", "application/xhtml+xml", "application/xml", "text/xml", ""})
_PLAIN = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
_BLANK = re.compile(r"\n\s*\n")
_WALLS = (Likely.CHALLENGE, Likely.LOGIN, Likely.CONSENT, Likely.NOT_FOUND, Likely.ERROR)
_SAME_SITE = ("www.", "m.", "mobile.", "amp.")


class Extractor:
    """Extracts articles in a child process that is started when first needed; use it in a `with`.

    Threads may share one: pages are read one after the other.
    """

    def __init__(self, *, timeout: float = TIMEOUT, max_pages: int = MAX_PAGES) -> None:
        self._timeout = timeout
        self._max_pages = max_pages
        self._child: subprocess.Popen[bytes] | None = None
        self._pages = 0
        self._turn = threading.Lock()

    def __enter__(self) -> Extractor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child process's id, None while there is none."""
        return self._child.pid if self._child else None

    def extract(self, page: bytes, *, url: str, content_type: str, status: int) -> SeedDraft:
        """Return the article of a page; its ``url`` is the page's canonical address.

        ``page`` is the decoded body, of which MAX_PAGE bytes are read, ``url`` the address it was
        had from. Raises CaptureFailed for what is no page with an article, and for one that takes
        too long.
        """
        kind = _kind(content_type)
        if kind not in _HTML:
            raise CaptureFailed(f"it is {kind[:80]}, which is not a page of text")
        source = _read(page, content_type)
        found = self._ask(source, url, want="article")
        draft = _draft(found, url)
        self._check(draft, source, status)
        return draft

    def main_text(self, page: bytes, *, url: str, content_type: str) -> MainText:
        """Return the article's headline and text, for comparing two captures of one page.

        ``page`` is the decoded body, or the document a browser made of it, of which MAX_PAGE
        bytes are read. No paragraphs: no article was found in it. Raises CaptureFailed for what
        is no text, and for a page that takes too long; neither says anything about a change.
        """
        kind = _kind(content_type)
        if kind not in _HTML | _PLAIN:
            raise CaptureFailed(f"it is {kind[:80]}, which is not a page of text")
        source = _read(page, content_type)
        if kind in _PLAIN:
            return MainText("", tuple(map(single_line, filter(str.strip, _BLANK.split(source)))))
        found = self._ask(source, url, want="text")
        paragraphs = (single_line(str(one)) for one in found["paragraphs"])
        return MainText(
            title=shorten(str(found["title"]), MAX_LINE),
            paragraphs=tuple(filter(None, paragraphs)),
            visible=str(found["visible"]),
        )

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def _check(self, draft: SeedDraft, source: str, status: int) -> None:
        letters = sum(map(len, draft.text.split()))
        if status >= 400:
            raise CaptureFailed(f"the server answered {status}")
        if letters < WALL_TEXT:
            visible = visible_text(source.encode("utf-8", "replace"), charset="utf-8")
            scene = set_scene(source, visible, status=status, elsewhere=0.0)
            if wall := suspect(scene, among=_WALLS):
                raise CaptureFailed(f"it looks like a {wall.likely}: {wall.sign}")
        if letters < MIN_TEXT:
            raise CaptureFailed("no article was found in it; it may need JavaScript")
        if not draft.title:
            raise CaptureFailed("it has no title")

    def _ask(self, source: str, url: str, *, want: str) -> dict[str, Any]:
        with self._turn:
            answer = self._answer(source.encode("utf-8", "replace"), url, want)
            if not answer.endswith(b"\n"):
                self.close()
                cause = "its text could not be found within the limits of time and memory"
                raise CaptureFailed(cause)
            found: dict[str, Any] = json.loads(answer)
            self._pages += 1
            if self._pages >= self._max_pages or found["peak"] > MAX_PEAK:
                self.close()
        if "error" in found:
            raise CaptureFailed(f"its text could not be read: {single_line(str(found['error']))}")
        return found

    def _answer(self, page: bytes, url: str, want: str) -> bytes:
        """Return the child's line; anything else than a line if it ended instead."""
        child = self._started()
        late = threading.Timer(self._timeout, child.kill)
        late.start()
        try:
            assert child.stdin is not None  # noqa: S101 - both are pipes, see _started
            assert child.stdout is not None  # noqa: S101 - both are pipes, see _started
            request = json.dumps({"url": url, "size": len(page), "want": want}).encode() + b"\n"
            child.stdin.write(request + page)
            child.stdin.flush()
            return child.stdout.readline(MAX_ANSWER)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        finally:
            late.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._pages = 0
            kept = ("PATH", "PYTHONPATH", "LANG", "HOME", "TMPDIR", "VIRTUAL_ENV")
            self._child = subprocess.Popen(
                [sys.executable, "-m", "feedsvc.capture.extract_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in kept if name in os.environ},
            )
        return self._child


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _read(page: bytes, content_type: str) -> str:
    page = page[:MAX_PAGE]
    return page.decode(charset_of(page, content_type), "replace")


def _draft(found: dict[str, Any], url: str) -> SeedDraft:
    """Make a draft of what the child says, which is as untrusted as the page."""
    title = shorten(str(found.get("title") or ""), MAX_LINE)
    author = shorten(", ".join(_names(str(found.get("author") or ""))), MAX_LINE) or None
    parts = list(_parts(found.get("parts") or []))
    return SeedDraft(
        title=title,
        parts=tuple(_without_head(parts, title=title, author=author)),
        url=_canonical(found.get("canonical"), url),
        author=author,
        published=_moment(found.get("published")),
        language=_language(found.get("language")),
        image=_image(found.get("image"), url),
    )


def _names(author: str) -> list[str]:
    return [name for one in author.split(";") if (name := single_line(one))]


def _parts(found: Any) -> list[Part]:
    parts: list[Part] = []
    for kind, text in found[:MAX_PARTS]:
        is_code = kind == PartKind.CODE
        clean = "\n".join(map(_code_line, str(text).splitlines())) if is_code else single_line(text)
        if clean.strip():
            parts.append(Part(PartKind(kind), clean.strip("\n")))
    return parts


def _code_line(line: str) -> str:
    indent = len(line) - len(line.lstrip(" \t"))
    return line[:indent].expandtabs(4) + single_line(line)


def _without_head(parts: list[Part], *, title: str, author: str | None) -> list[Part]:
    """Leave out the title and the byline where the text begins with them."""
    named = {_letters(title)}
    if author:
        named |= {_letters(author), _letters(f"by {author}")}
    head = parts[:3]
    return [part for part in head if _letters(part.text) not in named] + parts[3:]


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _canonical(given: Any, url: str) -> str:
    """Return the address the page gives itself, if it may: on the same site, and not its front."""
    try:
        canonical = absolute(urljoin(url, str(given or "").strip()) if given else url)
    except (InvalidURL, ValueError):
        return url
    front = urlsplit(canonical).path in {"", "/"} and not urlsplit(canonical).query
    elsewhere = _site(canonical) != _site(url)
    return url if elsewhere or (front and urlsplit(url).path not in {"", "/"}) else canonical


def _site(url: str) -> str:
    host = host_of(url)
    for prefix in _SAME_SITE:
        host = host.removeprefix(prefix)
    return host


def _moment(given: Any) -> datetime | None:
    """Return an ISO date; noon of the day if it has no time, UTC if it has no zone."""
    text = str(given or "").strip()
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == 10:
            moment = moment.replace(hour=12)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=0) if 1400 < moment.year < 9000 else None


def _language(given: Any) -> str | None:
    """Return a language tag of a language and, at most, a region."""
    first, *rest = str(given or "").strip().replace("_", "-").split("-")
    if not (2 <= len(first) <= 3 and first.isascii() and first.isalpha()):
        return None
    region = [one.upper() for one in rest[-1:] if len(one) == 2 and one.isascii() and one.isalpha()]
    return "-".join([first.lower(), *region])


def _image(given: Any, url: str) -> str | None:
    try:
        return absolute(urljoin(url, str(given).strip())) if given else None
    except (InvalidURL, ValueError):
        return None
