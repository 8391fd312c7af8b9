"""What a connection to PostgreSQL is told: who asks, how long it may take, when it is dead."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError

from feedsvc.errors import ConfigurationError

POOL = 8
"""Connections that a process keeps."""
OVERFLOW = 10
FLEET_OVERFLOW = 24
"""So many more it opens while all are in use, and closes again."""
CONNECT_SECONDS = 10
UNACKNOWLEDGED_SECONDS = 10
KEEPALIVES = {"idle": 5, "interval": 2, "count": 3}
"""Seconds: whoever is cut off from the other side knows it after eleven."""
_SETTINGS = {
    # Compiling a query takes longer than all that we ask for.
    "jit": "off",
    **{f"tcp_keepalives_{name}": str(seconds) for name, seconds in KEEPALIVES.items()},
}
_THRESHOLD = "prepare_threshold"

_patience: ContextVar[float | None] = ContextVar("patience", default=None)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Let no statement of a reading transaction in this context take longer."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def local_settings(*, silent: float | None) -> str:
    """Return what a reading transaction begins with, empty for nothing."""
    settings = []
    if silent is not None:
        # A reader is in nobody's way, and may send what it reads to somebody slow.
        settings.append("SET LOCAL idle_in_transaction_session_timeout = 0")
    seconds = _patience.get()
    if seconds is not None:
        settings.append(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")
    return "; ".join(settings)


def postgresql_arguments(url: URL, *, silent: float | None = None) -> dict[str, Any]:
    """Return what a connection needs so that neither side waits for a dead one.

    What the address itself says stands. Raises ConfigurationError where that is no number.
    """
    settings = dict(_SETTINGS)
    if silent is not None:
        settings["idle_in_transaction_session_timeout"] = str(round(silent * 1000))
    given = url.query.get("options", "")
    options = [f"-c {name}={value}" for name, value in settings.items()]
    options.append(given if isinstance(given, str) else " ".join(given))
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": UNACKNOWLEDGED_SECONDS * 1000,
        **{f"keepalives_{name}": seconds for name, seconds in KEEPALIVES.items()},
        "application_name": _application(),
    }
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    if silent is not None:
        # A worker has many connections and few statements: it knows them soon.
        arguments[_THRESHOLD] = 1
    if _THRESHOLD in url.query:
        arguments[_THRESHOLD] = _threshold(url.query[_THRESHOLD])
    return arguments | {"options": " ".join(options).strip()}


def look_before_use(engine: Engine) -> None:
    """Let the pool replace connections that are dead, without a question to the server each time.

    On a connection that is idle and in order nothing arrives; of a server that ended it, and by
    keepalives of one that cannot be reached, the socket knows. Only if there is something the
    server is asked.
    """
    dialect = engine.dialect

    def look(connection: Any, _record: object, _proxy: object) -> None:
        try:
            if not connection.closed and _is_quiet(connection.fileno()):
                return
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the server ended it") from error

    event.listen(engine, "checkout", look)


def _is_quiet(socket: int) -> bool:
    watching = select.poll()
    watching.register(socket, select.POLLIN | select.POLLPRI)
    return not watching.poll(0)


def _application() -> str:
    """Return this process's name as `pg_stat_activity` shows it: `feedsvc serve`."""
    program, *words = sys.argv
    command = next((word for word in words if not word.startswith("-")), "")
    return f"feedsvc {command}".rstrip()[:63] if Path(program).name == "feedsvc" else "feedsvc"


def _threshold(given: Any) -> int | None:
    """Return after how many times a statement is prepared, None for never."""
    if given == "none":
        return None
    if not str(given).isdigit():
        raise ConfigurationError(
            f"database.url: {_THRESHOLD}={given} is no number; write a number, or none where a "
            "pooler hands each transaction to another session"
        )
    return int(given)
