"""Seeds that are gone: their articles are withdrawn, unless it looks like a lost disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from feedsvc.jobs.decide import held, missing
from feedsvc.jobs.sources import seed_sources
from feedsvc.logs import logger
from feedsvc.model import SeedRecord, SeedState
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.storage.store_articles import Identity

BATCH = 1000
"""Seeds that are looked at in one transaction."""

log = logger(__name__)


class Withdrawal:
    """Forgets seeds that are gone, and withdraws the articles nobody else has a seed of."""

    def __init__(
        self, runtime: Runtime, *, hides: Callable[[str], bool], accept: bool, recent: int
    ) -> None:
        """``hides`` tells which seeds nobody could look at; ``recent`` counts what went just now.

        ``accept`` takes every deletion as meant.
        """
        self._runtime = runtime
        self._hides = hides
        self._accept = accept
        self._recent = recent
        self._sources = sorted(seed_sources(runtime), key=len, reverse=True)
        self.withdrawn: set[str] = set()
        self.held = 0

    def remove(self, gone: Sequence[str], *, left: set[str]) -> None:
        """Forget those seeds; ``left`` are articles whose seed is one of another article now."""
        kept = frozenset() if self._accept else self._kept(gone)
        for part in _pieces(gone):
            with self._runtime.database.transaction() as store:
                self._remove_some(store, part, kept)
        if left:
            with self._runtime.database.transaction() as store:
                self._withdraw(store, {one.id: one for one in store.identities(ids=left)}, left)
        if self.held:
            log.error(
                "seeds.missing",
                seeds=self.held,
                remedy="bring the folder back, or run `feedsvc ingest --accept-deletions`",
            )

    def _kept(self, gone: Sequence[str]) -> frozenset[str]:
        """Return the sources of which so much is gone that it cannot be meant."""
        lost: dict[str, int] = {}
        known: dict[str, int] = {}
        with self._runtime.database.reading() as store:
            for part in _pieces(gone):
                records = store.seed_records(part).values()
                for name in _lost(records, _current(store, records)):
                    source = self._source_of(name)
                    lost[source] = lost.get(source, 0) + 1
            known = {source: store.seed_count(source) for source in lost}
        return frozenset(
            source for source, number in lost.items() if held(number, known[source], self._recent)
        )

    def _remove_some(self, store: Store, names: Sequence[str], kept: frozenset[str]) -> None:
        records = store.seed_records(names)
        current = _current(store, records.values())
        lost = _lost(records.values(), current)
        keep = (
            set()
            if self._accept
            else {name for name in lost if self._hides(name) or self._source_of(name) in kept}
        )
        now = self._runtime.now()
        store.put_seeds(
            [
                missing(records[name], now=now)
                for name in keep
                if records[name].state is not SeedState.MISSING
            ]
        )
        store.drop_seeds([name for name in records if name not in keep])
        self.held += len(keep)
        ids = {records[name].article_id or "" for name in lost if name not in keep}
        self._withdraw(store, current, ids)

    def _withdraw(self, store: Store, current: Mapping[str, Identity], ids: set[str]) -> None:
        dead = sorted(id_ for id_ in ids if id_ in current and current[id_].withdrawn is None)
        if dead:
            now = self._runtime.now()
            store.bury(dead, now=now)
            store.withdraw(dead, now=now)
            self.withdrawn.update(dead)

    def _source_of(self, name: str) -> str:
        for source in self._sources:
            if name.startswith(f"{source}/"):
                return source
        return name.partition("/")[0]


def _current(store: Store, records: Collection[SeedRecord]) -> dict[str, Identity]:
    ids = {one.article_id for one in records if one.article_id}
    return {one.id: one for one in store.identities(ids=ids)}


def _lost(records: Collection[SeedRecord], current: Mapping[str, Identity]) -> list[str]:
    """Return the seeds whose article has no other: a file that lives on in another was moved."""
    return [
        one.name
        for one in records
        if one.article_id and one.article_id in current and current[one.article_id].seed == one.name
    ]


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), BATCH):
        yield names[start : start + BATCH]
