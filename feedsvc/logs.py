"""Logs: events with keys on stderr; lines for people on a terminal, key=value or JSON elsewhere.

Everything logged may come from a stranger's page, so control characters are replaced and the
values of passwords and tokens hidden before a line is written.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, cast

import structlog

from feedsvc.text import printable, redacted, without_tokens

_PLAIN = re.compile(r"[^\s\"=]+")
_SECRET_KEY = re.compile(r"(?i)(^|_)(password|passwd|secret|token|api_?key|cookie|authorization)$")
_COLOURS = {"debug": "2", "info": "36", "warning": "33", "error": "31", "critical": "1;31"}
# Our own standard loggers carry keys in `extra`; these are the ones every record has.
_RECORD_KEYS = {
    *logging.makeLogRecord({}).__dict__,
    "message",
    "asctime",
    "event",
    "logger",
    "level",
}
_writing = threading.Lock()


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger: `logger(__name__).info("seed.rejected", seed=name, reason=why)`."""
    if not structlog.is_configured():
        # Left alone, structlog writes to stdout, which is for data.
        _configure_structlog(logging.WARNING, _key_values)
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def configure(level: int = logging.INFO, *, form: str | None = None) -> None:
    """Send every log line of this process to stderr.

    ``form`` is `json`, `plain` (key=value) or `terminal`; by default FEEDSVC_LOG says it, else
    whether stderr is a terminal. Other libraries are heard from WARNING on, at DEBUG from INFO on.
    """
    form = form or os.environ.get("FEEDSVC_LOG") or ("terminal" if sys.stderr.isatty() else "plain")
    _configure_structlog(level, _RENDERERS.get(form, _key_values))
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.INFO if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.getLogger("feedsvc").setLevel(level)
    logging.captureWarnings(True)


def _configure_structlog(level: int, render: Callable[[Mapping[str, Any]], str]) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _harmless,
            lambda _logger, _method, event: render(event),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_StandardError,
        # The loggers made at import must follow a later configure, as after SIGHUP.
        cache_logger_on_first_use=False,
    )


class _StandardError:
    """Writes to whatever sys.stderr is at that moment: a progress bar may have replaced it."""

    def __init__(self, name: str = "feedsvc") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line, whole; a stderr that is gone must not end a daemon."""
        with _writing:
            try:
                sys.stderr.write(line + "\n")
                sys.stderr.flush()
            except (OSError, ValueError):
                return

    debug = info = warning = error = critical = exception = msg


class _Bridge(logging.Handler):
    """Hands the records of other libraries to the same renderer."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record of the standard library as an event."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        keys = {key: value for key, value in record.__dict__.items() if key not in _RECORD_KEYS}
        logger(record.name).log(record.levelno, message, exc_info=record.exc_info, **keys)


def _harmless(
    target: _StandardError, _method: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """Hide what is secret, replace what would move a cursor, and say who speaks."""
    event["logger"] = target.name
    return {
        key: "***" if _SECRET_KEY.search(key) else _clean(value) for key, value in event.items()
    }


def _clean(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return "\n".join(printable(line) for line in without_tokens(redacted(text)).split("\n"))


def _pairs(event: Mapping[str, Any], *, without: set[str]) -> str:
    return " ".join(f"{key}={_quoted(value)}" for key, value in event.items() if key not in without)


def _quoted(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _terminal(event: Mapping[str, Any]) -> str:
    """Write `14:02:11 warning seed.rejected seed=… reason=…`, a traceback below."""
    colour = "" if os.environ.get("NO_COLOR") else _COLOURS.get(event["level"], "")
    level = f"\x1b[{colour}m{event['level']:<7}\x1b[0m" if colour else f"{event['level']:<7}"
    hidden = {"timestamp", "level", "event", "logger", "exception"}
    line = f"{event['timestamp'][11:19]} {level} {event['event']} {_pairs(event, without=hidden)}"
    return line.rstrip() + (f"\n{event['exception']}" if event.get("exception") else "")


def _key_values(event: Mapping[str, Any]) -> str:
    first = f"{event['timestamp']} {event['level']} event={_quoted(event['event'])}"
    return f"{first} {_pairs(event, without={'timestamp', 'level', 'event'})}".rstrip()


def _json(event: Mapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False)


_RENDERERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "terminal": _terminal,
    "plain": _key_values,
    "json": _json,
}
