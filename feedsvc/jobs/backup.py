"""Everything a site is, in one file: a plain tar that any tool reads, with the digest of each part."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Literal

from feedsvc.errors import NotFound
from feedsvc.jobs.handing_on import whole_file
from feedsvc.jobs.running import recorded, silent
from feedsvc.model import Progress
from feedsvc.model.backups import BackupReport
from feedsvc.runtime import Runtime
from feedsvc.settings import Settings
from feedsvc.storage.database import Database
from feedsvc.storage.dump import dump_database, dumped
from feedsvc.storage.extent import snapshot_sums, stored_bytes
from feedsvc.tools import SOFTWARE

FORMAT = 1
ABOUT, DATABASE, MANIFEST = "about.json", "database.db", "manifest.json"
SITE, SNAPSHOTS = "site/", "snapshots/"
_CHUNK = 1 << 20
_FILE_MODE = 0o600


def back_up(
    runtime: Runtime,
    target: Path,
    *,
    snapshots: Literal["bytes", "index"] = "bytes",
    progress: Progress = silent,
) -> BackupReport:
    """Write the site's database, configuration, seeds and snapshots into a file of its own.

    With `index` only what the database knows of the snapshots goes along. The site may be in use
    meanwhile: the database is as it was when this began. Raises OutOfSpace, NotFound and
    ConfigurationError; the file gets its name only when it is whole.
    """
    began = time.monotonic()
    with recorded(runtime, "backup") as run, TemporaryDirectory(dir=_scratch(runtime)) as scratch:
        copy = Path(scratch) / DATABASE
        dump_database(runtime.database, copy)
        with whole_file(target) as file:
            # It holds what the configuration holds, passwords too.
            target_mode(file)
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                writer = _Writer(tar, int(runtime.now().timestamp()))
                articles = writer.put_all(runtime, copy, snapshots, progress)
            size = file.tell()
        report = BackupReport(
            file=str(target),
            articles=articles,
            snapshots=writer.snapshots,
            files=writer.files,
            size=size,
            seconds=time.monotonic() - began,
            problems=tuple(writer.problems),
        )
        run.note(report)
    return report


def target_mode(file: IO[bytes]) -> None:
    """Let nobody but its owner read a file."""
    os.fchmod(file.fileno(), _FILE_MODE)


def _scratch(runtime: Runtime) -> Path:
    runtime.state.mkdir(mode=0o750, parents=True, exist_ok=True)
    return runtime.state


@dataclass
class _Writer:
    tar: tarfile.TarFile
    moment: int
    """Seconds since the epoch: when the backup was made."""
    files: int = 0
    snapshots: int = 0
    problems: list[str] = field(default_factory=list)
    manifest: dict[str, dict[str, object]] = field(default_factory=dict)

    def put_all(
        self, runtime: Runtime, copy: Path, snapshots: Literal["bytes", "index"], tell: Progress
    ) -> int:
        """Write every part; return how many articles there are."""
        with closing(dumped(copy)) as kept, kept.reading() as store:
            articles = store.counts().articles
        about = {
            "format": FORMAT,
            "software": SOFTWARE,
            "created": runtime.now().isoformat(),
            "title": runtime.site.title,
            "base_url": runtime.site.base_url,
            "articles": articles,
            "snapshots": snapshots,
        }
        self._put_text(ABOUT, about)
        with copy.open("rb") as database:
            self._put_file(DATABASE, database, copy.stat().st_size)
        for name, path in site_files(runtime.root, runtime.settings):
            self._put_small(name, path)
        if snapshots == "bytes":
            with closing(dumped(copy)) as kept:
                self._put_snapshots(runtime, kept, tell)
        self._put_text(MANIFEST, {"files": self.manifest})
        return articles

    def _put_text(self, name: str, value: object) -> None:
        data = json.dumps(value, indent=1, ensure_ascii=False).encode()
        self._put_file(name, io.BytesIO(data), len(data))

    def _put_small(self, name: str, path: Path) -> None:
        """Write a file that somebody may be editing: as it is at one moment."""
        try:
            data = path.read_bytes()
        except OSError as error:
            self.problems.append(f"{path}: {error.strerror}; it is not in the backup")
            return
        self._put_file(name, io.BytesIO(data), len(data))
        self.files += 1

    def _put_snapshots(self, runtime: Runtime, kept: Database, tell: Progress) -> None:
        """Write the bytes of the snapshots that the copy of the database knows, no others."""
        total, _ = snapshot_sums(kept)
        for done, one in enumerate(stored_bytes(kept)):
            tell("backing up", done, total)
            self._put_snapshot(runtime, one.key, one.sha256)
        tell("backing up", total, total)

    def _put_snapshot(self, runtime: Runtime, key: str, recorded_digest: str) -> None:
        try:
            with runtime.archive.open(key) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                digest = self._put_file(f"{SNAPSHOTS}{key}", file, size)
        except NotFound as error:
            with runtime.database.reading() as store:
                if not store.has_key(key):
                    return  # forgotten since this began
            self.problems.append(f"{error}; `feedsvc verify` tells what to do")
            return
        self.snapshots += 1
        if digest != recorded_digest:
            self.problems.append(
                f"{runtime.archive.place(key)}: its bytes are not those recorded; the backup has "
                "them as they are, and `feedsvc verify` tells what to do"
            )

    def _put_file(self, name: str, file: IO[bytes], size: int) -> str:
        """Write one part; return its SHA-256."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, self.moment, _FILE_MODE
        hashing = Hashing(file)
        self.tar.addfile(entry, hashing)
        self.manifest[name] = {"size": size, "sha256": hashing.digest.hexdigest()}
        return hashing.digest.hexdigest()


class Hashing:
    """A file that hashes what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._file.read(size)
        self.digest.update(data)
        return data


def site_files(root: Path, settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield name in the backup and path of every file of configuration and seeds, in order.

    Folders of seeds outside the site's own are somebody else's to back up.
    """
    for path in sorted((root / "config").glob("*.toml")):
        yield f"{SITE}config/{path.name}", path
    for folder in settings.seeds.paths:
        base = root / folder
        if not base.resolve().is_relative_to(root.resolve()):
            continue
        for path in sorted(_regular_files(base)):
            yield f"{SITE}{path.relative_to(root).as_posix()}", path


def _regular_files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.is_file() and not path.is_symlink():
                yield path
