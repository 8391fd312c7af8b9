"""A site made again from its backup: nothing is touched before all of the backup has been checked."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from feedsvc.errors import ConfigurationError, DamageFound, NotFound
from feedsvc.jobs.backup import ABOUT, DATABASE, FORMAT, MANIFEST, SITE, SNAPSHOTS, Hashing
from feedsvc.jobs.migrate_blobs import make_way
from feedsvc.jobs.running import silent
from feedsvc.model import Progress
from feedsvc.model.backups import RestoreReport
from feedsvc.runtime import Runtime, blob_store, open_runtime, utc_now
from feedsvc.settings import Settings, load_settings
from feedsvc.storage.blobs import BlobStore
from feedsvc.storage.dump import load_database, require_empty, require_rest

_CHUNK = 1 << 20
_LARGEST_TEXT = 256 << 20
"""Bytes of the manifest, or of a file of the site, that are read into memory."""
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def restore(
    root: Path, source: Path, *, replace: bool = False, progress: Progress = silent
) -> RestoreReport:
    """Make the site in ``root`` what it was when a backup was made.

    What is there already is kept: files that differ are named in the report, and a database that
    holds a site is an error. With ``replace`` they make way, and are kept beside: files under
    their name and the moment, the database in data/backups. No daemon may be running. Raises
    NotFound, DamageFound (the backup is cut, or a part is not what was put into it) and
    ConfigurationError.
    """
    began = time.monotonic()
    with _opened(source) as file:
        about = _check(file, source, progress)
        _require_place(load_settings(root), replace=replace)
        work = _Restore(root, source, utc_now(), replace=replace)
        work.site_files(file)
        settings = load_settings(root)
        # The configuration in the backup may name another database.
        _require_place(settings, replace=replace)
        work.snapshots(file, blob_store(settings.archive.store, settings), progress)
        before = work.database(file, settings.database.url)
        with open_runtime(load_settings(root)) as runtime:
            articles, missing = _look(runtime)
    return RestoreReport(
        file=str(source),
        created=str(about.get("created", "")),
        articles=articles,
        snapshots=work.written,
        present=work.present,
        missing=missing,
        written=tuple(work.files),
        kept=tuple(work.kept),
        before="" if before is None else str(before),
        seconds=time.monotonic() - began,
    )


def rehearse_restore(
    root: Path, source: Path, *, replace: bool = False, progress: Progress = silent
) -> RestoreReport:
    """Return what `restore` would do, having checked all of the backup. Raises what it does."""
    began = time.monotonic()
    with _opened(source) as file:
        about = _check(file, source, progress)
        settings = load_settings(root)
        _require_place(settings, replace=replace)
        work = _Restore(root, source, utc_now(), replace=replace)
        work.look_at_site_files(file)
        archive = blob_store(settings.archive.store, settings)
        work.look_at_snapshots(file, archive, progress)
    return RestoreReport(
        file=str(source),
        created=str(about.get("created", "")),
        articles=int(about.get("articles", 0)),
        snapshots=work.written,
        present=work.present,
        written=tuple(work.files),
        kept=tuple(work.kept),
        seconds=time.monotonic() - began,
        done=False,
    )


def _require_place(settings: Settings, *, replace: bool) -> None:
    url = settings.database.url
    require_rest(url, root=settings.root, stalled=settings.fleet.stalled)
    if not replace:
        require_empty(url, root=settings.root)


@contextmanager
def _opened(source: Path) -> Iterator[IO[bytes]]:
    try:
        file = source.open("rb")
    except OSError as error:
        raise NotFound(
            f"{source}: {error.strerror}; name a file that `feedsvc backup` made"
        ) from error
    with file:
        yield file


def _members(file: IO[bytes], source: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Yield every part of a backup in order. Raises DamageFound for one that no backup has."""
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for entry in tar:
            body = tar.extractfile(entry) if entry.isreg() else None
            if body is None or not _is_ours(entry.name):
                raise DamageFound(f"{source}: it holds {entry.name!r}, which no backup does")
            yield entry, body


def _is_ours(name: str) -> bool:
    """Tell whether a part may be called so: every path we write is below a folder of ours."""
    if name in {ABOUT, DATABASE, MANIFEST}:
        return True
    parts = PurePosixPath(name).parts
    if "\0" in name or ".." in parts or name.startswith("/") or "\\" in name:
        return False
    if name.startswith(SNAPSHOTS):
        return _KEY.fullmatch(name.removeprefix(SNAPSHOTS)) is not None
    return name.startswith(SITE) and len(parts) > 2


def _check(file: IO[bytes], source: Path, tell: Progress) -> dict[str, Any]:
    """Read all of a backup and hold it to its manifest; return what it says of itself."""
    try:
        about, found, manifest = _read(file, source, tell)
    except tarfile.TarError as error:
        raise DamageFound(
            f"{source}: this is no backup of feedsvc, or it is damaged ({error}); use another one"
        ) from error
    if about.get("format", FORMAT) != FORMAT:
        raise ConfigurationError(
            f"{source}: it has format {about['format']}, this feedsvc reads {FORMAT}; use the "
            f"release that made it ({about.get('software', 'unknown')}), or a newer one"
        )
    wanted = manifest.get("files")
    if not isinstance(wanted, dict) or DATABASE not in wanted:
        raise DamageFound(f"{source}: its end is missing; it was cut off, use another backup")
    wrong = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    if wrong:
        raise DamageFound(f"{source}: {min(wrong)} is not as it was put in; use another backup")
    return about


_Read = tuple[dict[str, Any], dict[str, dict[str, object]], dict[str, Any]]


def _read(file: IO[bytes], source: Path, tell: Progress) -> _Read:
    """Return what a backup says of itself, size and digest of each part, and its manifest."""
    found: dict[str, dict[str, object]] = {}
    about: dict[str, Any] = {}
    manifest: dict[str, Any] = {}
    for done, (entry, body) in enumerate(_members(file, source)):
        tell("checking", done, None, entry.name)
        if entry.name == MANIFEST:
            manifest = _json(body, entry, source)
            continue
        hashing = Hashing(body)
        if entry.name == ABOUT:
            about = _json(hashing, entry, source)
        else:
            while hashing.read(_CHUNK):
                pass
        found[entry.name] = {"size": entry.size, "sha256": hashing.digest.hexdigest()}
    return about, found, manifest


def _json(body: Any, entry: tarfile.TarInfo, source: Path) -> dict[str, Any]:
    data = body.read(min(entry.size, _LARGEST_TEXT) + 1)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise DamageFound(f"{source}: {entry.name} cannot be read; use another backup") from error
    return value if isinstance(value, dict) else {}


@dataclass
class _Restore:
    root: Path
    source: Path
    now: datetime
    replace: bool
    files: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    written: int = 0
    present: int = 0

    def site_files(self, file: IO[bytes]) -> None:
        """Write configuration and seeds; what differs is kept, or moved aside."""
        for entry, body in _members(file, self.source):
            if not entry.name.startswith(SITE):
                continue
            name = entry.name.removeprefix(SITE)
            path = self._inside(name)
            data = body.read(_LARGEST_TEXT)
            if path.is_file() and path.read_bytes() == data:
                continue
            if path.exists() and not self.replace:
                self.kept.append(name)
                continue
            if path.exists():
                path.rename(path.with_name(f"{path.name}.before-{self.now:%Y%m%dT%H%M%S}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self.files.append(name)

    def look_at_site_files(self, file: IO[bytes]) -> None:
        """Find out which files `site_files` would write, and which it would keep."""
        for entry, body in _members(file, self.source):
            if entry.name.startswith(SITE):
                name = entry.name.removeprefix(SITE)
                path = self._inside(name)
                if path.is_file() and path.read_bytes() == body.read(_LARGEST_TEXT):
                    continue
                (self.kept if path.exists() and not self.replace else self.files).append(name)

    def look_at_snapshots(self, file: IO[bytes], archive: BlobStore, tell: Progress) -> None:
        """Count the snapshots that `snapshots` would write, and those that are there already."""
        for done, (entry, body) in enumerate(_members(file, self.source)):
            if entry.name.startswith(SNAPSHOTS):
                tell("comparing", done, None, entry.name)
                same = _is_same(archive, entry.name.removeprefix(SNAPSHOTS), body, entry.size)
                self.present += same
                self.written += not same

    def _inside(self, name: str) -> Path:
        """Return where a file of the site goes, links that lead elsewhere refused."""
        path = self.root / name
        if not path.parent.resolve().is_relative_to(self.root.resolve()) or path.is_symlink():
            raise ConfigurationError(
                f"{path} leads out of {self.root}; remove the link, and restore again"
            )
        return path

    def snapshots(self, file: IO[bytes], archive: BlobStore, tell: Progress) -> None:
        """Write the bytes of snapshots that are not there; bytes first, rows after."""
        for done, (entry, body) in enumerate(_members(file, self.source)):
            if not entry.name.startswith(SNAPSHOTS):
                continue
            tell("restoring", done, None, entry.name)
            key = entry.name.removeprefix(SNAPSHOTS)
            if _is_same(archive, key, body, entry.size):
                self.present += 1
                continue
            body.seek(0)
            make_way(archive, key)
            with archive.writing(key) as target:
                while data := body.read(_CHUNK):
                    target.write(data)
            self.written += 1

    def database(self, file: IO[bytes], url: str) -> Path | None:
        """Put the database in place, the last step of all; return where the one before is kept."""
        state = self.root / "data"
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=state) as scratch:
            copy = Path(scratch) / DATABASE
            for entry, body in _members(file, self.source):
                if entry.name == DATABASE:
                    with copy.open("xb") as target:
                        while data := body.read(_CHUNK):
                            target.write(data)
            return load_database(copy, url, root=self.root, now=self.now)


def _is_same(archive: BlobStore, key: str, body: IO[bytes], size: int) -> bool:
    try:
        if archive.size(key) != size:
            return False
        with closing(archive.open(key)) as there:
            return (
                hashlib.file_digest(there, "sha256").digest()
                == hashlib.file_digest(body, "sha256").digest()  # type: ignore[arg-type]  # a part of a tar reads like a file
            )
    except NotFound:
        return False


def _look(runtime: Runtime) -> tuple[int, int]:
    """Return how many articles there are, and how many snapshots have no bytes."""
    with runtime.database.reading() as store:
        articles = store.counts().articles
        keys = [one.key for one in store.all_snapshots()]
    have = set(runtime.archive.stored())
    return articles, sum(key not in have for key in keys)
