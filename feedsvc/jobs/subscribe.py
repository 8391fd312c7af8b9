"""What a subscriber asks of our hub: understood, checked, and left to be verified (WebSub §5.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from feedsvc.capture.addresses import parse
from feedsvc.capture.guard import authority, fetchable, refuse_private, trusted_hosts
from feedsvc.errors import CaptureRefused, NotFound
from feedsvc.model import Bounds, HubRequest, Mode, is_topic
from feedsvc.runtime import Runtime
from feedsvc.urls import DEFAULT_PORTS

LONGEST_URL = 2000
LONGEST_SECRET = 199
"""Bytes: less than 200 (WebSub §5.1)."""
MOST_PENDING = 1000
MOST_PENDING_PER_HOST = 50
BUSY_SECONDS = 600
_SETTING = "websub.allow_callbacks"
_ONCE = ("hub.mode", "hub.topic", "hub.callback", "hub.lease_seconds", "hub.secret")

Form = Sequence[tuple[str, str]]
"""Names and values in order."""


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """What the hub says at once; whether the callback wants it is found out later."""

    status: int
    sentence: str
    retry_after: int | None = None
    """Seconds."""


class _Wrong(Exception):
    """Something is wrong with a request; the message says what."""


def ask_hub(runtime: Runtime, form: Form) -> HubAnswer:
    """Take a request to subscribe or unsubscribe, to be verified by the next run of pushes."""
    try:
        asked = _understood(runtime, form)
    except _Wrong as error:
        return HubAnswer(400, str(error))
    websub = runtime.settings.websub
    bounds = Bounds(
        total=websub.max_subscriptions,
        per_host=websub.max_per_host,
        pending=MOST_PENDING,
        pending_per_host=MOST_PENDING_PER_HOST,
    )
    with runtime.database.transaction() as store:
        reached = store.ask(asked, bounds=bounds, now=runtime.now())
    if reached:
        return HubAnswer(
            503, f"There are too many {reached} already; try again later.", BUSY_SECONDS
        )
    runtime.push_news.set()
    return HubAnswer(202, "Your callback will be asked whether it wants this.")


def _understood(runtime: Runtime, form: Form) -> HubRequest:
    counted = Counter(name for name, _ in form)
    for name in _ONCE:
        if counted[name] > 1:
            raise _Wrong(f"{name} is given {counted[name]} times.")
    values = dict(form)  # what we do not know is ignored, as WebSub §5.1 asks for
    try:
        mode = Mode(values.get("hub.mode", ""))
    except ValueError:
        raise _Wrong("hub.mode has to be subscribe or unsubscribe.") from None
    name = _name(runtime, values.get("hub.topic", ""))
    if mode is Mode.SUBSCRIBE and not _is_served(runtime, name):
        raise _Wrong(_no_topic(runtime))
    return HubRequest(
        mode=mode,
        callback=_callback(runtime, values.get("hub.callback", "")),
        name=name,
        lease_seconds=_lease(runtime, values.get("hub.lease_seconds")),
        secret=_secret(values.get("hub.secret")),
    )


def _callback(runtime: Runtime, url: str) -> str:
    """Return a callback that may be called, as far as its address alone tells."""
    if not url or len(url) > LONGEST_URL:
        raise _Wrong(f"hub.callback has to be a URL of at most {LONGEST_URL} characters.")
    if not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        raise _Wrong("hub.callback has to be a URL in ASCII, without spaces and fragment.")
    trusted = trusted_hosts(runtime.settings.websub.allow_callbacks, setting=_SETTING)
    try:
        fetchable(url, trusted=trusted, setting=_SETTING)
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        if parse(host) is not None and authority(host, port) not in trusted:
            refuse_private(host, [host], setting=_SETTING)
    except CaptureRefused:
        raise _Wrong(
            "hub.callback has to be an http or https URL on the public Internet, on a usual port "
            "and without user name."
        ) from None
    return url


def _name(runtime: Runtime, topic: str) -> str:
    """Return the file of the feed that a topic is."""
    before = f"{runtime.site.base_url}/feeds/"
    # WebSub §5.1.1: escapes of characters that need none make no difference.
    url = unquote(topic[: LONGEST_URL + 1])
    name = url.removeprefix(before)
    if name == url or len(url) > LONGEST_URL or not is_topic(name):
        raise _Wrong(_no_topic(runtime))
    return name


def _is_served(runtime: Runtime, name: str) -> bool:
    """Tell whether a feed can be had now, which it can moments before that is recorded."""
    try:
        return runtime.feeds.size(name) > 0
    except (NotFound, ValueError):
        return False


def _no_topic(runtime: Runtime) -> str:
    return (
        "hub.topic has to be the address of a feed of this site, as its rel=self says, such as "
        f"{runtime.site.base_url}/feeds/all.atom"
    )


def _lease(runtime: Runtime, text: str | None) -> int:
    """Return for how many seconds a subscription is to last, within the bounds that are set."""
    websub = runtime.settings.websub
    if text is None or text == "":
        return int(websub.lease)
    if not (text.isascii() and text.isdecimal() and text.strip("0")):
        raise _Wrong("hub.lease_seconds has to be a positive decimal number.")
    wanted = float(text[:12]) if len(text.lstrip("0")) <= 12 else websub.max_lease
    return int(min(max(wanted, websub.min_lease), websub.max_lease))


def _secret(text: str | None) -> str | None:
    if text is not None and len(text.encode("utf-8", "replace")) > LONGEST_SECRET:
        raise _Wrong("hub.secret has to be shorter than 200 bytes.")
    return text or None
