"""Politeness where several machines fetch: what one process begins, the others know of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from feedsvc.capture.polite import Busy, Host, Pause, Politeness, why
from feedsvc.capture.stay import POLL, RESPITE, Stay
from feedsvc.errors import Temporary
from feedsvc.model import Turn
from feedsvc.urls import host_of

LATE = 2.0
"""Seconds after its turn in which a request may still be sent."""
LINGER = 0.2
"""Seconds for which the places at a host are kept where nothing is done."""
PATIENCE = 20.0
"""Seconds for which turns are waited for that nobody can be asked for."""
_FAR = 30.0
"""Seconds ahead up to which turns are taken."""
_PATIENCE = 5.0
"""Seconds for which the end waits for a word that is under way."""
_LONG = 5.0
"""Seconds of a pause, learnt from another machine, for which no thread waits."""


class Turns(Protocol):
    """Where machines agree on whose turn it is; raises Temporary where nobody can be asked."""

    def take(
        self, host: str, *, places: int, delay: float, turns: int, slack: float, within: float
    ) -> Turn:
        """Have so many places at the host, and turns that begin within so many seconds.

        After the last one nobody else begins for ``slack`` seconds more.
        """

    def leave(self, hosts: Collection[str]) -> None:
        """Give back the places at these hosts."""

    def hold(self, host: str, seconds: float) -> None:
        """Let nobody begin anything at the host for so long."""


class SharedPoliteness(Politeness):
    """Gives out turns to hosts, as many as all the machines together may have.

    It holds places at a host for as long as this process is busy there, and windows of time
    (`Stay`) in which nobody else begins a request.
    """

    def __init__(
        self,
        turns: Turns,
        *,
        per_host: int,
        delay: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = threading.Condition.wait,
    ) -> None:
        """Allow ``per_host`` requests at a time to a host, their starts ``delay`` seconds apart."""
        super().__init__(per_host=per_host, delay=delay, clock=clock, pause=pause)
        self._turns = turns
        self._stays: dict[str, Stay] = {}
        """Of every host at which there is a place, a window, or a reason not to ask."""
        self._away: float | None = None
        """Since when nobody can be asked for turns."""
        self._leaving: threading.Thread | None = None
        self._closed = threading.Event()

    def hold(self, url: str, seconds: float) -> None:
        """Start nothing at the URL's host for so many seconds, at most a day, on any machine."""
        super().hold(url, seconds)
        with suppress(Temporary):
            # Where nobody can be told, nobody gets turns either.
            self._turns.hold(host_of(url), self.held(url))

    def leave(self, before: float = float("inf")) -> None:
        """Give back the places with which nothing was done since that moment."""
        with self._lock:
            stays = self._stays
            idle = [n for n in self._idle() if stays[n].wanted or stays[n].idle <= before]
            for name in idle:
                self._stays[name].leave()
                # Nobody asks for what is about to be given back.
                self._stays[name].asking = True
        kept = 0
        try:
            if idle:
                self._turns.leave(idle)
        except Temporary:
            # Nobody heard of it: others would wait for these places until their time is up.
            kept = 1
        finally:
            with self._lock:
                for name in idle:
                    self._stays[name].asking = False
                    self._stays[name].places = kept
                    if (host := self._hosts.get(name)) is not None:
                        host.news.notify_all()

    def close(self) -> None:
        """Give back every place with which nothing is done; nobody is told of anything later."""
        self._closed.set()
        leaving = self._leaving
        if leaving is not None:
            leaving.join(_PATIENCE)
        self.leave()

    def _try(self, host: Host, delay: float) -> bool:
        stay = self._stays.setdefault(host.name, Stay())
        if not stay.allows(self._clock(), delay, active=host.active):
            return False
        if not super()._try(host, delay):
            return False
        stay.begun += 1
        return True

    def _latest(self, host: Host) -> float:
        return self._clock() + LATE

    def _done(self, host: Host) -> None:
        if not self._is_free(host):
            return
        self._stays[host.name].idle = self._clock()
        if self._leaving is None and not self._closed.is_set():
            self._leaving = threading.Thread(target=self._linger, name="politeness", daemon=True)
            self._leaving.start()

    def _is_idle(self, host: Host) -> bool:
        return self._is_free(host) and host.name not in self._stays

    def _forget(self) -> None:
        now = self._clock()
        for name, stay in list(self._stays.items()):
            host = self._hosts.get(name)
            free = host is None or self._is_free(host)
            if free and not (stay.places or stay.asking) and stay.again <= now:
                del self._stays[name]
        super()._forget()

    def _is_free(self, host: Host) -> bool:
        return not host.active + host.waiting

    def _idle(self) -> list[str]:
        """Return the hosts with places that nothing is done with; the caller holds the lock."""
        return [
            name
            for name, stay in self._stays.items()
            if stay.places and not stay.asking and self._is_free(self._hosts[name])
        ]

    def _linger(self) -> None:
        """Give places back that nothing is done with any more, until there are none."""
        try:
            while not self._closed.wait(LINGER / 2):
                with self._lock:
                    if not self._idle():
                        self._leaving = None
                        return
                    before = self._clock() - LINGER
                self.leave(before)
        except BaseException:
            self._leaving = None
            raise

    # --- asking -----------------------------------------------------------------------------

    def _advance(
        self, host: Host, delay: float, *, give_up: float, stop: threading.Event | None
    ) -> None:
        """Ask the others if that is of use, else wait once for news."""
        now, stay = self._clock(), self._stays[host.name]
        stopping = stop is not None and stop.is_set()
        full = host.active >= self._per_host
        if stopping or full or host.held > now:
            self._await_turn(host, free=host.free, give_up=give_up, stop=stop)
        elif stay.is_to_ask(now, max(now, host.ready), delay, active=host.active):
            self._ask(host, stay, delay, give_up)
        else:
            free = max(host.free, stay.free(now))
            self._await_turn(host, free=free, give_up=give_up, stop=stop)

    def _ask(self, host: Host, stay: Stay, delay: float, give_up: float) -> None:
        """Ask for places and a window, or give way to who waits; the caller holds the lock."""
        now = self._clock()
        if stay.is_to_give_way:
            stay.leave(again=now + RESPITE)
            with self._asking(host, stay, give_up):
                try:
                    self._turns.leave([host.name])
                except Temporary:
                    stay.places = 1
                    raise
            return
        ask = stay.ask(max(now, host.ready), delay, waiting=host.waiting)
        places = min(self._per_host, host.active + host.waiting)
        within = min(max(give_up - now, 0.0), _FAR)
        with self._asking(host, stay, give_up):
            turn = self._turns.take(
                host.name,
                places=places,
                delay=delay,
                turns=ask.turns,
                slack=ask.slack,
                within=within,
            )
            after = self._clock()
            with self._lock:
                stay.note(ask, turn, began=now, now=after)
                if turn.held:
                    self._learn(host, turn.after)

    def _learn(self, host: Host, seconds: float) -> None:
        """Take note that the host wants no request; raise Busy if it is for long."""
        now = self._clock()
        host.held = max(host.held, now + seconds)
        if seconds > _LONG:
            raise Busy(f"{host.name}: {why(host, now, free=now)}", retry_after=seconds)

    @contextmanager
    def _asking(self, host: Host, stay: Stay, give_up: float) -> Iterator[None]:
        """Run the block without the lock; who cannot be asked is asked again, for a while."""
        stay.asking = True
        self._lock.release()
        failure: Temporary | None = None
        try:
            yield
        except Temporary as error:
            failure = error
        finally:
            self._lock.acquire()
            stay.asking = False
            host.news.notify_all()
        now = self._clock()
        if failure is None:
            self._away = None
            return
        self._away = now if self._away is None else self._away
        stay.again = now + 4 * POLL
        if min(self._away + PATIENCE, give_up) < stay.again:
            raise type(failure)(f"{host.name}: no turn can be had: {failure}") from failure
