"""Telling hubs and subscribers at once: a thread that waits for news instead of for its turn."""

from __future__ import annotations

import threading
from collections.abc import Callable

LOOK_SECONDS = 1.0
"""What another process left to be told, or what is tried again, is found after so long."""
RETRY_SECONDS = 30.0
"""After a push that failed as a whole: the database is away, say."""


class Pusher:
    """A thread that pushes whenever ``news`` is set, and looks besides."""

    def __init__(
        self,
        push: Callable[[], bool],
        *,
        news: threading.Event,
        look: float = LOOK_SECONDS,
    ) -> None:
        """``push`` never raises; it returns False if nothing could be done."""
        self._push = push
        self._news = news
        self._look = look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedsvc-push", daemon=True)

    def start(self) -> None:
        """Begin with what was left over."""
        self._thread.start()

    def stop(self) -> None:
        """Push nothing more; what is under way is not waited for."""
        self._stopping.set()
        self._news.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Before the push: what comes while it runs begins another.
            self._news.clear()
            if self._stopping.is_set():
                return
            if self._push():
                self._news.wait(self._look)
            else:
                self._stopping.wait(RETRY_SECONDS)
