"""The service: starts, attends to signals and the watchdog, reloads, ends in time."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from feedsvc.daemon.generation import Generation
from feedsvc.daemon.lock import single_instance
from feedsvc.daemon.notify import READY, STOPPING, WATCHDOG, notify, reloading, watchdog_seconds
from feedsvc.daemon.signals import Signals
from feedsvc.errors import FeedsvcError
from feedsvc.jobs.holder import LOCK_FILE as LOCK_FILE
from feedsvc.logs import logger
from feedsvc.settings import Settings

if TYPE_CHECKING:
    from feedsvc.daemon.web import WebServer

STOP_SECONDS = 6.0
_TICK_SECONDS = 5.0
_RETIRE_SECONDS = 600.0
_SET_BACK_SECONDS = 60.0

log = logger(__name__)


class Service:
    """Scheduler, watcher and web server of one site, in the foreground."""

    def __init__(
        self,
        load: Callable[[], Settings],
        *,
        working: bool,
        serving: bool,
        announce: Callable[[Settings], None],
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        """``load`` reads the settings, now and at each SIGHUP.

        ``working``: ingest, capture and publish by schedule, alone. ``serving``: run the web
        server, on ``sockets`` that already listen or else where the settings say. ``announce`` is
        called once the first feed answers.
        """
        self._load = load
        self._working = working
        self._serving = serving
        self._announce = announce
        self._sockets = tuple(sockets)
        self._signals = Signals()
        self._generation: Generation | None = None
        self._web: WebServer | None = None

    def run(self) -> int:
        """Run until a signal; return the exit code.

        Raises AlreadyRunning, ConfigurationError and what opening the site raises.
        """
        settings = self._load()
        with ExitStack() as stack:
            if self._working:
                stack.enter_context(single_instance(settings.root / LOCK_FILE))
            stack.enter_context(self._signals)
            stack.callback(self._end)
            self._begin(settings)
            self._attend()
            if self._web is not None and self._web.failure is not None:
                raise self._web.failure
        return 0

    def _begin(self, settings: Settings) -> None:
        generation = self._generation = Generation(settings, working=self._working)
        if self._serving:
            self._web = self._new_server(generation)
        notify(READY)
        log.info("service.ready", root=str(settings.root), pid=os.getpid())
        generation.start(then=lambda: self._announce(settings))

    def _new_server(self, generation: Generation) -> WebServer:
        from feedsvc.daemon.web import WebServer
        from feedsvc.web import create_app

        web = generation.settings.web
        server = WebServer(
            create_app(generation.runtime),
            host=web.host,
            port=web.port,
            ended=self._signals.wake,
            sockets=self._sockets,
        )
        server.start()
        return server

    def _attend(self) -> None:
        """Look after everything until it is time to stop."""
        watchdog = watchdog_seconds()
        tick = min(_TICK_SECONDS, watchdog / 3) if watchdog else _TICK_SECONDS
        offset = _wall_offset()
        while not self._signals.stopping and (self._web is None or self._web.is_alive()):
            if self._signals.wait(tick):
                self._reload()
            before, offset = offset, _wall_offset()
            generation = self._generation
            if generation is None:
                return
            if offset < before - _SET_BACK_SECONDS:
                generation.clock_was_set_back()
            if generation.is_alive():
                notify(WATCHDOG)
            else:
                log.critical("scheduler.late", remedy="a supervisor should restart this service")

    def _reload(self) -> None:
        """Take over changed settings; wrong ones are logged, and the old ones stay in force."""
        notify(reloading())
        old = self._generation
        new = None
        try:
            settings = self._load()
            new = Generation(settings, working=self._working)
            if self._serving:
                self._serve_from(new)
        except FeedsvcError as error:
            log.error(
                "settings.refused", reason=str(error), remedy="the settings before stay in force"
            )
            if new is not None:
                new.finish(seconds=0)
        else:
            self._generation = new
            if old is not None:
                old.retire(seconds=_RETIRE_SECONDS)
            new.start(then=lambda: None)
            log.info("settings.reloaded")
        notify(READY)

    def _serve_from(self, generation: Generation) -> None:
        """Answer from another runtime: through the same socket if its address is the same."""
        from feedsvc.web import create_app

        web, old = generation.settings.web, self._web
        if old is not None and (self._sockets or old.address == (web.host, web.port)):
            old.app.replace(create_app(generation.runtime), seconds=STOP_SECONDS)
            return
        self._web = self._new_server(generation)
        if old is not None:
            old.stop(seconds=STOP_SECONDS)

    def _end(self) -> None:
        """Hand back what is in flight and close, within STOP_SECONDS or at once after that."""
        notify(STOPPING)
        log.info("service.stopping")
        deadline = time.monotonic() + STOP_SECONDS
        if self._generation is not None:
            self._generation.stop()
        if self._web is not None:
            self._web.stop(seconds=STOP_SECONDS)
        if self._generation is not None:
            left = max(0.1, deadline - time.monotonic())
            if not self._generation.finish(seconds=left):
                # Nothing counts before it is recorded, so what is cut off here is done again.
                log.warning("service.cut_off", reason=f"a job still ran after {STOP_SECONDS:g} s")
                sys.stdout.flush()
                os._exit(0)
        log.info("service.stopped")


def _wall_offset() -> float:
    return time.time() - time.monotonic()
