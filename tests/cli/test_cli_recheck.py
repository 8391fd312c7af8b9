"""Laws of what `recheck` and `status` say about originals."""

from __future__ import annotations

from datetime import UTC, datetime

from feedsvc.cli.display import Block, Line, Table
from feedsvc.cli.reports import describe_recheck
from feedsvc.model import Attempt, Outcome, RecheckReport

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def attempt(outcome: Outcome, cause: str = "") -> Attempt:
    url = f"http://example.org/{outcome}"
    return Attempt("a", url, NOON, 0.1, outcome, cause, next_at=NOON)


def shown(blocks: list[Block]) -> tuple[list[str], list[str]]:
    """Return the lines, and the first cell of every row."""
    lines = [one.text for one in blocks if isinstance(one, Line)]
    return lines, [str(row[0]) for one in blocks if isinstance(one, Table) for row in one.rows]


def test_what_is_not_as_it_was_is_listed_and_everything_is_counted() -> None:
    found = (
        attempt(Outcome.UNCHANGED),
        attempt(Outcome.ALIVE),
        attempt(Outcome.CHANGED),
        attempt(Outcome.MISSING, "the server answered 404"),
        attempt(Outcome.FAILED, "timed out"),
    )
    report = RecheckReport(found, seconds=1.0, size=2048)
    lines, rows = shown(list(describe_recheck(report)))
    assert rows == [f"http://example.org/{one}" for one in ("failed", "changed", "missing")]
    assert lines[-1].startswith("5 originals looked at in 1.0 s")
    for one in ("1 unchanged", "1 alive", "1 changed", "1 missing", "1 failed"):
        assert one in lines[-1]
    assert report.partial


def test_nothing_due_is_said() -> None:
    lines, rows = shown(list(describe_recheck(RecheckReport())))
    assert (lines, rows) == (["Nothing was due."], [])
    stopped, _ = shown(list(describe_recheck(RecheckReport(), stopped=True)))
    assert stopped == ["Stopped: what was in flight is due again."]
