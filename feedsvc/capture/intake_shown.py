"""What a browser showed of a page, found in others' files beside what servers sent for it.

Archivers that use a browser keep its text, and some its markup and a screenshot, as `resource`
records under the page's address. A page that scripts build shows its article nowhere else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import IO

from feedsvc.capture.browser import BrowserCapture
from feedsvc.capture.browser_view import DOM, SMALL, TEXT, VIEW, Rendered
from feedsvc.capture.gather import Gathering
from feedsvc.capture.http import Fetcher
from feedsvc.capture.images import picture
from feedsvc.capture.intake_keys import date_of, surt_key
from feedsvc.capture.page import Capture, Limits
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import RecentRequisites
from feedsvc.capture.requisites import Links, page_links
from feedsvc.capture.robots import Robots
from feedsvc.capture.visit import Visit
from feedsvc.capture.warc_body import STEP, Block
from feedsvc.capture.warc_read import BadRecord, WarcReader, WarcRecord

NEAR = 900.0
"""Seconds by which such a record may be older or younger than its page."""
_MOST = {TEXT: 8 << 20, DOM: 8 << 20, VIEW: 16 << 20, SMALL: 1 << 20}
"""Bytes of each that are taken; a larger one is left."""
_PICTURES = {VIEW: "image/png", SMALL: "image/jpeg"}


@dataclass
class Beside:
    """Where such records stand, by what they are and the key of their page."""

    _places: dict[tuple[str, bytes], list[tuple[float, int, int]]] = field(default_factory=dict)

    def note(self, record: WarcRecord, number: int) -> None:
        """Remember a record of the file of that number, if it is one."""
        prefix = next((one for one in _MOST if record.url.startswith(one)), None)
        moment = date_of(record.field("WARC-Date"))
        if prefix is None or moment is None or record.length > _MOST[prefix]:
            return
        if key := surt_key(record.url.removeprefix(prefix)):
            place = (moment.timestamp(), number, record.offset)
            self._places.setdefault((prefix, key), []).append(place)

    def rendered(self, capture: Capture, files: Sequence[IO[bytes]]) -> Rendered | None:
        """Return what was kept of a page at about its time; None without its text."""
        found = {prefix: self._nearest(prefix, capture, files) for prefix in _MOST}
        text = found[TEXT].decode("utf-8", "replace")
        if not text.strip():
            return None
        for prefix, media_type in _PICTURES.items():
            is_one = picture(found[prefix])
            if is_one is None or is_one.media_type != media_type:
                found[prefix] = b""
        return Rendered(text, found[DOM], found[VIEW], found[SMALL], browser="")

    def _nearest(self, prefix: str, capture: Capture, files: Sequence[IO[bytes]]) -> bytes:
        moment = capture.page[-1].started.timestamp()
        keys = dict.fromkeys(map(surt_key, (capture.final_url, capture.url)))
        places = [place for key in keys if key for place in self._places.get((prefix, key), ())]
        near = [place for place in places if abs(place[0] - moment) <= NEAR]
        if not near:
            return b""
        _, number, offset = min(near, key=lambda place: abs(place[0] - moment))
        try:
            return _block(WarcReader(files[number]).at(offset))
        except BadRecord:
            return b""  # told when the file was read through, or its digest is wrong


def _block(record: WarcRecord) -> bytes:
    block = Block(record)
    data = b"".join(iter(lambda: block.read(STEP), b""))
    block.finish()
    return data


def with_shown(
    capture: Capture, rendered: Rendered, fetcher: Fetcher, limits: Limits
) -> BrowserCapture:
    """Return a page as a browser showed it, with what that needs besides."""
    names = [one.name for one in fields(Capture)]
    shown = BrowserCapture(**{name: getattr(capture, name) for name in names}, rendered=rendered)
    if not rendered.dom:
        return shown
    shown.body, shown.content_type = rendered.dom, "text/html; charset=utf-8"
    visit = Visit(
        fetcher,
        Robots(fetcher, user_agent="", policy="ignore"),
        Politeness(per_host=1 << 20, delay=0.0),
        limits,
        threading.Event(),
        time.monotonic(),
        size=capture.size,
    )
    gathering = Gathering(shown.final_url, visit, RecentRequisites(max_bytes=0), None)
    limit = max(limits.max_requisites - len(shown.requisites), 0)
    links = page_links(rendered.dom, url=shown.final_url, charset="utf-8", limit=limit)
    known = {one.url for one in (*shown.page, *shown.requisites)}
    fresh = tuple(url for url in links.requisites if url not in known)
    gathering.run(Links(fresh, more=links.more))
    shown.requisites += gathering.requisites
    shown.missing += gathering.missing
    return shown
