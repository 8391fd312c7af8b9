"""Snapshots made ready to be handed on: whole, indexed, and in need of no other file."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import IO

from feedsvc.capture.cdxj import CdxLine, cdx_line
from feedsvc.capture.warc_read import BadRecord, WarcReader
from feedsvc.capture.warc_rehome import Home, Reference, payload_bodies, references, rehome
from feedsvc.errors import ConfigurationError, NotFound, OutOfSpace
from feedsvc.model import Payload, Snapshot
from feedsvc.runtime import Runtime

SPOOL = 8 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Unusable(Exception):
    """A snapshot cannot be handed on; the message says why."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A snapshot's bytes as they are handed on."""

    snapshot: Snapshot
    file: IO[bytes]
    """At its beginning."""
    rewritten: bool
    """True: payloads that stand in files which are not handed on were put into it."""


@contextmanager
def ready(runtime: Runtime, snapshot: Snapshot, *, among: Container[str]) -> Iterator[Ready]:
    """Open a snapshot whose revisits refer to nothing outside ``among`` (ids of snapshots).

    Raises Unusable for one that is missing or damaged, or whose payloads are.
    """
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(_opened(runtime, snapshot))
        try:
            outside = {
                payload.record_id: payload
                for payload in outside_payloads(runtime, references(file), among=among)
            }
            if outside:
                file = _with_payloads(runtime, file, outside, stack)
        except BadRecord as error:
            raise Unusable(str(error)) from error
        file.seek(0)
        yield Ready(snapshot, file, bool(outside))


def outside_payloads(
    runtime: Runtime, needed: Sequence[Reference], *, among: Container[str]
) -> list[Payload]:
    """Return those of the payloads that stand in snapshots other than ``among``."""
    if not needed:
        return []
    with runtime.database.reading() as store:
        known = store.known_payloads({one.digest for one in needed})
    found = [known[one.digest] for one in needed if one.digest in known]
    lost = [one for one in needed if one.digest not in known]
    if lost:
        raise Unusable(f"the payload {lost[0].digest} it refers to is in no snapshot")
    return [one for one in found if one.snapshot_id not in among]


@contextmanager
def _opened(runtime: Runtime, snapshot: Snapshot) -> Iterator[IO[bytes]]:
    """Open a snapshot's file whose bytes are those recorded."""
    try:
        file = runtime.archive.open(snapshot.key)
    except NotFound as error:
        raise Unusable("its file is missing") from error
    with file:
        if hashlib.file_digest(file, "sha256").hexdigest() != snapshot.sha256:
            raise Unusable("its bytes are not those recorded; `feedsvc verify` tells more")
        yield file


def _with_payloads(
    runtime: Runtime, file: IO[bytes], outside: dict[str, Payload], stack: ExitStack
) -> IO[bytes]:
    homes: dict[str, Home] = {}
    for payload, body in fetch_payloads(runtime, outside.values()):
        stack.callback(body.close)
        homes[payload.record_id] = Home(payload, body)
    out: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL)  # noqa: SIM115 - the stack closes it
    stack.callback(out.close)
    rehome(file, out, homes=homes)
    return out


def fetch_payloads(
    runtime: Runtime, wanted: Iterable[Payload]
) -> Iterator[tuple[Payload, IO[bytes]]]:
    """Yield the bodies of payloads at rest, to be closed by whoever takes them. Raises Unusable."""
    by_snapshot: dict[str, dict[str, Payload]] = {}
    for one in wanted:
        by_snapshot.setdefault(one.snapshot_id, {})[one.record_id] = one
    with runtime.database.reading() as store:
        holders = store.snapshots_by_id(list(by_snapshot))
    for id_, payloads in by_snapshot.items():
        if id_ not in holders:
            raise Unusable(f"the snapshot {id_}, which it refers to, is not there")
        try:
            with runtime.archive.open(holders[id_].key) as file:
                bodies = payload_bodies(file, payloads)
        except (NotFound, BadRecord) as error:
            raise Unusable(f"the snapshot {id_}, which it refers to, is damaged") from error
        for record_id, body in bodies.items():
            yield payloads[record_id], body
        if missing := set(payloads) - set(bodies):
            raise Unusable(f"the snapshot {id_} has no record {min(missing)}")


def index_lines(file: IO[bytes], *, filename: str) -> list[CdxLine]:
    """Return the index lines of a whole file, and put it back to its beginning."""
    reader = WarcReader(file)
    lines = [line for record in reader if (line := cdx_line(record, filename=filename))]
    file.seek(0)
    return lines


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that gets its name, in place of an older one, only if the block ends well.

    Raises OutOfSpace and ConfigurationError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    _sweep(path)
    try:
        with _explained(path):
            with temporary.open("x+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _sweep(path: Path) -> None:
    """Remove what processes left that were killed while they wrote that file."""
    with suppress(OSError):
        for old in path.parent.glob(f".{escape(path.name)}.*.part"):
            pid = old.name.split(".")[-2]
            if pid.isdigit() and not _is_alive(int(pid)):
                old.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutOfSpace(f"{path}: {error.strerror}; nothing was left there") from error
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise NotFound(f"{path.parent} is no folder; make it, or name another file") from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST}:
            raise ConfigurationError(
                f"{path}: {error.strerror}; name a file feedsvc may write"
            ) from error
        raise
