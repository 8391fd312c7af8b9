"""Captures that others made, found in their WARC files and brought into the shape of ours.

The files are read once from beginning to end to learn what stands where. Then a page is captured
again, by the same code as from the web, only that every answer comes out of these files.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, cast

from feedsvc.capture.body import Body
from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.http import Fetcher
from feedsvc.capture.http_head import HttpHead, read_head
from feedsvc.capture.intake_keys import date_of, key_of, short, surt_key
from feedsvc.capture.intake_shown import Beside, with_shown
from feedsvc.capture.page import Capture, Limits, capture_page
from feedsvc.capture.polite import Politeness
from feedsvc.capture.recent import RecentRequisites
from feedsvc.capture.robots import Robots
from feedsvc.capture.warc_body import STEP, Block, response_body
from feedsvc.capture.warc_digest import canonical
from feedsvc.capture.warc_read import BadRecord, WarcReader, WarcRecord
from feedsvc.errors import CaptureFailed
from feedsvc.text import shorten
from feedsvc.urls import InvalidURL, absolute

MAX_REQUEST_BODY = 1 << 20
_HTTP = "application/http"
_MET = frozenset({"length", "time", "disconnect"})
_SLACK = 1.0
"""Seconds by which two captures of one page differ at least."""


class Missing(CaptureFailed):
    """An answer, or its payload, stands in none of the files."""


class Wrong(CaptureFailed):
    """A record that is damaged, or whose digest does not fit it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A WARC file, and what to call it."""

    name: str
    file: IO[bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """A response, or a revisit of one, in one of the files."""

    source: int
    offset: int
    date: float
    """Seconds since 1970."""
    url: bytes
    """A digest of the exact address."""
    record: bytes
    concurrent: bytes
    digest: bytes
    is_page: bool


@dataclass
class Intake:
    """What stands where in a set of files; ``payload`` finds the bytes of a digest elsewhere."""

    payload: Callable[[str], IO[bytes] | None]
    limits: Limits = field(default_factory=Limits)
    records: int = 0
    problems: list[str] = field(default_factory=list)
    _sources: list[Source] = field(default_factory=list)
    _software: list[str] = field(default_factory=list)
    _places: dict[bytes, list[Place]] = field(default_factory=dict)
    _payloads: dict[bytes, Place] = field(default_factory=dict)
    _requests: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _beside: Beside = field(default_factory=Beside)

    def add(self, source: Source) -> None:
        """Read a file through; what cannot be read of it is in ``problems``."""
        number = len(self._sources)
        self._sources.append(source)
        self._software.append("")
        reader = WarcReader(source.file)
        for record in reader:
            self.records += 1
            try:
                self._note(record, number)
            except BadRecord:
                continue  # the reader comes across it too, and tells
        self.problems += (f"{source.name}: {one}" for one in reader.damage)

    def tell(self, problem: str) -> None:
        """Note something that is wrong in the files, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def pages(self) -> set[bytes]:
        """Return the keys of addresses under which a web page was captured."""
        return {key for key, places in self._places.items() if any(one.is_page for one in places)}

    def holds(self, url: str) -> bool:
        """Tell whether an address was captured, if only as a redirect."""
        return key_of(url) in self._places

    def captures(self, url: str, *, known: Collection[float]) -> Iterator[Found]:
        """Yield what was captured of an address, the oldest first; ``known`` are seconds to skip.

        A capture under http that only leads to one under https is one with that.
        """
        ends: set[tuple[int, int]] = set()
        for place in sorted(self._places.get(key_of(url), ()), key=lambda one: one.date):
            if (place.source, place.offset) in ends:
                continue
            if any(abs(place.date - second) <= _SLACK for second in known):
                yield Found(place, self, known=True)
                continue
            found = Found(place, self)
            yield found
            ends |= found.used

    def source_of(self, place: Place) -> Source:
        """Return the file a place is in."""
        return self._sources[place.source]

    def software_of(self, place: Place) -> str:
        """Return which program says it wrote that file."""
        return self._software[place.source]

    # --- the first reading ------------------------------------------------------------------

    def _note(self, record: WarcRecord, number: int) -> None:
        kind = record.kind
        if kind == "warcinfo":
            self._note_software(record, number)
        elif kind == "request":
            for name in ("WARC-Concurrent-To", "WARC-Record-ID"):
                if id_ := record.field(name):
                    self._requests[short(id_)] = (number, record.offset)
        elif kind in {"response", "revisit"}:
            self._note_response(record, number)
        elif kind == "resource":
            self._beside.note(record, number)

    def _note_software(self, record: WarcRecord, number: int) -> None:
        text = record.read(min(record.length, 4096)).decode("utf-8", "replace")
        for line in text.splitlines():
            name, _, value = line.partition(":")
            if name.strip().lower() == "software" and not self._software[number]:
                self._software[number] = shorten(value, 200)

    def _note_response(self, record: WarcRecord, number: int) -> None:
        key, date = surt_key(record.url), date_of(record.field("WARC-Date"))
        if key is None or not (record.field("Content-Type") or "").startswith(_HTTP):
            return
        if date is None:
            name = self._sources[number].name
            self.problems.append(f"{name}: offset {record.offset}: its WARC-Date is no date")
            return
        head = read_head(record.read)
        digest = canonical(record.field("WARC-Payload-Digest"))
        place = Place(
            source=number,
            offset=record.offset,
            date=date.timestamp(),
            url=short(record.url),
            record=short(record.field("WARC-Record-ID") or ""),
            concurrent=short(record.field("WARC-Concurrent-To") or ""),
            digest=short(digest),
            is_page=_is_page(head),
        )
        self._places.setdefault(key, []).append(place)
        if digest and record.kind == "response":
            self._payloads.setdefault(place.digest, place)

    # --- single answers ---------------------------------------------------------------------

    def nearest(self, url: str, moment: float) -> Place | None:
        """Return the answer of an address, exactly so written if there is one, nearest in time."""
        exact = short(url)
        places = self._places.get(key_of(url), ())
        return min(places, key=lambda one: (one.url != exact, abs(one.date - moment)), default=None)

    def exchange(self, place: Place, *, cap: int) -> Exchange:
        """Read one answer; raise Wrong for a record that is damaged, Missing for its payload."""
        source = self.source_of(place)
        try:
            return self._read(place, WarcReader(source.file).at(place.offset), cap)
        except BadRecord as error:
            raise Wrong(f"{source.name}: offset {place.offset}: {error}") from error

    def _read(self, place: Place, record: WarcRecord, cap: int) -> Exchange:
        block = Block(record)
        head = read_head(block.read)
        if head is None or head.status is None:
            raise BadRecord("it holds no HTTP response")
        revisited = record.kind == "revisit"
        if revisited:
            block.finish()
            head, body = self._revisited(place, record, head, cap)
        else:
            body = response_body(record, head, block, cap=cap)
        if head.status is None:
            body.file.close()
            raise BadRecord("it refers to a record that holds no HTTP response")
        method, headers, sent = self._request(place)
        truncated = record.field("WARC-Truncated")
        if truncated is not None and truncated not in _MET:
            truncated = "disconnect"
        return Exchange(
            url=absolute(record.url),
            method=method,
            request_headers=headers,
            status=head.status,
            reason=head.reason,
            headers=head.headers,
            protocol=_protocol(record, head),
            ip=record.field("WARC-IP-Address"),
            body=body.file,
            size=body.size,
            sha1=body.digest(),
            started=datetime.fromtimestamp(place.date, UTC),
            seconds=0.0,
            truncated="length" if body.size >= cap else truncated,
            request_body=sent,
            # Without a request in the files, none is made up.
            remembered=not headers,
        )

    def _revisited(
        self, place: Place, record: WarcRecord, own: HttpHead, cap: int
    ) -> tuple[HttpHead, Body]:
        """Return what a revisit stands for: from these files, else from elsewhere.

        A 304 says nothing about the page but that it is as it was (WARC 1.1 §6.7.3).
        """
        digest = canonical(record.field("WARC-Payload-Digest"))
        holder = self._payloads.get(place.digest) if digest else None
        if holder is not None:
            original = WarcReader(self.source_of(holder).file).at(holder.offset)
            block = Block(original)
            head = read_head(block.read)
            if head is None:
                raise BadRecord("it refers to a record without an HTTP head")
            body = response_body(original, head, block, cap=cap)
            return (head if own.status == 304 else own), body
        found = self.payload(digest) if digest and own.status != 304 else None
        if found is None:
            raise Missing("its payload stands in none of the files")
        body = Body(cap)
        with found:
            found.seek(0)
            while chunk := found.read(STEP):
                body.take(chunk)
        body.file.seek(0)
        return own, body

    def _request(self, place: Place) -> tuple[str, Headers, bytes]:
        at = self._requests.get(place.record) or self._requests.get(place.concurrent)
        if at is None:
            return "GET", (), b""
        try:
            record = WarcReader(self._sources[at[0]].file).at(at[1])
            head = read_head(record.read)
            sent = record.read(MAX_REQUEST_BODY)
        except BadRecord:
            return "GET", (), b""
        return (head.method, head.headers, head.rest + sent) if head else ("GET", (), b"")

    def shown(self, capture: Capture, fetcher: Fetcher) -> Capture:
        """Return a page with what a browser showed of it, where the files tell that too."""
        files = [source.file for source in self._sources]
        rendered = self._beside.rendered(capture, files)
        return with_shown(capture, rendered, fetcher, self.limits) if rendered else capture

    def url_of(self, place: Place) -> str:
        """Return the address an answer was had from; raise Wrong."""
        source = self.source_of(place)
        try:
            return absolute(WarcReader(source.file).at(place.offset).url)
        except (BadRecord, InvalidURL) as error:
            raise Wrong(f"{source.name}: offset {place.offset}: {error}") from error


@dataclass
class Found:
    """A capture of a page in the files, not read yet."""

    place: Place
    intake: Intake
    known: bool = False
    used: set[tuple[int, int]] = field(default_factory=set)
    """Where its hops stand."""

    def capture(self) -> Capture:
        """Capture the page out of the files, with its requisites.

        Raises Wrong, Missing or any other CaptureFailed.
        """
        reader = _Reader(self)
        capture = capture_page(
            self.intake.url_of(self.place),
            fetcher=cast("Fetcher", reader),  # of a fetcher no more than `fetch` is used
            robots=Robots(cast("Fetcher", reader), user_agent="", policy="ignore"),
            politeness=Politeness(per_host=1 << 20, delay=0.0),
            limits=self.intake.limits,
            recent=RecentRequisites(max_bytes=0),
            stop=threading.Event(),
        )
        self.used = {reader.places[id(one)] for one in capture.page if id(one) in reader.places}
        try:
            return self.intake.shown(capture, cast("Fetcher", reader))
        except BaseException:
            capture.close()
            raise


class _Reader:
    """Answers from the files as they were at the time of a page."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._begun = False
        self.places: dict[int, tuple[int, int]] = {}

    def fetch(
        self,
        url: str,
        *,
        headers: object = (),
        max_size: int | None = None,
        deadline: float | None = None,
        send_by: float | None = None,
    ) -> Exchange:
        """Return the answer nearest in time; the very first is the one that was asked for."""
        intake, first = self._found.intake, self._found.place
        place = intake.nearest(url, first.date) if self._begun else first
        self._begun = True
        if place is None:
            raise Missing("it stands in none of the files")
        try:
            exchange = intake.exchange(place, cap=max_size or intake.limits.max_page)
        except Wrong as error:
            # Of a requisite nobody else hears.
            intake.tell(str(error))
            raise
        self.places[id(exchange)] = (place.source, place.offset)
        return exchange


def _protocol(record: WarcRecord, head: HttpHead) -> str:
    named = (record.field("WARC-Protocol") or "").lower()
    return named if named in {"http/1.0", "http/1.1", "h2"} else head.protocol


def _is_page(head: HttpHead | None) -> bool:
    kind = (head.header("content-type") or "").lower() if head else ""
    return (
        head is not None
        and head.status == 200
        and kind.startswith(("text/html", "application/xhtml"))
    )
