"""A database of either kind, empty and real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.storage.database import Database, database_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = "sqlite:///site.db"
    else:
        url = request.getfixturevalue("postgresql")
    opened = Database(database_url(url, root=tmp_path))
    yield opened
    opened.close()
