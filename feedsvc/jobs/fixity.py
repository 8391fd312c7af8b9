"""Fixity: is everything at rest still what was recorded?"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from feedsvc.capture.warc_check import check_warc
from feedsvc.errors import NotFound
from feedsvc.jobs.running import recorded, silent
from feedsvc.model import Damage, Progress, Snapshot, VerifyReport
from feedsvc.runtime import Runtime

_AGAIN = "run `feedsvc capture --article {}` to capture it again, or restore a backup"


def verify(
    runtime: Runtime, *, sample: int | None = None, progress: Progress = silent
) -> VerifyReport:
    """Check every snapshot (or ``sample`` of them), every feed file and the database.

    Reads only. Finds any changed byte, missing file or file that nothing stands for, and names
    the article it belongs to.
    """
    began = time.monotonic()
    with recorded(runtime, "verify") as run:
        damage = list(_database(runtime))
        with runtime.database.reading() as store:
            known = list(store.all_snapshots())
            files = store.feed_files()
        chosen = known if sample is None else random.sample(known, min(sample, len(known)))
        damage += _snapshots(runtime, chosen, progress)
        damage += _feeds(runtime, files)
        damage += _unknown(runtime, known, files)
        report = VerifyReport(
            snapshots=len(chosen),
            feeds=len(files),
            size=sum(one.size for one in chosen) + sum(size for _, size in files.values()),
            seconds=time.monotonic() - began,
            damage=tuple(damage),
        )
        run.note(report)
        run.summary |= {"damage": len(damage)}
    return report


def _database(runtime: Runtime) -> Iterator[Damage]:
    remedy = "restore a backup, or load the seeds into a new database with `feedsvc rebuild`"
    for problem in runtime.database.integrity():
        yield Damage("database", "database", problem, remedy)
    with runtime.database.reading() as store:
        for article_id, number, title in store.damaged_revisions():
            yield Damage(
                "database",
                f"revision {number}",
                "the stored text is not what its digest says",
                "run `feedsvc ingest --force` after restoring a backup",
                article_id,
                title,
            )


def _snapshots(runtime: Runtime, chosen: list[Snapshot], progress: Progress) -> Iterator[Damage]:
    # Inflating and hashing release the interpreter's lock: two threads read twice as fast.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        results = _bounded(pool, runtime, chosen)
        for done, (snapshot, problems) in enumerate(results, 1):
            progress("verifying", done, len(chosen))
            if problems:
                with runtime.database.reading() as store:
                    article = store.article(snapshot.article_id)
                yield Damage(
                    "snapshot",
                    str(runtime.archive.path(snapshot.key)),
                    "; ".join(problems),
                    _AGAIN.format(snapshot.article_id),
                    snapshot.article_id,
                    article.title if article else None,
                )


def _bounded(
    pool: ThreadPoolExecutor, runtime: Runtime, chosen: Iterable[Snapshot]
) -> Iterator[tuple[Snapshot, list[str]]]:
    """Check a few ahead of the one that is taken."""
    waiting = iter(chosen)
    ahead = [
        (one, pool.submit(check_snapshot, runtime, one)) for one in itertools.islice(waiting, 8)
    ]
    while ahead:
        snapshot, future = ahead.pop(0)
        ahead += [
            (one, pool.submit(check_snapshot, runtime, one)) for one in itertools.islice(waiting, 1)
        ]
        yield snapshot, future.result()


def check_snapshot(runtime: Runtime, snapshot: Snapshot) -> list[str]:
    """Return what is wrong with a snapshot's bytes, nothing if all is well."""
    try:
        with runtime.archive.open(snapshot.key) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.seek(0, os.SEEK_END)
            if digest == snapshot.sha256:
                return []
            file.seek(0)
            details = list(check_warc(file).problems)
    except NotFound:
        return ["the file is missing"]
    except OSError as error:
        return [f"it cannot be read: {error.strerror}"]
    if size != snapshot.size:
        return [f"it has {size} bytes instead of {snapshot.size}", *details[:3]]
    return ["its SHA-256 is not the recorded one", *details[:3]]


def _feeds(runtime: Runtime, files: dict[str, tuple[str, int]]) -> Iterator[Damage]:
    for name, (sha256, _) in sorted(files.items()):
        try:
            with runtime.feeds.open(name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except NotFound:
            yield Damage("feed", name, "the file is missing", "run `feedsvc rebuild`")
            continue
        if digest != sha256:
            yield Damage("feed", name, "its bytes are not those written", "run `feedsvc rebuild`")


def _unknown(
    runtime: Runtime, known: Iterable[Snapshot], files: dict[str, tuple[str, int]]
) -> Iterator[Damage]:
    recorded_keys = {one.key for one in known}
    for key in runtime.archive.stored():
        if key not in recorded_keys:
            # A capture may have been recorded since the list was read.
            with runtime.database.reading() as store:
                if store.has_key(key):
                    continue
            yield Damage(
                "unknown file",
                str(runtime.archive.folder / key),
                "no snapshot is recorded for it",
                "a crash can leave one behind, which is harmless: move it away",
            )
    for key in runtime.feeds.stored():
        if key not in files:
            yield Damage(
                "unknown file",
                str(runtime.feeds.folder / key),
                "feedsvc did not write it",
                "move it away: feeds/ holds generated files only",
            )
