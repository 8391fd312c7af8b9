"""A site in a temporary folder: real files, a real database, a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.runtime import Runtime
from tests.jobs.originals import trusting
from tests.jobs.site import Clock, Seeds, open_site
from tests.origin import Listener, Origin


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site's root, with an empty folder of seeds."""
    (tmp_path / "seeds").mkdir()
    return tmp_path


@pytest.fixture
def seeds(site: Path) -> Seeds:
    return Seeds(site / "seeds")


@pytest.fixture
def runtime(site: Path) -> Iterator[Runtime]:
    with open_site(site) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def any_runtime(request: pytest.FixtureRequest, site: Path) -> Iterator[Runtime]:
    """The same on either database."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with open_site(site, database=url) as opened:
        yield opened


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A web server on loopback."""
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def online(
    request: pytest.FixtureRequest, site: Path, origin: Origin, clock: Clock
) -> Iterator[Runtime]:
    """A site that trusts the origin and waits for nothing."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with open_site(site, database=url, now=clock, archive=trusting(origin)) as opened:
        yield opened
