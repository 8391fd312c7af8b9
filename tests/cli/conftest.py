"""A site in a folder, and the command line as a function."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

import feedsvc
from feedsvc.cli import main
from feedsvc.cli.site import create_site
from feedsvc.logs import logger
from tests.databases import SITE_FILE, put_new_file

ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("FEEDSVC_")},
    "PYTHONPATH": str(Path(feedsvc.__file__).parents[1]),
}


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout, which must be one JSON value."""
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _same_logging() -> Iterator[None]:
    """Put logging back: commands configure it for the whole process."""
    logger(__name__)  # which configures structlog if nobody has yet
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.configure(**before)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    create_site(root)
    put_new_file(root / SITE_FILE)
    return root


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """Run a command line in this process."""
    monkeypatch.delenv("FEEDSVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return run


@pytest.fixture
def process() -> Callable[..., subprocess.Popen[str]]:
    """Start a command line as a process of its own."""

    def start(*arguments: str | Path, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "feedsvc", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT | environ,
        )

    return start
