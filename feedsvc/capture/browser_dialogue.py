"""One page led through a browser's process: opened, settled, scrolled, read."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from feedsvc.capture.browser_child import Child
from feedsvc.capture.browser_protocol import Ask, Broken, Crashed, Done, Dropped, Part, Ready
from feedsvc.capture.browser_requests import Answer, Requests
from feedsvc.capture.browser_view import Rendered
from feedsvc.capture.causes import shown
from feedsvc.errors import CaptureFailed

STARTING = 60.0
"""Seconds a browser has to start."""
_LOOK = 0.1
_RESTLESS = 30.0
"""Seconds after which a page that asks and asks is not waited for; it will never be quiet."""
_MEASURE = 0.25
"""Seconds between two looks at the memory in use."""


class PageFailed(CaptureFailed):
    """The page is to blame, the browser is fine."""


@dataclass(slots=True)
class Visit:
    """One page: what it is allowed, and what has come of it."""

    url: str
    requests: Requests
    stop: threading.Event
    closing: threading.Event
    began: float = field(default_factory=time.monotonic)
    parts: dict[str, bytes] = field(default_factory=dict)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.requests.deadline - time.monotonic()

    def check(self) -> None:
        """Raise what ends this visit before its time."""
        if self.stop.is_set() or self.closing.is_set():
            raise CaptureFailed("stopped before the capture was done")
        if self.requests.fatal is not None:
            raise self.requests.fatal


@dataclass(slots=True)
class Dialogue:
    """Leads a child through one page."""

    child: Child
    visit: Visit
    pool: ThreadPoolExecutor
    _done: dict[str, str] = field(default_factory=dict)
    _measured: float = 0.0

    def lead(self, user_agent: str) -> Rendered:
        """Return what the page shows; raise PageFailed if it is to blame, else what went wrong."""
        ready = self._ready()
        visit = self.visit
        agent = f"{ready.user_agent} {user_agent}".strip()
        left = visit.left()
        opening = {"do": "open", "url": visit.url, "user_agent": agent, "seconds": left}
        problem = self._step(opening, left)
        limits = visit.requests.page_limits
        if not visit.requests.documents():
            self._leave()
            raise _failure(visit, problem)
        self._settle(visit.left() * 0.5)
        seconds = limits.scroll_seconds
        self._step({"do": "scroll", "seconds": seconds}, seconds + 5)
        self._settle(visit.left() * 0.8)
        seconds = limits.read_seconds
        problem = self._step({"do": "read", "seconds": seconds}, 8 * seconds + 10)
        self._leave()
        if "text" not in visit.parts or "dom" not in visit.parts:
            raise Broken(f"{shown(visit.url)}: the browser could not read the page: {problem}")
        return Rendered(
            text=visit.parts["text"].decode("utf-8", "replace"),
            dom=visit.parts["dom"],
            view=visit.parts.get("view", b""),
            thumbnail=visit.parts.get("thumbnail", b""),
            browser=ready.version,
        )

    def _ready(self) -> Ready:
        end = time.monotonic() + STARTING
        while self.child.ready is None:
            if time.monotonic() > end:
                raise Broken(f"the browser did not start in {STARTING:.0f} s")
            self._listen(_LOOK)
        return self.child.ready

    def _step(self, message: dict[str, object], limit: float) -> str:
        """Have a step done; return what went wrong in it."""
        step = str(message["do"])
        self._done.pop(step, None)
        self.child.line.say(message)
        end = time.monotonic() + limit + 2
        while step not in self._done:
            if time.monotonic() > end:
                raise Broken(f"{shown(self.visit.url)}: the browser hangs at the step {step!r}")
            self._listen(_LOOK)
        return self._done[step]

    def _settle(self, limit: float) -> None:
        """Wait until nothing is asked and nothing is to come."""
        requests, began = self.visit.requests, time.monotonic()
        while not requests.is_quiet() and time.monotonic() - began < limit:
            if time.monotonic() - began > _RESTLESS and not requests.is_held_up():
                return
            self._listen(_LOOK / 2)

    def _leave(self) -> None:
        self.visit.requests.close()
        self._step({"do": "close"}, 10.0)

    def _listen(self, wait: float) -> None:
        """Hear one message, if there is one, and do what it says."""
        self.visit.check()
        self._measure()
        said = self.child.line.hear(wait=wait)
        if isinstance(said, Ask):
            self.visit.requests.expect(said)
            self.pool.submit(self._answer, said)
        elif isinstance(said, Dropped):
            self.visit.requests.over(said.number)
        elif isinstance(said, Part):
            self.visit.parts[said.name] = said.data
        elif isinstance(said, Done):
            self._done[said.step] = said.problem
        elif isinstance(said, Ready):
            self.child.ready = said
        elif isinstance(said, Crashed):
            raise Broken(f"{shown(self.visit.url)}: {said.reason}")

    def _answer(self, ask: Ask) -> None:
        answer = self.visit.requests.perform(ask)
        with suppress(Broken):  # whoever listens finds out
            if isinstance(answer, Answer):
                head = {"status": answer.status, "headers": answer.headers}
                self.child.line.say({"answer": ask.number, **head}, answer.body)
            else:
                self.child.line.say({"answer": ask.number, "refused": answer.reason})
        self.visit.requests.over(ask.number)

    def _measure(self) -> None:
        now = time.monotonic()
        if now - self._measured < _MEASURE:
            return
        self._measured = now
        used = self.child.family.memory()
        if used > self.child.memory:
            raise Broken(
                f"{shown(self.visit.url)}: the page used up the browser's memory ({used >> 20} MiB)"
            )


def _failure(visit: Visit, problem: str) -> CaptureFailed:
    failure = visit.requests.failure
    if isinstance(failure, CaptureFailed):
        return PageFailed(str(failure), retry_after=failure.retry_after)
    reason = str(failure) if failure else f"{shown(visit.url)}: {problem or 'no answer'}"
    return PageFailed(reason)
