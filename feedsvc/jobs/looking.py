"""What lies in the seeds folders, and what the database knows of the same places."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from feedsvc.errors import ConfigurationError
from feedsvc.ingest import PARSER_VERSION
from feedsvc.ingest.files import FoundSeed, look, scan
from feedsvc.jobs.load import Found
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

    def add(self, folder: Path, seed: FoundSeed) -> None:
        """Note what a scan came across: a seed, or a folder that cannot be listed."""
        self.found[seed.name] = Found(str(folder), seed)
        if seed.relative.endswith("/"):
            self.absent.add(seed.name.rstrip("/"))

    def hides(self, name: str) -> bool:
        """Tell whether a seed lies in a folder that cannot be looked into."""
        return any(name.startswith(f"{folder}/") for folder in self.absent)

    def is_unchanged(self, found: Found, name: str) -> bool:
        """Tell, without reading it, that a file is the one that was loaded."""
        known = self.known.get(name)
        if known is None:
            return False
        stamp, state, parser = known
        seen = found.seed.stamp
        return (
            state is not SeedState.MISSING
            and parser == PARSER_VERSION
            and (stamp.size, stamp.mtime_ns) == (seen.size, seen.mtime_ns)
            and stamp.inode == seen.inode & _INODE
        )


def seed_folders(runtime: Runtime) -> dict[str, Path]:
    """Return the configured folders by the name their seeds carry."""
    paths = runtime.settings.seeds.paths
    return {path.strip().rstrip("/") or "/": runtime.root / path for path in paths}


def look_everywhere(runtime: Runtime) -> Look:
    """Look at every seed on disk and every one that is known. Raises ConfigurationError."""
    seen = Look()
    for name, folder in seed_folders(runtime).items():
        if not _readable(folder):
            seen.absent.add(name)
            continue
        for seed in scan(folder, name=name):
            seen.add(folder, seed)
    with runtime.database.reading() as store:
        seen.known = store.seed_stamps()
    return seen


def look_at(runtime: Runtime, names: Collection[str]) -> Look:
    """Look at those seeds, and at what lies in those folders."""
    seen = Look()
    below: list[str] = []
    for name, folder in seed_folders(runtime).items():
        inside = [one for one in names if one == name or one.startswith(f"{name}/")]
        if inside and not _readable(folder):
            seen.absent.add(name)
        for one in inside:
            below += _look_at_one(seen, folder, one, name=name)
    with runtime.database.reading() as store:
        seen.known = store.seed_stamps({*names, *seen.found, *store.seeds_below(below)})
    return seen


def _look_at_one(seen: Look, folder: Path, wanted: str, *, name: str) -> list[str]:
    """Look at a seed or folder; return it if seeds may be known below it."""
    relative = wanted[len(name) + 1 :]
    path = folder / relative
    if path.is_dir() and not path.is_symlink():
        for seed in scan(path, name=wanted):
            inner = f"{relative}/{seed.relative}".lstrip("/")
            seen.add(folder, replace(seed, relative=inner))
        return [wanted]
    single = look(folder, relative, name=name)
    if single is None:
        return [wanted]
    seen.add(folder, single)
    return []


def _readable(folder: Path) -> bool:
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ConfigurationError(f"seeds.paths: {folder} is not a folder; name the folder of seeds")
    return os.access(folder, os.R_OK | os.X_OK)


class Alive:
    """Tells whether a seed's file is there: by what was seen, else by a look."""

    def __init__(self, runtime: Runtime, seen: Look, *, complete: bool) -> None:
        """``complete`` tells that everything was looked at, so that what is not seen is gone."""
        self._folders = seed_folders(runtime)
        self._seen = seen
        self._complete = complete

    def __call__(self, name: str) -> bool:
        if name in self._seen.found or self._seen.hides(name):
            return True
        for folder, path in self._folders.items():
            if name.startswith(f"{folder}/"):
                if self._complete:
                    return False
                return look(path, name[len(folder) + 1 :], name=folder) is not None
        return False


def settled(found: Iterable[Found]) -> list[Found]:
    """Wait once until no file is younger than SETTLE, so that half-written ones are told."""
    listed = list(found)
    youngest = max((one.seed.stamp.mtime_ns for one in listed), default=0) / 1e9
    age = time.time() - youngest
    if listed and 0 <= age < SETTLE:
        time.sleep(SETTLE - age)
    return listed
