"""Where seeds lie: a folder of this machine, or a bucket that all machines see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from feedsvc.errors import ConfigurationError, SeedBusy
from feedsvc.ingest.files import FoundSeed, look, read, scan
from feedsvc.ingest.place import remove, write, write_new
from feedsvc.model import FileStamp
from feedsvc.runtime import Runtime, s3_access

S3 = "s3://"


class SeedSource(Protocol):
    """One entry of seeds.paths. It is sent to other processes, so it holds no connection."""

    @property
    def name(self) -> str:
        """What the names of its seeds begin with."""
        ...

    @property
    def is_atomic(self) -> bool:
        """Whether seeds appear whole, so that none can be met half written."""
        ...

    def is_present(self) -> bool:
        """Tell whether it can be looked into. Raises ConfigurationError for what never can be."""
        ...

    def scan(self, inside: str = "") -> Iterator[FoundSeed]:
        """Yield every seed, or every one inside a folder of it. Raises NotFound."""
        ...

    def look(self, relative: str) -> FoundSeed | None:
        """Return the seed at one place as `scan` would find it, None if it would not."""
        ...

    def is_folder(self, relative: str) -> bool:
        """Tell whether seeds may lie inside."""
        ...

    def read(self, seed: FoundSeed, *, limit: int) -> tuple[bytes, FileStamp]:
        """Return a seed's bytes and their stamp. Raises SeedRejected, SeedBusy or Temporary."""
        ...

    def keep(self, stem: str, data: bytes, *, suffix: str) -> str:
        """Write a new seed under the first name that is free; return it, inside the source."""
        ...

    def put(self, relative: str, data: bytes, *, instead_of: FoundSeed | None) -> bool:
        """Write a seed under that name; False if what lies there is not ``instead_of``."""
        ...

    def remove(self, relative: str) -> None:
        """Delete a seed; nothing happens if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Seeds in a folder."""

    name: str
    folder: Path

    @property
    def is_atomic(self) -> bool:
        """Whoever writes a file may still be at it."""
        return False

    def is_present(self) -> bool:
        """Tell whether the folder can be looked into. Raises ConfigurationError."""
        if not self.folder.exists():
            return False
        if not self.folder.is_dir():
            raise ConfigurationError(
                f"seeds.paths: {self.folder} is not a folder; name the folder of seeds"
            )
        return os.access(self.folder, os.R_OK | os.X_OK)

    def scan(self, inside: str = "") -> Iterator[FoundSeed]:
        """Yield every seed, or every one inside a folder of it. Raises NotFound."""
        if not inside:
            yield from scan(self.folder, name=self.name)
            return
        for seed in scan(self.folder / inside, name=f"{self.name}/{inside}"):
            yield replace(seed, relative=f"{inside}/{seed.relative}")

    def look(self, relative: str) -> FoundSeed | None:
        """Return the seed at one place as `scan` would find it, None if it would not."""
        return look(self.folder, relative, name=self.name)

    def is_folder(self, relative: str) -> bool:
        """Tell whether this is a folder, and no link to one."""
        path = self.folder / relative
        return path.is_dir() and not path.is_symlink()

    def read(self, seed: FoundSeed, *, limit: int) -> tuple[bytes, FileStamp]:
        """Return a seed's bytes and their stamp. Raises SeedRejected, SeedBusy or Temporary."""
        return read(self.folder, seed, limit=limit)

    def keep(self, stem: str, data: bytes, *, suffix: str) -> str:
        """Write a new seed under the first name that is free. Raises ConfigurationError."""
        return write_new(self.folder, stem, data, suffix=suffix)

    def put(self, relative: str, data: bytes, *, instead_of: FoundSeed | None) -> bool:
        """Write a seed under that name, whole; False if what lies there is not ``instead_of``."""
        if instead_of is not None and self.look(relative) != instead_of:
            return False
        return write(self.folder, relative, data, replaces=instead_of is not None)

    def remove(self, relative: str) -> None:
        """Delete a seed; nothing happens if there is none. Raises ConfigurationError."""
        remove(self.folder, relative)


def seed_sources(runtime: Runtime) -> dict[str, SeedSource]:
    """Return what seeds.paths names, by the name its seeds carry."""
    return {
        (name := path.strip().rstrip("/") or "/"): _source(runtime, name, path)
        for path in runtime.settings.seeds.paths
    }


def source_of(runtime: Runtime, seed: str) -> tuple[SeedSource, str] | None:
    """Return where a seed of that name lies, and its name inside; None: nowhere of ours."""
    found = [one for name, one in seed_sources(runtime).items() if seed.startswith(f"{name}/")]
    if not found:
        return None
    source = max(found, key=lambda one: len(one.name))
    return source, seed[len(source.name) + 1 :]


def _source(runtime: Runtime, name: str, path: str) -> SeedSource:
    if not name.startswith(S3):
        return FolderSource(name, runtime.root / path)
    from feedsvc.jobs.bucket import BucketSource

    return BucketSource(name, s3_access(runtime.settings))


def found_as(source: SeedSource, relative: str, stamp: FileStamp) -> FoundSeed:
    """Return a seed that was found before, to be read without another look."""
    if not relative:
        raise SeedBusy(f"{source.name}: this is no seed")
    return FoundSeed(f"{source.name}/{relative}", relative, stamp)
