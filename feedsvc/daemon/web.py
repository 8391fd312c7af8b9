"""The web server as a part of the service: in a thread, its app replaceable while it runs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from feedsvc.errors import FeedsvcError
from feedsvc.logs import logger
from feedsvc.web.server import serve

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from feedsvc.web.door import Fields, Quick, QuickAnswer

_START_SECONDS = 30.0

log = logger(__name__)


class SwitchableApp:
    """Hands requests to the present app; a replaced one answers what it has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._quick: Quick | None = getattr(app, "quick", None)
        self._busy: dict[int, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app
        self._busy[id(app)] = self._busy.get(id(app), 0) + 1
        try:
            await app(scope, receive, send)
        finally:
            self._busy[id(app)] -= 1

    def quick(self, target: bytes, fields: Fields, peer: str) -> QuickAnswer | None:
        """Answer a GET at once if the present app can, see Door.quick."""
        return self._quick(target, fields, peer) if self._quick is not None else None

    def largest(self, target: bytes) -> int:
        """Return how many bytes a POST may have, see Door.largest."""
        largest: Callable[[bytes], int] | None = getattr(self._app, "largest", None)
        return largest(target) if largest is not None else 0

    def end(self, *, seconds: float) -> None:
        """End what the present app does in the background."""
        _end(self._app, seconds)

    def replace(self, app: ASGIApp, *, seconds: float) -> None:
        """Use another app from now on; wait for what the old one is at."""
        old, self._app = self._app, app
        self._quick = getattr(app, "quick", None)
        deadline = time.monotonic() + seconds
        _end(old, seconds)
        while self._busy.get(id(old), 0) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._busy.pop(id(old), None)


def _end(app: ASGIApp, seconds: float) -> None:
    end: Callable[[float], bool] | None = getattr(app, "end", None)
    if end is not None and not end(seconds):
        log.warning("admin.cut_off", reason=f"a task still ran after {seconds:g} s")


class WebServer:
    """uvicorn in a thread."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        ended: Callable[[], None],
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """``ended`` is called when the server ends, whether or not it was asked to.

        ``sockets`` listen already, in place of the address.
        """
        self.app = SwitchableApp(app)
        self.address = (host, port)
        self._sockets = tuple(sockets)
        self.failure: BaseException | None = None
        self._ended = ended
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedsvc-server", daemon=True)

    def start(self) -> None:
        """Return once requests are answered; raise what keeps it from that."""
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        if self.failure is not None:
            raise self.failure
        if not self._thread.is_alive():
            raise FeedsvcError("the web server ended at once; see the log above")

    def is_alive(self) -> bool:
        """Tell whether it still serves."""
        return self._thread.is_alive()

    def stop(self, *, seconds: float) -> None:
        """Finish what is in flight, then close the socket."""
        deadline = time.monotonic() + seconds
        self._stop.set()
        self.app.end(seconds=seconds)
        self._thread.join(timeout=max(deadline - time.monotonic(), 0.1))

    def _run(self) -> None:
        host, port = self.address
        try:
            serve(
                self.app,
                host=host,
                port=port,
                ready=self._ready.set,
                stop=self._stop,
                sockets=self._sockets,
            )
        except BaseException as error:  # noqa: BLE001 - raised again in start(), or told by the service
            self.failure = error
        finally:
            self._ready.set()
            self._ended()
