"""Follow what is published by others: which documents to look up again."""

from __future__ import annotations

import threading
import time

from feedsvc.errors import FeedsvcError
from feedsvc.logs import logger
from feedsvc.storage.database import Database
from feedsvc.storage.listening import listening
from feedsvc.storage.store_feeds import EVERY_FILE, FILES_CHANGED
from feedsvc.web.store_shelf import StoreShelf

CHECK_SECONDS = 15.0
"""All that is held is checked so often: a word that got lost is made up for."""
LOOK_SECONDS = 1.0
"""The same where nobody tells anything (SQLite)."""
SETTLE_SECONDS = 2.0
"""So often what could not be brought up to date is tried again."""
_STEP = 0.5
_AGAIN = (0.1, 0.5, 2.0)

log = logger(__name__)


class Follower:
    """A thread that tells a shelf which of its documents to doubt, until it is stopped."""

    def __init__(self, database: Database, shelf: StoreShelf) -> None:
        self._database = database
        self._shelf = shelf
        self._stop = threading.Event()
        self._checked = self._settled = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="feedsvc-follow", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End within a second."""
        self._stop.set()
        self._thread.join(_STEP * 4)

    def _run(self) -> None:
        tries = 0
        while not self._stop.is_set():
            try:
                if self._database.is_sqlite:
                    self._look()
                else:
                    self._listen()
                tries = 0
            except FeedsvcError as error:
                level = log.warning if not tries else log.debug
                level("feeds.unfollowed", reason=str(error), remedy="what is held is served")
                self._stop.wait(_AGAIN[min(tries, len(_AGAIN) - 1)])
                tries += 1

    def _look(self) -> None:
        self._stop.wait(LOOK_SECONDS)
        self._shelf.doubt_unsettled()
        self._shelf.check()

    def _listen(self) -> None:
        with listening(self._database.url, FILES_CHANGED) as told:
            # What was told while nobody listened.
            self._check()
            while not self._stop.is_set():
                for note in told(_STEP):
                    self._shelf.doubt(None if note == EVERY_FILE else note.split("\n"))
                now = time.monotonic()
                if now - self._settled > SETTLE_SECONDS:
                    self._settled = now
                    self._shelf.doubt_unsettled()
                if now - self._checked > CHECK_SECONDS:
                    self._check()

    def _check(self) -> None:
        self._shelf.check()
        self._checked = time.monotonic()
