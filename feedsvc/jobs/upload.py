"""A seed that somebody sends: looked at first, then kept among the others, then loaded."""

from __future__ import annotations

import re
import unicodedata

from feedsvc.errors import SeedRejected
from feedsvc.ingest import SEED_FORMATS, parse_seed
from feedsvc.ingest.place import MAX_NAME
from feedsvc.jobs.ingest import ingest_seeds
from feedsvc.jobs.running import silent
from feedsvc.jobs.sources import SeedSource, seed_sources, source_of
from feedsvc.model import Progress, SeedRecord, SeedState
from feedsvc.runtime import Runtime

FOLDER = "uploads"
"""Inside the first folder or bucket of seeds."""
_WORDS = re.compile(r"[^\W_]+")


def upload_name(name: str) -> tuple[str, str]:
    """Return a file's name without its suffix, harmless anywhere, and the suffix.

    Letters of any alphabet, digits and hyphens stay. Raises SeedRejected for other suffixes.
    """
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    suffix = f"{dot}{suffix}".lower()
    if suffix not in SEED_FORMATS:
        raise SeedRejected(
            f"a seed's name ends in {', '.join(SEED_FORMATS)}",
            remedy="Save it as plain text or Markdown, and give it such a name",
        )
    slug = ""
    for word in _WORDS.findall(unicodedata.normalize("NFC", stem).casefold()):
        longer = f"{slug}-{word}" if slug else word
        if len(longer.encode()) > MAX_NAME:
            break
        slug = longer
    return slug or "seed", suffix


def check_upload(runtime: Runtime, name: str, data: bytes) -> None:
    """Raise SeedRejected, with line and remedy, for what would not be understood."""
    if len(data) > runtime.settings.seeds.max_size:
        raise SeedRejected(
            f"it has {len(data)} bytes, seeds.max_size is {runtime.settings.seeds.max_size}",
            remedy="Make it smaller, or raise seeds.max_size",
        )
    parse_seed(name, data)


def keep_upload(runtime: Runtime, name: str, data: bytes) -> str:
    """Keep a seed among the uploads and return its name; the same bytes only once.

    Nothing else is ever overwritten, and nothing appears before it is whole. Raises SeedRejected,
    with line and remedy, for what cannot be understood, and ConfigurationError where it may not
    be written.
    """
    stem, suffix = upload_name(name)
    check_upload(runtime, f"{stem}{suffix}", data)
    source = next(iter(seed_sources(runtime).values()))
    with runtime.lock("upload"):
        known = _same(source, stem, suffix, data)
        relative = known or source.keep(f"{FOLDER}/{stem}", data, suffix=suffix)
    return f"{source.name}/{relative}"


def _same(source: SeedSource, stem: str, suffix: str, data: bytes) -> str | None:
    """Return the seed that holds those bytes already under a name that would be tried."""
    number = 1
    while True:
        name = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
        found = source.look(f"{FOLDER}/{name}")
        if found is None:
            return None
        if found.problem is None and found.stamp.size == len(data):
            content, _ = source.read(found, limit=len(data))
            if content == data:
                return f"{FOLDER}/{name}"
        number += 1


def load_upload(runtime: Runtime, seed: str, *, progress: Progress = silent) -> SeedRecord | None:
    """Load an uploaded seed; one that is not taken is told and removed. None: it is not there."""
    ingest_seeds(runtime, names=[seed], progress=progress)
    with runtime.database.reading() as store:
        record = store.seed_records([seed]).get(seed)
    if record is None or record.state is SeedState.LOADED:
        return record
    place = source_of(runtime, seed)
    if place is not None:
        place[0].remove(place[1])
    ingest_seeds(runtime, names=[seed])
    return record
