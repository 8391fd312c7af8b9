"""What a task does: one call of one function of jobs, and an end that is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from feedsvc.errors import FeedsvcError
from feedsvc.logs import logger
from feedsvc.model import Kind
from feedsvc.runtime import Runtime

log = logger(__name__)


class Failed(Exception):
    """A task ended badly; why is logged and recorded already."""


class Tasks:
    """The tasks of one process."""

    def __init__(self, runtime: Runtime, *, stop: threading.Event) -> None:
        """``stop``: once set, tasks hand back what they hold and end soon."""
        self._runtime = runtime
        self._stop = stop

    def perform(self, kind: Kind, key: str, names: Sequence[str] = ()) -> None:
        """Do what a task says. Raises Failed; the task is queued again after a pause."""
        try:
            _CALLS[kind](self._runtime, key, names, self._stop)
        except FeedsvcError as error:
            self._failed(kind, key, str(error))
            raise Failed from error
        except Exception as error:
            self._failed(kind, key, f"{type(error).__name__}: {error}", error)
            raise Failed from error

    def tick(self, name: str, call: Callable[[Runtime], object]) -> None:
        """Do what comes again and again; the next tick tries what failed. Raises Failed."""
        try:
            call(self._runtime)
        except FeedsvcError as error:
            log.warning("tick.failed", tick=name, reason=str(error))
            raise Failed from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            log.error("tick.failed", tick=name, reason=reason, exc_info=error)
            raise Failed from error

    def look(self, call: Callable[[Runtime], object]) -> None:
        """Do before its turn what the next tick would do; the tick does what this fails at."""
        if not self._stop.is_set():
            with suppress(Failed):
                self.tick("look", call)

    def _failed(
        self, kind: Kind, key: str, cause: str, unexpected: Exception | None = None
    ) -> None:
        log.error("task.failed", task=str(kind), key=key, reason=cause, exc_info=unexpected)
        # Where the database is away there is nothing to be recorded, and nothing lost by it.
        with suppress(FeedsvcError), self._runtime.database.transaction() as store:
            store.note_failed_task(kind, key, cause=cause, now=self._runtime.now())


def _host(runtime: Runtime, key: str, _names: Sequence[str], stop: threading.Event) -> None:
    from feedsvc.jobs.host_round import work_host

    work_host(runtime, key, stop=stop)


def _publish(runtime: Runtime, key: str, _names: Sequence[str], _stop: threading.Event) -> None:
    from feedsvc.jobs.publish_one import publish_channel

    publish_channel(runtime, key)


def _arrange(runtime: Runtime, _key: str, _names: Sequence[str], _stop: threading.Event) -> None:
    from feedsvc.jobs.publish_one import arrange_feeds

    arrange_feeds(runtime)


def _find(runtime: Runtime, _key: str, _names: Sequence[str], _stop: threading.Event) -> None:
    from feedsvc.jobs.find_seeds import find_seeds

    find_seeds(runtime)


def _load(runtime: Runtime, _key: str, names: Sequence[str], _stop: threading.Event) -> None:
    from feedsvc.jobs.find_seeds import load_seeds

    load_seeds(runtime, tuple(names))


def _push(runtime: Runtime, _key: str, _names: Sequence[str], stop: threading.Event) -> None:
    from feedsvc.jobs.push import push_due

    push_due(runtime, stop=stop)


def _index(runtime: Runtime, _key: str, _names: Sequence[str], stop: threading.Event) -> None:
    from feedsvc.jobs.search import index_articles

    index_articles(runtime, stop=stop)


def _verify(runtime: Runtime, _key: str, _names: Sequence[str], _stop: threading.Event) -> None:
    from feedsvc.jobs.fixity import verify

    for one in verify(runtime).damage:
        log.error(
            "verify.damage", what=one.what, name=one.name, problem=one.problem, remedy=one.remedy
        )


_Call = Callable[[Runtime, str, Sequence[str], threading.Event], None]
_CALLS: Mapping[Kind, _Call] = MappingProxyType(
    {
        Kind.HOST: _host,
        Kind.PUBLISH: _publish,
        Kind.ARRANGE: _arrange,
        Kind.FIND: _find,
        Kind.LOAD: _load,
        Kind.PUSH: _push,
        Kind.INDEX: _index,
        Kind.VERIFY: _verify,
    }
)
