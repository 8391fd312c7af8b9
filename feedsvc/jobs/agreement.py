"""One configuration for all machines of a fleet: two would sort and write everything in turns."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

from feedsvc.errors import ConfigurationError
from feedsvc.logs import logger
from feedsvc.model import Worker
from feedsvc.runtime import Runtime
from feedsvc.settings import FEEDS_FILE, TOPICS_FILE
from feedsvc.storage.store import Store

_REMEDY = (
    "copy config/ from one of their machines (FEEDSVC_ variables count too); to change it for "
    "all, stop every worker, change every machine, then start the workers again"
)
_NAMED = 5
"""Workers and differences that one message names."""

log = logger(__name__)


class Disagreement(ConfigurationError):
    """A fleet's workers at work have another configuration."""


def configuration(runtime: Runtime) -> dict[str, str]:
    """Return by what this process sorts, files and publishes: file or setting -> digest.

    It is the same for every release, so that workers can be upgraded one after the other. Raises
    ConfigurationError for files that are wrong.
    """
    said = {name: _digest(value) for name, value in _settings(runtime).items()}
    return {
        TOPICS_FILE: _topics(runtime.classifier.toml),
        FEEDS_FILE: _digest(_searches(runtime)),
        **said,
    }


def _settings(runtime: Runtime) -> dict[str, object]:
    settings = runtime.settings
    site = settings.site.model_dump(mode="json") | {"base_url": runtime.site.base_url}
    feeds, seeds, websub = settings.feeds, settings.seeds, settings.websub
    return {
        **{f"site.{name}": value for name, value in site.items()},
        "seeds.paths": list(seeds.paths),
        "seeds.max_size": seeds.max_size,
        "feeds.entries": feeds.entries,
        "feeds.entry_link": feeds.entry_link,
        "feeds.also": sorted(feeds.also),
        "feeds.private": sorted(feeds.private),
        "feeds.packed": list(feeds.packed),
        "feeds.tombstones": feeds.tombstones,
        # Feeds tell readers how long to wait.
        "schedule.publish": settings.schedule.ttl_minutes,
        "websub.hubs": list(websub.hubs),
        "websub.enabled": websub.enabled,
    }


def _searches(runtime: Runtime) -> list[object]:
    return [
        [
            *(one.name, one.title, one.text, one.private),
            *map(sorted, (one.topics, one.authors, one.hosts)),
        ]
        for one in runtime.filing.searches
    ]


@lru_cache(maxsize=2)
def _topics(toml: str) -> str:
    """Return a digest of what a topics.toml says; comments and layout do not count."""
    return _digest(tomllib.loads(toml))


def _digest(value: object) -> str:
    said = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return what two configurations say otherwise; of what one does not know it says nothing."""
    return [name for name in one if name in other and one[name] != other[name]]


def require_agreement(runtime: Runtime, store: Store) -> None:
    """Raise Disagreement where this process must not sort, file or publish.

    That is where workers at work have another configuration. A worker minds only those that came
    after it: they were let in because it had fallen silent.
    """
    if runtime.queue is None:
        return
    rivals = _rivals(runtime, living(runtime, store))
    if not rivals:
        return
    mine = configuration(runtime)
    found = {one: differing(mine, one.config) for one in rivals}
    others = [f"{one.host} (process {one.pid})" for one, names in found.items() if names]
    if others:
        what = dict.fromkeys(name for names in found.values() for name in names)
        raise Disagreement(
            f"the configuration here differs from that of the workers at work in "
            f"{named(list(what))}: {_REMEDY}. At work: {named(others)}"
        )


def _rivals(runtime: Runtime, workers: Sequence[Worker]) -> list[Worker]:
    own = next((one for one in workers if one.id == runtime.worker), None)
    others = [one for one in workers if one.id != runtime.worker and one.config]
    if own is None or not own.config:
        return others
    return [one for one in others if (one.started, one.id) > (own.started, own.id)]


def is_being_replaced(runtime: Runtime, store: Store) -> bool:
    """Tell whether a worker of another release came after this one.

    Each release writes feeds its own way: the one that came last does, not both in turns.
    """
    if runtime.queue is None or runtime.worker is None:
        return False
    workers = living(runtime, store)
    own = next((one for one in workers if one.id == runtime.worker), None)
    if own is None:
        return False
    return any(one.release != own.release for one in _rivals(runtime, workers))


def living(runtime: Runtime, store: Store) -> list[Worker]:
    """Return the workers that were heard of lately, the oldest first."""
    stalled = timedelta(seconds=runtime.settings.fleet.stalled)
    return store.living_workers(since=runtime.now() - stalled)


def differences(runtime: Runtime, workers: Sequence[Worker]) -> tuple[list[str], list[str]]:
    """Return in what workers differ among each other, and in what this process from them."""
    configs = [one.config for one in workers if one.config]
    among = dict.fromkeys(name for one in configs for name in differing(configs[0], one))
    try:
        mine = configuration(runtime) if configs else {}
    except ConfigurationError:
        # Commands that read the files say so, with the line.
        mine = {}
    here = dict.fromkeys(name for one in configs for name in differing(mine, one))
    return list(among), list(here)


def warn_of_disagreement(runtime: Runtime) -> None:
    """Log in what this process, which does no work of the fleet, differs from its workers."""
    if runtime.queue is None:
        return
    with runtime.database.reading() as store:
        _, here = differences(runtime, living(runtime, store))
    if here:
        log.warning("config.differs", settings=named(here), remedy=_REMEDY)


def named(names: Sequence[str]) -> str:
    """Return some names as one text."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
