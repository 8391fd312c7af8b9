"""From an exception to one line that a person can act on, and an exit code."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from feedsvc.errors import FeedsvcError

if TYPE_CHECKING:
    from feedsvc.cli.invocation import Invocation

OK = 0
UNEXPECTED = 1
PARTIAL = 2
OUT_OF_SPACE = 3
CONFIGURATION = 4
DAMAGED = 6
USAGE = 64
INTERRUPTED = 130

MEANINGS = {
    OK: "done",
    UNEXPECTED: "unexpected: a fault of feedsvc, with a traceback in `data/errors.log`",
    PARTIAL: "done in part: some seeds or captures failed, the rest went through",
    OUT_OF_SPACE: "out of space",
    CONFIGURATION: "a setting, the topics file or a permission is wrong",
    5: "a daemon of this site runs already",
    DAMAGED: "damage was found",
    7: "the database has another schema: `feedsvc upgrade`",
    USAGE: "a command was misspelt, or names something that is not there",
    75: "busy or away; try again later",
    INTERRUPTED: "interrupted",
}
"""What each exit code says."""

ERROR_LOG = "data/errors.log"
_LONGEST_LOG = 1 << 20
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_PLACE = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST}


def guarded(invocation: Invocation, call: Callable[[], int | None]) -> int:
    """Run a command; return its exit code, and say on stderr what went wrong."""
    try:
        code = call() or OK
        sys.stdout.flush()
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except KeyboardInterrupt:
        return _tell(invocation, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        _close_quietly()
        return OK
    except Exception as error:  # noqa: BLE001 - the one place where everything ends
        return _explained(invocation, error)
    return code


def explain(error: BaseException) -> tuple[str, int] | None:
    """Return what to tell and the exit code of a foreseen error, None for any other."""
    if isinstance(error, FeedsvcError):
        return str(error) or type(error).__name__, error.exit_code
    if isinstance(error, MemoryError):
        return "out of memory — give this process more, or lower archive.concurrency", OUT_OF_SPACE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        if error.errno in _NO_SPACE:
            return f"{where}the disk is full — free some space and run it again", OUT_OF_SPACE
        if error.errno in _NO_PERMISSION:
            remedy = "check its owner and permissions; `feedsvc doctor` looks at all of them"
            return f"{where}{error.strerror} — {remedy}", CONFIGURATION
        if error.errno in _NO_PLACE and error.filename:
            remedy = "a file is where a folder has to be, or the other way round; move it away"
            return f"{where}{error.strerror} — {remedy}", CONFIGURATION
    return None


def usage(message: str, *, hint: str) -> int:
    """Tell how a command was misspelt."""
    from feedsvc.text import printable

    _write(sys.stderr, f"feedsvc: {printable(message)}\n{hint}\n")
    return USAGE


def _explained(invocation: Invocation, error: Exception) -> int:
    known = explain(error)
    if invocation.verbose > 1:
        _write(sys.stderr, _traceback(error))
    if known:
        return _tell(invocation, *known)
    what = f"unexpected {type(error).__name__}: {error}"
    kept = None if invocation.verbose > 1 else _keep_traceback(invocation, error)
    if kept:
        what += f" — the traceback is in {kept}"
    elif invocation.verbose <= 1:
        what += " — run it again with -vv for the traceback"
    return _tell(invocation, what, UNEXPECTED)


def _tell(invocation: Invocation, message: str, code: int) -> int:
    from feedsvc.text import printable, redacted

    message = redacted(message)
    lines = (printable(line) for line in message.splitlines())
    _write(sys.stderr, "".join(f"feedsvc: {line}\n" for line in lines))
    if invocation.as_json:
        _write(
            sys.stdout, json.dumps({"error": message, "exit_code": code}, ensure_ascii=False) + "\n"
        )
    return code


def _keep_traceback(invocation: Invocation, error: Exception) -> Path | None:
    """Append the traceback to the site's error log; None if there is no place for it."""
    root = (invocation.root or Path(os.environ.get("FEEDSVC_ROOT") or ".")).absolute()
    path = root / ERROR_LOG
    try:
        start_again = path.exists() and path.stat().st_size > _LONGEST_LOG
        with path.open("w" if start_again else "a", encoding="utf-8", errors="replace") as file:
            file.write(f"{datetime.now(UTC).isoformat()} feedsvc {' '.join(sys.argv[1:])}\n")
            file.write(_traceback(error) + "\n")
    except OSError:
        return None
    return path


def _traceback(error: Exception) -> str:
    import traceback

    from feedsvc.text import redacted

    return redacted("".join(traceback.format_exception(error)))


def _write(stream: object, text: str) -> None:
    """Write to stdout or stderr; one that is gone or full cannot be told about."""
    try:
        stream.write(text)  # type: ignore[attr-defined]  # any object with write() may be there
        stream.flush()  # type: ignore[attr-defined]  # any object with flush() may be there
    except (OSError, ValueError):
        _close_quietly()


def _close_quietly() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
