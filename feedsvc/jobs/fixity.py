"""Fixity: is everything at rest still what was recorded?"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from feedsvc.capture.warc_check import check_warc
from feedsvc.errors import NotFound
from feedsvc.jobs.orphans import OURS
from feedsvc.jobs.packed import Problem, copy_problem, document_of
from feedsvc.jobs.preparing import mark_lost
from feedsvc.jobs.recover import is_capturing, recover
from feedsvc.jobs.running import recorded, silent
from feedsvc.model import Article, Damage, Progress, Snapshot, VerifyReport
from feedsvc.model.fleet import SITE_KEY
from feedsvc.publish.packing import PACKED_FILES
from feedsvc.runtime import Runtime
from feedsvc.storage.blobs import BlobStore, DiskBlobs
from feedsvc.storage.store import Store
from feedsvc.text import without_tokens

AT_ONCE = 16
"""Files that are read, or wait for it, at a time: an object store is slow to begin each."""

T = TypeVar("T")
U = TypeVar("U")

_AGAIN = "it is due again: run `feedsvc capture --article {}`, or restore the file from a backup"


def verify(
    runtime: Runtime, *, sample: int | None = None, progress: Progress = silent
) -> VerifyReport:
    """Check every snapshot (or ``sample`` of them), every feed file and the database.

    Finds any changed byte, missing file or file that nothing stands for, and names the article
    it belongs to. A damaged snapshot is no longer shown or referred to, and its original is due
    for capture again; once that went well, it is damage no more, only superseded.
    """
    began = time.monotonic()
    with recorded(runtime, "verify") as run:
        if not runtime.database.is_read_only:
            recover(runtime)
        damage = list(_database(runtime))
        with runtime.database.reading() as store:
            known = list(store.all_snapshots())
            files = store.feed_files()
        chosen = known if sample is None else random.sample(known, min(sample, len(known)))
        broken = {one.id: (one, why) for one, why in _snapshots(runtime, chosen, progress)}
        found, superseded = _note_damage(runtime, chosen, broken)
        damage += found
        damage += _feeds(runtime, files)
        damage += _copies(runtime, files)
        damage += _unknown(runtime, known, files)
        report = VerifyReport(
            snapshots=len(chosen),
            feeds=len(files),
            size=sum(one.size for one in chosen) + sum(size for _, size in files.values()),
            seconds=time.monotonic() - began,
            damage=tuple(damage),
            superseded=superseded,
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


def _snapshots(
    runtime: Runtime, chosen: list[Snapshot], progress: Progress
) -> Iterator[tuple[Snapshot, str]]:
    """Yield snapshots whose bytes are not as recorded, and what is wrong with them."""

    def check(snapshot: Snapshot) -> list[str]:
        return check_snapshot(runtime, snapshot)

    with _readers(runtime.archive) as pool:
        for done, (snapshot, problems) in enumerate(_ahead(pool, check, chosen), 1):
            progress("verifying", done, len(chosen))
            if problems:
                yield snapshot, "; ".join(problems)


def _note_damage(
    runtime: Runtime, chosen: list[Snapshot], broken: dict[str, tuple[Snapshot, str]]
) -> tuple[list[Damage], int]:
    """Remember what is damaged and make its capture due; tell what no new capture has mended.

    Whatever refers to a damaged snapshot lacks those payloads, so it is damaged too.
    """
    if not broken and not any(one.damaged for one in chosen):
        return [], 0
    with runtime.database.reading() as store:
        for one in store.referring(broken):
            broken.setdefault(one.id, (one, "it refers to bytes in a damaged snapshot"))
    if not runtime.database.is_read_only:
        _mark(runtime, chosen, broken)
    with runtime.database.reading() as store:
        good = store.good_snapshots(sorted({one.article_id for one, _ in broken.values()}))
        articles = store.articles(sorted({one.article_id for one, _ in broken.values()}))
    return _told(runtime, broken, good, articles)


def _mark(
    runtime: Runtime, chosen: list[Snapshot], broken: dict[str, tuple[Snapshot, str]]
) -> None:
    """Remember what is damaged, let what is whole again count, and make captures due."""
    now = runtime.now()
    with runtime.database.transaction() as store:
        fresh = [one for one, _ in broken.values() if one.damaged is None]
        store.mark_damaged([one.id for one in fresh], now=now)
        store.mark_articles_dirty(sorted({one.article_id for one in fresh}))
        for article_id in sorted({one.article_id for one in fresh}):
            store.make_due(article_id, now=now)
        _clear(store, chosen, broken)


def _told(
    runtime: Runtime,
    broken: dict[str, tuple[Snapshot, str]],
    good: dict[str, Snapshot],
    articles: dict[str, Article],
) -> tuple[list[Damage], int]:
    """Return the damage that no later capture has mended, and how much one has."""
    damage: list[Damage] = []
    for one, problem in broken.values():
        newer = good.get(one.article_id)
        if one.damaged is not None and newer is not None and newer.captured > one.damaged:
            continue
        article = articles.get(one.article_id)
        damage.append(
            Damage(
                "snapshot",
                runtime.archive.place(one.key),
                problem,
                _AGAIN.format(one.article_id),
                one.article_id,
                article.title if article else None,
            )
        )
    return damage, len(broken) - len(damage)


def _clear(store: Store, chosen: list[Snapshot], broken: dict[str, tuple[Snapshot, str]]) -> None:
    """Let snapshots count again whose bytes, and those they refer to, are found whole."""
    marked = {one.id for one in chosen if one.damaged is not None}
    whole = [
        one for one in chosen if one.id in marked - set(broken) and not marked & set(one.refers)
    ]
    if whole:
        store.clear_damage([one.id for one in whole])
        store.mark_articles_dirty(sorted({one.article_id for one in whole}))


def _readers(blobs: BlobStore) -> ThreadPoolExecutor:
    """Return threads that read from a store."""
    if isinstance(blobs, DiskBlobs):
        # Inflating and hashing release the interpreter's lock: two threads read twice as fast.
        return ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    return ThreadPoolExecutor(AT_ONCE)


def _ahead(
    pool: ThreadPoolExecutor, check: Callable[[T], U], chosen: Iterable[T]
) -> Iterator[tuple[T, U]]:
    """Check a few ahead of the one that is taken, in order."""
    waiting = iter(chosen)
    ahead = deque((one, pool.submit(check, one)) for one in itertools.islice(waiting, AT_ONCE))
    try:
        while ahead:
            one, future = ahead.popleft()
            ahead += ((one, pool.submit(check, one)) for one in itertools.islice(waiting, 1))
            yield one, future.result()
    finally:
        for _, future in ahead:
            future.cancel()


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
    def digest_of(name: str) -> str | None:
        try:
            with runtime.feeds.open(name) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except NotFound:
            return None

    with _readers(runtime.feeds) as pool:
        for name, digest in _ahead(pool, digest_of, sorted(files)):
            if digest != files[name][0]:
                why = "its bytes are not those written" if digest else "the file is missing"
                yield Damage("feed", without_tokens(name), why, "run `feedsvc rebuild`")


def _copies(runtime: Runtime, files: dict[str, tuple[str, int]]) -> list[Damage]:
    """Compare packed copies with what was recorded of their feeds, and have wrong ones written again.

    A copy that is not wanted any more may be missing, but a web server in front sends it while
    it is there.
    """
    wanted, wrong, damage = runtime.settings.feeds.packed, set(), []

    def problem_of(copy: tuple[str, str]) -> Problem | None:
        sha256, size = files[copy[0]]
        return copy_problem(runtime.feeds, *copy, sha256=sha256, size=size)

    copies = itertools.product(sorted(files), _copied(runtime))
    with _readers(runtime.feeds) as pool:
        for (name, ending), problem in _ahead(pool, problem_of, copies):
            if problem is None or (problem is Problem.MISSING and ending not in wanted):
                continue
            wrong.add(name)
            where = without_tokens(f"{name}.{ending}")
            damage.append(Damage("feed", where, problem, "run `feedsvc publish`"))
    if wrong and not runtime.database.is_read_only:
        with runtime.database.transaction() as store:
            mark_lost(store, store.known_files(sorted(wrong)))
    return damage


def _copied(runtime: Runtime) -> Collection[str]:
    """Return the endings of the packed copies that may be there."""
    if isinstance(runtime.feeds, DiskBlobs):
        return PACKED_FILES
    # No web server sends files from an object store by their endings.
    return runtime.settings.feeds.packed


def _unknown(
    runtime: Runtime, known: Iterable[Snapshot], files: dict[str, tuple[str, int]]
) -> Iterator[Damage]:
    recorded_keys = {one.key for one in known}
    for key in runtime.archive.stored():
        if key not in recorded_keys and key != SITE_KEY:
            if OURS.fullmatch(key) and is_capturing(runtime):
                continue  # about to be recorded
            # A capture may have been recorded since the list was read.
            with runtime.database.reading() as store:
                if store.has_key(key):
                    continue
            yield Damage(
                "unknown file",
                runtime.archive.place(key),
                "no snapshot is recorded for it",
                "a crash can leave one behind, which is harmless: move it away",
            )
    for key in runtime.feeds.stored():
        if document_of(key) not in files and key != SITE_KEY:
            yield Damage(
                "unknown file",
                without_tokens(runtime.feeds.place(key)),
                "feedsvc did not write it",
                "move it away: feeds/ holds generated files only",
            )
