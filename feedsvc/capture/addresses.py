"""Which IP addresses belong to the public Internet. Pure.

`ipaddress.is_global` is no guard: its answer differs between CPython's patch releases and calls
multicast, NAT64 and some clouds' metadata services global. So these lists are our own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA's special-purpose registry, multicast, class E, and one public address that answers with a
# virtual machine's secrets (168.63.129.16, Azure).
_DENIED_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Of IPv6 only global unicast is public, and not all of that: Teredo and other protocol blocks,
# documentation, 6to4.
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_DENIED_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFF_FFFF


def parse(text: str) -> Address | None:
    """Return the address that text spells in the usual way; None for names and odd spellings."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_public(text: str) -> bool:
    """Tell whether text is an address of the public Internet; anything else is not.

    An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo) has to be public itself.
    """
    address = parse(text)
    if address is None or getattr(address, "scope_id", None) is not None:
        return False
    return all(_is_open(inner) for inner in _unwrapped(address))


def _unwrapped(address: Address) -> Iterator[Address]:
    """Yield the addresses a packet to this one may reach: those it embeds, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _NAT64:
        # RFC 6052: translated to the IPv4 address in its last 32 bits, the only way to the
        # IPv4 Internet from a network that has IPv6 alone.
        yield ipaddress.IPv4Address(int(address) & _LOW_32_BITS)
    else:
        yield address


def _is_open(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in _DENIED_4)
    return address in _UNICAST_6 and not any(address in block for block in _DENIED_6)
