"""Laws of the schedule of looks, as it is written in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedsvc.errors import ConfigurationError
from feedsvc.settings import load_settings

NAME = "FEEDSVC_ARCHIVE__RECHECK_AFTER"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        pytest.param('["1d", "7d"]', (86400.0, 604800.0), id="growing"),
        pytest.param("12h,1d", (43200.0, 86400.0), id="with-commas"),
        pytest.param('["30d", "30d"]', (2592000.0, 2592000.0), id="equal"),
        pytest.param("[]", (), id="never"),
    ],
)
def test_intervals_are_lengths_of_time(
    written: str, seconds: tuple[float, ...], tmp_path: Path
) -> None:
    settings = load_settings(tmp_path, environ={NAME: written})
    assert settings.archive.recheck_after == seconds


@pytest.mark.parametrize(
    "written",
    [
        pytest.param('["7d", "1d"]', id="shrinking"),
        pytest.param('["0s"]', id="no-time"),
        pytest.param('["1000000d"]', id="beyond-calendars"),
        pytest.param('["soon"]', id="words"),
    ],
)
def test_wrong_intervals_are_named(written: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="RECHECK_AFTER"):
        load_settings(tmp_path, environ={NAME: written})
