"""Where a site is and where it may go: what is refused, and which settings say it afterwards."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

from feedsvc.errors import ConfigurationError, NotFound, OutOfSpace
from feedsvc.model.fleet import SITE_KEY
from feedsvc.model.moving import Step
from feedsvc.runtime import FLEET, Runtime, open_runtime
from feedsvc.settings import Settings
from feedsvc.storage.blobs import BlobStore
from feedsvc.storage.database import Database, database_url, translated
from feedsvc.storage.extent import disk_use, snapshot_sums, stored_bytes
from feedsvc.text import redacted

_LONGEST = 4096


def require_site(settings: Settings) -> None:
    """Raise ConfigurationError where there is no site to move: opening it would make a new one."""
    url = database_url(settings.database.url, root=settings.root)
    where = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise ConfigurationError(
            f"there is no site to move: {where} is not there; name the site's folder with --root, "
            "or correct database.url, which says where the site is now"
        )
    with closing(Database(url, check_schema=False)) as database, translated(url):
        if database.schema() == "none":
            raise ConfigurationError(
                f"there is no site to move: {where} is empty; database.url has to say where the "
                "site is now"
            )


def different_stores(
    one: BlobStore, other: BlobStore, setting: str, *, may_be_same: bool = True
) -> bool:
    """Tell whether two stores keep their bytes in different places.

    Raises ConfigurationError where one lies inside the other, or both are one and must not be.
    """
    here, there = _place(one), _place(other)
    if here != there and _inside(here, there):
        raise ConfigurationError(
            f"{there} and {here} lie one inside the other; give {setting} a place of its own"
        )
    # A link or a second name may lead to the same bytes: what appears here was written there.
    key = f"moving-{secrets.token_hex(8)}"
    other.put(key, b"feedsvc")
    try:
        one.size(key)
    except NotFound:
        return True
    finally:
        other.delete(key)
    if not may_be_same:
        raise ConfigurationError(
            f"{there} is for snapshots; give feeds a place of their own (--feeds)"
        )
    return False


def _place(store: BlobStore) -> str:
    place = store.place()
    return place.rstrip("/") if "://" in place else str(Path(place).resolve())


def _inside(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def require_unowned(blobs: BlobStore, to: str, settings: Settings) -> None:
    """Raise ConfigurationError where a store bears the mark of a fleet other than the target's."""
    try:
        with blobs.open(SITE_KEY) as file:
            said = file.read(_LONGEST)
    except NotFound:
        return
    url = database_url(to, root=settings.root)
    if url.get_backend_name() != "sqlite":
        with closing(Database(url, check_schema=False)) as database, translated(url):
            known = _fleet(database) if database.schema() != "none" else None
        if known is not None and str(json.loads(known).get("site")).encode() in said:
            return
    raise ConfigurationError(
        f"{blobs.place()} belongs to a fleet; name a place of its own, or, if that fleet is no "
        f"more, delete {blobs.place(SITE_KEY)}"
    )


def is_fleet(database: Database) -> bool:
    """Tell whether a database is a fleet's."""
    return _fleet(database) is not None


def _fleet(database: Database) -> str | None:
    with database.reading() as store:
        return store.fact(FLEET)


def found_fleet(settings: Settings, *, to: str, store: str, feeds: str) -> None:
    """Bind a fleet's new database and stores to each other, as its first worker would."""
    if to.startswith("sqlite") or find_spec("procrastinate") is None:
        return
    changed = {
        "database": {"url": to},
        "archive": {"store": store},
        "feeds": {"dir": feeds},
        "fleet": {"enabled": True},
    }
    moved = settings.model_copy(
        update={
            section: getattr(settings, section).model_copy(update=values)
            for section, values in changed.items()
        }
    )
    from feedsvc.jobs.identity import adopt_fleet

    with open_runtime(moved) as runtime:
        adopt_fleet(runtime)


def require_room(runtime: Runtime, target: Database | None, store: BlobStore | None) -> None:
    """Raise OutOfSpace where the rows, or the bytes of snapshots, do not fit on the target's disk."""
    if target is not None and target.file is not None:
        needed = disk_use(runtime.database) - (target.size() or 0)
        free = shutil.disk_usage(target.file.parent).free
        if needed > free:
            raise _too_small(str(target.file.parent), needed, free)
    free_there = None if store is None else store.free()
    if store is None or free_there is None or snapshot_sums(runtime.database)[1] <= free_there:
        return
    missing = sum(_lacking(runtime, store))
    if missing > free_there:
        raise _too_small(store.place(), missing, free_there)


def _lacking(runtime: Runtime, store: BlobStore) -> Iterator[int]:
    for one in stored_bytes(runtime.database):
        there = 0
        with suppress(NotFound):
            there = store.size(one.key)
        if there != one.size:
            yield one.size


def _too_small(where: str, needed: int, free: int) -> OutOfSpace:
    return OutOfSpace(
        f"{where}: {needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free; make room, "
        "or name another place"
    )


def settings_to_change(
    settings: Settings, *, to: str, store: str | None, feeds: str | None
) -> tuple[Step, ...]:
    """Return the settings that have to say where the site is now."""
    fleet = not to.startswith("sqlite")
    wanted = {
        "database.url": (settings.database.url, redacted(to)),
        "archive.store": (settings.archive.store, store),
        "feeds.dir": (settings.feeds.dir, feeds),
    }
    steps = [
        Step(key, value, settings.origins.get(key, "default"))
        for key, (now, value) in wanted.items()
        if value is not None and value != now
    ]
    if settings.fleet.enabled != fleet:
        origin = settings.origins.get("fleet.enabled", "default")
        steps.append(Step("fleet.enabled", "true" if fleet else "false", origin))
    return tuple(steps)
