"""`feedsvc status` in words: one screen, what is wrong first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from feedsvc.cli.display import Block, Line, Table, counted, moment, shortened, width
from feedsvc.cli.fleet_overview import fleet_numbers, fleet_tables
from feedsvc.cli.reports import NO_FOLDER
from feedsvc.cli.spans import ago, until
from feedsvc.jobs.fleet_troubles import FleetTrouble, fleet_troubles
from feedsvc.model import CaptureState, FailingPush, PushKind, Run, SeedRecord, SeedState, Status
from feedsvc.settings import format_size

WIDTH, HEIGHT = 80, 23
"""A screen, less the line for the next command."""
_WRONG = {SeedState.REJECTED, SeedState.DUPLICATE, SeedState.MISSING}
_LABEL = 10


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that a person has to look at."""

    what: str
    why: str
    since: datetime | None = None
    again: str = ""
    """When it is tried again, in words."""
    style: str = "red"


@dataclass(frozen=True, slots=True)
class Machine:
    """What runs here."""

    versions: str
    daemon: int | None
    """Process id of the daemon, None if none runs here."""


def troubles(status: Status, *, min_free: int, now: datetime) -> list[str]:
    """Return what a person has to look at, in a few words each; empty if all is well."""
    wrong = sum(count for state, count in status.seeds.items() if state in _WRONG)
    failed_runs = [run.job for run in status.runs if not run.ok]
    found = list(dict.fromkeys(one.short for one in _of_fleet(status, now) if one.grave))
    found += [f"no folder {name}" for name in status.absent]
    if wrong:
        found.append(f"{counted(wrong, 'seed')} not loaded")
    if status.failures:
        found.append(f"{counted(len(status.failures), 'original')} not archived yet")
    if status.damaged:
        found.append(f"{counted(status.damaged, 'snapshot')} damaged")
    if failed_runs:
        found.append(f"last run failed: {', '.join(failed_runs)}")
    if status.push.deaf:
        found.append(f"cannot tell {', '.join(status.push.deaf)} what changed")
    if status.disk_free is not None and status.disk_free < min_free:
        found.append(f"only {format_size(status.disk_free)} free on the disk")
    return found


def describe_status(
    status: Status, *, min_free: int, now: datetime, machine: Machine
) -> Iterator[Block]:
    """Answer on one screen: is it healthy? And if not, what failed, why, and what to do."""
    wrong = troubles(status, min_free=min_free, now=now)
    text = f"Not well: {'; '.join(wrong)}" if wrong else "Healthy"
    yield Line(shortened(text, WIDTH), "bold red" if wrong else "bold green")
    kinds = everything_wrong(status, min_free=min_free, now=now)
    numbers = list(_numbers(status, now, machine))
    yield from _shown(kinds, now, room=HEIGHT - 1 - len(numbers))
    for label, value in numbers:
        yield Line(shortened(f"{label:<{_LABEL}}{value}", WIDTH))


def _shown(kinds: Sequence[list[Trouble]], now: datetime, *, room: int) -> Iterator[Block]:
    """Show at least the first trouble of every kind, each in two lines if there is room, else one."""
    ranked = [
        kind[rank]
        for rank in range(max(map(len, kinds), default=0))
        for kind in kinds
        if rank < len(kind)
    ]
    if 2 * len(ranked) <= room:
        shown, lines = len(ranked), room
    else:
        lines = room - 1
        shown = min(max(len(kinds), lines // 2), len(ranked), lines)
    for number, trouble in enumerate(ranked[:shown]):
        is_long = number < lines - shown
        yield from _told(trouble, now) if is_long else _told_shortly(trouble, now)
    if shown < len(ranked):
        more = len(ranked) - shown
        yield Line(f"… and {more:,} more: `feedsvc status --full` shows all of them", "dim")


def _told(trouble: Trouble, now: datetime) -> Iterator[Line]:
    """Say it in two lines: what, since when and when again; why."""
    yield _line(trouble.what, _times(trouble, now), trouble.style)
    if trouble.why:
        yield Line(shortened(f"  {trouble.why}", WIDTH))


def _told_shortly(trouble: Trouble, now: datetime) -> Iterator[Line]:
    yield _line(f"{trouble.what}: {trouble.why}", _times(trouble, now), trouble.style)


def _line(text: str, times: str, style: str) -> Line:
    text = shortened(text, WIDTH - width(times) - 2)
    return Line(f"{text}{' ' * (WIDTH - width(text) - width(times))}{times}".rstrip(), style)


def _times(trouble: Trouble, now: datetime) -> str:
    parts = [f"since {ago(trouble.since, now)}"] if trouble.since is not None else []
    parts += [f"again {trouble.again}"] if trouble.again else []
    return ", ".join(parts)


def describe_in_full(
    status: Status, *, min_free: int, now: datetime, machine: Machine
) -> Iterator[Block]:
    """Answer at any length: everything that is wrong, every number, topics, the last runs."""
    wrong = troubles(status, min_free=min_free, now=now)
    yield Line(
        f"Not well: {'; '.join(wrong)}" if wrong else "Healthy",
        "bold red" if wrong else "bold green",
    )
    for kind in everything_wrong(status, min_free=min_free, now=now):
        yield Line()
        for trouble in kind:
            times = _times(trouble, now)
            yield Line(f"{trouble.what} ({times})" if times else trouble.what, trouble.style)
            yield Line(f"  {trouble.why}")
    yield Line()
    yield Table((), list(_numbers(status, now, machine)))
    if status.fleet is not None:
        yield from fleet_tables(status.fleet, now)
    if status.topics:
        yield Line()
        rows = [(one.topic.slug, f"{one.articles:,}") for one in status.topics]
        yield Table(("topic", "articles"), rows, right=frozenset({1}))
    if status.runs:
        yield Line()
        yield Table(("last run", "started", "result"), [_run(run) for run in status.runs])


def _run(run: Run) -> tuple[str, str, str]:
    if not run.ok:
        return run.job, moment(run.started), f"failed: {run.error}"
    if run.ended is None:
        return run.job, moment(run.started), "running"
    done = ", ".join(
        f"{value} {key}" for key, value in run.summary.items() if value and key != "seconds"
    )
    return run.job, moment(run.started), done or "nothing to do"


def everything_wrong(status: Status, *, min_free: int, now: datetime) -> list[list[Trouble]]:
    """Return troubles by kind, the worst kind first."""
    fleet = _of_fleet(status, now)
    kinds = [
        *([_in_fleet(one) for one in some] for _, some in groupby(_grave(fleet), _short)),
        _disk(status, min_free),
        [Trouble(f"folder {name} is not there", NO_FOLDER) for name in status.absent],
        [
            Trouble(f"job {run.job} failed", run.error, run.started)
            for run in status.runs
            if not run.ok
        ],
        [_of_damage(status)] if status.damaged else [],
        [_of_original(one, now, "not archived", "red") for one in status.failures],
        [_of_seed(one) for one in status.problems if one.state in _WRONG],
        [_of_push(one, now) for one in status.push.failing],
        [_in_fleet(one) for one in fleet if not one.grave],
        [_of_original(one, now, "not looked at again", "yellow") for one in status.troubled],
        [_of_seed(one) for one in status.problems if one.state not in _WRONG],
    ]
    return [kind for kind in kinds if kind]


def _of_fleet(status: Status, now: datetime) -> list[FleetTrouble]:
    return [] if status.fleet is None else list(fleet_troubles(status.fleet, now))


def _grave(found: Sequence[FleetTrouble]) -> list[FleetTrouble]:
    return [one for one in found if one.grave]


def _short(one: FleetTrouble) -> str:
    return one.short


def _in_fleet(one: FleetTrouble) -> Trouble:
    return Trouble(one.what, one.why, one.since, style="red" if one.grave else "yellow")


def _disk(status: Status, min_free: int) -> list[Trouble]:
    if status.disk_free is None or status.disk_free >= min_free:
        return []
    free, wanted = format_size(status.disk_free), format_size(min_free)
    return [Trouble(f"disk: {free} free", f"captures stop below {wanted} (archive.min_free)")]


def _of_damage(status: Status) -> Trouble:
    return Trouble(
        f"{counted(status.damaged, 'snapshot')} damaged",
        "`feedsvc verify` names them and what to do",
    )


def _of_original(one: CaptureState, now: datetime, what: str, style: str) -> Trouble:
    return Trouble(
        f"{what}: {one.title}",
        f"{one.cause or one.outcome or 'not known why'} — {one.url}",
        one.since or one.tried,
        until(one.next_at, now),
        style,
    )


def _of_seed(one: SeedRecord) -> Trouble:
    place = one.name if one.line is None else f"{one.name}:{one.line}"
    if one.state is SeedState.LOADED:
        why = "; ".join(one.warnings) or one.reason or ""
        return Trouble(f"warning {place}", _with(why, one.remedy), style="yellow")
    why = _with(one.reason or "", one.remedy)
    return Trouble(f"{one.state.value} {place}", why, one.since)


def _with(why: str, remedy: str | None) -> str:
    return f"{why}: {remedy}" if remedy else why


def _of_push(one: FailingPush, now: datetime) -> Trouble:
    who = f"{'hub' if one.kind is PushKind.PING else 'subscriber'} {one.host}"
    again = until(one.next_at, now) if one.next_at else "when it changes"
    style = "red" if one.kind is PushKind.PING else "yellow"
    return Trouble(f"not told: {who}, {one.name}", one.cause, one.tried, again, style)


def _numbers(status: Status, now: datetime, machine: Machine) -> Iterator[tuple[str, str]]:
    extra = f", {status.withdrawn:,} withdrawn" if status.withdrawn else ""
    about = "about " if status.is_estimate else ""
    yield (
        "articles",
        f"{about}{status.articles:,} in {counted(len(status.topics), 'topic')}{extra}; "
        f"{status.archived:,} archived ({_listed(status.snapshots) or 'no snapshots'})",
    )
    yield "originals", _listed(status.originals) or "none seen"
    yield "seeds", _listed(status.seeds) or "none"
    yield (
        "waiting",
        f"{counted(status.due, 'capture')}, {counted(status.looks_due, 'look')} due, "
        f"{status.in_flight:,} in flight, {counted(status.dirty, 'feed')} to write",
    )
    push = status.push
    if push.hubs or push.subscriptions or push.unverified or push.due:
        hubs = "".join(f"{counted(len(push.hubs), 'hub')}, " for _ in push.hubs[:1])
        yield (
            "push",
            f"{hubs}{counted(push.subscriptions, 'subscription')}, "
            f"{push.unverified:,} to be verified, {push.due:,} due, {len(push.failing):,} failing",
        )
    base = "" if status.database_size is None else f", database {format_size(status.database_size)}"
    free = "free: unknown" if status.disk_free is None else f"{format_size(status.disk_free)} free"
    yield "disk", f"{free}, snapshots {format_size(status.archive_size)}{base}"
    if status.fleet is None:
        daemon = "no daemon" if machine.daemon is None else f"daemon {machine.daemon}"
        yield "runs", f"{daemon}; {_runs(status, now)}"
    else:
        yield from fleet_numbers(status.fleet, now)
        yield "runs", _runs(status, now)
    yield "version", f"{machine.versions}, schema {status.schema}"


def _runs(status: Status, now: datetime) -> str:
    latest = sorted(status.runs, key=lambda run: run.started, reverse=True)
    return (
        ", ".join(
            f"{run.job} {'' if run.ok else 'FAILED '}{ago(run.started, now)} ago" for run in latest
        )
        or "nothing ran yet"
    )


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)
