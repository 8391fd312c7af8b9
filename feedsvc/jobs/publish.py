"""Write the feeds that changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from feedsvc.errors import NotFound
from feedsvc.jobs.filing import file_stale
from feedsvc.jobs.listing import tidy
from feedsvc.jobs.preparing import bring_up, lost_files, mark_status, place, waits
from feedsvc.jobs.publish_one import write, write_each
from feedsvc.jobs.rename import follow_vocabulary
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import sort_stale
from feedsvc.model import ALL, Progress, PublishReport
from feedsvc.publish import feed_url
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.store_channels import EVERYTHING
from feedsvc.text import did_you_mean


def publish_feeds(runtime: Runtime, *, progress: Progress = silent) -> PublishReport:
    """Write the feeds of every channel in which something changed, and remove those of empty ones.

    A changed vocabulary sorts the articles again first, changed feeds.toml files them again.
    Raises Temporary while another process publishes for minutes.
    """
    began = time.monotonic()
    with publishing(runtime), recorded(runtime, "publish") as run:
        resorted = arrange(runtime, progress=progress)
        report = replace(
            write_dirty(runtime, progress=progress),
            resorted=resorted,
            seconds=time.monotonic() - began,
        )
        run.note(report)
    return report


def publishing(runtime: Runtime) -> AbstractContextManager[None]:
    """Keep others from publishing; in a fleet everybody does, each channel has a lock of its own."""
    return runtime.lock("publish") if runtime.queue is None else nullcontext()


def arrange(runtime: Runtime, *, progress: Progress = silent) -> int:
    """Sort and file what was sorted or filed by other rules; return how many topics changed."""
    follow_vocabulary(runtime)
    resorted = sort_stale(runtime, progress=progress).changed
    file_stale(runtime, progress=progress)
    return resorted


def write_dirty(runtime: Runtime, *, progress: Progress = silent) -> PublishReport:
    """Write what is marked dirty, under `publishing`.

    Documents are recorded in batches, so that what is interrupted goes on where it stopped.
    """
    if runtime.queue is not None:
        return write_each(runtime, progress=progress)
    if runtime.feeds_seen is None:
        # Of processes that died; this one leaves nothing behind, and under the lock writes alone.
        runtime.feeds.sweep(age=0)
    mark_status(runtime)
    lost = lost_files(runtime)
    if not waits(runtime, lost):
        return PublishReport()
    with runtime.database.transaction() as store:
        bring_up(runtime, store, lost)
        due = place(runtime, store, store.dirty_slugs())
    report = write(runtime, due, progress=progress)
    tidied = tidy(runtime)
    return replace(
        report,
        written=report.written + tidied.written,
        unchanged=report.unchanged + tidied.unchanged,
        removed=tidied.removed,
    )


def mark_everything(runtime: Runtime, slug: str | None = None) -> None:
    """Make every feed, or one channel's, be written again. Raises NotFound for an unknown one."""
    with runtime.database.transaction() as store:
        store.ensure_channels([EVERYTHING])
        if slug is not None and store.channel(slug) is None:
            guess = did_you_mean(slug, [one.slug for one in store.channels()])
            raise NotFound(f"there is no feed {slug!r}: {guess}`feedsvc feeds` lists them")
        if isinstance(runtime.feeds, DiskBlobs):
            store.mark_whole(None if slug is None else [slug])
        else:
            # What is far away is compared with what is recorded, unless that is in doubt.
            store.doubt(None if slug is None else store.documents_of(slug))
        store.note_listing()
    runtime.feeds_seen = None


def feed_urls(runtime: Runtime, slugs: Sequence[str] = (ALL,)) -> list[str]:
    """Return the addresses of feeds to paste into a reader."""
    return [feed_url(runtime.site, slug, "atom") for slug in slugs]
