"""Publishing in pieces that several machines do at the same time: a channel, and all the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace

from feedsvc.errors import Temporary
from feedsvc.jobs.agreement import is_being_replaced
from feedsvc.jobs.filing import file_stale
from feedsvc.jobs.listing import tidy
from feedsvc.jobs.preparing import (
    Due,
    bring_up,
    is_behind,
    lost_files,
    mark_status,
    place,
)
from feedsvc.jobs.rename import follow_vocabulary
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import sort_stale
from feedsvc.jobs.writing import Writer
from feedsvc.logs import logger
from feedsvc.model import Progress, PublishReport
from feedsvc.runtime import Runtime

BUSY_SECONDS = 1.0
"""For how long a task waits for another publisher; what it leaves stays marked."""
PATIENCE_SECONDS = 60.0
"""The same for a person's command."""

log = logger(__name__)


class _LoadingBegan(Exception):
    """Seeds are being loaded: entries would join before those that belong in front of them."""


def publish_channel(runtime: Runtime, slug: str) -> PublishReport:
    """Write one channel's waiting pages and head, in every format.

    Does nothing while seeds are being loaded or another machine is at this channel: what waits
    stays marked, and is queued again. Two channels may be written at the same time.
    """
    with alone(runtime, slug, wait=BUSY_SECONDS) as is_mine:
        due: list[Due] = []
        with suppress(_LoadingBegan):
            due = _placed_in_order(runtime, slug) if is_mine else due
        return write(runtime, due)


def publish_now(runtime: Runtime, slug: str, *, progress: Progress = silent) -> PublishReport:
    """Write a channel as `publish_channel` does, at a person's word: whatever is being loaded."""
    with alone(runtime, slug, wait=PATIENCE_SECONDS) as is_mine:
        if not is_mine:
            return PublishReport()
        with runtime.database.transaction() as store:
            due = place(runtime, store, [slug])
        return write(runtime, due, progress=progress)


def _placed_in_order(runtime: Runtime, slug: str) -> list[Due]:
    tasks = runtime.publish_tasks
    with runtime.database.transaction() as store:
        if tasks is not None and tasks.is_held_back(store):
            return []
        due = place(runtime, store, [slug])
        # Looked at again: seeds may have come between, of which the places given know some.
        if tasks is not None and tasks.is_held_back(store):
            raise _LoadingBegan
    return due


def write(runtime: Runtime, due: Sequence[Due], *, progress: Progress = silent) -> PublishReport:
    """Write documents that were prepared, recorded in batches."""
    if not due:
        return PublishReport()
    with closing(Writer(runtime)) as writer:
        for done, one in enumerate(due):
            named = one.slug if one.page is None else f"{one.slug} {one.page}"
            progress("publishing", done, len(due), named)
            writer.write(one)
        progress("publishing", len(due), len(due))
        return writer.finish()


def arrange_feeds(runtime: Runtime, *, progress: Progress = silent) -> PublishReport:
    """Do everything that publishing needs besides writing channels; they are marked.

    Topics and filing by rules that changed, tombstones that expired, lost files, the feed about
    failures, the list of all feeds, and files that nothing needs any more.
    """
    began = time.monotonic()
    with alone(runtime, "", wait=0.0) as is_mine:
        if not is_mine:
            return PublishReport()
        with runtime.database.reading() as store:
            if is_being_replaced(runtime, store):
                return PublishReport()
        follow_vocabulary(runtime)
        resorted = sort_stale(runtime, progress=progress).changed
        file_stale(runtime, progress=progress)
        report = replace(rearrange(runtime), resorted=resorted, seconds=time.monotonic() - began)
        if report.written or report.removed or resorted:
            with recorded(runtime, "publish") as run:
                run.note(report)
    return report


def rearrange(runtime: Runtime) -> PublishReport:
    """Mark what settings, time and lost files make wait; write the list and remove, if any is due."""
    if runtime.feeds_seen is None:
        # Left behind by processes that died; others may be writing.
        runtime.feeds.sweep()
    mark_status(runtime)
    lost = lost_files(runtime)
    with runtime.database.reading() as store:
        if not is_behind(runtime, store, lost):
            return PublishReport()
    with runtime.database.transaction() as store:
        bring_up(runtime, store, lost)
    tidied = tidy(runtime, guard=lambda slug: alone(runtime, slug, wait=BUSY_SECONDS))
    return PublishReport(written=tidied.written, unchanged=tidied.unchanged, removed=tidied.removed)


def write_each(runtime: Runtime, *, progress: Progress = silent) -> PublishReport:
    """Write every channel that waits, one after the other, while others do so too."""
    total = rearrange(runtime)
    with runtime.database.reading() as store:
        slugs = store.dirty_slugs()
    for slug in slugs:
        total = _together(total, publish_now(runtime, slug, progress=progress))
    # What the channels left is written and removed now, as where one process does it all.
    return _together(total, rearrange(runtime))


def _together(one: PublishReport, other: PublishReport) -> PublishReport:
    return replace(
        one,
        topics=one.topics + other.topics,
        written=one.written + other.written,
        unchanged=one.unchanged + other.unchanged,
        removed=one.removed + other.removed,
        problems=tuple(dict.fromkeys((*one.problems, *other.problems))),
        mended=(*one.mended, *other.mended),
    )


def lock_of(runtime: Runtime, slug: str) -> str:
    """Return the lock of who writes a channel; where one process does it all, of who publishes."""
    if runtime.queue is None:
        return "publish"
    return f"publish:{slug}" if slug else "arrange"


@contextmanager
def alone(runtime: Runtime, slug: str, *, wait: float) -> Iterator[bool]:
    """Keep others from writing a channel, or (empty) from arranging; False if somebody is at it.

    Where the lock was lost meanwhile nothing is raised: whoever has written under it too finds
    out by the marks, and so does this process.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(runtime.lock(lock_of(runtime, slug), wait=wait))
        except Temporary as busy:
            log.info("publish.busy", feed=slug, reason=str(busy))
            yield False
            return
        yield True
        try:
            stack.close()
        except Temporary as lost:
            log.warning("publish.lock_lost", feed=slug, reason=str(lost))
