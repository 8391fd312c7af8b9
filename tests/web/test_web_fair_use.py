"""Laws of fair use: only who downloads again what it has is asked to wait, and only then."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.settings.values import RateLimit
from feedsvc.web.fair_use import FREE, LIGHT, Clients, FairUse, Rate, network_of
from feedsvc.web.front import USUAL_RATE, rate_of

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

HERE = "192.0.2.1"
TAG = '"a"'


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fair(clock: Clock) -> FairUse:
    return FairUse(Rate(3, 60), clock=clock)


def used_up(fair: FairUse, client: str = HERE) -> None:
    for _ in range(FREE + 3):
        assert fair.wait(client, TAG, full=True) == 0


def test_after_two_downloads_and_the_rate_a_client_waits_for_the_next_of_its_turns(
    fair: FairUse, clock: Clock
) -> None:
    used_up(fair)
    wait = fair.wait(HERE, TAG, full=True)
    assert wait == pytest.approx(20)
    assert fair.wait(HERE, TAG, full=True) == wait  # being refused costs nothing
    clock.now += wait
    assert fair.wait(HERE, TAG, full=True) == 0
    assert fair.wait(HERE, TAG, full=True) > 0


def test_a_first_visit_to_any_number_of_feeds_is_free(fair: FairUse) -> None:
    for number in range(LIGHT):
        for _ in range(FREE):
            assert fair.wait(HERE, f'"{number}"', full=True) == 0


def test_who_has_used_up_its_rate_still_gets_what_is_new_and_its_304s(fair: FairUse) -> None:
    used_up(fair)
    assert fair.wait(HERE, TAG, full=True) > 0
    assert fair.wait(HERE, '"b"', full=True) == 0
    for _ in range(LIGHT):
        assert fair.wait(HERE, TAG, full=False) == 0
    assert fair.wait("192.0.2.2", TAG, full=True) == 0


def test_even_304s_have_an_end(fair: FairUse, clock: Clock) -> None:
    for _ in range(3 * LIGHT):
        assert fair.wait(HERE, TAG, full=False) == 0
    assert fair.wait(HERE, TAG, full=False) > 0
    clock.now += 60
    assert fair.wait(HERE, TAG, full=False) == 0


def test_memory_is_bounded_however_many_come(clock: Clock) -> None:
    fair = FairUse(Rate(3, 60), clock=clock, most_clients=10, most_downloads=20)
    for number in range(1000):
        assert fair.wait(f"client {number}", TAG, full=True) == 0
        assert fair.wait(f"client {number}", TAG, full=False) == 0
    held = [len(fair._downloads), len(fair._heavy._paid), len(fair._light._paid)]
    assert held[0] <= 20
    assert max(held[1:]) <= 10


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60))
def test_never_more_than_the_rate_in_any_of_its_times(steps: list[tuple[float, bool]]) -> None:
    clock = Clock()
    fair = FairUse(Rate(3, 60), clock=clock)
    for _ in range(FREE):
        fair.wait(HERE, TAG, full=True)
    given_at: list[float] = []
    for passed, full in steps:
        clock.now += passed
        if fair.wait(HERE, TAG, full=full) == 0 and full:
            given_at.append(clock.now)
    for moment in given_at:
        # Three at once, and one more for each of the turns that have passed since.
        assert sum(moment <= at < moment + 60 for at in given_at) <= 6
        assert sum(moment <= at < moment + 20 for at in given_at) <= 4


# --- who it is ------------------------------------------------------------------------------

PROXIES = Clients([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")])


@pytest.mark.parametrize(
    ("peer", "listed", "named", "key"),
    [
        ("192.0.2.1", "", "", "192.0.2.1"),
        pytest.param("192.0.2.1", "198.51.100.7", "", "192.0.2.1", id="no-proxy-of-ours"),
        ("10.1.2.3", "198.51.100.7", "", "198.51.100.7"),
        pytest.param("10.1.2.3", "6.6.6.6, 198.51.100.7", "", "198.51.100.7", id="a-lie-before-it"),
        pytest.param("10.1.2.3", "198.51.100.7, 10.9.9.9", "", "198.51.100.7", id="two-proxies"),
        ("::1", "2001:db8:1:2:3::4", "", "2001:db8:1:2::"),
        ("10.1.2.3", "", 'for="[2001:db8:1:2::9]:4711";proto=https', "2001:db8:1:2::"),
        ("10.1.2.3", "", "for=198.51.100.7, for=10.0.0.1", "198.51.100.7"),
        pytest.param("10.1.2.3", "198.51.100.7", "for=6.6.6.6", "198.51.100.7", id="not-both"),
        pytest.param("10.1.2.3", "nonsense", "", "10.1.2.3", id="nonsense"),
        pytest.param("10.1.2.3", "", "", "10.1.2.3", id="the-proxy-itself"),
        ("::ffff:192.0.2.1", "", "", "192.0.2.1"),
        ("", "", "", ""),
    ],
)
def test_the_last_address_that_is_no_proxy_of_ours_counts(
    peer: str, listed: str, named: str, key: str
) -> None:
    assert PROXIES.key(peer, listed, named) == key


@given(st.text(), st.text(), st.text())
def test_no_header_raises(peer: str, listed: str, named: str) -> None:
    PROXIES.key(peer, listed, named)
    PROXIES.key("10.0.0.1", listed, named)


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_addresses_of_one_ipv6_customer_are_one_client(
    address: ipaddress.IPv6Address, low: int
) -> None:
    if address.ipv4_mapped is None:
        other = ipaddress.IPv6Address(int(address) >> 64 << 64 | low)
        if other.ipv4_mapped is None:
            assert network_of(str(address)) == network_of(str(other))


@pytest.mark.parametrize(
    ("limit", "host", "rate"),
    [
        ("auto", "127.0.0.1", None),
        ("auto", "::1", None),
        ("auto", "localhost", None),
        ("auto", "0.0.0.0", USUAL_RATE),
        ("auto", "feeds.example.org", USUAL_RATE),
        ("off", "0.0.0.0", None),
    ],
)
def test_by_itself_it_is_off_where_nobody_else_can_ask(
    limit: str, host: str, rate: Rate | None
) -> None:
    assert rate_of(RateLimit(limit), host=host) == rate


# --- over HTTP ------------------------------------------------------------------------------


def test_who_polls_without_conditions_gets_429_and_when_to_come_back(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(web={"rate_limit": "2/1h"})
    library.feed("all.atom", b"one")
    first = web.get("/feeds/all.atom")
    assert [web.get("/feeds/all.atom").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = web.get("/feeds/all.atom")
    assert 1 <= int(refused.headers["retry-after"]) <= 1800
    assert refused.headers["cache-control"] == "no-store"
    assert refused.headers["access-control-allow-origin"] == "*"
    known = {"if-none-match": first.headers["etag"]}
    assert web.get("/feeds/all.atom", headers=known).status_code == 304
    assert web.client.head("/feeds/all.atom").status_code == 200
    library.feed("all.atom", b"another")
    assert web.get("/feeds/all.atom", headers=known).text == "another"


def test_readers_behind_a_trusted_proxy_are_told_apart(
    open_site: Callable[..., tuple[Library, Served]],
) -> None:
    library, web = open_site(web={"rate_limit": "1/1h", "trusted_proxies": ["127.0.0.0/8"]})
    library.feed("all.atom", b"one")

    def ask(address: str) -> int:
        return web.get("/feeds/all.atom", headers={"x-forwarded-for": address}).status_code

    assert [ask("192.0.2.1") for _ in range(4)] == [200, 200, 200, 429]
    assert ask("192.0.2.2") == 200
