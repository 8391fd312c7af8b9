"""httpx's transport seam over a pool of guarded connections.

HTTP/1.1 on purpose. Servers of HTTP/1.1 are everywhere, its header lines keep their spelling, and
httpcore's HTTP/2 waits on locks that know no deadline: a hostile server could hold a thread for
ever by lowering SETTINGS_MAX_CONCURRENT_STREAMS.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpcore
import httpx

KEEPALIVE = 15.0
"""Seconds an idle connection is kept."""


class GuardedTransport(httpx.BaseTransport):
    """httpx's transport over a pool whose connections the guard opens.

    It is used without httpx.Client: cookies, redirects, credentials, proxies from the environment
    and decoding are what a client would add, and here none of them may happen.
    """

    def __init__(
        self, *, backend: httpcore.NetworkBackend, ssl_context: ssl.SSLContext, connections: int
    ) -> None:
        self.pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=connections,
            # httpcore counts busy connections too: less would close ones that are in use again.
            max_keepalive_connections=connections,
            keepalive_expiry=KEEPALIVE,
            http1=True,
            http2=False,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send request and return its response with the body unread; raises httpcore's errors."""
        url = request.url
        response = self.pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Stream(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close the idle connections; those in use are closed by the threads that use them."""
        for connection in self.pool.connections:
            if connection.is_idle():
                connection.close()


class _Stream(httpx.SyncByteStream):
    """The body of a response, still on its connection."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._response.close()


def has_leftover(response: httpx.Response) -> bool:
    """Tell whether bytes came after the body's end: they must not answer the next request.

    httpcore does not look, and gives no public way to; pyproject.toml pins it below 1.1.
    """
    stream = getattr(response.stream, "_response", None)
    for name in ("stream", "_stream", "_connection", "_h11_state", "trailing_data"):
        stream = getattr(stream, name, None)
    return stream is None or bool(stream[0])
