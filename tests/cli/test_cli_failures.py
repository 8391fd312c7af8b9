"""Laws of failing: one line a person can act on, and the exit code of DESIGN.md."""

from __future__ import annotations

import errno
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from feedsvc import errors
from feedsvc.cli.failures import guarded
from feedsvc.cli.invocation import Invocation


def raiser(error: BaseException) -> Callable[[], int]:
    def call() -> int:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), 4),
        (errors.AlreadyRunning("x"), 5),
        (errors.DamageFound("x"), 6),
        (errors.SchemaMismatch("x"), 7),
        (errors.OutOfSpace("x"), 3),
        (errors.NotFound("x"), 64),
        (errors.Temporary("x"), 75),
        (errors.FeedsvcError("x"), 1),
        (OSError(errno.ENOSPC, "No space left on device", "data/x"), 3),
        (OSError(errno.EDQUOT, "Quota exceeded"), 3),
        (MemoryError(), 3),
        (PermissionError(errno.EACCES, "Permission denied", "data/x"), 4),
        (OSError(errno.EROFS, "Read-only file system", "data/x"), 4),
        (FileExistsError(errno.EEXIST, "File exists", "data"), 4),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "data/x"), 4),
        (KeyboardInterrupt(), 130),
        (RuntimeError("surprise"), 1),
        (OSError(errno.EIO, "Input/output error"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_failure_has_its_exit_code(
    error: BaseException, code: int, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(Invocation(root=site), raiser(error)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("feedsvc: ")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


def test_every_line_of_a_list_of_problems_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(Invocation(), raiser(errors.ConfigurationError("a:1: one\nb:2: two")))
    assert capsys.readouterr().err == "feedsvc: a:1: one\nfeedsvc: b:2: two\n"


def test_an_unexpected_failure_says_where_its_traceback_is(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "data").mkdir(exist_ok=True)
    guarded(Invocation(root=site), raiser(RuntimeError("at https://me:hush@example.org/")))
    err = capsys.readouterr().err
    log = site / "data" / "errors.log"
    assert str(log) in err
    assert "RuntimeError: at https://me:***@example.org/" in log.read_text()
    assert "hush" not in err + log.read_text()


def test_twice_verbose_shows_the_traceback(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guarded(Invocation(root=site, verbose=2), raiser(RuntimeError("surprise")))
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_json_has_the_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(Invocation(as_json=True), raiser(errors.ConfigurationError("a:1: wrong")))
    assert json.loads(capsys.readouterr().out) == {"error": "a:1: wrong", "exit_code": 4}


def test_a_message_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(Invocation(), raiser(errors.NotFound("\x1b[2J\x07gone")))
    assert "\x1b" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(
    process: Callable[..., subprocess.Popen[str]], site: Path
) -> None:
    with process("config", "show", "--root", site) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        assert started.stderr.read() == ""
    assert started.returncode == 0
