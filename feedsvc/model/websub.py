"""The words of push (WebSub): who is told that a feed changed, and how that ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# Heads only: archive pages are no topics, and what is shared in private is nobody else's business.
_TOPIC = re.compile(r"(?:(?:authors|agencies|hosts|searches)/)?[^/]+\.(?:rss|atom|json)")


class PushKind(StrEnum):
    """Why somebody is called."""

    PING = "ping"
    """A hub is told that a document changed."""
    VERIFY = "verify"
    """A callback is asked whether it wants what was asked for in its name."""
    DELIVER = "deliver"
    """A subscriber gets the document as it is now."""
    DENY = "deny"
    """A subscriber is told that its subscription is over."""


class Mode(StrEnum):
    """What a subscriber asks for: `hub.mode` of its request."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


class PushOutcome(StrEnum):
    """How a call ended."""

    DONE = "done"
    FAILED = "failed"
    """It is tried again, unless a day has gone by."""
    REFUSED = "refused"
    """The other side does not want it: never tried again."""


@dataclass(frozen=True, slots=True)
class HubRequest:
    """A request to subscribe or unsubscribe, understood and not verified yet."""

    mode: Mode
    callback: str
    name: str
    """The feed's file, such as `sport.atom`."""
    lease_seconds: int
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many subscriptions there may be."""

    total: int
    per_host: int
    pending: int
    """Requests that wait for their verification."""
    pending_per_host: int


@dataclass(frozen=True, slots=True)
class Push:
    """A call that is claimed."""

    id: str
    kind: PushKind
    url: str
    """The hub's address, or the subscriber's callback."""
    host: str
    name: str
    digest: str | None
    """SHA-256 of the document when it became due."""
    mode: Mode | None
    lease_seconds: int | None
    since: datetime
    attempts: int
    """Tries before this one."""
    lease: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PushEnd:
    """How a claimed call ended."""

    push: Push
    outcome: PushOutcome
    tried: datetime
    cause: str = ""
    next_at: datetime | None = None
    """When it is tried again."""
    sent: str | None = None
    """SHA-256 of the document that was delivered."""


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a run of pushes did."""

    pinged: int = 0
    delivered: int = 0
    verified: int = 0
    denied: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def partial(self) -> bool:
        """True if somebody could not be told."""
        return bool(self.failed)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Somebody who gets a feed pushed; what it is signed with is shown to nobody."""

    callback: str
    name: str
    since: datetime
    expires: datetime
    signed: bool
    told_at: datetime | None = None
    next_at: datetime | None = None
    attempts: int = 0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class FailingPush:
    """A call that failed last time, or was given up."""

    kind: PushKind
    host: str
    name: str
    attempts: int
    cause: str
    tried: datetime | None
    next_at: datetime | None
    """None: given up, until the document changes again."""


@dataclass(frozen=True, slots=True)
class HubState:
    """What was told to another hub."""

    url: str
    told: int
    """Documents it was told of at least once."""
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class PushStatus:
    """Where push stands."""

    hubs: Sequence[HubState] = ()
    subscriptions: int = 0
    unverified: int = 0
    due: int = 0
    failing: Sequence[FailingPush] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Kind -> outcome -> how many ever."""

    @property
    def deaf(self) -> list[str]:
        """Hosts of hubs that could not be told of something."""
        pings = (one.host for one in self.failing if one.kind is PushKind.PING)
        return list(dict.fromkeys(pings))


def is_topic(name: str) -> bool:
    """Tell whether a feed file is one that hubs may be told of and readers subscribe to."""
    return _TOPIC.fullmatch(name) is not None and not name.startswith("private.")


def hub_addresses(base_url: str, *, hubs: Sequence[str], enabled: bool) -> tuple[str, ...]:
    """Return the hubs that feeds name: the configured ones, and our own where it is enabled."""
    own = (own_hub(base_url),) if enabled else ()
    return tuple(dict.fromkeys((*hubs, *own)))


def own_hub(base_url: str) -> str:
    """Return the address of the embedded hub."""
    return f"{base_url}/hub"
