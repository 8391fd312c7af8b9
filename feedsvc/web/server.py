"""uvicorn on sockets of our own: says which port it got, stops when told."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Sequence

import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp

from feedsvc.errors import ConfigurationError
from feedsvc.logs import logger
from feedsvc.web.reception import Reception

_GRACE_SECONDS = 5
_BACKLOG = 1024
# Every page holds a database connection while it reads: no more threads than the pool has.
_THREADS = 16

log = logger(__name__)


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    ready: Callable[[], None] | None = None,
    stop: threading.Event,
    listening: Callable[[int], None] | None = None,
    sockets: Sequence[socket.socket] = (),
) -> None:
    """Serve ``app`` until ``stop`` is set, then finish what is in flight within five seconds.

    ``ready`` is called once requests are answered, ``listening`` before that with the port
    (port 0 asks for any free one). ``sockets`` that already listen are used in place of the
    address. Installs no signal handlers. Raises ConfigurationError if the address cannot be had.
    """
    sockets = list(sockets) or listen(host, port)
    real_port = sockets[0].getsockname()[1]
    if listening is not None:
        listening(real_port)
    log.info("web.listening", host=host, port=real_port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=Reception,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, ready=ready, stop=stop)

    def run() -> None:
        try:
            server.run(sockets=sockets)
        except BaseException as error:  # noqa: BLE001 - carried over to the calling thread
            server.failure = server.failure or error

    # uvicorn takes the signals over wherever it runs in the main thread; they are the caller's.
    worker = threading.Thread(target=run, name="feedsvc-web", daemon=True)
    worker.start()
    try:
        worker.join()
    finally:
        stop.set()
        worker.join(_GRACE_SECONDS + 2)
        for each in sockets:
            each.close()
    if server.failure is not None:
        raise server.failure


class _Server(uvicorn.Server):
    """A server that looks at an event ten times a second, which uvicorn does anyway."""

    def __init__(
        self, config: uvicorn.Config, *, ready: Callable[[], None] | None, stop: threading.Event
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop = stop
        self.failure: BaseException | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await super().startup(sockets=sockets)
        try:
            if self._ready is not None:
                self._ready()
        except BaseException as error:  # noqa: BLE001 - raised again by serve
            # Stopped in good order: a loop closed over open servers never comes back.
            self.failure = error
            self._stop.set()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for every address of ``host``, all on one port.

    Raises ConfigurationError naming the port, the setting and what to do.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except OSError as error:
        raise ConfigurationError(
            f"web.host {host!r} is not an address of this machine ({error.strerror}); "
            'write "127.0.0.1" for this machine only or "0.0.0.0" for everybody'
        ) from error
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            at = (str(address[0]), sockets[0].getsockname()[1] if sockets else port)
            sockets.append(_bound(family, at))
    except OSError as error:
        for each in sockets:
            each.close()
        raise _explained(error, host, port) from error
    return sockets


def _bound(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    # "::" means everybody, whichever protocol they speak.
    dual = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
    made = socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=dual)
    made.setblocking(False)
    return made


def _explained(error: OSError, host: str, port: int) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"port {port} of {host} is in use by another program (another feedsvc?); stop it, "
            f"or set web.port, for example FEEDSVC_WEB__PORT={port + 1 if port < 65535 else 8080}"
        )
    if error.errno == errno.EACCES:
        return ConfigurationError(
            f"port {port} of {host} may not be used by this user; "
            "set web.port to one from 1024 on, with a proxy in front of it"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigurationError(
            f"web.host {host!r} is not an address of this machine; "
            'write "127.0.0.1" for this machine only or "0.0.0.0" for everybody'
        )
    return ConfigurationError(
        f"cannot listen on port {port} of {host}: {error.strerror}; check web.host and web.port"
    )
