"""Seeds as things a program sends, asks about and deletes, each under a name of its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from feedsvc.errors import SeedBusy, SeedRejected, Temporary
from feedsvc.ingest import SEED_FORMATS
from feedsvc.jobs.ingest import ingest_seeds
from feedsvc.jobs.looking import same
from feedsvc.jobs.sources import SeedSource, seed_sources
from feedsvc.jobs.upload import check_upload
from feedsvc.model import Kind, SeedRecord, SeedState, Task
from feedsvc.runtime import Runtime

WAIT_SECONDS = 5.0
"""How long a program waits while others load seeds."""
_LONGEST = 700
_LONGEST_PART = 200


class Kept(StrEnum):
    """What became of bytes that were sent."""

    CREATED = "created"
    REPLACED = "replaced"
    THERE = "there"
    """The same bytes were there already."""
    OTHER = "other"
    """Other bytes lie there, and they stay."""
    FAILED = "failed"
    """The condition that was sent with them does not hold."""


@dataclass(frozen=True, slots=True)
class Held:
    """A seed as it lies there, and what is known of it."""

    seed: str
    tag: str
    """Of its bytes: another one after each change."""
    record: SeedRecord | None
    """None: it has not been loaded as it is now."""


Condition = Callable[[str | None], bool]
"""Tells from a seed's tag, None where there is none, whether something may be done."""


def named(name: str) -> str:
    """Return a name that a program gives. Raises SeedRejected for what no seed can be called."""
    remedy = f"Name it like desk/why-feeds{next(iter(SEED_FORMATS))}"
    parts = name.split("/")
    if not name.lower().endswith(tuple(SEED_FORMATS)):
        raise SeedRejected(f"a seed's name ends in {', '.join(SEED_FORMATS)}", remedy=remedy)
    if any(not part or part[0] in ".~" or part.strip() != part for part in parts):
        raise SeedRejected(
            "a part of its name is empty, or begins with a dot, '~' or a space", remedy=remedy
        )
    if not name.isprintable() or "\\" in name or not unicodedata.is_normalized("NFC", name):
        raise SeedRejected(
            "its name holds control characters, '\\' or letters that are not in Unicode's form C",
            remedy=remedy,
        )
    if len(name.encode()) > _LONGEST or any(len(one.encode()) > _LONGEST_PART for one in parts):
        raise SeedRejected(
            f"its name is longer than {_LONGEST} bytes, or a part of it than {_LONGEST_PART}",
            remedy=remedy,
        )
    return name


def tag_of(data: bytes) -> str:
    """Return the tag of a seed's bytes."""
    return sha256(data).hexdigest()


def hold(runtime: Runtime, name: str) -> Held | None:
    """Return a seed and what is known of it, None where nothing lies. Raises Temporary."""
    source = _source(runtime)
    found = source.look(named(name))
    if found is None or found.problem is not None:
        return None
    seed = f"{source.name}/{name}"
    with runtime.database.reading() as store:
        record = store.seed_records([seed]).get(seed)
    if record is not None and record.digest and same(record.stamp, found.stamp):
        return Held(seed, record.digest, record)
    content = _content(runtime, source, name)
    return None if content is None else Held(seed, tag_of(content), None)


def keep(
    runtime: Runtime, name: str, data: bytes, *, may: Condition | None = None
) -> tuple[Kept, str]:
    """Keep a seed under its name, and return what became of it and the seed's whole name.

    Other bytes are replaced only if ``may`` says so. Raises SeedRejected for what cannot be
    understood, ConfigurationError where it may not be written, and Temporary.
    """
    source = _source(runtime)
    named(name)
    check_upload(runtime, name, data)
    seed = f"{source.name}/{name}"
    found = source.look(name)
    before = _content(runtime, source, name)
    tag = None if before is None else tag_of(before)
    if may is not None and not may(tag):
        return Kept.FAILED, seed
    if before == data:
        return Kept.THERE, seed
    if before is None:
        return (Kept.CREATED if source.put(name, data, instead_of=None) else Kept.OTHER), seed
    if may is None:
        return Kept.OTHER, seed
    return (Kept.REPLACED if source.put(name, data, instead_of=found) else Kept.FAILED), seed


def load(runtime: Runtime, seed: str) -> SeedRecord | None:
    """Load a seed that was sent; None if others have yet to do it: a fleet, or who loads now.

    One that is a duplicate, or was forgotten on purpose, is told; `drop` takes it away again.
    """
    if runtime.queue is not None:
        task = Task(Kind.LOAD, tag_of(seed.encode())[:32], (seed,))
        with runtime.database.transaction() as store:
            runtime.queue.put(store, [task])
        return None
    try:
        ingest_seeds(runtime, names=[seed], wait=WAIT_SECONDS)
    except Temporary:
        return None
    with runtime.database.reading() as store:
        return store.seed_records([seed]).get(seed)


def drop(runtime: Runtime, name: str) -> bool:
    """Delete a seed and withdraw its article; False if others have yet to withdraw it."""
    source = _source(runtime)
    source.remove(named(name))
    seed = f"{source.name}/{name}"
    try:
        ingest_seeds(runtime, names=[seed], accept_deletions=True, wait=WAIT_SECONDS)
    except Temporary:
        return False
    return True


def is_taken(record: SeedRecord) -> bool:
    """Tell whether a loaded seed gave an article."""
    return record.state is SeedState.LOADED


def _source(runtime: Runtime) -> SeedSource:
    return next(iter(seed_sources(runtime).values()))


def _content(runtime: Runtime, source: SeedSource, name: str) -> bytes | None:
    found = source.look(name)
    if found is None:
        return None
    try:
        return source.read(found, limit=runtime.settings.seeds.max_size)[0]
    except SeedBusy as error:
        raise Temporary(f"{error}") from error
