"""What every test may rely on: no network but loopback, and a real PostgreSQL where there is one.

`FEEDSVC_TEST_POSTGRESQL` is the address of a server to make databases in; without it the tests
that need one are skipped. `FEEDSVC_TEST_REQUIRE_ALL` turns every skip into a failure: CI has
everything that can be had, so a skip there hides a law nobody checks.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import uuid
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest
from psycopg import sql
from sqlalchemy import make_url

if TYPE_CHECKING:
    from tests.browsing import Chromium
    from tests.databases import PostgresqlDatabase
    from tests.object_store import FaultyProxy, ObjectStore
    from tests.origin import Origin

# They check what many tests end with, and are to say what was wrong.
pytest.register_assert_rewrite("tests.fleet.cluster", "tests.fleet.stored")

POSTGRESQL = "FEEDSVC_TEST_POSTGRESQL"
REQUIRE_ALL = "FEEDSVC_TEST_REQUIRE_ALL"

# RFC 2606 and RFC 6761: names that lead nowhere, wherever they are looked up.
_RESERVED = (
    "localhost",
    ".localhost",
    ".test",
    ".invalid",
    ".example",
    "example.org",
    "example.com",
)


class Outside(Exception):
    """A test reached for a network other than loopback."""


def _stay_inside(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse, as an audit hook (PEP 578), every connection and look-up that would leave loopback."""
    if event == "socket.connect" and isinstance(address := arguments[1], tuple):
        if not _is_loopback(str(address[0])):
            raise Outside(f"connecting to {address[0]}")
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        host = arguments[0]
        name = (host.decode("ascii") if isinstance(host, bytes) else str(host)).rstrip(".").lower()
        reserved = name.endswith(_RESERVED) or name in {"", socket.gethostname().lower()}
        if _address(name) is None and not reserved:
            raise Outside(f"looking up {name}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address in any spelling that look-ups take (127.1, 0x7f000001), None for a name."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        pass
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is None:
        return host in {"", "localhost"}
    return address.is_loopback or address.is_unspecified


def pytest_configure() -> None:
    """Close the way out before anything is imported that might take it."""
    sys.addaudithook(_stay_inside)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let nothing trace a test marked `no_cover`.

    pytest-cov stops what it started; in a worker process coverage has started itself as well.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped test fail where everything has to run."""
    report = yield
    if os.environ.get(REQUIRE_ALL) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but {REQUIRE_ALL} is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Make a skipped module fail where everything has to run."""
    report = yield
    if os.environ.get(REQUIRE_ALL) and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but {REQUIRE_ALL} is set: {report.longrepr}"
    return report


# --- PostgreSQL -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgresql_database(worker_id: str) -> Iterator[PostgresqlDatabase]:
    """Create a database of this worker's own on the server, and drop it at the end."""
    from tests.databases import PostgresqlDatabase, connection

    server = os.environ.get(POSTGRESQL)
    if not server:
        pytest.skip(f"no PostgreSQL: {POSTGRESQL} is not set")  # .ci/run always has one
    url = make_url(server)
    name = f"feedsvc_{worker_id}_{uuid.uuid4().hex[:12]}"
    quoted = sql.Identifier(name)
    with connection(url) as server_connection:
        server_connection.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
        yield PostgresqlDatabase(url.set(database=name))
        server_connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


@pytest.fixture
def postgresql(postgresql_database: PostgresqlDatabase) -> str:
    """Return the address of a PostgreSQL database with our schema and no rows."""
    postgresql_database.make_new()
    return postgresql_database.address


@pytest.fixture
def bare_postgresql(postgresql_database: PostgresqlDatabase) -> str:
    """Return the address of a PostgreSQL database with nothing in it."""
    postgresql_database.make_bare()
    return postgresql_database.address


# --- an object store ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """An object store for production, over HTTP: OpenStack Swift with its S3 interface."""
    from tests.object_store import swift

    with swift(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_store() -> Iterator[ObjectStore]:
    """A stand-in for Amazon S3, over HTTP."""
    from tests.object_store import moto

    with moto() as server:
        yield server


@pytest.fixture
def faulty(object_store: ObjectStore) -> Iterator[FaultyProxy]:
    """Stand in front of the object store, and let a test say what fails."""
    from tests.object_store import faulty_proxy

    with faulty_proxy(object_store.port) as proxy:
        yield proxy


# --- a browser ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def live_web() -> Iterator[Origin]:
    """Stand for the whole live web, as far as `chromium` can see."""
    from tests.origin import Listener, Origin

    origin = Origin()
    listener = Listener(origin)
    yield origin
    listener.close()


@pytest.fixture(scope="session")
def chromium(live_web: Origin) -> Iterator[Chromium]:
    """A real browser; every test opens windows of its own and closes them."""
    from tests.browsing import running_chromium

    with running_chromium(everywhere=live_web.host) as started:
        yield started
