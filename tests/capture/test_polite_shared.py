"""Laws of politeness among several machines, which agree through a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from feedsvc.capture.http import Fetcher
from feedsvc.capture.polite import Busy
from feedsvc.capture.polite_shared import LATE, PATIENCE, SharedPoliteness
from feedsvc.capture.stay import BLOCK
from feedsvc.errors import DatabaseAway, TurnPassed
from feedsvc.model import Turn
from tests.origin import Listener, Origin

A = "http://a.example/1"


@dataclass
class Agreement:
    """What a database does for machines, with a clock of its own."""

    per_host: int = 2
    clock: Any = time.monotonic
    next: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    places: dict[str, dict[str, int]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    asked: int = 0
    away: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def machine(self, name: str) -> Machine:
        return Machine(self, name)


@dataclass
class Machine:
    agreed: Agreement
    name: str

    def take(
        self, host: str, *, places: int, delay: float, turns: int, slack: float, within: float
    ) -> Turn:
        one = self.agreed
        with one.lock:
            one.asked += 1
            if one.away:
                raise DatabaseAway("the database is away")
            now = one.clock()
            if one.held.get(host, 0.0) > now:
                return Turn(one.held[host] - now, 0, held=True)
            taken = one.places.setdefault(host, {})
            had = taken.get(self.name, 0)
            room = one.per_host - sum(taken.values()) + had
            taken[self.name] = max(had, min(places, room))
            if not taken[self.name]:
                one.wanted.add(host)
                return Turn(60.0, 0)
            begin = max(one.next.get(host, 0.0), now)
            if begin > now + within:
                return Turn(begin - now - within, 0, places=taken[self.name])
            one.next[host] = begin + turns * delay + (slack if turns else 0.0)
            wanted = had > 0 and host in one.wanted
            return Turn(begin - now, turns, places=taken[self.name], wanted=wanted)

    def leave(self, hosts: Collection[str]) -> None:
        with self.agreed.lock:
            for host in hosts:
                self.agreed.places.get(host, {}).pop(self.name, None)
                self.agreed.wanted.discard(host)

    def hold(self, host: str, seconds: float) -> None:
        self.agreed.held[host] = self.agreed.clock() + seconds


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pause(self, _: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "a single thread would wait for ever"
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def polite(
    agreed: Agreement, clock: Clock, name: str = "a", *, delay: float = 1.0
) -> SharedPoliteness:
    return SharedPoliteness(
        agreed.machine(name),
        per_host=agreed.per_host,
        delay=delay,
        clock=clock,
        pause=clock.pause,
    )


def test_two_machines_never_begin_closer_than_the_delay(clock: Clock) -> None:
    agreed, starts = Agreement(clock=clock), []
    machines = [polite(agreed, clock, name) for name in "ab"]
    for number in range(12):
        with machines[number % 2].slot(A):
            starts.append(clock.now)
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 1.0


def test_a_burst_needs_less_than_a_word_for_each_request(clock: Clock) -> None:
    agreed = Agreement(clock=clock)
    politeness = polite(agreed, clock, delay=0.1)
    for _ in range(100):
        with politeness.slot(A):
            pass
    assert agreed.asked < 30


def test_without_a_delay_a_window_lasts_for_many_requests(clock: Clock) -> None:
    agreed = Agreement(clock=clock)
    politeness = polite(agreed, clock, delay=0.0)
    for _ in range(50):
        with politeness.slot(A):
            clock.now += 0.01
    assert agreed.asked == 1
    clock.now += BLOCK
    with politeness.slot(A):
        assert agreed.asked == 2


def test_a_longer_delay_keeps_the_others_away_for_so_long(clock: Clock) -> None:
    agreed = Agreement(clock=clock)
    first, second = polite(agreed, clock, "a"), polite(agreed, clock, "b")
    with first.slot(A):
        pass
    with first.slot(A, delay=30.0):
        began = clock.now
    with second.slot(A):
        assert clock.now >= began + 30.0


def test_no_more_are_under_way_anywhere_than_the_host_allows(clock: Clock) -> None:
    agreed = Agreement(clock=clock)
    machines = [polite(agreed, clock, name, delay=0.0) for name in "abc"]
    with ExitStack() as stack:
        for one in machines[:2]:
            stack.enter_context(one.slot(A))
        with pytest.raises(Busy), machines[2].slot(A, wait=5.0):
            pass


def test_what_is_left_may_be_had_by_others(clock: Clock) -> None:
    agreed = Agreement(per_host=1, clock=clock)
    first, second = polite(agreed, clock, "a", delay=0.0), polite(agreed, clock, "b", delay=0.0)
    with first.slot(A):
        pass
    first.leave()
    with second.slot(A, wait=0.0):
        pass


def test_a_machine_that_is_always_busy_gives_way_to_one_that_waits(clock: Clock) -> None:
    agreed = Agreement(per_host=1, clock=clock)
    greedy = polite(agreed, clock, "a")
    with greedy.slot(A):
        pass
    assert (
        agreed.machine("b")
        .take("a.example", places=1, delay=1.0, turns=1, slack=0.0, within=30.0)
        .places
        == 0
    )
    given = False
    for _ in range(10):
        with greedy.slot(A):
            pass
        given = given or not agreed.wanted
    assert given


def test_a_pause_that_one_machine_was_asked_for_is_kept_by_all(clock: Clock) -> None:
    agreed = Agreement(clock=clock)
    first, second = polite(agreed, clock, "a"), polite(agreed, clock, "b")
    first.hold(A, 90.0)
    with pytest.raises(Busy, match="wants no request for another 90 s") as busy, second.slot(A):
        pass
    assert busy.value.retry_after == 90.0
    assert second.held(A) == 90.0


def test_nothing_is_sent_while_nobody_can_be_asked(clock: Clock) -> None:
    agreed = Agreement(clock=clock, away=True)
    politeness, began = polite(agreed, clock), clock.now
    with (
        pytest.raises(DatabaseAway, match="no turn can be had: the database is away"),
        politeness.slot(A),
    ):
        pass
    assert clock.now - began <= PATIENCE
    with pytest.raises(DatabaseAway), politeness.slot(A, wait=2.0):
        pass
    agreed.away = False
    with politeness.slot(A):
        pass


def test_a_window_is_not_used_after_its_end(clock: Clock) -> None:
    agreed = Agreement(clock=clock)
    politeness = polite(agreed, clock)
    with politeness.slot(A):
        pass
    clock.now += 3600.0
    with politeness.slot(A):
        assert agreed.asked == 2


def test_an_answer_that_took_long_opens_late_and_ends_soon(clock: Clock) -> None:
    agreed, starts = Agreement(clock=clock), []
    slow = agreed.machine("a")
    politeness = polite(agreed, clock, "a")

    def take(host: str, **asked: Any) -> Turn:
        turn = slow.take(host, **asked)
        clock.now += 0.4
        return turn

    politeness._turns = type("Slow", (), {"take": staticmethod(take)})()
    for _ in range(3):
        with politeness.slot(A, wait=60.0):
            starts.append(clock.now)
            assert clock.now + 1.0 <= agreed.next["a.example"]
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 1.0


def test_threads_of_several_machines_keep_to_number_and_delay() -> None:
    agreed, lock, starts = Agreement(per_host=2), threading.Lock(), []
    machines = [SharedPoliteness(agreed.machine(name), per_host=2, delay=0.02) for name in "abc"]
    active, most = 0, 0

    def work(number: int) -> None:
        nonlocal active, most
        with machines[number % 3].slot(A, wait=60.0):
            with lock:
                starts.append(time.monotonic())
                active += 1
                most = max(most, active)
            time.sleep(0.005)
            with lock:
                active -= 1

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(work, range(45)))
    assert active == 0
    assert most <= 2
    ordered = sorted(starts)
    assert ordered[-1] - ordered[0] >= 0.02 * 44 - 0.02


def test_places_are_given_back_once_nothing_is_done_any_more() -> None:
    agreed = Agreement()
    politeness = SharedPoliteness(agreed.machine("a"), per_host=2, delay=0.0)
    with politeness.slot(A):
        assert agreed.places["a.example"] == {"a": 1}
    end = time.monotonic() + 20
    while agreed.places["a.example"] and time.monotonic() < end:
        time.sleep(0.02)
    assert agreed.places["a.example"] == {}


def test_a_request_whose_turn_has_passed_is_not_sent() -> None:
    origin = Origin()
    listener = Listener(origin)
    try:
        origin.page("/", b"hello")
        fetcher = Fetcher(user_agent="test", allow_hosts=[origin.host])
        with pytest.raises(TurnPassed):
            fetcher.fetch(origin.url(), send_by=time.monotonic() - 0.001)
        assert origin.seen == []
        fetcher.fetch(origin.url(), send_by=time.monotonic() + LATE).close()
        assert len(origin.seen) == 1
        fetcher.close()
    finally:
        listener.close()
