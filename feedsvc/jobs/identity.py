"""One fleet, one database, one pair of stores: whoever does not belong together is refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from feedsvc import __version__
from feedsvc.errors import ConfigurationError, DamageFound, NotFound
from feedsvc.logs import logger
from feedsvc.model.fleet import SITE_KEY
from feedsvc.runtime import FLEET, Runtime
from feedsvc.storage.blobs import BlobStore
from feedsvc.storage.store import Store

PROTOCOL = 1
"""What tasks mean and carry; it grows when an older release would misunderstand them."""
_LONGEST = 4096

log = logger(__name__)


def join_fleet(runtime: Runtime) -> None:
    """Make sure that this process belongs to the fleet of its database; the first one founds it.

    Raises ConfigurationError naming what does not fit and what to do.
    """
    runtime.archive.check()
    runtime.feeds.check()
    with runtime.lock("identity"):
        known = _known(runtime)
        if known is None:
            _found(runtime)
            return
        _compare(runtime, known)
        if known["protocol"] < PROTOCOL:
            _record(runtime, known | _present(runtime))


def confirm_fleet(runtime: Runtime) -> None:
    """Make sure, without writing, that this process belongs to the fleet of its database."""
    known = _known(runtime)
    if known is not None:
        _compare(runtime, known)


def adopt_fleet(runtime: Runtime) -> None:
    """Bind database and stores to each other as they are set now, whoever they belonged to.

    For a fleet that was moved on purpose. Raises ConfigurationError while workers are alive.
    """
    runtime.archive.check()
    runtime.feeds.check()
    with runtime.lock("identity"):
        _require_rest(runtime)
        known = _known(runtime)
        site = known["site"] if known is not None else uuid.uuid4().hex
        for _, blobs in _stores(runtime):
            blobs.put(SITE_KEY, _mark(site))
        _record(runtime, _present(runtime) | {"site": site})
    log.warning("fleet.adopted", archive=runtime.archive.place(), feeds=runtime.feeds.place())


def dissolve_fleet(runtime: Runtime) -> None:
    """Make the database one that an embedded process may use again.

    Raises ConfigurationError while workers are alive.
    """
    with runtime.lock("identity"):
        _require_rest(runtime)
        for _, blobs in _stores(runtime):
            blobs.delete(SITE_KEY)
        with runtime.database.transaction() as store:
            store.forget_fact(FLEET)
    log.warning("fleet.dissolved")


def _found(runtime: Runtime) -> None:
    """Mark the stores as ours, then say so in the database."""
    site = uuid.uuid4().hex
    for setting, blobs in _stores(runtime):
        owner = _owner(blobs)
        if owner is not None:
            raise ConfigurationError(
                f"{setting}: {blobs.place()} belongs to another fleet (site {owner}); give this "
                "one a folder or prefix of its own, or, if that fleet's database was replaced "
                "by this one, run `feedsvc worker --adopt`"
            )
    for _, blobs in _stores(runtime):
        blobs.put(SITE_KEY, _mark(site))
    _record(runtime, _present(runtime) | {"site": site})
    log.info("fleet.founded", site=site)


def _compare(runtime: Runtime, known: dict[str, Any]) -> None:
    if known["protocol"] > PROTOCOL:
        raise ConfigurationError(
            f"the fleet runs feedsvc {known['release']}, whose tasks feedsvc {__version__} does "
            "not understand: install the release of the other workers here"
        )
    base_url = runtime.site.base_url
    if known["base_url"] != base_url:
        raise ConfigurationError(
            f"site.base_url is {base_url}, but the fleet of this database publishes for "
            f"{known['base_url']}: correct it here, or stop all workers and run "
            "`feedsvc worker --adopt` once to change it for all"
        )
    for setting, blobs in _stores(runtime):
        owner = _owner(blobs)
        if owner == known["site"]:
            continue
        place = blobs.place()
        what = "belongs to another fleet" if owner else "is not marked as this fleet's"
        raise ConfigurationError(
            f"{setting}: {place} {what}; its workers use {known[setting]}: correct {setting} "
            "or database.url, or, after a move, stop all workers and run "
            "`feedsvc worker --adopt`"
        )


def _stores(runtime: Runtime) -> Iterator[tuple[str, BlobStore]]:
    yield "archive.store", runtime.archive
    yield "feeds.dir", runtime.feeds


def _present(runtime: Runtime) -> dict[str, Any]:
    places = {setting: blobs.place() for setting, blobs in _stores(runtime)}
    return {
        **places,
        "base_url": runtime.site.base_url,
        "protocol": PROTOCOL,
        "release": __version__,
    }


def _known(runtime: Runtime) -> dict[str, Any] | None:
    with runtime.database.reading() as store:
        return _fact(store)


def _fact(store: Store) -> dict[str, Any] | None:
    value = store.fact(FLEET)
    if value is None:
        return None
    found: dict[str, Any] = json.loads(value)
    return found


def _record(runtime: Runtime, values: dict[str, Any]) -> None:
    with runtime.database.transaction() as store:
        store.set_fact(FLEET, json.dumps(values, sort_keys=True))


def _mark(site: str) -> bytes:
    return (json.dumps({"site": site}) + "\n").encode()


def _owner(blobs: BlobStore) -> str | None:
    """Return the site that a store belongs to, None for a store that nobody marked."""
    try:
        with blobs.open(SITE_KEY) as file:
            content = file.read(_LONGEST)
    except NotFound:
        return None
    try:
        return str(json.loads(content)["site"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamageFound(
            f"{blobs.place(SITE_KEY)} does not say which fleet owns the store; stop all workers "
            "and run `feedsvc worker --adopt` if it is this one"
        ) from error


def _require_rest(runtime: Runtime) -> None:
    since = runtime.now() - timedelta(seconds=runtime.settings.fleet.stalled)
    with runtime.database.reading() as store:
        alive = [f"{one.host} (process {one.pid})" for one in store.workers() if one.seen > since]
    if alive:
        raise ConfigurationError(
            f"workers of this fleet are at work: {', '.join(alive)}; stop them all first"
        )
