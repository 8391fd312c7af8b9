"""An engine in this process, and tasks that do what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from feedsvc.fleet.engine import Engine
from feedsvc.fleet.tasks import Tasks
from feedsvc.model import Kind, Task
from feedsvc.runtime import Runtime, utc_now
from tests.fleet.cluster import eventually
from tests.jobs.site import open_site

QUICK = {"enabled": True, "heartbeat": 0.5, "stalled": 2.0}


class Calls(Tasks):
    """Remembers what it was told to do; what is held does not end before it is let go."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, stop=threading.Event())
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.holds: dict[str, threading.Event] = {}
        self.then: Callable[[str], None] = lambda _: None

    def perform(self, kind: Kind, key: str, names: Sequence[str] = ()) -> None:
        self.begun.append(key)
        if held := self.holds.get(key):
            held.wait(timeout=60)
        self.then(key)
        self.ended.append(key)

    def tick(self, name: str, call: Callable[[Runtime], object]) -> None:
        """Nothing happens by itself in these tests."""

    def hold(self, key: str) -> threading.Event:
        """Keep tasks of that key from ending."""
        self.holds[key] = threading.Event()
        return self.holds[key]


class Rig:
    """A runtime of a fleet, and an engine that works on it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.calls = Calls(runtime)
        self.engine = Engine(runtime, self.calls, slots={"control": 1, "feeds": 1, "hosts": 4})

    def put(self, *keys: str) -> None:
        """Queue tasks for hosts."""
        assert self.runtime.queue is not None
        with self.runtime.database.transaction() as store:
            self.runtime.queue.put(store, [Task(Kind.HOST, key) for key in keys])

    def left(self) -> tuple[int, int]:
        """Return how many tasks for hosts wait, and how many run."""
        assert self.runtime.queue is not None
        with self.runtime.database.reading() as store:
            for one in self.runtime.queue.counts(store):
                if one.kind is Kind.HOST:
                    return one.waiting, one.running
        return 0, 0

    def until(self, check: Callable[[], bool], what: str) -> None:
        """Wait for something to come true."""
        eventually(check, seconds=30, what=what)

    def until_done(self, *keys: str) -> None:
        """Wait until tasks have ended and nothing is left."""
        done = sorted(keys)
        self.until(lambda: sorted(self.calls.ended) == done, f"the end of {done}")
        self.until(lambda: self.left() == (0, 0), "an empty queue")


@pytest.fixture
def fleet_runtime(tmp_path: Path, postgresql: str) -> Iterator[Runtime]:
    (tmp_path / "seeds").mkdir()
    with open_site(tmp_path, database=postgresql, now=utc_now, fleet=QUICK) as runtime:
        yield runtime


@pytest.fixture
def rig(fleet_runtime: Runtime) -> Iterator[Rig]:
    """An engine at work."""
    rig = Rig(fleet_runtime)
    rig.engine.start()
    rig.until(lambda: len(rig.engine.numbers) == 3, "three workers in the queue's table")
    yield rig
    for event in rig.calls.holds.values():
        event.set()
    rig.engine.stop()
    assert rig.engine.finish(seconds=30)
