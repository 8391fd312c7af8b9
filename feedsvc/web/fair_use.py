"""Fair use: who downloads the same unchanged feed in full again and again is asked to wait."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

FREE = 2
"""Full downloads of one state of a feed that cost next to nothing: who subscribes makes two."""

LIGHT = 1000
"""Requests of any other kind that cost as much as one superfluous download."""

MOST_CLIENTS = 20_000
MOST_DOWNLOADS = 100_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Rate:
    """How many superfluous downloads a client may make, and in how many seconds."""

    count: int
    seconds: float


class FairUse:
    """What each client has used up of its rate; two counts per client, both bounded.

    Only a full download of what the client was sent before is superfluous. A first visit, a
    changed feed and a 304 weigh a thousandth of that, on an account of their own, so that who
    shares an address with a careless reader still gets its 304s. Where more clients come than
    are remembered, those that were away longest are forgiven.
    """

    def __init__(
        self,
        rate: Rate,
        *,
        clock: Callable[[], float],
        most_clients: int = MOST_CLIENTS,
        most_downloads: int = MOST_DOWNLOADS,
    ) -> None:
        """``clock`` tells seconds that never go back."""
        self._clock = clock
        self._most_downloads = most_downloads
        self._downloads: OrderedDict[int, int] = OrderedDict()
        self._heavy = _Accounts(rate.seconds / rate.count, rate.seconds, most_clients)
        self._light = _Accounts(rate.seconds / rate.count / LIGHT, rate.seconds, most_clients)

    def wait(self, client: str, etag: str, *, full: bool) -> float:
        """Return the seconds a client has to wait before this answer; 0 counts it as given.

        ``full``: it is sent the whole document, and did not say what it has.
        """
        now = self._clock()
        if full and not self._is_new(client, etag):
            return self._heavy.wait(client, now)
        return self._light.wait(client, now)

    def _is_new(self, client: str, etag: str) -> bool:
        key = hash((client, etag))
        count = self._downloads.get(key, 0)
        if count >= FREE:
            self._downloads.move_to_end(key)
            return False
        self._downloads[key] = count + 1
        if len(self._downloads) > self._most_downloads:
            self._downloads.popitem(last=False)
        return True


class _Accounts:
    """The generic cell rate algorithm: per client the moment at which all it used is paid back."""

    def __init__(self, interval: float, tolerance: float, most: int) -> None:
        self._interval = interval
        self._tolerance = tolerance
        self._most = most
        self._paid: OrderedDict[str, float] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        paid = max(self._paid.get(client, now), now) + self._interval
        # Rounding must not turn the last of a rate's requests away.
        if paid - now > self._tolerance + self._interval / 1e6:
            return paid - now - self._tolerance
        self._paid[client] = paid
        self._paid.move_to_end(client)
        if len(self._paid) > self._most:
            self._paid.popitem(last=False)
        return 0.0


class Clients:
    """Who asks: the connection's other end, or whom a trusted proxy names."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        """``trusted``: addresses of our own proxies, whose X-Forwarded-For or Forwarded is true."""
        self._trusted = tuple(trusted)

    def key(self, peer: str, forwarded_for: str | None, forwarded: str | None) -> str:
        """Return what a client is counted under, empty for one that is not counted."""
        address = self.address(peer, forwarded_for, forwarded)
        return network_of(address) or network_of(peer)

    def address(self, peer: str, forwarded_for: str | None, forwarded: str | None) -> str:
        """Return a client's address.

        The last address that is none of our proxies' is the client's: what stands before it is
        what somebody claims. Forwarded (RFC 7239) counts where there is no X-Forwarded-For.
        """
        if not self._trusted or not self.is_trusted(peer):
            return peer
        claimed = _listed(forwarded_for) if forwarded_for else _named(forwarded or "")
        for address in reversed(claimed):
            if not self.is_trusted(address):
                return address
        return claimed[0] if claimed else peer

    def is_trusted(self, address: str) -> bool:
        """Tell whether an address is one of our proxies'."""
        found = _address(address)
        return found is not None and any(found in network for network in self._trusted)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 one, which is what one customer has; else ''."""
    found = _address(address)
    if found is None:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((found, 64), strict=False).network_address)
    return str(found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _listed(header: str) -> list[str]:
    return [part.strip() for part in header.split(",") if part.strip()]


def _named(header: str) -> list[str]:
    """Return the `for=` of each element of Forwarded."""
    found = []
    for element in header.split(","):
        for pair in element.split(";"):
            name, _, value = pair.strip().partition("=")
            if name.lower() == "for" and value:
                found.append(value)
    return found
