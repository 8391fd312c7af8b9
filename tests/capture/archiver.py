"""A whole capture of a page on loopback, for the tests of pages."""

from __future__ import annotations

import gzip
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from feedsvc.capture.http import Fetcher
from feedsvc.capture.page import Capture, Limits, RecentRequisites, capture_page
from feedsvc.capture.polite import Politeness
from feedsvc.capture.robots import Robots
from feedsvc.capture.warc import write_warc
from feedsvc.model import Judgement, Payload, Verdict

CSS = (("Content-Type", "text/css"),)
PNG = (("Content-Type", "image/png"),)
NOW = datetime(2024, 5, 31, 12, 0, tzinfo=UTC)
HEAD = "<link rel=icon href=/i.ico>"
"""So that pages do not ask for /favicon.ico as well."""


@dataclass
class Archiver:
    """capture_page with everything it needs; closes what it captured."""

    fetcher: Fetcher
    robots: Robots
    politeness: Politeness
    recent: RecentRequisites = field(default_factory=RecentRequisites)
    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)
    captures: list[Capture] = field(default_factory=list)
    clock: float = 0.0

    def __call__(self, url: str, *, pool: ThreadPoolExecutor | None = None) -> Capture:
        capture = capture_page(
            url,
            fetcher=self.fetcher,
            robots=self.robots,
            politeness=self.politeness,
            limits=self.limits,
            recent=self.recent,
            stop=self.stop,
            pool=pool,
        )
        self.captures.append(capture)
        return capture


def paths(capture: Capture) -> list[str]:
    return ["/" + each.url.split("/", 3)[3] for each in capture.requisites]


def causes(capture: Capture) -> dict[str, str]:
    return {"/" + url.split("/", 3)[3]: cause for url, cause in capture.missing}


def warc(
    capture: Capture, known: dict[str, Payload] | None = None
) -> tuple[bytes, tuple[Payload, ...]]:
    file = io.BytesIO()
    result = write_warc(
        capture,
        file,
        snapshot_id="s1",
        known=known or {},
        judgement=Judgement(Verdict.VERIFIED, 1.0),
        software="feedsvc/0",
        now=NOW,
    )
    return file.getvalue(), result.payloads


def site(origin: Any) -> str:
    """A page with everything a page may need, three stylesheets deep."""
    page = (
        f"{HEAD}<link rel=stylesheet href=/1.css><script src=/a.js></script>"
        "<img src=/a.png srcset='/b.png 2x'><p>Words of the article.</p>"
    )
    origin.page("/i.ico", b"icon" * 100, headers=PNG)
    origin.page("/1.css", b"@import '2.css'; a{b:url(bg.png)}", headers=CSS)
    origin.page("/2.css", b"@import url(3.css);", headers=CSS, chunked=True)
    origin.page(
        "/3.css", b"@import url(1.css); @import url(4.css); a{b:url(deep.png)}", headers=CSS
    )
    origin.page("/4.css", b"@import url(5.css);", headers=CSS)
    for name in ("a", "b", "bg", "deep"):
        origin.page(f"/{name}.png", name.encode() * 300, headers=PNG)
    origin.page(
        "/a.js",
        gzip.compress(b"alert(1);" * 50),
        headers=(("Content-Type", "text/javascript"), ("Content-Encoding", "gzip")),
    )
    return str(origin.page("/story", page.encode()))
