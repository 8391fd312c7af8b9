"""What the tests of the guarded client share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.http import Fetcher

MakeFetcher = Callable[..., Fetcher]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@contextmanager
def fetched(fetcher: Fetcher, url: str, **options: Any) -> Iterator[Exchange]:
    """Fetch url and give the body's file back afterwards."""
    exchange = fetcher.fetch(url, **options)
    try:
        yield exchange
    finally:
        exchange.close()
