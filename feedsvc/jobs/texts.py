"""What was captured of an original before, and its text compared with what is there now."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from feedsvc.capture.compare import MainText, compare
from feedsvc.capture.exchange import Exchange, Headers
from feedsvc.capture.extract import MAX_PAGE, Extractor
from feedsvc.capture.page import Capture
from feedsvc.errors import CaptureFailed
from feedsvc.jobs.contents import contents_of
from feedsvc.model import Change, Difference, Payload, Snapshot
from feedsvc.replay.content import DOM, Contents, Found
from feedsvc.replay.records import Record, Unreadable
from feedsvc.runtime import Runtime

LONGEST_VALIDATOR = 1000
"""Characters of an ETag that is sent back; no server needs more."""
_SENDABLE = re.compile(r"[\x20-\x7e\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class LastPage:
    """The page of the last snapshot that shows what an original said."""

    snapshot: Snapshot
    found: Found
    direct: bool
    """True if the original's address itself gave it, without a redirect."""
    contents: Contents

    @property
    def record(self) -> Record:
        """Its own record, which may be a revisit of another one."""
        return self.found.record

    @property
    def is_rendered(self) -> bool:
        """True if a browser showed it: what the server sends has no article in it."""
        return self.record.url.startswith(DOM)

    def is_same_as(self, exchange: Exchange) -> bool:
        """Tell whether an answer has the same payload, byte for byte."""
        whole = exchange.truncated is None and not self.record.truncated
        return whole and exchange.status == self.record.status and self._digest == exchange.sha1

    @property
    def _digest(self) -> str:
        return self.record.digest or self.found.source.digest

    def conditions(self, url: str) -> dict[str, Headers]:
        """Return the headers that ask whether it changed (RFC 9110 §13.1), by address.

        They go to the address they came from, and nowhere else; another archive's are its own.
        """
        record = self.record
        if self.snapshot.source is not None or record.truncated or record.status != 200:
            return {}
        headers = tuple(
            (name, value)
            for name, value in (
                ("If-None-Match", record.header("etag")),
                ("If-Modified-Since", record.header("last-modified")),
            )
            if len(value) <= LONGEST_VALIDATOR and _SENDABLE.fullmatch(value)
        )
        if not headers:
            return {}
        return {record.url: headers} | ({url: headers} if self.direct else {})

    def payload(self) -> Payload | None:
        """Return its record as what a revisit refers to; None if it names no time."""
        record, moment = self.record, self.record.captured
        if moment is None:
            return None
        return Payload(
            digest=self._digest,
            size=self.found.source.size,
            url=record.url,
            date=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            record_id=record.record_id,
            snapshot_id=self.snapshot.id,
        )

    def body(self) -> bytes:
        """Return it with its codings undone, as much as is compared; raise CaptureFailed."""
        try:
            return self.contents.content(self.found, limit=MAX_PAGE)[0]
        except Unreadable as error:
            raise CaptureFailed(f"the last snapshot's page is damaged: {error}") from error


def last_page(runtime: Runtime, article_id: str, url: str) -> LastPage | None:
    """Return the page an original is compared with; None if there is none, or it is damaged."""
    with runtime.database.glance() as store:
        snapshot = store.last_seen(article_id, url)
    if snapshot is None:
        return None
    contents = contents_of(runtime)
    found = contents.look(snapshot.key, snapshot.final_url, follow=True)
    if not isinstance(found, Found):
        return None
    first = contents.look(snapshot.key, url, follow=False)
    direct = isinstance(first, Found) and first.record is found.record
    return LastPage(snapshot, found, direct, contents)


class Texts:
    """Compares the main texts of pages, which a child process reads; for all threads of a round."""

    def __init__(self) -> None:
        self._extractor = Extractor()

    def of_last(self, page: LastPage) -> MainText:
        """Return the article's text of a page at rest; raise CaptureFailed."""
        return self._extractor.main_text(
            page.body(), url=page.found.url, content_type=page.found.media_type
        )

    def of(self, capture: Capture) -> MainText:
        """Return the article's text of a page; raise CaptureFailed."""
        return self._extractor.main_text(
            capture.body, url=capture.final_url, content_type=capture.content_type
        )

    def difference(self, before: LastPage, now: Capture) -> Difference:
        """Return what a reader of the article finds changed; raise CaptureFailed."""
        old, new = self.of_last(before), self.of(now)
        if not old.paragraphs or not new.paragraphs:
            raise CaptureFailed("no article could be made out in the page")
        return compare(old, new)

    def close(self) -> None:
        """End the child process."""
        self._extractor.close()


def change_between(before: Snapshot, after: Snapshot, difference: Difference) -> Change:
    """Return a change, which is called the same however often it is found between those two."""
    return Change(
        id=str(uuid.uuid5(uuid.UUID(after.id), before.id)),
        article_id=after.article_id,
        at=after.captured,
        before_id=before.id,
        after_id=after.id,
        difference=difference,
    )
