"""The thread that pushes: at once when there is news, again and again besides, not after the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedsvc.daemon.pusher import Pusher
from feedsvc.daemon.work import Work
from tests.push_rig import Rig, rig_at
from tests.subscriber import Subscriber, subscriber_at_work

WAIT = 20.0
"""Seconds until a test gives up."""


@contextmanager
def pushing(push: Callable[[], bool], news: threading.Event, *, look: float) -> Iterator[Pusher]:
    pusher = Pusher(push, news=news, look=look)
    pusher.start()
    try:
        yield pusher
    finally:
        pusher.stop()


class Counted:
    """A push that tells how often it was called."""

    def __init__(self) -> None:
        self.calls = threading.Semaphore(0)

    def __call__(self) -> bool:
        self.calls.release()
        return True


def test_what_was_left_over_is_pushed_at_the_start() -> None:
    push = Counted()
    with pushing(push, threading.Event(), look=WAIT):
        assert push.calls.acquire(timeout=WAIT)


def test_news_is_pushed_without_waiting_for_the_next_look() -> None:
    push, news = Counted(), threading.Event()
    with pushing(push, news, look=3600):
        for _ in range(3):
            assert push.calls.acquire(timeout=WAIT)
            news.set()
        assert push.calls.acquire(timeout=WAIT)


def test_what_another_process_noted_is_found_by_looking() -> None:
    push = Counted()
    with pushing(push, threading.Event(), look=0.01):
        for _ in range(3):
            assert push.calls.acquire(timeout=WAIT)


def test_news_that_comes_during_a_push_begins_another() -> None:
    news, began, go_on = threading.Event(), threading.Semaphore(0), threading.Event()

    def push() -> bool:
        began.release()
        return go_on.wait(WAIT)

    with pushing(push, news, look=3600):
        assert began.acquire(timeout=WAIT)
        news.set()
        go_on.set()
        assert began.acquire(timeout=WAIT)


def test_nothing_is_pushed_after_the_end() -> None:
    push, news = Counted(), threading.Event()
    with pushing(push, news, look=3600) as pusher:
        assert push.calls.acquire(timeout=WAIT)
        pusher.stop()
        pusher._thread.join(WAIT)
        news.set()

    assert not pusher._thread.is_alive()
    assert not push.calls.acquire(blocking=False)


# --- with a real site -----------------------------------------------------------------------


@pytest.fixture
def hub() -> Iterator[Subscriber]:
    with subscriber_at_work() as hub:
        yield hub


@pytest.fixture
def rig(tmp_path: Path, hub: Subscriber) -> Iterator[Rig]:
    with rig_at(tmp_path, hubs=(hub.url("/"),)) as rig:
        yield rig


def work_of(rig: Rig) -> Work:
    return Work(rig.runtime, later=lambda name, function, seconds: None)


def test_a_publication_of_the_daemon_is_told_at_once(rig: Rig, hub: Subscriber) -> None:
    work, told = work_of(rig), threading.Event()

    def takes(_heard: object) -> tuple[int, dict[str, str], bytes]:
        told.set()
        return 204, {}, b""

    hub.takes = takes
    rig.seeds.write("a.md")
    with pushing(work.push, rig.runtime.push_news, look=3600):
        work.first()
        assert told.wait(WAIT)
        assert work.finish(seconds=WAIT)


def test_a_push_that_cannot_be_done_at_all_says_so(rig: Rig) -> None:
    work = work_of(rig)
    assert work.push() is True

    work.stop.set()

    assert work.push() is False
