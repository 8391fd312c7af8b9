"""A network between two programs that a test may cut, stall and mend."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from enum import Enum


class State(Enum):
    """What happens to what is sent."""

    OPEN = "everything arrives"
    CUT = "connections break, and none can be made"
    STALLED = "nothing arrives, and nobody is told"


class Relay:
    """Listens on loopback and passes on to another port, while it is open."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._state = State.OPEN
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def set(self, state: State) -> None:
        """Open, cut or stall it."""
        with self._lock:
            self._state = state
            if state is State.CUT:
                for pair in self._pairs:
                    _break(pair)

    def close(self) -> None:
        """End every connection and listen no more."""
        self._closed.set()
        self.set(State.CUT)
        # A thread that waits in accept() is woken by this alone.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            with self._lock:
                if self._state is State.CUT:
                    near.close()
                    continue
                thread = threading.Thread(target=self._pass_on, args=(near,), daemon=True)
                self._threads = [*(one for one in self._threads if one.is_alive()), thread]
            thread.start()

    def _pass_on(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=10)
            far.settimeout(None)
            with far:
                pair = (near, far)
                with self._lock:
                    self._pairs.add(pair)
                    if self._state is State.CUT:
                        _break(pair)
                try:
                    self._shovel(pair)
                finally:
                    with self._lock:
                        self._pairs.discard(pair)

    def _shovel(self, pair: tuple[socket.socket, socket.socket]) -> None:
        while not self._closed.is_set():
            readable, _, _ = select.select(pair, (), (), 0.1)
            if self._state is State.STALLED:
                self._closed.wait(0.05)
                continue
            for one in readable:
                data = one.recv(65536)
                if not data:
                    return
                pair[1 - pair.index(one)].sendall(data)


def _break(pair: tuple[socket.socket, socket.socket]) -> None:
    for one in pair:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
