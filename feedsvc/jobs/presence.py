"""A worker's row: that it is there, how its clock goes, and whether others gave it up."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType

from feedsvc import __version__
from feedsvc.errors import FeedsvcError
from feedsvc.jobs.agreement import Disagreement, require_agreement
from feedsvc.jobs.takeover import release
from feedsvc.logs import logger
from feedsvc.model import Worker
from feedsvc.runtime import Runtime
from feedsvc.storage.clock import DatabaseClock

_ASK_EVERY = 60.0
_NOTHING: Mapping[str, str] = MappingProxyType({})

log = logger(__name__)


@contextmanager
def present(runtime: Runtime) -> Iterator[str]:
    """Yield the name under which this process works in a fleet; it gets one if it has none."""
    if runtime.worker is not None:
        yield runtime.worker
        return
    presence = Presence(runtime, numbers=tuple)
    worker = presence.enter()
    presence.start()
    try:
        yield worker
    finally:
        presence.leave()
        runtime.worker = None


def is_present(runtime: Runtime, worker: str) -> bool:
    """Tell whether a worker of that name was heard of lately and not given up."""
    silent = runtime.now() - timedelta(seconds=runtime.settings.fleet.stalled)
    with runtime.database.reading() as store:
        return store.is_alive(worker, since=silent)


class Presence:
    """Says every few seconds that this worker is alive."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        numbers: Callable[[], Collection[int]],
        config: Mapping[str, str] = _NOTHING,
    ) -> None:
        """``numbers``: what the queue calls this worker at the moment.

        ``config``: its configuration, if it is to sort, file and publish.
        """
        self.refused: Disagreement | None = None
        """Why this worker has to end: others with another configuration have its place."""
        self._runtime = runtime
        self._config = config
        self._numbers = numbers
        self._stopping = False
        self._away = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feedsvc-presence", daemon=True)

    def enter(self) -> str:
        """Enter the worker under a new id and return it. Raises Disagreement."""
        runtime = self._runtime
        now = runtime.now()
        worker = Worker(
            id=f"{socket.gethostname()[:40]}.{os.getpid()}.{secrets.token_hex(4)}",
            host=socket.gethostname(),
            pid=os.getpid(),
            release=__version__,
            started=now,
            seen=now,
            skew=self._skew(),
            config=self._config,
        )
        with runtime.database.transaction() as store:
            if self._config:
                store.hold_entrance()
                require_agreement(runtime, store)
            store.put_worker(worker, numbers=self._numbers())
        runtime.worker = worker.id
        return worker.id

    def start(self) -> None:
        """Begin to say so."""
        self._thread.start()

    def stopping(self) -> None:
        """Let everybody see that this worker takes no more tasks."""
        self._stopping = True
        self._speak()

    def leave(self) -> None:
        """Say nothing more, free what is still held, and remove the row."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        worker = self._runtime.worker
        if worker is None:
            return
        try:
            with self._runtime.database.transaction() as store:
                release(store, [worker])
                if self._runtime.queue is not None:
                    self._runtime.queue.hand_back(store, self._numbers())
                store.remove_worker(worker)
        except FeedsvcError as error:
            log.warning("worker.unreleased", reason=str(error), remedy="others will take it over")

    def _run(self) -> None:
        beat = self._runtime.settings.fleet.heartbeat
        since = 0.0
        while not self._ended.wait(beat):
            since += beat
            if self._speak() and since >= _ASK_EVERY:
                since = 0.0
                self._ask()

    def _speak(self) -> bool:
        """Update the row; False if the database is away."""
        runtime = self._runtime
        worker = runtime.worker or ""
        try:
            with runtime.database.transaction() as store:
                known = store.see_worker(
                    worker,
                    now=runtime.now(),
                    skew=self._skew(),
                    stopping=self._stopping,
                    numbers=self._numbers(),
                )
                if known and self._config:
                    require_agreement(runtime, store)
            if not known:
                self._begin_again(worker)
        except Disagreement as error:
            self.refused = error
            return False
        except FeedsvcError as error:
            if not self._away:
                self._away = True
                log.error(
                    "database.away", reason=str(error), remedy="this worker waits and goes on"
                )
            return False
        except Exception as error:
            log.error("presence.failed", reason=f"{type(error).__name__}: {error}", exc_info=error)
            return False
        if self._away:
            self._away = False
            log.info("database.back")
        return True

    def _begin_again(self, worker: str) -> None:
        """Go on under another name: others gave this worker up and have what it held."""
        # Whatever is under way counts for nothing any more.
        self._runtime.cut_connections()
        new = self.enter()
        with self._runtime.database.transaction() as store:
            # Claimed after others gave it up, and before it knew.
            release(store, [worker])
        log.warning(
            "worker.was_given_up",
            worker=worker,
            now=new,
            reason="it was silent for longer than fleet.stalled: paused, or cut off",
        )

    def _ask(self) -> None:
        clock = self._runtime.now
        if isinstance(clock, DatabaseClock):
            clock.ask()

    def _skew(self) -> float:
        clock = self._runtime.now
        return round(clock.skew, 3) if isinstance(clock, DatabaseClock) else 0.0
