"""Laws of politeness."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise

import pytest

from feedsvc.capture.polite import LONGEST_HOLD, REMEMBERED, Busy, Politeness
from feedsvc.errors import CaptureFailed

A, B = "http://a.example/1", "https://b.example/1"


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, _: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "a single thread would wait for ever"
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def polite(clock: Clock, *, per_host: int = 2, delay: float = 1.0) -> Politeness:
    return Politeness(per_host=per_host, delay=delay, clock=clock, pause=clock.pause)


def test_starts_at_one_host_are_apart(clock: Clock) -> None:
    politeness, starts = polite(clock), []
    for _ in range(4):
        with politeness.slot(A):
            starts.append(clock.now)
    assert starts == [1000.0, 1001.0, 1002.0, 1003.0]


def test_other_hosts_are_not_waited_for(clock: Clock) -> None:
    politeness = polite(clock)
    with politeness.slot(A), politeness.slot(B), politeness.slot("http://a.example:8080/"):
        assert clock.now == 1000.0


def test_http_and_https_are_one_host(clock: Clock) -> None:
    politeness = polite(clock)
    with politeness.slot(A), politeness.slot("https://A.example/2"):
        assert clock.now == 1001.0


def test_a_longer_delay_may_be_asked_for_and_a_shorter_one_not(clock: Clock) -> None:
    politeness = polite(clock)
    with politeness.slot(A, delay=5.0):
        pass
    with politeness.slot(A, delay=0.1):
        assert clock.now == 1005.0
    with politeness.slot(A):
        assert clock.now == 1006.0


def test_a_place_is_waited_for_no_longer_than_said(clock: Clock) -> None:
    politeness = polite(clock, delay=0.0)
    with politeness.slot(A), politeness.slot(A):
        with (
            pytest.raises(Busy, match=r"a\.example: 2 requests are under way"),
            politeness.slot(A, wait=3.0),
        ):
            pass
        assert clock.now == 1003.0
    with politeness.slot(A, wait=0.0):
        pass


def test_who_cannot_come_in_time_does_not_wait_at_all(clock: Clock) -> None:
    politeness = polite(clock, delay=10.0)
    with politeness.slot(A):
        pass
    with pytest.raises(Busy) as busy, politeness.slot(A, wait=9.0):
        pass
    assert isinstance(busy.value, CaptureFailed)
    assert (busy.value.retry_after, clock.waits) == (10.0, [])


def test_nothing_starts_while_a_host_is_held(clock: Clock) -> None:
    politeness = polite(clock)
    politeness.hold(A, 30.0)
    assert (politeness.held(A), politeness.held(B)) == (30.0, 0.0)
    with (
        pytest.raises(Busy, match="wants no request for another 30 s"),
        politeness.slot(A, wait=29.0),
    ):
        pass
    with politeness.slot(A, wait=31.0):
        assert clock.now == 1030.0
    assert politeness.held(A) == 0.0


def test_a_shorter_hold_does_not_end_a_longer_one(clock: Clock) -> None:
    politeness = polite(clock)
    for seconds in (30.0, 10.0, -5.0):
        politeness.hold(A, seconds)
    assert politeness.held(A) == 30.0


def test_a_hold_is_at_most_a_day(clock: Clock) -> None:
    politeness = polite(clock)
    politeness.hold(A, 1e9)
    assert politeness.held(A) == LONGEST_HOLD


def test_stopping_ends_waiting(clock: Clock) -> None:
    politeness, stop = polite(clock), threading.Event()
    politeness.hold(A, 3600.0)
    stop.set()
    with pytest.raises(Busy, match="stopping"), politeness.slot(A, stop=stop):
        pass
    assert clock.waits == []


def test_stopping_is_noticed_within_a_second() -> None:
    politeness, stop = Politeness(per_host=1, delay=0.0), threading.Event()
    politeness.hold(A, 3600.0)

    def wait() -> None:
        with politeness.slot(A, stop=stop):
            raise AssertionError

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        stop.set()
        with pytest.raises(Busy, match="stopping"):
            waiting.result(1)


def test_a_place_comes_free_when_its_block_fails(clock: Clock) -> None:
    politeness = polite(clock, per_host=1, delay=0.0)
    for _ in range(3):
        with pytest.raises(RuntimeError), politeness.slot(A, wait=0.0):
            raise RuntimeError


def test_hosts_nothing_is_owed_to_are_forgotten(clock: Clock) -> None:
    politeness = polite(clock)
    for number in range(5000):
        with politeness.slot(f"http://host{number}.example/"):
            pass
        clock.now += 0.5
    assert len(politeness) < 600


def test_held_hosts_are_remembered_up_to_a_number(clock: Clock) -> None:
    politeness = polite(clock)
    for number in range(REMEMBERED + 5000):
        politeness.hold(f"http://host{number}.example/", 10.0 + number)
    assert len(politeness) <= REMEMBERED
    assert politeness.held(f"http://host{REMEMBERED + 4999}.example/") > 0


def test_busy_hosts_are_never_forgotten(clock: Clock) -> None:
    politeness = polite(clock, per_host=1, delay=0.0)
    with ExitStack() as stack:
        for number in range(1000):
            stack.enter_context(politeness.slot(f"http://host{number}.example/"))
        for number in range(1000):
            with pytest.raises(Busy), politeness.slot(f"http://host{number}.example/", wait=0.0):
                pass


def test_threads_keep_to_the_number_and_all_get_their_turn() -> None:
    politeness, lock = Politeness(per_host=2, delay=0.0), threading.Lock()
    active, most = 0, 0

    def work(_: int) -> None:
        nonlocal active, most
        with politeness.slot(A):
            with lock:
                active += 1
                most = max(most, active)
            time.sleep(0.001)
            with lock:
                active -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(100)))
    assert (active, most) == (0, 2)


def test_threads_keep_the_delay_between_starts() -> None:
    politeness, starts = Politeness(per_host=16, delay=0.02), []

    def work(_: int) -> None:
        with politeness.slot(A):
            starts.append(time.monotonic())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(12)))
    ordered = sorted(starts)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    assert min(gaps) > 0.01
    assert ordered[-1] - ordered[0] >= 0.02 * 11 - 0.01
