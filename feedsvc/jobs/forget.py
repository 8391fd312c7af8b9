"""Take an article down: rows, revisions and snapshots go, and it does not come back by itself."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import IO

from feedsvc.capture.warc_check import check_warc
from feedsvc.capture.warc_read import BadRecord, WarcReader
from feedsvc.capture.warc_rehome import (
    Home,
    payload_bodies,
    references,
    rehome,
    with_snapshot,
)
from feedsvc.errors import DamageFound, NotFound, Temporary
from feedsvc.jobs.orders import snapshot_id
from feedsvc.jobs.publish import publish_feeds
from feedsvc.jobs.record import CHANGES, GONE
from feedsvc.jobs.recover import holding_lease, recover
from feedsvc.jobs.removal import ARCHIVE_LOCK, finish_removals
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import find_article
from feedsvc.logs import logger
from feedsvc.model import Article, AuditEntry, ForgetReport, Payload, Progress, Snapshot
from feedsvc.runtime import Runtime
from feedsvc.urls import InvalidURL, normalise

BATCH = 500
"""Snapshots whose rows are read at a time."""
_PAUSE = 0.2

log = logger(__name__)


def forget_article(
    runtime: Runtime,
    article: str,
    *,
    who: str,
    reason: str = "",
    dry_run: bool = False,
    progress: Progress = silent,
) -> ForgetReport:
    """Remove an article with its revisions and snapshots, and keep it from being loaded again.

    Payloads that snapshots of other articles refer to move there first. The seed file stays: a
    person deletes it. ``dry_run`` tells what would go. Raises NotFound, and Temporary while
    captures that may need its payloads do not end.
    """
    recover(runtime)
    with (
        holding_lease(runtime),  # of whoever is killed with one, the next sweeps what it wrote
        runtime.lock(ARCHIVE_LOCK),
        recorded(runtime, "forget") as run,
    ):
        with runtime.database.reading() as store:
            found = find_article(store, article)
            work = _Forgetting(runtime, found, tuple(store.snapshots(found.id)), progress)
            revisions = store.count_revisions(found.id)
        if dry_run:
            rehomed = sum(1 for _ in work.referring())
        else:
            work.close_payloads()
            work.rehome()
            work.remove(who=who, reason=reason)
            rehomed = len(work.rewritten)
        report = ForgetReport(
            article_id=found.id,
            title=found.title,
            url=found.url,
            seed=found.seed,
            seed_exists=(runtime.root / found.seed).exists(),
            revisions=revisions,
            snapshots=len(work.going),
            size=sum(one.size for one in work.going),
            rehomed=rehomed,
            done=not dry_run,
            problems=tuple(work.problems),
        )
        run.note(report)
    if not dry_run:
        publish_feeds(runtime, progress=progress)
    return report


def remember_article(runtime: Runtime, article: str, *, who: str, reason: str = "") -> AuditEntry:
    """Let a forgotten article (id or URL) be loaded again. Raises NotFound if it was not forgotten."""
    text = article.strip().removeprefix("urn:uuid:")
    keys = [] if (key := _key(text)) is None else [key]
    with runtime.database.transaction() as store:
        found = store.forgotten(ids=[text], url_keys=keys)
        if not found:
            raise NotFound(f"no article {article!r} was forgotten; `feedsvc audit` lists them")
        id_ = next(iter(found.values()))
        store.drop_forgotten(id_)
        refused = [one.name for one in store.seed_problems() if id_ in (one.remedy or "")]
        store.drop_seeds(refused)
        entry = AuditEntry(runtime.now(), who, "remember", id_, reason, {"seeds": refused})
        store.put_audit(entry)
    return entry


def audit_log(runtime: Runtime) -> list[AuditEntry]:
    """Return who forgot what, when and why, the newest first."""
    with runtime.database.reading() as store:
        return store.audit_log()


def _key(url: str) -> str | None:
    try:
        return normalise(url)
    except InvalidURL:
        return None


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """A snapshot whose new bytes are at rest beside the old ones."""

    before: Snapshot
    after: Snapshot
    payloads: tuple[Payload, ...]


@dataclass
class _Forgetting:
    runtime: Runtime
    article: Article
    going: tuple[Snapshot, ...]
    progress: Progress
    rewritten: list[_Rewritten] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    # --- payloads others need ---------------------------------------------------------------

    def close_payloads(self) -> None:
        """Let no further capture refer to what goes, and wait for those that may do so already."""
        with self.runtime.database.transaction() as store:
            store.drop_payloads([one.id for one in self.going])
            before = store.leased_captures()
        settings = self.runtime.settings.archive
        patience = time.monotonic() + 2 * settings.deadline
        while before:
            with self.runtime.database.reading() as store:
                before &= store.leased_captures()
            if not before:
                break
            if time.monotonic() > patience:
                raise Temporary(
                    "captures under way may need what is to be forgotten, and do not end; "
                    "nothing was removed, try again later"
                )
            self.progress("waiting for captures", 0, None)
            time.sleep(_PAUSE)

    def referring(self) -> Iterator[tuple[Snapshot, set[str]]]:
        """Yield snapshots that stay and the records they need of those that go, the oldest first."""
        gone = {id_ for one in self.going for id_ in self._response_ids(one)}
        if not gone:
            return
        going = {one.id for one in self.going}
        with self.runtime.database.reading() as store:
            ids = [one for one in store.snapshot_ids() if one not in going]
        for done, snapshot in enumerate(self._rows(ids)):
            self.progress("looking for what others need", done, len(ids))
            if needed := self._needed(snapshot, gone):
                yield snapshot, needed

    def _rows(self, ids: Sequence[str]) -> Iterator[Snapshot]:
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            with self.runtime.database.reading() as store:
                found = store.snapshots_by_id(part)
            yield from (found[id_] for id_ in part if id_ in found)

    def _needed(self, snapshot: Snapshot, gone: set[str]) -> set[str]:
        try:
            with self.runtime.archive.open(snapshot.key) as file:
                return {one.record_id for one in references(file) if one.record_id in gone}
        except (NotFound, BadRecord) as error:
            self.problems.append(f"snapshot {snapshot.id} could not be looked through: {error}")
            return set()

    def _response_ids(self, snapshot: Snapshot) -> Iterator[str]:
        with suppress(NotFound), self.runtime.archive.open(snapshot.key) as file:
            for record in WarcReader(file):
                if record.kind == "response" and (id_ := record.field("WARC-Record-ID")):
                    yield id_

    def rehome(self) -> None:
        """Write the snapshots that need a payload of these again, each under a new key."""
        now: dict[str, Payload] = {}
        try:
            for snapshot, needed in self.referring():
                with ExitStack() as stack:
                    homes = self._homes(needed, now, stack)
                    if homes:
                        self._rewrite(snapshot, homes, now)
        except BaseException:
            for one in self.rewritten:
                self.runtime.archive.delete(one.after.key)
            raise

    def _homes(
        self, needed: set[str], now: Mapping[str, Payload], stack: ExitStack
    ) -> dict[str, Home]:
        homes = {id_: Home(now[id_]) for id_ in needed if id_ in now}
        left = needed - set(homes)
        for id_, body in self._bodies(left):
            stack.callback(body.close)
            homes[id_] = Home(_UNPLACED, body)
        if missing := needed - set(homes):
            self.problems.append(f"the payload of {min(missing)} is damaged and is lost")
        return homes

    def _bodies(self, record_ids: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
        for snapshot in self.going if record_ids else ():
            with (
                suppress(NotFound, BadRecord),
                self.runtime.archive.open(snapshot.key) as file,
            ):
                yield from payload_bodies(file, record_ids).items()

    def _rewrite(
        self, snapshot: Snapshot, homes: Mapping[str, Home], now: dict[str, Payload]
    ) -> None:
        key = f"{snapshot.captured:%Y/%m}/{snapshot_id(snapshot.captured, os.urandom(10))}.warc.gz"
        archive = self.runtime.archive
        with archive.open(snapshot.key) as source, archive.writing(key) as out:
            done = rehome(source, out, homes=homes)
            out.seek(0)
            if problems := check_warc(out).problems:
                raise DamageFound(f"{archive.place(snapshot.key)}: {problems[0]}")
            out.seek(0)
            sha256 = hashlib.file_digest(out, "sha256").hexdigest()
            size = out.seek(0, os.SEEK_END)
        payloads = with_snapshot((payload for _, payload in done.taken), snapshot.id)
        now |= {id_: payload for (id_, _), payload in zip(done.taken, payloads, strict=True)}
        after = replace(snapshot, key=key, size=size, sha256=sha256)
        self.rewritten.append(_Rewritten(snapshot, after, tuple(payloads)))

    # --- removing ---------------------------------------------------------------------------

    def remove(self, *, who: str, reason: str) -> None:
        """Remove everything in one transaction; then the bytes."""
        now = self.runtime.now()
        with self.runtime.database.transaction() as store:
            dead = [one.key for one in self.going]
            for one in self.rewritten:
                # Its article may have been forgotten, or it may be a mismatch that made room.
                kept = store.replace_bytes(one.after)
                dead.append(one.before.key if kept else one.after.key)
                if kept:
                    store.put_payloads(one.payloads)
            store.put_removals(dead)
            store.bury([self.article.id], now=now)
            store.put_forgotten(self.article.id, now=now)
            store.put_audit(self._entry(now, who=who, reason=reason))
            store.drop_seeds_of(self.article.id)
            store.drop_articles([self.article.id])
            store.mark_dirty([CHANGES, GONE])
        finish_removals(self.runtime)
        log.info("article.forgotten", article=self.article.id, snapshots=len(self.going))

    def _entry(self, now: datetime, *, who: str, reason: str) -> AuditEntry:
        details = {
            "url": self.article.url,
            "seed": self.article.seed,
            "snapshots": [{"id": one.id, "sha256": one.sha256} for one in self.going],
            "rewritten": [one.after.id for one in self.rewritten],
        }
        return AuditEntry(now, who, "forget", self.article.id, reason, details)


_UNPLACED = Payload(digest="", size=0, url="", date="", record_id="")
"""Stands for a payload that gets its place with the record it is written to."""
