"""What lies in the folders and buckets of seeds, and what the database knows of the same places."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass, field

from feedsvc.ingest import PARSER_VERSION
from feedsvc.ingest.files import FoundSeed
from feedsvc.jobs.load import Found
from feedsvc.jobs.sources import SeedSource, seed_sources, source_of
from feedsvc.model import FileStamp, SeedState
from feedsvc.runtime import Runtime

SETTLE = 0.3
"""Seconds a file must have been left alone before it is read."""
_INODE = (1 << 63) - 1


@dataclass(slots=True)
class Look:
    """What a look found."""

    found: dict[str, Found] = field(default_factory=dict)
    known: dict[str, tuple[FileStamp, SeedState, int]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """Folders that cannot be looked into: what they hold is not gone."""

    def add(self, source: SeedSource, seed: FoundSeed) -> None:
        """Note what a scan came across: a seed, or a folder that cannot be listed."""
        self.found[seed.name] = Found(source, seed)
        if seed.relative.endswith("/"):
            self.absent.add(seed.name.rstrip("/"))

    def hides(self, name: str) -> bool:
        """Tell whether a seed lies in a folder that cannot be looked into."""
        return any(name.startswith(f"{folder}/") for folder in self.absent)

    def is_unchanged(self, found: Found, name: str) -> bool:
        """Tell, without reading it, that a file is the one that was loaded."""
        return is_unchanged(found.seed.stamp, self.known.get(name))


def is_unchanged(seen: FileStamp, known: tuple[FileStamp, SeedState, int] | None) -> bool:
    """Tell, by stamps alone, that a file is the one that was loaded."""
    if known is None:
        return False
    stamp, state, parser = known
    return state is not SeedState.MISSING and parser == PARSER_VERSION and same(stamp, seen)


def same(stored: FileStamp, seen: FileStamp) -> bool:
    """Tell whether a stored stamp is this one."""
    return (stored.size, stored.mtime_ns) == (seen.size, seen.mtime_ns) and (
        stored.inode == seen.inode & _INODE
    )


def look_everywhere(runtime: Runtime) -> Look:
    """Look at every seed there is and every one that is known. Raises ConfigurationError."""
    seen = Look()
    for name, source in seed_sources(runtime).items():
        if not source.is_present():
            seen.absent.add(name)
            continue
        for seed in source.scan():
            seen.add(source, seed)
    with runtime.database.reading() as store:
        seen.known = store.seed_stamps()
    return seen


def look_at(runtime: Runtime, names: Collection[str]) -> Look:
    """Look at those seeds, and at what lies in those folders."""
    seen = Look()
    below: list[str] = []
    for name, source in seed_sources(runtime).items():
        inside = [one for one in names if one == name or one.startswith(f"{name}/")]
        if inside and not source.is_present():
            seen.absent.add(name)
            continue
        for one in inside:
            below += _look_at_one(seen, source, one)
    with runtime.database.reading() as store:
        seen.known = store.seed_stamps({*names, *seen.found, *store.seeds_below(below)})
    return seen


def _look_at_one(seen: Look, source: SeedSource, wanted: str) -> list[str]:
    """Look at a seed or folder; return it if seeds may be known below it."""
    relative = wanted[len(source.name) + 1 :]
    if source.is_folder(relative):
        for seed in source.scan(relative):
            seen.add(source, seed)
        return [wanted]
    single = source.look(relative)
    if single is None:
        return [wanted]
    seen.add(source, single)
    return []


class Alive:
    """Tells whether a seed's file is there: by what was seen, else by a look."""

    def __init__(
        self,
        runtime: Runtime,
        found: Container[str],
        hides: Callable[[str], bool],
        *,
        complete: bool,
    ) -> None:
        """``complete`` tells that everything was looked at, so that what is not found is gone."""
        self._runtime = runtime
        self._found = found
        self._hides = hides
        self._complete = complete

    def __call__(self, name: str) -> bool:
        if name in self._found or self._hides(name):
            return True
        if self._complete:
            return False
        place = source_of(self._runtime, name)
        if place is None:
            return False
        source, relative = place
        return source.look(relative) is not None or not source.is_present()


def settled(found: Iterable[Found]) -> list[Found]:
    """Wait once until no file is younger than SETTLE, so that half-written ones are told."""
    listed = list(found)
    ages = (one.seed.stamp.mtime_ns for one in listed if not one.source.is_atomic)
    youngest = max(ages, default=0) / 1e9
    age = time.time() - youngest
    if listed and 0 <= age < SETTLE:
        time.sleep(SETTLE - age)
    return listed
