"""A database of either kind, new and real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from feedsvc.storage.database import Database, database_url
from tests.databases import put_new_file


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with its schema and no rows."""
    if request.param == "sqlite":
        put_new_file(tmp_path / "site.db")
    url = _address(request.param, request, "postgresql")
    with closing(Database(database_url(url, root=tmp_path))) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def first_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database that was opened where there was nothing."""
    url = _address(request.param, request, "bare_postgresql")
    with closing(Database(database_url(url, root=tmp_path))) as opened:
        yield opened


def _address(kind: str, request: pytest.FixtureRequest, fixture: str) -> str:
    return "sqlite:///site.db" if kind == "sqlite" else str(request.getfixturevalue(fixture))
