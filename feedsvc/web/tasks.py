"""What people asked for by the web, done in the background: one at a time of each kind.

Where a task stands is kept in memory and in a small file, as the process that is asked how far it
is may be another one. Nothing is resumed: what a task does are jobs that may be done again.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from feedsvc.errors import FeedsvcError, Temporary
from feedsvc.logs import logger
from feedsvc.model import Progress
from feedsvc.runtime import Runtime
from feedsvc.text import printable, redacted, without_tokens

FOLDER = "data/admin/tasks"
MOST_WAITING = 20
"""Tasks that wait or run in one process."""
MOST_KEPT = 50
_OFTEN = 0.2
"""Seconds between two notes of how far a task is."""
_LOCK_SECONDS = 1.0
_ID = re.compile(r"[0-9a-f]{32}")
_GOING = frozenset({"waiting", "running"})

log = logger(__name__)


class QueueFull(Exception):
    """So many tasks wait that no more are taken."""


class Stopped(Exception):
    """A task ends because the server does."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task, in words."""

    lines: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    """Label and path below the site's address."""
    fine: bool = True
    """False: not all that was asked for could be done."""


Work = Callable[[Progress, threading.Event], Done]
"""Does it; the event is set when it is to end soon, with what it has begun handed back."""


@dataclass(frozen=True, slots=True)
class Task:
    """Where a task stands."""

    id: str
    kind: str
    title: str
    state: str
    """`waiting`, `running`, `done`, `partial` (not all of it), `failed` or `stopped`."""
    asked: float
    """Seconds since 1970, as all times here."""
    began: float | None = None
    ended: float | None = None
    stage: str = ""
    done: int = 0
    total: int | None = None
    lines: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    process: int = 0

    @property
    def is_going(self) -> bool:
        """True if there is more to come."""
        return self.state in _GOING


@dataclass(slots=True)
class _Order:
    task: Task
    work: Work
    key: object
    noted: float = field(default=0.0)


class Tasks:
    """The tasks of one site, those of this process and what is known of others'."""

    def __init__(
        self, runtime: Runtime, *, now: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        """``new_id`` returns 32 hexadecimal digits that nobody can guess."""
        self._runtime = runtime
        self._folder = runtime.root / FOLDER
        self._now = now
        self._new_id = new_id
        self._changed = threading.Condition()
        self._orders: dict[str, _Order] = {}
        self._waiting: dict[str, deque[_Order]] = {}
        self._threads: set[threading.Thread] = set()
        self.stopping = threading.Event()

    def start(self, kind: str, title: str, work: Work, *, key: object) -> Task:
        """Queue a task and return it, or the one of that kind and key that is not done yet.

        Raises QueueFull.
        """
        with self._changed:
            going = [one for one in self._orders.values() if one.task.is_going]
            for one in going:
                if (one.task.kind, one.key) == (kind, key):
                    return one.task
            if len(going) >= MOST_WAITING or self.stopping.is_set():
                raise QueueFull
            task = Task(
                self._new_id(), kind, title, "waiting", self._seconds(), process=os.getpid()
            )
            order = _Order(task, work, key)
            self._orders[task.id] = order
            self._keep(task)
            is_idle = kind not in self._waiting
            self._waiting.setdefault(kind, deque()).append(order)
            if is_idle:
                thread = threading.Thread(
                    target=self._work_off, args=(kind,), name=f"admin-{kind}", daemon=True
                )
                self._threads.add(thread)
                thread.start()
        self._tidy()
        return task

    def get(self, id_: str) -> Task | None:
        """Return where a task stands, None if there is none or it is long over."""
        if not _ID.fullmatch(id_):
            return None
        with self._changed:
            if id_ in self._orders:
                return self._orders[id_].task
        return self._read(self._folder / f"{id_}.json")

    def recent(self, limit: int) -> list[Task]:
        """Return the latest tasks of all processes, the newest first."""
        known = {one.stem for one in self._files()}
        with self._changed:
            known |= set(self._orders)
        found = [task for id_ in known if (task := self.get(id_)) is not None]
        return sorted(found, key=lambda task: task.asked, reverse=True)[:limit]

    def end(self, seconds: float) -> bool:
        """Take no more tasks and end those that run; False if one takes longer than that.

        Where a server keeps one waiting, the connections of all fetches are cut half-way.
        """
        self.stopping.set()
        if not self._await_end(seconds / 2):
            self._runtime.cut_connections()
        return self._await_end(seconds / 2)

    def _await_end(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        running = list(self._threads)
        for thread in running:
            thread.join(max(deadline - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in running)

    # --- doing ------------------------------------------------------------------------------

    def _work_off(self, kind: str) -> None:
        """Do what waits of one kind, until nothing does."""
        while True:
            with self._changed:
                waiting = self._waiting[kind]
                if not waiting:
                    del self._waiting[kind]
                    self._threads.discard(threading.current_thread())
                    return
                order = waiting.popleft()
            self._do(order)

    def _do(self, order: _Order) -> None:
        kind = order.task.kind
        try:
            with self._alone(kind):
                self._set(order, state="running", began=self._seconds())
                found = order.work(self._progress(order), self.stopping)
            state = "done" if found.fine else "partial"
            if self.stopping.is_set():
                state = "stopped"
            self._end_with(order, state, found.lines, found.links)
        except Stopped:
            self._end_with(order, "stopped", ("The server stopped; ask for it again.",))
        except (FeedsvcError, OSError) as error:
            log.warning("admin.failed", task=kind, reason=str(error))
            self._end_with(order, "failed", (f"{error}",))
        except Exception as error:
            log.exception("admin.broke", task=kind)
            self._end_with(
                order, "failed", (f"unexpected {type(error).__name__}; the log tells more",)
            )

    @contextmanager
    def _alone(self, kind: str) -> Iterator[None]:
        """Let no other process do the same kind meanwhile."""
        while not self.stopping.is_set():
            lock = self._runtime.lock(f"admin-{kind}", wait=_LOCK_SECONDS)
            try:
                lock.__enter__()
            except Temporary:
                continue
            try:
                yield
            finally:
                lock.__exit__(None, None, None)
            return
        raise Stopped

    def _progress(self, order: _Order) -> Progress:
        def tell(stage: str, done: int, total: int | None, detail: str = "") -> None:
            now = time.monotonic()
            if stage != order.task.stage or now - order.noted >= _OFTEN:
                order.noted = now
                self._set(order, stage=_shown(stage), done=done, total=total)

        return tell

    def _end_with(
        self,
        order: _Order,
        state: str,
        lines: tuple[str, ...],
        links: tuple[tuple[str, str], ...] = (),
    ) -> None:
        shown = tuple(_shown(line) for line in lines)
        self._set(order, state=state, ended=self._seconds(), lines=shown, links=links)
        log.info("admin.done", task=order.task.kind, id=order.task.id, state=state)

    def _set(self, order: _Order, **changes: Any) -> None:
        with self._changed:
            order.task = replace(order.task, **changes)
            self._keep(order.task)

    def _seconds(self) -> float:
        return self._now().timestamp()

    # --- files ------------------------------------------------------------------------------

    def _keep(self, task: Task) -> None:
        """Note where a task stands for other processes; a disk that is full does not end it."""
        path = self._folder / f"{task.id}.json"
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            hidden = path.with_suffix(f".{os.getpid()}.part")
            hidden.write_text(json.dumps(asdict(task)), encoding="utf-8")
            hidden.replace(path)

    def _read(self, path: Path) -> Task | None:
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            task = Task(**{one.name: known[one.name] for one in fields(Task)})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        task = replace(
            task, lines=tuple(task.lines), links=tuple((one[0], one[1]) for one in task.links)
        )
        if task.is_going and not _lives(task.process):
            return replace(task, state="stopped", lines=("The server stopped; ask for it again.",))
        return task

    def _files(self) -> list[Path]:
        try:
            return [one for one in self._folder.iterdir() if _ID.fullmatch(one.stem)]
        except OSError:
            return []

    def _tidy(self) -> None:
        """Forget the oldest tasks that are over."""
        with self._changed:
            over = [id_ for id_, one in self._orders.items() if not one.task.is_going]
            for id_ in over[:-MOST_KEPT]:
                del self._orders[id_]
            going = set(self._orders)
        with suppress(OSError):
            files = sorted(self._files(), key=lambda one: one.stat().st_mtime)
            for path in files[:-MOST_KEPT]:
                if path.stem not in going:
                    path.unlink(missing_ok=True)


def stoppable(tell: Progress, stop: threading.Event) -> Progress:
    """Return progress that ends a job which knows no other way, by Stopped, between two steps."""

    def told(stage: str, done: int, total: int | None, detail: str = "") -> None:
        if stop.is_set():
            raise Stopped
        tell(stage, done, total, detail)

    return told


def _shown(text: str) -> str:
    return printable(without_tokens(redacted(text)))[:2000]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
