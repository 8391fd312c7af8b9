"""A look at every seed that needs little memory, however many there are."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

from feedsvc.jobs.load import Found
from feedsvc.jobs.looking import is_unchanged
from feedsvc.jobs.sources import SeedSource, seed_sources
from feedsvc.model import SeedState
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

PIECE = 1000
"""Seeds that are compared with the database at a time."""


class Names:
    """A set of names in eight bytes each.

    Of two names with the same 64 bits, one in 10^19, the second would seem to be there.
    """

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._is_sorted = True

    def add(self, name: str) -> None:
        """Put a name in, once."""
        self._hashes.append(_hash(name))
        self._is_sorted = False

    def __contains__(self, name: object) -> bool:
        if not self._is_sorted:
            self._hashes = array("Q", sorted(self._hashes))
            self._is_sorted = True
        wanted = _hash(str(name))
        at = bisect_left(self._hashes, wanted)
        return at < len(self._hashes) and self._hashes[at] == wanted

    def __len__(self) -> int:
        return len(self._hashes)


@dataclass(slots=True)
class Sweep:
    """What is new or changed, in the order in which it is stored: known seeds first, by name."""

    most: int
    """So many of them are told at most."""
    present: Names = field(default_factory=Names)
    absent: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    """Those of the changed that the database knows."""
    unmodified: int = 0
    has_more: bool = False
    _changed: list[tuple[bool, str, Found]] = field(default_factory=list)

    def hides(self, name: str) -> bool:
        """Tell whether a seed lies where nobody can look."""
        return any(name.startswith(f"{folder}/") for folder in self.absent)

    def changed(self) -> list[Found]:
        """Return the first of those that are new or changed."""
        self._trim(self.most)
        return [found for _, _, found in self._changed]

    def compare(self, store: Store, piece: list[Found]) -> None:
        """Take in a piece of what lies there."""
        stamps = store.seed_stamps({one.seed.name for one in piece})
        for one in piece:
            name = one.seed.name
            self.present.add(name)
            if one.seed.relative.endswith("/"):
                self.absent.add(name.rstrip("/"))
            known = stamps.get(name)
            if is_unchanged(one.seed.stamp, known):
                self.unmodified += known is not None and known[1] is SeedState.LOADED
                continue
            if known is not None:
                self.known.add(name)
            self._changed.append((known is None, name, one))
        if len(self._changed) > 2 * self.most:
            self._trim(self.most)

    def _trim(self, most: int) -> None:
        self._changed.sort(key=lambda one: one[:2])
        for is_new, name, _ in self._changed[most:]:
            self.has_more = True
            if not is_new:
                self.known.discard(name)
        del self._changed[most:]


def sweep(runtime: Runtime, *, most: int) -> Sweep:
    """Compare everything that lies in seeds.paths with the database, a piece at a time."""
    seen = Sweep(most)
    for name, source in seed_sources(runtime).items():
        if not source.is_present():
            seen.absent.add(name)
            continue
        for piece in _pieces(source):
            with runtime.database.reading() as store:
                seen.compare(store, piece)
    return seen


def gone(runtime: Runtime, seen: Sweep) -> list[str]:
    """Return the names of seeds that are known and not there, in order."""
    names: list[str] = []
    after = ""
    while True:
        with runtime.database.reading() as store:
            some = store.seed_names(after=after, limit=10 * PIECE)
        if not some:
            return sorted(names)
        after = some[-1]
        names += [name for name in some if name not in seen.present]


def _pieces(source: SeedSource) -> Iterator[list[Found]]:
    seeds = source.scan()
    while piece := [Found(source, seed) for seed in islice(seeds, PIECE)]:
        yield piece


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())
