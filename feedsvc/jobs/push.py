"""Tell hubs and subscribers what changed: claim, call, record. A publication never waits for it."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from feedsvc.errors import FeedsvcError
from feedsvc.jobs.push_one import Caller, Randomness
from feedsvc.jobs.push_state import push_kinds
from feedsvc.jobs.recover import holding_lease, is_dead
from feedsvc.jobs.running import recorded
from feedsvc.logs import logger
from feedsvc.model import Push, PushEnd, PushKind, PushOutcome, PushReport
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

THREADS = 16
RETRIES = 8
"""Threads that calls which failed before may have: others never wait for all of them."""
PER_HOST = 4
"""Calls to one host at a time."""
_MARGIN = timedelta(minutes=1)
_LOOK = 64
"""Rows looked at to find calls to hosts that have room."""
_NEWS = 0.1
"""Seconds between two looks for more to do while calls are under way."""
_LINGER = 0.02
"""Seconds to wait for more results once there is one: they are recorded together."""
_GRACE = 2.0
"""Seconds in which calls under way may end by themselves once a stop is asked for."""
_HUBS = "websub hubs"
"""The fact that tells which hubs pings are owed to."""

# The first are few and somebody waits for them; deliveries are as many as there are subscribers.
_ORDER = (PushKind.VERIFY, PushKind.PING, PushKind.DENY, PushKind.DELIVER)

log = logger(__name__)


def push_due(
    runtime: Runtime,
    *,
    stop: threading.Event | None = None,
    challenge: Randomness = lambda: secrets.token_urlsafe(32),
) -> PushReport | None:
    """Make the calls that are due, several at a time; None if there were none.

    What is in flight when ``stop`` is set is handed back and done again later: a hub may be told
    twice, but nothing is left out.
    """
    began = time.monotonic()
    kinds = push_kinds(runtime)
    if not _is_due(runtime, kinds):
        return None
    with recorded(runtime, "push") as run, holding_lease(runtime) as lease:
        pushes = _Pushes(runtime, lease, kinds, stop or threading.Event(), challenge)
        pushes.run()
        report = pushes.report(time.monotonic() - began)
        run.note(report)
    return report


def _is_due(runtime: Runtime, kinds: Collection[PushKind]) -> bool:
    """Tell whether there is something to do, once what was left behind is put in order.

    Dead processes hand back what they had leased; hubs that were taken out of the settings are
    owed nothing any more.
    """
    configured = runtime.settings.websub.hubs
    hubs = json.dumps(sorted(configured))
    with runtime.database.reading() as store:
        known = store.fact(_HUBS) or "[]"
        leases = store.push_leases()
        due = store.is_push_due(kinds, now=runtime.now())
    dead = [lease for lease in leases if is_dead(runtime, lease)]
    if known == hubs and not dead:
        return due
    with runtime.database.transaction() as store:
        back = sum(store.release_pushes(lease) for lease in dead)
        if known != hubs:
            store.drop_pings(besides=configured)
            store.set_fact(_HUBS, hubs)
        due = store.is_push_due(kinds, now=runtime.now())
    if back:
        log.info("pushes.recovered", pushes=back)
    return due


@dataclass
class _Pushes:
    """One run: threads that call, and one thread, this one, that claims and writes rows."""

    runtime: Runtime
    lease: str
    kinds: Collection[PushKind]
    stop: threading.Event
    challenge: Randomness
    ended: Counter[tuple[PushKind, PushOutcome]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._flying: dict[Future[PushEnd], Push] = {}
        self._caller = Caller(self.runtime, self.challenge)

    def run(self) -> None:
        """Call until nothing is due that may be claimed now."""
        # The guard proves itself before the first call, in this thread.
        _ = self.runtime.push_tools
        with ThreadPoolExecutor(THREADS, thread_name_prefix="push") as pool:
            try:
                self._loop(pool)
            finally:
                with suppress(FeedsvcError), self.runtime.database.transaction() as store:
                    store.release_pushes(self.lease)

    def _loop(self, pool: ThreadPoolExecutor) -> None:
        patience: float | None = None
        done: set[Future[PushEnd]] = set()
        while True:
            for push in self._turn(done):
                self._flying[pool.submit(self._caller.call, push)] = push
            if not self._flying and not done:
                return  # what ended before may have changed again meanwhile
            if self.stop.is_set():
                patience = patience or time.monotonic() + _GRACE
                if time.monotonic() > patience:
                    self.runtime.cut_pushes()
            done, rest = wait(self._flying, timeout=_NEWS, return_when=FIRST_COMPLETED)
            if done and rest:
                done, _ = wait(self._flying, timeout=_LINGER)

    def _turn(self, done: Collection[Future[PushEnd]]) -> list[Push]:
        """Record what ended and claim what comes next, in one transaction; return the claimed."""
        ends = [future.result() for future in done]
        for future in done:
            del self._flying[future]
        if self.stop.is_set():
            # What was cut off did not fail: it is handed back as it was.
            ends = [end for end in ends if end.outcome is not PushOutcome.FAILED]
        picked = [] if self.stop.is_set() else self._pick()
        if not ends and not picked:
            return []
        now = self.runtime.now()
        until = now + timedelta(seconds=2 * self.runtime.settings.websub.timeout) + _MARGIN
        with self.runtime.database.transaction() as store:
            held = store.finish_pushes(ends)
            store.drop_outlived(now=now)
            claimed = store.claim_pushes(picked, now=now, lease=self.lease, until=until)
        self._note(held)
        return claimed

    def _pick(self) -> list[str]:
        """Return what is due, new calls before those that failed, sparing hosts that are busy."""
        room = THREADS - len(self._flying)
        if not room:
            return []
        busy = Counter(push.host for push in self._flying.values())
        retries = RETRIES - sum(push.attempts > 0 for push in self._flying.values())
        with self.runtime.database.reading() as store:
            fresh = self._pick_some(store, room, busy, failed=False)
            return fresh + self._pick_some(
                store, min(room - len(fresh), retries), busy, failed=True
            )

    def _pick_some(self, store: Store, most: int, busy: Counter[str], *, failed: bool) -> list[str]:
        """Return at most so many calls, and count them in ``busy``."""
        picked: dict[str, None] = {}
        for kind in (kind for kind in _ORDER if kind in self.kinds):
            again = True
            while again and len(picked) < most:
                full = {host for host, count in busy.items() if count >= PER_HOST}
                due = store.due_pushes(
                    kind, now=self.runtime.now(), limit=_LOOK, failed=failed, without_hosts=full
                )
                before = len(picked)
                for push_id, host in due:
                    if len(picked) < most and busy[host] < PER_HOST and push_id not in picked:
                        picked[push_id] = None
                        busy[host] += 1
                again = len(picked) > before and len(due) == _LOOK
        return list(picked)

    def _note(self, held: Collection[PushEnd]) -> None:
        """Count and log what ended; no address of a subscriber, and no secret, goes to the log."""
        for end in held:
            push = end.push
            self.ended[push.kind, end.outcome] += 1
            if end.outcome is not PushOutcome.DONE:
                log.warning(
                    "push.failed",
                    outcome=end.outcome.value,
                    kind=push.kind.value,
                    host=push.host,
                    feed=push.name,
                    cause=end.cause,
                    next_try=end.next_at,
                )

    def report(self, seconds: float) -> PushReport:
        """Return what was done."""
        done = {kind: self.ended[kind, PushOutcome.DONE] for kind in PushKind}

        def count(outcome: PushOutcome) -> int:
            return sum(self.ended[kind, outcome] for kind in PushKind)

        return PushReport(
            pinged=done[PushKind.PING],
            delivered=done[PushKind.DELIVER],
            verified=done[PushKind.VERIFY],
            denied=done[PushKind.DENY],
            refused=count(PushOutcome.REFUSED),
            failed=count(PushOutcome.FAILED),
            seconds=seconds,
        )
