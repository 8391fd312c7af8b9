"""A PostgreSQL that may be stopped, an object store, and a fleet that uses both."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet.cluster import Fleet
from tests.fleet.press import Press
from tests.fleet.servers import Postgresql, postgresql_programs
from tests.object_store import ObjectStore, swift

MakeFleet = Callable[..., Fleet]


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgresql]:
    """A server of these tests' own; whoever stops it starts it again."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: its programs are not installed")  # .ci/run installs them
    server = Postgresql(programs, tmp_path_factory.mktemp("server") / "postgresql")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A store for production: it checks signatures and rights."""
    with swift(tmp_path_factory.mktemp("swift")) as store:
        yield store


@pytest.fixture
def make_fleet(
    tmp_path: Path, postgresql_server: Postgresql, object_store: ObjectStore
) -> Iterator[MakeFleet]:
    """Make fleets; every process of theirs has ended after the test."""
    with ExitStack() as stack:

        def make(press: Press, **settings: str) -> Fleet:
            name = f"fleet_{uuid.uuid4().hex[:10]}"
            fleet = Fleet(
                tmp_path / name, standard(press, postgresql_server, object_store, name) | settings
            )
            stack.callback(fleet.close)
            return fleet

        yield make


def standard(press: Press, server: Postgresql, store: ObjectStore, name: str) -> dict[str, str]:
    """Return the settings of a fleet: database, buckets, and whom it may fetch from."""
    bucket = store.bucket()
    s3 = {key.removeprefix("FEEDSVC_"): value for key, value in store.settings().items()}
    return {
        **s3,
        "FLEET__ENABLED": "true",
        "DATABASE__URL": server.create(name),
        "ARCHIVE__STORE": f"s3://{bucket}/snapshots",
        "FEEDS__DIR": f"s3://{bucket}/feeds",
        "SEEDS__PATHS": f"s3://{bucket}/seeds",
        "SITE__BASE_URL": "http://feeds.example.org",
        "ARCHIVE__ALLOW_HOSTS": press.allow_hosts,
        "ARCHIVE__BROWSER": "never",
        "ARCHIVE__PER_HOST": "1",
        "ARCHIVE__PER_HOST_DELAY": "200ms",
        "ARCHIVE__TIMEOUT": "10s",
        "ARCHIVE__RECHECK_AFTER": "[]",
        "SCHEDULE__INGEST": "10s",
        "SCHEDULE__PUBLISH": "10s",
        "SCHEDULE__VERIFY": "off",
        "FLEET__HEARTBEAT": "1s",
        "FLEET__STALLED": "4s",
    }
