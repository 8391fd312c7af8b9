"""The threads of a capture run: they take claimed captures, one host never too many at a time."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from feedsvc.model import CaptureJob
from feedsvc.urls import host_of

LINGER = 0.04
"""Seconds to wait for more results once there is one: they are recorded together."""
BATCH = 32
"""Results that are enough to be recorded at once."""

T = TypeVar("T")


class Crew(Generic[T]):
    """Works on captures with so many threads; ``work`` never raises."""

    def __init__(self, work: Callable[[CaptureJob], T], *, threads: int, per_host: int) -> None:
        self._work = work
        self._per_host = per_host
        self._waiting: deque[CaptureJob] = deque()
        self._hosts: Counter[str] = Counter()
        """Captures under way, by host."""
        self._flying = 0
        self._ended: list[tuple[CaptureJob, T]] = []
        self._closed = False
        self._lock = threading.Lock()
        self._jobs = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)
        self._threads = [
            threading.Thread(target=self._run, name=f"capture {number}")
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Captures that no thread has begun."""
        return len(self._waiting)

    @property
    def flying(self) -> int:
        """Captures under way."""
        return self._flying

    @property
    def idle(self) -> bool:
        """True if nothing waits, is under way, or ended without being taken."""
        with self._lock:
            return not (self._waiting or self._flying or self._ended)

    def hosts(self) -> Counter[str]:
        """Return how many captures wait or are under way, by host."""
        with self._lock:
            return self._hosts + Counter(host_of(job.url) for job in self._waiting)

    def add(self, jobs: Iterable[CaptureJob]) -> None:
        """Let these captures be worked on as threads and hosts come free, the first first."""
        with self._lock:
            self._waiting.extend(jobs)
            self._jobs.notify_all()

    def drop(self) -> None:
        """Forget the captures that no thread has begun."""
        with self._lock:
            self._waiting.clear()

    def ended(self, *, wait: float) -> list[tuple[CaptureJob, T]]:
        """Take what has ended, after at most ``wait`` seconds; a little later if more is to come."""
        with self._lock:
            self._news.wait_for(lambda: self._ended, timeout=wait)
            if self._ended:
                until = time.monotonic() + LINGER
                while self._flying and len(self._ended) < BATCH:
                    left = until - time.monotonic()
                    if left <= 0 or not self._news.wait(left):
                        break
            ended, self._ended = self._ended, []
            return ended

    def close(self) -> None:
        """Forget what waits, and return when what is under way has ended."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._jobs.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            result = self._work(job)
            with self._lock:
                self._hosts[host_of(job.url)] -= 1
                self._flying -= 1
                self._ended.append((job, result))
                self._jobs.notify()
                if len(self._ended) in {1, BATCH} or not self._flying:
                    self._news.notify_all()

    def _next(self) -> CaptureJob | None:
        """Wait for a capture whose host has room; None once the crew is closed."""
        with self._lock:
            while not self._closed:
                for place, job in enumerate(self._waiting):
                    host = host_of(job.url)
                    if self._hosts[host] < self._per_host:
                        del self._waiting[place]
                        self._hosts[host] += 1
                        self._flying += 1
                        return job
                self._jobs.wait()
        return None
