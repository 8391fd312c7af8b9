"""Laws of the log: events with keys, on stderr, without secrets and control characters."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from feedsvc.logs import configure, logger

log = logger(__name__)


@pytest.fixture(autouse=True)
def _same_logging() -> Iterator[None]:
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, logging.getLogger("feedsvc").level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("feedsvc").setLevel(ours)
    logging.captureWarnings(False)
    structlog.configure(**before)


def test_an_event_is_one_line_of_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    configure(form="plain")
    log.info("seed.rejected", seed="a b.md", line=3, seconds=1.23456, reason='say "x"')
    out, err = capsys.readouterr()
    assert out == ""
    line = err.split(" ", 1)[1]
    assert line == (
        'info event=seed.rejected seed="a b.md" line=3 seconds=1.235 '
        'reason="say \\"x\\"" logger=tests.test_logs\n'
    ).replace("tests.test_logs", __name__)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(form="json")
    log.warning("capture.failed", url="https://example.org/", tries=2)
    value = json.loads(capsys.readouterr().err)
    assert (value["event"], value["level"], value["tries"]) == ("capture.failed", "warning", 2)
    assert value["timestamp"].endswith("Z")


def test_a_terminal_shows_time_level_event_and_the_traceback_below(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    configure(form="terminal")
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("job.failed", job="ingest")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].split() == [lines[0].split()[0], "error", "job.failed", "job=ingest"]
    assert lines[-1] == "ValueError: boom"


@pytest.mark.parametrize("form", ["plain", "json", "terminal"])
def test_secrets_and_control_characters_are_not_written(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(form=form)
    log.warning(
        "x",
        url="https://me:hush@a/?token=hush&x=1",
        password="hush",  # noqa: S106 - the secret that must not be seen
        title="a\x1b[2Jb\u202ec",
    )
    logging.getLogger("sqlalchemy").warning("connect to postgresql://me:%s@db/x", "hush")
    err = capsys.readouterr().err
    assert "hush" not in err
    assert "\x1b[2J" not in err
    assert "\u202e" not in err
    assert "me:***@a" in err


def test_the_environment_chooses_the_form(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_LOG", "json")
    configure()
    log.info("x")
    assert json.loads(capsys.readouterr().err)["event"] == "x"


def test_levels_hold_for_us_and_for_other_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    configure(logging.INFO, form="plain")
    log.debug("ours-debug")
    log.info("ours-info")
    logging.getLogger("feedsvc.web").info("web-info", extra={"port": 8080})
    logging.getLogger("httpx").info("theirs-info")
    logging.getLogger("httpx").warning("theirs-warning")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    err = capsys.readouterr().err
    assert "ours-debug" not in err
    assert "theirs-info" not in err
    for text in ("ours-info", "event=web-info port=8080", "theirs-warning", "careful"):
        assert text in err


def test_a_closed_stderr_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def isatty(self) -> bool:
            return False

    configure(form="plain")
    monkeypatch.setattr("sys.stderr", Gone())
    log.error("x")
