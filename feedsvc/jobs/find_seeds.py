"""Seeds in a fleet: one worker finds them, many read them, one stores them in order.

What a seed means depends on the seeds before it: of two with the same address the first is the
article, the second a duplicate. So the costly part, reading and sorting into topics, is done by
many in any order and its results are kept; they are stored in the order in which one process
would have stored them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256

from feedsvc.jobs.ingest import BATCH, Ingest, good_digests, ingest_seeds
from feedsvc.jobs.load import CHUNK, Found, Loaded, load_all
from feedsvc.jobs.looking import Alive, look_at, same, settled
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sources import found_as, source_of
from feedsvc.jobs.staging import packed, reading_version, unpacked
from feedsvc.jobs.sweep import Sweep, gone, sweep
from feedsvc.logs import logger
from feedsvc.model import IngestReport, Kind, Progress, SeedRecord, Task
from feedsvc.model.fleet_state import Tally
from feedsvc.runtime import LOCK_SECONDS, Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_staged import Staged

FEW = 250
"""So many seeds are read by whoever finds them: nobody else would be faster."""
WAVE = 50_000
"""So many are handed out before the next ones: what is read and not stored yet is kept."""
QUIET_SECONDS = 2.0
"""A new file is loaded once nobody has written to it for so long: its URL stands at its end."""
_PIECE = 25
"""Seeds that are kept at once as soon as they are read."""
_AT_ONCE = 4
_FORGOTTEN = timedelta(days=2)
"""What was read and is not wanted after that: its seed has gone meanwhile."""

log = logger(__name__)


def find_seeds(
    runtime: Runtime,
    *,
    quiet: float = QUIET_SECONDS,
    few: int = FEW,
    batch: int = CHUNK,
    wave: int = WAVE,
    together: int = BATCH,
    progress: Progress = silent,
) -> IngestReport:
    """Store seeds that were read, have others read, and withdraw the articles of those gone.

    Up to ``few`` seeds are read here and now; more are handed out, ``batch`` to a task, at most
    ``wave`` at a time, and what is gone is withdrawn once no seed waits that could be the same
    article under another name. ``together`` are stored in one transaction. ``quiet`` is as for `ingest_seeds`. Raises Temporary while
    another worker finds or loads seeds.
    """
    began = time.monotonic()
    with runtime.lock("ingest", wait=LOCK_SECONDS), recorded(runtime, "ingest") as run:
        work = _Finding(
            runtime,
            quiet=quiet,
            few=few,
            batch=batch,
            wave=max(wave, together),
            together=together,
            progress=progress,
        )
        report = replace(work.find(), seconds=time.monotonic() - began)
        run.note(report)
    _count(runtime, report)
    return report


def _count(runtime: Runtime, report: IngestReport) -> None:
    number = report.new + report.modified + report.moved + report.returned
    if runtime.queue is None or not number:
        return
    with runtime.database.transaction() as store:
        store.tally(Tally.SEEDS, number, worker=runtime.worker or "", now=runtime.now())


def load_seeds(runtime: Runtime, names: Collection[str]) -> None:
    """Read seeds that `find_seeds` handed out, or load others at once.

    In any order, by any number of workers; nothing that was read is read again. Raises Temporary.
    """
    with runtime.database.reading() as store:
        staged = store.staged(names)
    others = [name for name in names if name not in staged]
    if others:
        seen = look_at(runtime, others)
        if set(seen.known) - set(seen.found) or not all(
            seen.is_unchanged(found, name) for name, found in seen.found.items()
        ):
            ingest_seeds(runtime, names=others)
    _read(runtime, [one for one in staged.values() if not one.is_read])
    _call_finder(runtime, staged)


class _Finding:
    def __init__(
        self,
        runtime: Runtime,
        *,
        quiet: float,
        few: int,
        batch: int,
        wave: int,
        together: int,
        progress: Progress,
    ) -> None:
        self._runtime = runtime
        self._few = few
        self._batch = batch
        self._wave = wave
        self._together = together
        self._progress = progress
        self._ingest = Ingest(runtime, force=False, accept=False, quiet=quiet, progress=progress)
        self._version = reading_version(self._ingest.classifier.version)

    def find(self) -> IngestReport:
        work = self._ingest
        seen = sweep(self._runtime, most=2 * self._wave + self._few)
        self._progress("looking", len(seen.present), None)
        work.seen, work.absent, work.hides = seen.present, seen.absent, seen.hides
        work.alive = Alive(self._runtime, seen.present, seen.hides, complete=True)
        work.totals.unmodified = seen.unmodified
        changed = work.without_young(seen.changed(), known=seen.known)
        ready, staged = self._ready(changed)
        rest = changed[ready:]
        missing = [one for one in rest if not self._is_read(one, staged)]
        lost = gone(self._runtime, seen)
        if len(missing) <= self._few and not seen.has_more:
            self._store(changed, lost, seen)
            work.withdraw(lost)
            self._tidy()
        else:
            self._hand_out(missing[: self._wave], staged)
            self._store(changed[:ready], lost, seen)
        return work.report()

    def _ready(self, changed: Sequence[Found]) -> tuple[int, dict[str, Staged]]:
        """Return how many of the first need no reading any more, and what is staged."""
        with self._runtime.database.reading() as store:
            staged = store.staged({one.seed.name for one in changed})
        number = 0
        while number < len(changed) and self._is_read(changed[number], staged):
            number += 1
        # Seeds that change places are decided about together, as one process would.
        return number - number % self._together, staged

    def _is_read(self, found: Found, staged: dict[str, Staged]) -> bool:
        one = staged.get(found.seed.name)
        return found.seed.problem is not None or (
            one is not None and one.is_read and self._is_current(one, found)
        )

    def _is_current(self, staged: Staged, found: Found) -> bool:
        return staged.version == self._version and same(staged.stamp, found.seed.stamp)

    def _hand_out(self, some: Sequence[Found], staged: dict[str, Staged]) -> None:
        """Put tasks for seeds nobody was asked for, and again for those that were."""
        fresh: list[Found] = []
        batches = set()
        for found in some:
            one = staged.get(found.seed.name)
            if one is not None and not one.is_read and self._is_current(one, found):
                batches.add(one.batch)
            else:
                fresh.append(found)
        asked = [
            Staged(one.seed.name, batch, one.seed.stamp, self._version, is_read=False)
            for start in range(0, len(fresh), self._batch)
            for part in [fresh[start : start + self._batch]]
            for batch in [_key([one.seed.name for one in part])]
            for one in part
        ]
        with self._runtime.database.transaction() as store:
            store.ask_for_seeds(asked, now=self._runtime.now())
            waiting = store.batch_names(batches | {one.batch for one in asked})
            self._put(store, [Task(Kind.LOAD, key, tuple(names)) for key, names in waiting.items()])
        log.info("seeds.handed_out", seeds=len(asked), tasks=len(waiting))

    def _put(self, store: Store, tasks: Sequence[Task]) -> None:
        if self._runtime.queue is not None:
            self._runtime.queue.put(store, tasks)

    def _store(self, found: Sequence[Found], lost: Sequence[str], seen: Sweep) -> None:
        """Store seeds in their order: what was read by others, and what is read now."""
        if not found:
            return
        with self._runtime.database.reading() as store:
            # Only seeds without a URL are followed by their bytes when they are renamed.
            records = store.seeds_without_url(lost)
        by_digest: dict[str, SeedRecord] = {
            one.digest: one for one in records.values() if one.digest
        }
        for start in range(0, len(found), self._together):
            part = found[start : start + self._together]
            self._ingest.store(self._loaded(part, seen), gone=by_digest)
            self._progress("loading", start + len(part), len(found))

    def _loaded(self, part: Sequence[Found], seen: Sweep) -> list[Loaded]:
        """Return what seeds gave, in order."""
        with self._runtime.database.reading() as store:
            staged = store.staged({one.seed.name for one in part})
            read = store.read_seeds([one.seed.name for one in part if self._is_read(one, staged)])
        given = {
            one.seed.name: unpacked(read[one.seed.name], name=one.seed.name, stamp=one.seed.stamp)
            for one in part
            if one.seed.name in read
        }
        others = settled([one for one in part if one.seed.name not in given])
        for piece in _load(self._runtime, others):
            given |= {one.name: one for one in piece}
        return [given[one.seed.name] for one in part]

    def _tidy(self) -> None:
        with self._runtime.database.transaction() as store:
            store.drop_staged_before(self._runtime.now() - _FORGOTTEN)


def _load(runtime: Runtime, found: Sequence[Found]) -> list[list[Loaded]]:
    with runtime.database.reading() as store:
        known = good_digests(store, store.seed_stamps({one.seed.name for one in found}))
    limit = runtime.settings.seeds.max_size
    return list(load_all(found, classifier=runtime.classifier, limit=limit, known=known))


def _read(runtime: Runtime, asked: Sequence[Staged]) -> None:
    """Read seeds and keep what they gave."""
    if not asked:
        return
    found, nowhere = [], []
    for one in asked:
        place = source_of(runtime, one.name)
        if place is None:
            nowhere.append(one.name)
        else:
            found.append(Found(place[0], found_as(place[0], place[1], one.stamp)))
    ready = settled(found)
    pieces = [ready[start : start + _PIECE] for start in range(0, len(ready), _PIECE)]
    # A store far away is waited for more than anything else.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(partial(_read_piece, runtime), pieces))
    if nowhere:
        with runtime.database.transaction() as store:
            store.drop_staged(nowhere)


def _read_piece(runtime: Runtime, found: Sequence[Found]) -> None:
    """Read some seeds and keep what they gave, whatever becomes of the others and of us."""
    version = reading_version(runtime.classifier.version)
    read = [one for piece in _load(runtime, found) for one in piece]
    with runtime.database.transaction() as store:
        store.put_read_seeds(
            {one.name: (one.stamp, packed(one)) for one in read if not one.busy}, version=version
        )
        # Whoever looks next finds them again.
        store.drop_staged([one.name for one in read if one.busy])


def _call_finder(runtime: Runtime, staged: dict[str, Staged]) -> None:
    """Have seeds stored once all that were handed out are read."""
    if not staged or runtime.queue is None:
        return
    version = reading_version(runtime.classifier.version)
    if any(one.version != version for one in staged.values()):
        log.warning(
            "seeds.read_differently",
            remedy="give every machine the same release and the same config/topics.toml",
        )
        return
    with runtime.database.transaction() as store:
        if not store.is_reading():
            runtime.queue.put(store, [Task(Kind.FIND)])


def _key(names: Sequence[str]) -> str:
    return sha256("\n".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:32]
