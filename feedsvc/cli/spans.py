"""Lengths of time as a person says them. Pure."""

from __future__ import annotations

from datetime import datetime


def ago(past: datetime, now: datetime) -> str:
    """Return how long ago something was, roughly."""
    return roughly(max((now - past).total_seconds(), 0.0))


def until(future: datetime | None, now: datetime) -> str:
    """Return when something will be, roughly; "" for none."""
    if future is None:
        return ""
    return "now" if future <= now else f"in {roughly((future - now).total_seconds())}"


def roughly(seconds: float) -> str:
    """Return a length of time in its largest unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
