"""Politeness: few requests at a time to one host, with pauses, and none before it wants one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from feedsvc.errors import CaptureFailed
from feedsvc.urls import host_of

LONGEST_HOLD = 24 * 3600.0
REMEMBERED = 10_000
"""Hosts remembered at most; beyond that those that are free soonest are forgotten."""
_SWEEP = 256
_LOOK = 0.25
"""Seconds between two looks at ``stop`` while waiting."""

Pause = Callable[[threading.Condition, float | None], object]
"""Wait for news of a host, at most so many seconds."""


class Busy(CaptureFailed):
    """No turn came in time; ``retry_after`` says in how many seconds one may."""


@dataclass(slots=True)
class Host:
    """What is known of a host."""

    name: str
    news: threading.Condition
    active: int = 0
    waiting: int = 0
    ready: float = 0.0
    """When the next request may start, on the clock of Politeness."""
    held: float = 0.0
    """Until when the host wants none."""

    @property
    def free(self) -> float:
        """When the next request may start, whatever forbids it."""
        return max(self.ready, self.held)


class Politeness:
    """Gives out turns to hosts; one for the whole process, used by many threads."""

    def __init__(
        self,
        *,
        per_host: int,
        delay: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Pause = threading.Condition.wait,
    ) -> None:
        """Allow ``per_host`` requests at a time to a host, their starts ``delay`` seconds apart."""
        self._per_host = per_host
        self._delay = delay
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}
        self._sweep_at = _SWEEP

    @contextmanager
    def slot(
        self,
        url: str,
        *,
        wait: float | None = None,
        delay: float | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[float]:
        """Hold one of the host's places while the block runs; yield until when it may be used.

        Raises Busy if none comes free within ``wait`` seconds (None: for ever) or once ``stop``
        is set. A ``delay`` longer than the usual one, as robots.txt may ask for, replaces it.
        """
        name = host_of(url)
        pause = max(self._delay, delay or 0.0)
        host = self._take(name, wait=wait, delay=pause, stop=stop)
        try:
            yield self._latest(host)
        finally:
            with self._lock:
                host.active -= 1
                host.news.notify()
                self._done(host)

    def hold(self, url: str, seconds: float) -> None:
        """Start nothing at the URL's host for so many seconds, at most a day."""
        with self._lock:
            host = self._host(host_of(url))
            host.held = max(host.held, self._clock() + min(max(seconds, 0.0), LONGEST_HOLD))

    def held(self, url: str) -> float:
        """Return for how many seconds `hold` keeps the host from being asked, 0.0 if it does not."""
        with self._lock:
            host = self._hosts.get(host_of(url))
            return 0.0 if host is None else max(0.0, host.held - self._clock())

    def __len__(self) -> int:
        """Return how many hosts are remembered."""
        return len(self._hosts)

    def _take(
        self, name: str, *, wait: float | None, delay: float, stop: threading.Event | None
    ) -> Host:
        give_up = float("inf") if wait is None else self._clock() + wait
        with self._lock:
            host = self._host(name)
            host.waiting += 1
            try:
                while not self._try(host, delay):
                    self._advance(host, delay, give_up=give_up, stop=stop)
            except BaseException:
                # A wake-up meant for one place must not end with a thread that no longer wants it.
                host.news.notify()
                raise
            finally:
                host.waiting -= 1
            return host

    def _try(self, host: Host, delay: float) -> bool:
        now = self._clock()
        if host.active >= self._per_host or now < host.free:
            return False
        host.active += 1
        host.ready = now + delay
        return True

    def _advance(
        self, host: Host, delay: float, *, give_up: float, stop: threading.Event | None
    ) -> None:
        """Do what may bring the host's next turn nearer: wait once for news."""
        self._await_turn(host, free=host.free, give_up=give_up, stop=stop)

    def _latest(self, host: Host) -> float:
        """Return the moment after which a turn that is had now has passed unused."""
        return float("inf")

    def _done(self, host: Host) -> None:
        """Note that a place came free; the caller holds the lock."""

    def _is_idle(self, host: Host) -> bool:
        return not host.active + host.waiting

    def _await_turn(
        self, host: Host, *, free: float, give_up: float, stop: threading.Event | None
    ) -> None:
        """Wait once for news; raise Busy if there is no use in it."""
        now = self._clock()
        left = max(0.0, free - now)
        if stop is not None and stop.is_set():
            raise Busy(f"{host.name}: stopping before its turn came", retry_after=left)
        if now + left > give_up or (left == 0.0 and now >= give_up):
            raise Busy(f"{host.name}: {why(host, now, free=free)}", retry_after=left)
        longest = min(left or float("inf"), give_up - now, float("inf") if stop is None else _LOOK)
        self._pause(host.news, None if longest == float("inf") else longest)

    def _host(self, name: str) -> Host:
        """Return what is known of a host; the caller holds the lock."""
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= self._sweep_at:
                self._forget()
            host = self._hosts[name] = Host(name, threading.Condition(self._lock))
        return host

    def _forget(self) -> None:
        """Drop hosts that nothing is owed to, and the least held ones where there are too many."""
        now = self._clock()
        idle = {name: host for name, host in self._hosts.items() if self._is_idle(host)}
        drop = [name for name, host in idle.items() if host.free <= now]
        surplus = len(self._hosts) - len(drop) - REMEMBERED
        if surplus >= 0:
            held = sorted(idle.keys() - set(drop), key=lambda name: idle[name].free)
            drop += held[: surplus + REMEMBERED // 10]
        for name in drop:
            del self._hosts[name]
        self._sweep_at = max(_SWEEP, min(2 * len(self._hosts), REMEMBERED))


def why(host: Host, now: float, *, free: float) -> str:
    """Say what keeps a request from starting."""
    if host.held > now:
        return f"the server wants no request for another {host.held - now:.0f} s"
    if free > now:
        return f"the next request may start in {free - now:.1f} s"
    return f"{host.active} requests are under way already"
