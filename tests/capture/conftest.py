"""A programmable web server on loopback, and a fetcher that trusts it."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedsvc.capture.http import Fetcher
from feedsvc.capture.page import RecentRequisites
from feedsvc.capture.polite import Politeness
from feedsvc.capture.robots import Robots
from tests.capture.archiver import Archiver
from tests.capture.browser_rig import Rig, installed, rig
from tests.origin import Listener, Origin

CERTIFICATE = Path(__file__).parents[1] / "data" / "archive.test.pem"
"""Self-signed, with its key, for the name `archive.test`; of use to nobody else."""
USER_AGENT = "feedsvc-test/1.0 (+https://example.org/bot)"

_UNSHARE = ("unshare", "--net", "--map-root-user")
"""Runs a program as root of a network that holds nothing but a loopback device."""


def _has_namespaces() -> bool:
    try:
        return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


# Only Linux has network namespaces, and containers may forbid them; CI must have them.
collect_ignore = [] if os.environ.get("CI") or _has_namespaces() else ["test_namespace.py"]


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A web server on loopback; `fetcher` trusts it."""
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def other_origin() -> Iterator[Origin]:
    """A second web server on loopback, which `fetcher` does not trust."""
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def unshare() -> tuple[str, ...]:
    """The command before a command that is to run in a network of its own."""
    return _UNSHARE


@pytest.fixture
def certificate() -> Path:
    """The certificate to trust for `secure_origin`."""
    return CERTIFICATE


@pytest.fixture
def secure_origin() -> Iterator[Origin]:
    """A web server that speaks TLS with the certificate of `archive.test`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    served = Origin(scheme="https")
    listener = Listener(served, lambda plain: context.wrap_socket(plain, server_side=True))
    yield served
    listener.close()


@pytest.fixture(scope="session")
def _ssl_context() -> ssl.SSLContext:
    return ssl.create_default_context()  # slow to make, and the same for all


@pytest.fixture
def make_fetcher(origin: Origin, _ssl_context: ssl.SSLContext) -> Iterator[Callable[..., Fetcher]]:
    """Build fetchers with settings of one's own; they trust `origin` and are closed at the end."""
    made: list[Fetcher] = []

    def make(**settings: object) -> Fetcher:
        values: dict[str, object] = {
            "user_agent": USER_AGENT,
            "allow_hosts": [origin.host],
            "timeout": 5.0,
            "ssl_context": _ssl_context,
        }
        made.append(Fetcher(**{**values, **settings}))  # type: ignore[arg-type]  # as tests give them
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


@pytest.fixture
def fetcher(make_fetcher: Callable[..., Fetcher]) -> Fetcher:
    """A fetcher that trusts `origin` and no other server."""
    return make_fetcher()


@pytest.fixture(scope="session")
def browsing() -> Iterator[Rig]:
    """A real browser, and servers for its pages; tests put theirs on paths of their own."""
    with rig(installed()) as made:
        yield made


@pytest.fixture
def archive(fetcher: Fetcher) -> Iterator[Archiver]:
    """Captures pages, and gives back what they took."""
    archiver = Archiver(
        fetcher=fetcher,
        robots=Robots(fetcher, user_agent="feedsvc-test", policy="respect"),
        politeness=Politeness(per_host=4, delay=0.0),
    )
    archiver.recent = RecentRequisites(clock=lambda: archiver.clock)
    yield archiver
    for capture in archiver.captures:
        capture.close()
