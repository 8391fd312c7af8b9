"""The checks of `feedsvc doctor`: can this machine run this site?"""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from feedsvc.cli.finding import Check, Finding
from feedsvc.cli.mistakes import address, backups, file_system, mounts, ownership, robots
from feedsvc.cli.store_checks import is_store, readable, writable
from feedsvc.errors import (
    ConfigurationError,
    DamageFound,
    FeedsvcError,
    OutOfSpace,
    SchemaMismatch,
    Temporary,
)

if TYPE_CHECKING:
    from feedsvc.settings import Settings


_REMEDIES: tuple[tuple[type[FeedsvcError], str], ...] = (
    (SchemaMismatch, "`feedsvc upgrade` if it is older; if it is newer, the feedsvc that wrote it"),
    (DamageFound, "restore a backup from data/backups, or move it away and run `feedsvc rebuild`"),
    (OutOfSpace, "free some space; what is stored is safe"),
    (Temporary, "start the database, or wait for whoever holds it, and look again"),
    (ConfigurationError, "correct database.url, or the owner and permissions of what it names"),
)
"""What to do about a database that cannot be used."""

_SUPPORTED = ((3, 11), (3, 13))
# Two connections can lose a commit in WAL mode before 3.51.3; fixed in these branches, too.
_WAL_FIXED = (3, 51, 3)
_WAL_BACKPORTS = {(3, 44): 6, (3, 50): 7}
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_SLOW_FSYNC = 0.1


def python_version(version: tuple[int, int]) -> Check:
    """Is this Python one that feedsvc is tested on?"""
    low, high = _SUPPORTED
    shown = f"Python {version[0]}.{version[1]}"
    if version < low:
        return Check("python", Finding.PROBLEM, shown, "install Python 3.11, 3.12 or 3.13")
    if version > high:
        return Check(
            "python",
            Finding.WARNING,
            f"{shown} is newer than what feedsvc is tested on",
            "use Python 3.13",
        )
    return Check("python", Finding.OK, shown)


def sqlite_version(version: tuple[int, int, int]) -> Check:
    """Is SQLite free of the WAL-reset bug?"""
    shown = "SQLite " + ".".join(map(str, version))
    if version >= _WAL_FIXED or version[2] >= _WAL_BACKPORTS.get(version[:2], 1000):
        return Check("sqlite", Finding.OK, shown)
    return Check(
        "sqlite",
        Finding.WARNING,
        f"{shown} has the WAL-reset bug: a commit can be lost if another process checkpoints at the same moment",
        "SQLite 3.51.3 or newer has the fix; feedsvc queues its own writers, so this is very rare",
    )


def clock(now: datetime, newest: float | None) -> Check:
    """Is the clock later than this release and than what was written here before?"""
    if now < _BUILT:
        return Check(
            "clock",
            Finding.PROBLEM,
            f"{now:%Y-%m-%d %H:%M} UTC is in the past",
            "set the clock, or run an NTP client",
        )
    if newest is not None and newest > now.timestamp() + 3600:
        return Check(
            "clock",
            Finding.WARNING,
            f"{now:%Y-%m-%d %H:%M} UTC is before the database was last written",
            "set the clock",
        )
    return Check("clock", Finding.OK, f"{now:%Y-%m-%d %H:%M} UTC")


def readable_folder(name: str, folder: Path) -> Check:
    """Can seeds be read here?"""
    try:
        with os.scandir(folder) as entries:
            unreadable = next(
                (one.name for one in entries if one.is_file() and not os.access(one.path, os.R_OK)),
                None,
            )
    except FileNotFoundError:
        return Check(
            name,
            Finding.WARNING,
            f"{folder} is not there",
            "make it, or correct seeds.paths; until then nothing is withdrawn",
        )
    except OSError as error:
        return Check(
            name,
            Finding.PROBLEM,
            f"{folder}: {error.strerror}",
            "make it a folder that this user may read",
        )
    if unreadable:
        return Check(
            name,
            Finding.PROBLEM,
            f"{folder / unreadable} may not be read",
            "chmod a+r, or change its owner",
        )
    return Check(name, Finding.OK, f"{folder} can be read")


def writable_folder(name: str, folder: Path) -> Check:
    """Can files be written here, made durable and renamed?"""
    place = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    try:
        started = time.perf_counter()
        handle, path = tempfile.mkstemp(prefix=".doctor-", dir=place)
        renamed = f"{path}.done"
        try:
            os.write(handle, b"x" * 4096)
            os.fsync(handle)
            Path(path).rename(renamed)
            directory = os.open(place, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        finally:
            os.close(handle)
            for leftover in (path, renamed):
                Path(leftover).unlink(missing_ok=True)
        seconds = time.perf_counter() - started
    except OSError as error:
        return Check(name, Finding.PROBLEM, f"{place}: {error.strerror}", _remedy(error))
    shown = f"{folder} can be written, {seconds * 1000:.1f} ms to make a file durable"
    if place != folder:
        shown += " (it will be made)"
    if seconds > _SLOW_FSYNC:
        return Check(
            name,
            Finding.WARNING,
            shown,
            "captures will be slow; a local disk is faster than a network one",
        )
    return Check(name, Finding.OK, shown)


def _remedy(error: OSError) -> str:
    """Return what to do where nothing can be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "free some space there; what is stored is safe"
    if error.errno == errno.EROFS:
        return "mount it for writing; until then the site can be served and looked at"
    if error.errno == errno.ENOTDIR:
        return "move the file away: a folder has to be there"
    return "give this user the right to write there"


def disk_space(folder: Path, *, min_free: int) -> Check:
    """Is there room for captures?"""
    from feedsvc.settings import format_size

    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    shown = f"{format_size(free)} free at {place}"
    if free < min_free:
        return Check(
            "disk",
            Finding.PROBLEM,
            f"{shown}, archive.min_free is {format_size(min_free)}",
            "free some space; captures have stopped",
        )
    if free < 5 * min_free:
        return Check("disk", Finding.WARNING, shown, f"captures stop at {format_size(min_free)}")
    return Check("disk", Finding.OK, shown)


def port(host: str, number: int) -> Check:
    """Is the port free, or feedsvc's own?"""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, number))
    except OSError as error:
        if _answers(host, number):
            return Check("port", Finding.OK, f"feedsvc answers at {host}:{number}")
        return Check(
            "port",
            Finding.PROBLEM,
            f"{host}:{number}: {error.strerror}",
            "set web.port to a free one, for example FEEDSVC_WEB__PORT=8081, or stop what uses it",
        )
    return Check("port", Finding.OK, f"{host}:{number} is free")


def browser(settings: Settings) -> Check:
    """Can pages that need scripts be captured, and is the browser kept from every network?"""
    from feedsvc.capture.browser_found import Absent, find_browser
    from feedsvc.settings import DEFAULT

    policy = settings.archive.browser
    if policy == "never":
        return Check("browser", Finding.OK, "never: pages are captured without one")
    found = find_browser(settings.archive.browser_path)
    if isinstance(found, Absent):
        wanted = settings.origins.get("archive.browser", DEFAULT) != DEFAULT
        detail = f"{found.reason}, so that pages that need scripts are captured without them"
        finding = Finding.PROBLEM if wanted else Finding.OK
        never = ', or set archive.browser = "never"' if wanted else ""
        return Check("browser", finding, detail, f"{found.remedy}{never}")
    if not found.isolated:
        return Check(
            "browser",
            Finding.WARNING,
            f"{policy}: {found.path}, which only its own settings keep from the network",
            "on Linux, allow user namespaces (unshare --net); elsewhere this is all there is",
        )
    return Check("browser", Finding.OK, f"{policy}: {found.path}, without any network")


def _answers(host: str, number: int) -> bool:
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to connect to, not to listen on
    connection = http.client.HTTPConnection(target, number, timeout=2)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.status == 200 and b"feedsvc_" in answer.read(1 << 16)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def examine(load: Callable[[], Settings]) -> Iterator[Check]:
    """Yield every check, each on its own: one problem never hides another."""
    yield python_version(sys.version_info[:2])
    try:
        settings = load()
    except FeedsvcError as error:
        yield clock(datetime.now(UTC), None)
        yield from (
            Check("config", Finding.PROBLEM, line, "correct it; the other checks need it")
            for line in str(error).splitlines()
        )
        return
    yield Check("config", Finding.OK, f"{settings.root}")
    yield from _site_checks(settings)


def _site_checks(settings: Settings) -> Iterator[Check]:
    root = settings.root
    database = _database_file(settings)
    if database is not None:
        yield sqlite_version(sqlite3.sqlite_version_info)
    yield clock(
        datetime.now(UTC), database.stat().st_mtime if database and database.exists() else None
    )
    for path in settings.seeds.paths:
        yield readable(path, settings) if is_store(path) else readable_folder("seeds", root / path)
    if database is not None:
        yield writable_folder("data", database.parent)
    for name, path in (("archive", settings.archive.store), ("feeds", settings.feeds.dir)):
        written = writable(name, path, settings) if is_store(path) else None
        yield written or writable_folder(name, root / path)
    kept = "." if is_store(settings.archive.store) else settings.archive.store
    yield disk_space(root / kept, min_free=settings.archive.min_free)
    yield from ownership(settings, user=os.geteuid())
    if database is not None:
        yield file_system(database.parent, mounts())
    yield port(settings.web.host, settings.web.port)
    yield address(settings)
    yield robots(settings)
    yield _attempt("topics", lambda: _topics(settings), remedy="correct config/topics.toml")
    if database is not None and not database.exists():
        yield Check("database", Finding.OK, f"{database} will be made at first use")
    else:
        yield _attempt("database", lambda: _schema(settings))
        yield from _backups(settings)
    yield browser(settings)
    yield _attempt(
        "guard",
        lambda: _guard(settings),
        remedy="do not capture with this installation; install feedsvc anew",
    )


def _attempt(name: str, check: Callable[[], str], *, remedy: str = "") -> Check:
    try:
        return Check(name, Finding.OK, check())
    except FeedsvcError as error:
        told = next((what for kind, what in _REMEDIES if isinstance(error, kind)), "")
        return Check(name, Finding.PROBLEM, str(error), remedy or told)
    except OSError as error:
        return Check(
            name,
            Finding.PROBLEM,
            f"{error.filename or name}: {error.strerror}",
            "check its owner and permissions",
        )


def _topics(settings: Settings) -> str:
    from feedsvc.runtime import read_classifier
    from feedsvc.settings import TOPICS_FILE

    return f"{len(read_classifier(settings.root / TOPICS_FILE).topics)} topics"


def _backups(settings: Settings) -> Iterator[Check]:
    """Look for the last backup in a database that can be asked; another check tells if it cannot."""
    from feedsvc.storage.database import Database, database_url

    with suppress(FeedsvcError):
        database = Database(database_url(settings.database.url, root=settings.root))
        try:
            with database.reading() as store:
                counts, runs = store.rough_counts(), store.runs()
        finally:
            database.close()
        made = [run.started for run in runs if run.job == "backup" and run.ok]
        snapshots = sum(counts.snapshots.values())
        yield backups(max(made, default=None), snapshots=snapshots, now=datetime.now(UTC))


def _schema(settings: Settings) -> str:
    from feedsvc.storage.database import Database, database_url

    database = Database(database_url(settings.database.url, root=settings.root))
    try:
        return f"schema {database.schema()}"
    finally:
        database.close()


def _guard(settings: Settings) -> str:
    from feedsvc.capture.http import Fetcher

    fetcher = Fetcher(
        user_agent=settings.archive.user_agent, allow_hosts=settings.archive.allow_hosts
    )
    try:
        fetcher.self_test()
    finally:
        fetcher.close()
    return "no fetch reaches a private address"


def _database_file(settings: Settings) -> Path | None:
    """Return where SQLite keeps the site's data, None for another database."""
    kind, _, path = settings.database.url.partition(":///")
    return settings.root / path.partition("?")[0] if kind == "sqlite" else None
