"""One claimed call: what is said to whom, how that ended, and when it is tried again."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from datetime import timedelta

from feedsvc.capture.http import Fetcher
from feedsvc.errors import NotFound
from feedsvc.jobs import push_calls as calls
from feedsvc.jobs.backoff import fraction
from feedsvc.logs import logger
from feedsvc.model import Mode, Push, PushEnd, PushKind, PushOutcome, own_hub
from feedsvc.publish import MEDIA_TYPES
from feedsvc.runtime import Runtime

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP = {
    PushKind.PING: timedelta(days=1),
    PushKind.DELIVER: timedelta(days=1),
    PushKind.VERIFY: timedelta(minutes=10),
    PushKind.DENY: timedelta(hours=1),
}
"""How long something is tried; a document that changes again begins anew."""
_JITTER = 0.2
_WITHDRAWN = "this feed is not published any more"

Randomness = Callable[[], str]
"""Returns a string that nobody can guess."""

log = logger(__name__)


class Caller:
    """Makes the calls of one run, in many threads."""

    def __init__(self, runtime: Runtime, challenge: Randomness) -> None:
        self._runtime = runtime
        self._challenge = challenge
        self._documents = _Documents(runtime)

    def call(self, push: Push) -> PushEnd:
        """Make one call and say how it ended; never raises."""
        tried = self._runtime.now()
        sent: str | None = None
        wish: float | None = None
        try:
            if push.kind is PushKind.VERIFY:
                outcome, cause, wish = self._verify(push)
            else:
                asked, sent = self._said(push)
                answer = calls.call(self._client(push.kind), asked)
                outcome, cause = calls.judged(answer, push.kind)
                wish = answer.retry_after
        except NotFound:
            outcome, cause = PushOutcome.FAILED, "the feed is not there now"
        except Exception as error:
            log.error("push.broken", kind=push.kind.value, host=push.host, exc_info=error)
            outcome, cause = PushOutcome.FAILED, f"an error here: {type(error).__name__}"
        wait = None
        if outcome is PushOutcome.FAILED:
            wait = wait_before_next(push, age=tried - push.since, retry_after=wish)
        return PushEnd(
            push,
            outcome,
            tried,
            cause=cause,
            next_at=None if wait is None else self._runtime.now() + wait,
            sent=sent if outcome is PushOutcome.DONE else None,
        )

    def _client(self, kind: PushKind) -> Fetcher:
        tools = self._runtime.push_tools
        return tools.hubs if kind is PushKind.PING else tools.callbacks

    def _verify(self, push: Push) -> tuple[PushOutcome, str, float | None]:
        challenge = self._challenge()
        asked = calls.verification(
            push.url,
            self._topic(push),
            mode=push.mode or Mode.SUBSCRIBE,
            challenge=challenge,
            lease_seconds=push.lease_seconds,
        )
        answer = calls.call(self._client(push.kind), asked)
        outcome, cause = calls.judged_echo(answer, challenge)
        return outcome, cause, answer.retry_after

    def _said(self, push: Push) -> tuple[calls.Call, str | None]:
        """Return the call, and the digest of the document that it tells of."""
        topic = self._topic(push)
        if push.kind is PushKind.PING:
            return calls.ping(push.url, topic), push.digest
        if push.kind is PushKind.DENY:
            return calls.denial(push.url, topic, reason=_WITHDRAWN), None
        data, digest = self._documents.read(push.name)
        asked = calls.delivery(
            push.url,
            data,
            media_type=MEDIA_TYPES[push.name.rpartition(".")[2]],
            hub=own_hub(self._runtime.site.base_url),
            topic=topic,
            secret=push.secret,
        )
        return asked, digest

    def _topic(self, push: Push) -> str:
        return f"{self._runtime.site.base_url}/feeds/{push.name}"


class _Documents:
    """The last document that was read, as many subscribers get the same one in a row."""

    def __init__(self, runtime: Runtime) -> None:
        self._feeds = runtime.feeds
        self._lock = threading.Lock()
        self._held: tuple[object, bytes, str] | None = None

    def read(self, name: str) -> tuple[bytes, str]:
        """Return a feed file's bytes as they are now and their SHA-256; raise NotFound."""
        with self._lock, self._feeds.open(name) as file:
            found = os.fstat(file.fileno())
            stamp = (name, found.st_size, found.st_mtime_ns, found.st_ino)
            if self._held is None or self._held[0] != stamp:
                data = file.read()
                self._held = (stamp, data, hashlib.sha256(data).hexdigest())
            return self._held[1], self._held[2]


def wait_before_next(push: Push, *, age: timedelta, retry_after: float | None) -> timedelta | None:
    """Return how long to wait, doubling with every try, or None once it is given up.

    ``age`` is the time since the call was due first; the wait is spread by the call's id, so that
    what failed together is not tried again together. Retry-After (seconds) is never undercut.
    """
    wait: timedelta = min(FIRST_WAIT * 2 ** min(push.attempts, 20), LONGEST_WAIT)
    wait *= 1 - _JITTER * fraction(f"{push.id}:{push.attempts}")
    if retry_after is not None:
        wait = max(wait, timedelta(seconds=retry_after))
    return None if age + wait > GIVE_UP[push.kind] else wait
