"""Push in words: who is told what changed, and who could not be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from feedsvc.cli.display import Block, Line, Table, counted, moment
from feedsvc.model import FailingPush, PushKind, PushReport, PushStatus, Subscription

_ROWS = 8


def describe_failing_pushes(push: PushStatus, now: datetime) -> Iterator[Block]:
    """Say which hubs and subscribers could not be told, why, and when that is tried again."""
    if not push.failing:
        return
    yield Line()
    yield Line("Not told what changed", "red" if push.deaf else "yellow")
    rows = [_failing(one, now) for one in push.failing[:_ROWS]]
    yield Table(("who", "feed", "why", "tries", "next try"), rows, right=frozenset({3}))
    if len(push.failing) > _ROWS:
        yield Line(f"… and {len(push.failing) - _ROWS:,} more (--json lists them all)", "dim")


def _failing(one: FailingPush, now: datetime) -> tuple[str, str, str, str, str]:
    who = f"{'hub' if one.kind is PushKind.PING else 'subscriber'} {one.host}"
    if one.next_at is None:
        again = "given up until it changes"
    else:
        again = "now" if one.next_at <= now else moment(one.next_at)
    return who, one.name, one.cause, str(one.attempts), again


def push_numbers(push: PushStatus) -> Iterator[tuple[str, str]]:
    """Return rows of numbers, none where push is turned off."""
    for hub in push.hubs:
        yield "hub", f"{hub.url}, last told {moment(hub.told_at)}"
    if push.hubs or push.subscriptions or push.unverified or push.due:
        yield (
            "push",
            f"{counted(push.subscriptions, 'subscription')}, {push.unverified:,} to be verified, "
            f"{push.due:,} due, {len(push.failing):,} failing",
        )


def describe_push(report: PushReport | None) -> Iterator[Block]:
    """Say what a run of pushes did."""
    if report is None:
        yield Line("Nothing was due.")
        return
    parts = (
        (counted(report.pinged, "ping"), report.pinged),
        (f"{report.delivered:,} delivered", report.delivered),
        (f"{report.verified:,} verified", report.verified),
        (f"{report.denied:,} denied", report.denied),
        (f"{report.refused:,} refused", report.refused),
        (f"{report.failed:,} failed (`feedsvc status` tells why)", report.failed),
    )
    said = ", ".join(text for text, number in parts if number)
    yield Line(f"Pushed in {report.seconds:.1f} s: {said or 'nothing'}")


def describe_subscriptions(found: Sequence[Subscription], now: datetime) -> Iterator[Block]:
    """List subscriptions; of a callback its host alone, for the rest of it is a secret."""
    if not found:
        yield Line("Nobody has subscribed.")
        return
    rows = [
        (
            one.name,
            urlsplit(one.callback).hostname or "",
            "signed" if one.signed else "",
            moment(one.expires),
            moment(one.told_at),
            one.cause and f"{one.cause} ({_again(one, now)})",
        )
        for one in found
    ]
    yield Table(("feed", "subscriber", "", "until", "last push", "trouble"), rows)


def _again(one: Subscription, now: datetime) -> str:
    if one.next_at is None:
        return "given up until it changes"
    return "next try now" if one.next_at <= now else f"next try {moment(one.next_at)}"
