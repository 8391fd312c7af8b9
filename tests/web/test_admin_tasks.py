"""Laws of tasks: one at a time of a kind, a bounded queue, told truly, ended with the server."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from feedsvc.errors import NotFound
from feedsvc.model import Progress
from feedsvc.runtime import Runtime
from feedsvc.web.tasks import (
    FOLDER,
    MOST_KEPT,
    MOST_WAITING,
    Done,
    QueueFull,
    Task,
    Tasks,
    stoppable,
)

NewTasks = Callable[[], Tasks]


@pytest.fixture
def new_tasks(runtime: Runtime) -> Iterator[NewTasks]:
    made: list[Tasks] = []
    numbers = itertools.count(1)

    def make() -> Tasks:
        made.append(Tasks(runtime, now=runtime.now, new_id=lambda: f"{next(numbers):032x}"))
        return made[-1]

    yield make
    for one in made:
        assert one.end(10)


@pytest.fixture
def tasks(new_tasks: NewTasks) -> Tasks:
    return new_tasks()


class Gate:
    """Work that says that it has begun, and waits until it may go on."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self, tell: Progress, stop: threading.Event) -> Done:
        tell("half", 1, 2)
        self.began.set()
        assert self.go_on.wait(10)
        return Done(("well",), (("Label", "/path"),))


def over(tasks: Tasks, task: Task) -> Task:
    """Return a task once it is over."""
    while True:
        found = tasks.get(task.id)
        assert found is not None
        if not found.is_going:
            return found
        threading.Event().wait(0.01)


def test_a_task_tells_how_far_it_is_to_every_process(new_tasks: NewTasks) -> None:
    ours, theirs, gate = new_tasks(), new_tasks(), Gate()
    task = ours.start("a", "A title", gate, key=1)
    assert gate.began.wait(10)
    for seen in (ours.get(task.id), theirs.get(task.id)):
        assert seen is not None
        assert (seen.state, seen.stage, seen.done, seen.total) == ("running", "half", 1, 2)
    gate.go_on.set()
    done = over(ours, task)
    assert (done.state, done.lines, done.links) == ("done", ("well",), (("Label", "/path"),))
    assert theirs.get(task.id) == done
    assert [one.id for one in theirs.recent(5)] == [task.id]


def test_one_of_a_kind_at_a_time_whichever_process_has_it(new_tasks: NewTasks) -> None:
    ours, theirs, first, second, other = new_tasks(), new_tasks(), Gate(), Gate(), Gate()
    one = ours.start("a", "first", first, key=1)
    assert first.began.wait(10)
    two = theirs.start("a", "second", second, key=2)
    three = ours.start("b", "another kind", other, key=1)
    assert other.began.wait(10)
    assert not second.began.is_set()
    waiting = ours.get(two.id)
    assert waiting is not None
    assert waiting.state == "waiting"
    for gate in (first, second, other):
        gate.go_on.set()
    assert {over(ours, each).state for each in (one, two, three)} == {"done"}


def test_the_same_again_is_the_same_task_until_it_is_over(tasks: Tasks) -> None:
    gate = Gate()
    task = tasks.start("a", "A title", gate, key=("x",))
    assert tasks.start("a", "A title", gate, key=("x",)).id == task.id
    gate.go_on.set()
    over(tasks, task)
    assert tasks.start("a", "A title", gate, key=("x",)).id != task.id


def test_the_queue_has_an_end(tasks: Tasks) -> None:
    gate = Gate()
    for number in range(MOST_WAITING):
        last = tasks.start("a", "A title", gate, key=number)
    with pytest.raises(QueueFull):
        tasks.start("a", "A title", gate, key="more")
    gate.go_on.set()
    over(tasks, last)
    tasks.start("a", "A title", gate, key="more")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(NotFound("no such token=geheim1 topic"), "no such token=*** topic", id="ours"),
        pytest.param(OSError(28, "No space left"), "[Errno 28] No space left", id="disk"),
        pytest.param(
            ZeroDivisionError("secret detail"),
            "unexpected ZeroDivisionError; the log tells more",
            id="bug",
        ),
    ],
)
def test_what_fails_says_why_and_the_next_one_goes_on(
    tasks: Tasks, error: Exception, said: str
) -> None:
    def fail(tell: Progress, stop: threading.Event) -> Done:
        raise error

    failed = over(tasks, tasks.start("a", "A title", fail, key=1))
    assert (failed.state, failed.lines) == ("failed", (said,))
    fine = tasks.start("a", "A title", lambda tell, stop: Done(), key=2)
    assert over(tasks, fine).state == "done"


def test_tasks_end_with_the_server(tasks: Tasks) -> None:
    def until_stopped(tell: Progress, stop: threading.Event) -> Done:
        began.set()
        told = stoppable(tell, stop)
        while True:
            told("working", 1, None)
            stop.wait(0.01)

    began = threading.Event()
    running = tasks.start("a", "A title", until_stopped, key=1)
    waiting = tasks.start("a", "A title", until_stopped, key=2)
    assert began.wait(10)
    assert tasks.end(10)
    assert {over(tasks, one).state for one in (running, waiting)} == {"stopped"}
    with pytest.raises(QueueFull):
        tasks.start("a", "A title", until_stopped, key=3)


def test_a_task_of_a_process_that_died_is_not_said_to_run(tasks: Tasks, runtime: Runtime) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(10)
    id_ = "a" * 32
    values: dict[str, Any] = {
        "id": id_,
        "kind": "a",
        "title": "t",
        "state": "running",
        "asked": 1.0,
    }
    values |= {"began": 1.0, "ended": None, "stage": "", "done": 0, "total": None}
    values |= {"lines": [], "links": [["a", "/b"]], "process": process.pid}
    folder = runtime.root / FOLDER
    folder.mkdir(parents=True)
    (folder / f"{id_}.json").write_text(json.dumps(values))
    dead = tasks.get(id_)
    assert dead is not None
    assert (dead.state, dead.links) == ("stopped", (("a", "/b"),))
    (folder / f"{id_}.json").write_text(json.dumps(values | {"process": os.getpid()}))
    living = tasks.get(id_)
    assert living is not None
    assert living.state == "running"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": 1', "\x00"])
def test_a_file_that_is_no_task_is_none(tasks: Tasks, runtime: Runtime, content: str) -> None:
    folder = runtime.root / FOLDER
    folder.mkdir(parents=True)
    (folder / f"{'b' * 32}.json").write_text(content)
    assert tasks.get("b" * 32) is None
    assert tasks.recent(5) == []


def test_old_tasks_are_forgotten(tasks: Tasks, runtime: Runtime) -> None:
    for number in range(MOST_KEPT + 5):
        last = tasks.start("a", "A title", lambda tell, stop: Done(), key=number)
        over(tasks, last)
    assert len(list((runtime.root / FOLDER).iterdir())) <= MOST_KEPT + 1
    assert tasks.recent(1)[0].asked == last.asked
