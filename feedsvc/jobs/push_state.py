"""Where push stands: what this site may do, who subscribed, what failed and why. Reads only."""

from __future__ import annotations

from feedsvc.model import PushKind, PushStatus, Subscription
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

SHOWN_FAILURES = 200


def push_kinds(runtime: Runtime) -> frozenset[PushKind]:
    """Return which calls this site's settings let it make."""
    websub = runtime.settings.websub
    kinds = {PushKind.PING} if websub.hubs else set()
    if websub.enabled:
        kinds |= {PushKind.VERIFY, PushKind.DELIVER, PushKind.DENY}
    return frozenset(kinds)


def push_status(runtime: Runtime, store: Store) -> PushStatus:
    """Return where push stands; nothing where it is turned off."""
    kinds = push_kinds(runtime)
    if not kinds:
        return PushStatus()
    return store.push_status(
        kinds, hubs=runtime.settings.websub.hubs, now=runtime.now(), limit=SHOWN_FAILURES
    )


def list_subscriptions(runtime: Runtime) -> list[Subscription]:
    """Return the subscriptions that last, by feed."""
    with runtime.database.reading() as store:
        return store.subscriptions(now=runtime.now())
