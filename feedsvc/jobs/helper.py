"""A process beside a capture run that judges and writes, so that two processors are used.

It is started for many captures only, and never needed: whatever it cannot do, or was doing when
it died, is done by the thread that asked. It ends when its pipes do, so it outlives nobody.
"""

from __future__ import annotations

import queue
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from feedsvc.jobs.keep import Kept, Order, keep, portable
from feedsvc.storage.blobs import BlobStore

WORTH = 64
"""Captures due from which on starting a process pays."""
LINES = 4
"""Orders it works on at a time: while the disk takes one, it judges the next."""
WAIT = 0.05
"""Seconds an order waits for a line; then the processor that fetches has time for it."""
_PATIENCE = 5.0


class Helper:
    """One helper process, shared by the threads of a capture run."""

    def __init__(self, archive: BlobStore) -> None:
        pairs = [socket.socketpair() for _ in range(LINES)]
        ends = [theirs.fileno() for _, theirs in pairs]
        command = [sys.executable, "-m", "feedsvc.jobs.helper"]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, *map(str, ends)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=ends,
            # Ctrl-C is for us; we end it once nothing needs it any more.
            start_new_session=True,
        )
        self._working = True
        self._lines: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        for ours, theirs in pairs:
            theirs.close()
            line = Connection(ours.detach())
            # Not on the command line, which everybody on the machine may read.
            with suppress(OSError):
                line.send(archive)
            self._lines.put(line)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def keep(self, order: Order) -> Kept | None:
        """Have an order carried out; None if it has no line free, or cannot: then the caller does."""
        try:
            line = self._lines.get(timeout=WAIT if self._working else 0)
        except queue.Empty:
            return None
        kept: Kept | None = None
        try:
            if travelling := portable(order):
                line.send(travelling)
                kept = line.recv()
        except (EOFError, OSError):
            # It was killed, or never started: its lines are of no use any more.
            self._working = False
            line.close()
            return None
        except BaseException:
            line.close()
            raise
        self._lines.put(line)
        return kept

    def close(self) -> None:
        """Let it end; no thread may be asking it any more."""
        with suppress(queue.Empty):
            while True:
                self._lines.get_nowait().close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serve(line: Connection) -> None:
    """Carry out orders until the line ends; answer None to what cannot be carried out here."""
    with suppress(EOFError, OSError):
        archive: BlobStore = line.recv()
        while True:
            order: Order = line.recv()
            kept: Kept | None = None
            # Whoever asked does it again, and there it fails where it is logged and acted on.
            with suppress(Exception):
                kept = keep(order, archive)
            line.send(kept)


def main(*handles: str) -> None:
    """Serve every line in a thread of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for handle in handles:
        threading.Thread(target=_serve, args=(Connection(int(handle)),)).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
