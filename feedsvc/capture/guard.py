"""The guard: every connection of a capture goes through here, and only to public addresses.

A name is looked up once, all its addresses are checked, and the connection is made to a checked
address by its number. So neither a second DNS answer nor an odd spelling nor a redirect leads
anywhere else. ``allow_hosts`` (exact "host:port") is the only exception.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, wait
from typing import Any
from urllib.parse import urlsplit

import httpcore

from feedsvc.capture.addresses import is_public, parse
from feedsvc.errors import (
    CaptureFailed,
    CaptureRefused,
    ConfigurationError,
    HostUnknown,
    TurnPassed,
)
from feedsvc.urls import DEFAULT_PORTS, InvalidURL, absolute

PORTS = frozenset({80, 443, 8080, 8443})
MAX_ADDRESSES = 6
CONNECT_SECONDS = 5.0
"""For one of several addresses, so that a dead one leaves time for the next."""
MAX_LOOKUPS = 64
LOOK = 0.25
"""Seconds between two looks at whether feedsvc is stopping, while DNS is asked."""

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port in; addresses out; OSError if there are none."""

# What a browser escapes in an address before it asks for it (WHATWG URL, query percent-encode set).
_ESCAPED = str.maketrans({char: f"%{ord(char):02X}" for char in ' "<>\\^`{|}'})


def authority(host: str, port: int) -> str:
    """Return "host:port", with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


ALLOW_HOSTS = "archive.allow_hosts"
"""The setting that lists what may be private, unless a caller has a list of its own."""


def trusted_hosts(allow_hosts: Collection[str], *, setting: str = ALLOW_HOSTS) -> frozenset[str]:
    """Return ``allow_hosts`` in the form it is compared in; raise ConfigurationError."""
    trusted = set()
    for entry in allow_hosts:
        try:
            parts = urlsplit(f"//{entry.strip().lower()}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port or parts.path or parts.username is not None:
            raise ConfigurationError(
                f"{setting}: {entry!r} is not of the form host:port; "
                "write each trusted server with its port, such as 127.0.0.1:8000"
            )
        trusted.add(authority(host, port))
    return frozenset(trusted)


def trusted_by_url(url: str) -> str:
    """Return "host:port" of an http(s) URL, as lists of trusted servers have it."""
    parts = urlsplit(url)
    return authority((parts.hostname or "").lower(), parts.port or DEFAULT_PORTS[parts.scheme])


def fetchable(url: str, *, trusted: Collection[str], setting: str = ALLOW_HOSTS) -> str:
    """Return the URL as it goes over the wire: ASCII, a path, no fragment; raise CaptureRefused.

    Refused are other schemes than http and https, user names and passwords, control characters,
    and ports that web servers do not use, unless ``trusted`` names the server.
    """
    try:
        parts = urlsplit(absolute(url.strip().translate(_ESCAPED)))
    except InvalidURL as error:
        raise CaptureRefused(f"this address is not fetched because {error}") from error
    port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if port not in PORTS and authority(parts.hostname or "", port) not in trusted:
        raise CaptureRefused(
            f"port {port} is not fetched; only {', '.join(map(str, sorted(PORTS)))} are, "
            f"and servers listed in {setting}"
        )
    return parts._replace(path=parts.path or "/", fragment="").geturl()


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Return the addresses the operating system knows for a name, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class RequestClock(threading.local):
    """What is left of the current request's time; each thread works on one request at a time."""

    deadline: float = float("inf")
    connects: int = 0
    send_by: float = float("inf")

    def start(self, deadline: float, *, send_by: float = float("inf")) -> None:
        """Begin a request that must be over at ``deadline`` on the monotonic clock.

        Nothing of it is sent after ``send_by`` that was not begun before.
        """
        self.deadline = deadline
        self.connects = 0
        self.send_by = send_by

    def sending(self) -> None:
        """Raise TurnPassed unless the request's head may still be sent."""
        if time.monotonic() > self.send_by:
            raise TurnPassed("its turn passed before it could be sent")
        self.send_by = float("inf")

    def bound(self, timeout: float | None) -> float | None:
        """Return the shorter of timeout and the time left; raise TimeoutError if none is left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if timeout is not None and timeout < left:
            return timeout
        return left if left != float("inf") else None


class OpenSockets:
    """Every socket in use, so that closing can wake the threads that wait for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.closing = False

    def add(self, sock: socket.socket) -> None:
        """Remember a socket until it is gone; raise CaptureFailed when closing."""
        with self._lock:
            if self.closing:
                sock.close()
                raise CaptureFailed("feedsvc is stopping")
            self._sockets.add(sock)

    def shut(self) -> None:
        """End every transfer that is under way, and let no new one begin."""
        with self._lock:
            self.closing = True
            for sock in list(self._sockets):
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own method: it takes the TLS state from under a reader.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


class GuardedStream(httpcore.NetworkStream):
    """A connection whose every operation ends at the request's deadline.

    A timeout for each read alone would let a server hold a request for ever, byte by byte.
    """

    def __init__(
        self, sock: socket.socket, *, address: str, clock: RequestClock, sockets: OpenSockets
    ) -> None:
        self._sock = sock
        self._clock = clock
        self._sockets = sockets
        self.address = address

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there; raise httpcore.ReadTimeout or ReadError."""
        try:
            self._sock.settimeout(self._clock.bound(timeout))
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of buffer; raise httpcore.WriteTimeout or WriteError."""
        if not buffer:  # httpcore ends every request with two empty writes
            return
        self._clock.sending()
        try:
            self._sock.settimeout(self._clock.bound(timeout))
            self._sock.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(error) from error
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands; the certificate must be valid for the URL's host name, not the address."""
        try:
            left = self._clock.bound(timeout)
            self._sock = ssl_context.wrap_socket(
                self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            self._sockets.add(self._sock)
            self._sock.settimeout(left)
            self._sock.do_handshake()
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout(error) from error
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can hold
            self.close()
            raise httpcore.ConnectError(error) from error
        return self

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks: whether an idle connection was closed by the server."""
        if info == "is_readable":
            return _is_readable(self._sock)
        return self._sock.getpeername() if info == "server_addr" else None


class GuardedBackend(httpcore.NetworkBackend):
    """Opens the connections of a pool; private addresses and Unix sockets are refused."""

    def __init__(
        self,
        *,
        trusted: Collection[str],
        resolve: Resolver,
        clock: RequestClock,
        setting: str = ALLOW_HOSTS,
    ) -> None:
        """``setting`` is named to whoever wants a private server to be ``trusted``."""
        self._setting = setting
        self._trusted = frozenset(trusted)
        self._resolve = resolve
        self._clock = clock
        self.sockets = OpenSockets()
        self._lookups = threading.BoundedSemaphore(MAX_LOOKUPS)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a checked address of host; raise CaptureRefused, CaptureFailed or httpcore's."""
        self._clock.connects += 1
        addresses = self._lookup(host, port, timeout)
        if authority(host, port) not in self._trusted:
            refuse_private(host, addresses, setting=self._setting)
        failure: Exception | None = None
        for address in addresses[:MAX_ADDRESSES]:
            try:
                left = self._clock.bound(timeout)
                if len(addresses) > 1:
                    left = CONNECT_SECONDS if left is None else min(left, CONNECT_SECONDS)
                return self._connect(address, port, left)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise httpcore.ConnectTimeout(failure) from failure
        if failure is not None:
            raise httpcore.ConnectError(failure) from failure
        raise CaptureFailed(f"DNS has no address for {host}")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Refuse: no page is fetched from a socket of this machine."""
        raise CaptureRefused("Unix sockets are not fetched")

    def _connect(self, address: str, port: int, timeout: float | None) -> GuardedStream:
        """Connect to an address by its number, and see that it is the other end; raise OSError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        self.sockets.add(sock)
        try:
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect((address, port))
            peer = str(sock.getpeername()[0])
            if parse(peer) != parse(address):
                raise CaptureRefused(f"connected to {peer} instead of {address}")
        except BaseException:
            sock.close()
            raise
        return GuardedStream(sock, address=address, clock=self._clock, sockets=self.sockets)

    def _lookup(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        """Return the addresses of host after one lookup within the time left."""
        literal = parse(host)
        if literal is not None:
            return (str(literal),)
        try:
            return self._ask(host, port, self._clock.bound(timeout))
        except TimeoutError as error:
            raise CaptureFailed(f"DNS gave no answer for {host} in time") from error
        except socket.gaierror as error:
            raise _dns_failure(host, error) from error
        except (OSError, UnicodeError) as error:
            raise CaptureFailed(f"DNS cannot look up {host}: {error}") from error

    def _ask(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        """Look up host in a thread of its own: getaddrinfo knows no timeout.

        The thread is a daemon, so that a resolver that hangs cannot keep the process from ending.
        """
        if not self._lookups.acquire(timeout=timeout):
            raise TimeoutError
        answer: Future[Sequence[str]] = Future()

        def work() -> None:
            try:
                answer.set_result(self._resolve(host, port))
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                answer.set_exception(error)
            finally:
                self._lookups.release()

        threading.Thread(target=work, name=f"dns {host}", daemon=True).start()
        until = float("inf") if timeout is None else time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0 and not self.sockets.closing:
            # In slices, so that stopping does not wait for a resolver.
            done, _ = wait([answer], timeout=min(left, LOOK))
            if done:
                return answer.result()
        raise TimeoutError


def _is_readable(sock: socket.socket) -> bool:
    """Tell whether there is something to read, an end included; a closed socket counts too."""
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def refuse_private(host: str, addresses: Sequence[str], *, setting: str = ALLOW_HOSTS) -> None:
    """Raise CaptureRefused if a single one of the addresses is not public."""
    private = [address for address in addresses if not is_public(address)]
    if private:
        where = host if private == [host] else f"{host} ({', '.join(private[:3])})"
        raise CaptureRefused(
            f"{where} is not an address of the public Internet; if it is a server of yours, "
            f"list it in {setting}"
        )


def _dns_failure(host: str, error: socket.gaierror) -> CaptureFailed:
    if error.errno in _NO_SUCH_NAME:
        return HostUnknown(f"the name {host} was not found in DNS")
    if error.errno == socket.EAI_AGAIN:
        return CaptureFailed(f"DNS did not answer for {host}")
    return CaptureFailed(f"DNS cannot look up {host}: {error.strerror}")


_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
"""DNS says that there is no such name, or that it has no address; any other error may pass."""
