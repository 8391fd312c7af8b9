"""What push says to hubs and subscribers, and what their answers mean. Pure but for ``call``."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlencode

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.http import Fetcher
from feedsvc.capture.retry import retry_after
from feedsvc.errors import CaptureError, CaptureFailed, CaptureRefused
from feedsvc.model import Mode, PushKind, PushOutcome
from feedsvc.text import printable, shorten

FORM = "application/x-www-form-urlencoded"
MOST_ANSWER = 1024
"""Bytes read of an answer; what comes after them is nobody's business."""
GONE = 410
_CAUSE = 200

# A connection that was kept may be closed by the time it is needed, and a POST is not repeated
# blindly; a body in any other coding would have to be unpacked to compare it.
_HEADERS = (("Connection", "close"), ("Accept", "*/*"), ("Accept-Encoding", "identity"))


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be made."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or why nothing did."""

    status: int | None
    body: bytes = b""
    whole: bool = True
    retry_after: float | None = None
    cause: str = ""
    forbidden: bool = False
    """The guard lets nobody call there."""


def ping(hub: str, topic: str) -> Call:
    """Return the call that tells a hub that a topic changed.

    WebSub §6 leaves its form open; every public hub understands this one.
    """
    said = {"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}
    return Call(hub, "POST", (("Content-Type", FORM),), urlencode(said).encode())


def verification(
    callback: str, topic: str, *, mode: Mode, challenge: str, lease_seconds: int | None
) -> Call:
    """Return the call that asks a callback whether it wants this (WebSub §5.3)."""
    said = {"hub.mode": mode.value, "hub.topic": topic, "hub.challenge": challenge}
    if mode is Mode.SUBSCRIBE:
        said["hub.lease_seconds"] = str(lease_seconds)
    return Call(_with_query(callback, said))


def denial(callback: str, topic: str, *, reason: str) -> Call:
    """Return the call that tells a subscriber that its subscription is over (WebSub §5.2)."""
    said = {"hub.mode": "denied", "hub.topic": topic, "hub.reason": reason}
    return Call(_with_query(callback, said))


def delivery(
    callback: str, data: bytes, *, media_type: str, hub: str, topic: str, secret: str | None
) -> Call:
    """Return the call that brings a subscriber the topic's content (WebSub §7)."""
    headers = [
        ("Content-Type", media_type),
        ("Link", f'<{hub}>; rel="hub", <{topic}>; rel="self"'),
    ]
    if secret is not None:
        digest = hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
        headers.append(("X-Hub-Signature", f"sha256={digest}"))
    return Call(callback, "POST", tuple(headers), data)


def _with_query(url: str, said: dict[str, str]) -> str:
    """Add parameters behind those the URL has, whatever they are called (WebSub §5.1.1)."""
    joint = "&" if "?" in url else "?"
    return f"{url}{'' if url.endswith(('?', '&')) else joint}{urlencode(said)}"


def call(fetcher: Fetcher, asked: Call) -> Answer:
    """Make a call; redirects are not followed, and of a body only its first bytes are read."""
    try:
        exchange = fetcher.fetch(
            asked.url,
            method=asked.method,
            headers=(*_HEADERS, *asked.headers),
            body=asked.body,
            max_size=MOST_ANSWER,
        )
    except CaptureError as error:
        wish = error.retry_after if isinstance(error, CaptureFailed) else None
        # The address itself is the subscriber's secret, and status says whose it is.
        said = str(error).removeprefix(str(error).partition(": ")[0] + ": ")
        cause = shorten(printable(said), _CAUSE)
        forbidden = isinstance(error, CaptureRefused)
        return Answer(None, retry_after=wish, cause=cause, forbidden=forbidden)
    try:
        return _answer(exchange)
    finally:
        exchange.close()


def _answer(exchange: Exchange) -> Answer:
    plain = (exchange.header("content-encoding") or "identity").strip().lower() == "identity"
    return Answer(
        exchange.status,
        exchange.body.read(),
        whole=plain and exchange.truncated is None,
        retry_after=retry_after(exchange, exchange.started),
    )


def judged(answer: Answer, kind: PushKind) -> tuple[PushOutcome, str]:
    """Return how a call that needs no echo ended, and why it failed (WebSub §7)."""
    if answer.status is None:
        return PushOutcome.FAILED, answer.cause
    if 200 <= answer.status < 300:
        return PushOutcome.DONE, ""
    if answer.status == GONE and kind is PushKind.DELIVER:
        return PushOutcome.REFUSED, "the subscriber is gone (410)"
    said = f"the {'hub' if kind is PushKind.PING else 'subscriber'} answered {answer.status}"
    if 300 <= answer.status < 400:
        said += ", a redirect, which is not followed"
    return PushOutcome.FAILED, said


def judged_echo(answer: Answer, challenge: str) -> tuple[PushOutcome, str]:
    """Return whether a callback confirmed what was asked for in its name (WebSub §5.3.1)."""
    if answer.status is None:
        outcome = PushOutcome.REFUSED if answer.forbidden else PushOutcome.FAILED
        return outcome, answer.cause
    if not 200 <= answer.status < 300:
        return PushOutcome.REFUSED, f"the callback answered {answer.status}"
    if not answer.whole or answer.body != challenge.encode():
        return PushOutcome.REFUSED, "the callback did not echo the challenge"
    return PushOutcome.DONE, ""
