"""What became of originals: the changes of their text, those that are gone, and one's history."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request

from feedsvc.model import (
    Attempt,
    Change,
    ChannelKind,
    Original,
    OriginalState,
    Outcome,
    Snapshot,
)
from feedsvc.runtime import Runtime
from feedsvc.web import twins
from feedsvc.web.answers import Shown
from feedsvc.web.rendering import moment

PAGE = 50
"""Entries of a list; older ones stand on the next page."""
LOOKS = 50
"""Looks an article's history goes back, beside its snapshots."""
KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")

NO_CHANGE = "There is no change under this address."
NO_PAGE = "There is no page of this list under this address."

STATES: Mapping[OriginalState, str] = MappingProxyType(
    {
        OriginalState.GONE: "Gone",
        OriginalState.REDIRECTED: "Moved",
        OriginalState.BLOCKED: "Blocked",
    }
)
"""States of originals that are lost to their readers, as their lists are called."""

_STATES: Mapping[OriginalState, str] = MappingProxyType(
    {
        OriginalState.UNKNOWN: "Missed once; another look will tell whether it is gone",
        OriginalState.ALIVE: "There, and its text is what was archived",
        OriginalState.CHANGED: "There, but its text changed",
        OriginalState.REDIRECTED: "Its address leads elsewhere",
        OriginalState.BLOCKED: "Blocked: it cannot be reached from here",
        OriginalState.GONE: "Gone",
    }
)
_OUTCOMES: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.VERIFIED: "archived",
        Outcome.PARTIAL: "archived",
        Outcome.MISMATCH: "not the article",
        Outcome.FAILED: "failed",
        Outcome.REFUSED: "refused",
        Outcome.UNCHANGED: "unchanged",
        Outcome.ALIVE: "its text unchanged",
        Outcome.CHANGED: "changed",
        Outcome.REDIRECTED: "leads elsewhere",
        Outcome.BLOCKED: "blocked",
        Outcome.MISSING: "missing",
    }
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of an original's history: a look, a snapshot, or both."""

    at: datetime
    seen: str
    """What was seen, in a word or two."""
    cause: str = ""
    snapshot: Snapshot | None = None
    change: Change | None = None


def state_sentence(original: Original) -> str:
    """Say how an original is and since when."""
    said = f"{_STATES[original.state]}, since {moment(original.since)}"
    looked = f"last looked at on {moment(original.looked)}"
    cause = f" {original.cause.rstrip('.')}." if original.cause else ""
    return f"{said}; {looked}.{cause}"


def history(
    snapshots: Sequence[Snapshot], looks: Sequence[Attempt], changes: Sequence[Change]
) -> list[Moment]:
    """Return what was seen of an original, the newest first; a snapshot and its look are one."""
    changed = {change.after_id: change for change in changes}
    by_snapshot = {look.snapshot_id: look for look in looks if look.snapshot_id}
    moments = [_of_snapshot(one, by_snapshot.get(one.id), changed.get(one.id)) for one in snapshots]
    known = {one.id for one in snapshots}
    moments += [
        Moment(look.started, _OUTCOMES[look.outcome], look.cause)
        for look in looks
        if look.snapshot_id not in known
    ]
    return sorted(moments, key=lambda one: one.at, reverse=True)


def _of_snapshot(snapshot: Snapshot, look: Attempt | None, change: Change | None) -> Moment:
    if change is not None:
        seen = "changed"
    elif snapshot.repeats:
        seen = "unchanged"
    else:
        seen = _OUTCOMES[look.outcome] if look else "archived"
    cause = look.cause if look else ""
    return Moment(snapshot.captured, seen, cause, snapshot, change)


class ChangePages:
    """Looks at the database for the lists, and for one change."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def changes(self, request: Request) -> Shown:
        """Show the last changes, the newest first."""
        key = _from(request)
        with self._runtime.database.reading() as store:
            before = store.change(key) if key else None
            if key and before is None:
                raise HTTPException(404, NO_PAGE)
            found = store.recent_changes(limit=PAGE + 1, before=before)
            articles = store.articles([one.article_id for one in found])
        shown, site = found[:PAGE], self._runtime.site
        return Shown(
            "changes.html",
            "Changed originals",
            "/changes",
            {
                "changes": shown,
                "articles": articles,
                "feed": self._has_feed(ChannelKind.CHANGES),
            },
            lambda: {
                "changes": [
                    twins.change_head(site, one)
                    | {"article": twins.article_head(site, articles[one.article_id])}
                    for one in shown
                ],
            },
            query={"after": key} if key else {},
            following={"after": shown[-1].id} if len(found) > PAGE else None,
        )

    def change(self, request: Request) -> Shown:
        """Show what changed, word by word."""
        key: str = request.path_params["id"]
        with self._runtime.database.reading() as store:
            change = store.change(key) if KEY.fullmatch(key) else None
            if change is None:
                raise HTTPException(404, NO_CHANGE)
            article = store.article(change.article_id)
            before, after = store.snapshot(change.before_id), store.snapshot(change.after_id)
        if article is None or article.withdrawn:
            raise HTTPException(410, "The article this change belongs to was withdrawn.")
        site = self._runtime.site
        return Shown(
            "difference.html",
            f"Changed: {article.title}",
            f"/changes/{key}",
            {"change": change, "article": article, "before": before, "after": after},
            lambda: {
                "article": twins.article_head(site, article),
                "change": twins.change_head(site, change),
                "difference": twins.difference(change.difference),
            },
        )

    def gone(self, request: Request) -> Shown:
        """Show the originals that are gone, or moved, or blocked, the latest first."""
        key = _from(request)
        state = _state(request)
        with self._runtime.database.reading() as store:
            after = store.original(key) if key else None
            # One that has another state by now stands nowhere in this list.
            if key and (after is None or after.state is not state):
                raise HTTPException(404, NO_PAGE)
            found = store.originals_in(state, limit=PAGE + 1, after=after)
            articles = store.articles([one.article_id for one in found])
            counts = store.count_originals(tuple(STATES))
        shown, site = found[:PAGE], self._runtime.site
        of_state = {} if state is OriginalState.GONE else {"state": str(state)}
        return Shown(
            "gone.html",
            f"{STATES[state]} originals",
            "/gone",
            {
                "state": state,
                "states": STATES,
                "counts": counts,
                "originals": shown,
                "articles": articles,
                "feed": self._has_feed(ChannelKind.GONE),
            },
            lambda: {
                "counts": counts,
                "originals": [
                    twins.article_head(site, articles[one.article_id])
                    | {"original": twins.original(articles[one.article_id], one)}
                    for one in shown
                ],
            },
            query=of_state | ({"after": key} if key else {}),
            following=of_state | {"after": shown[-1].article_id} if len(found) > PAGE else None,
        )

    def _has_feed(self, kind: ChannelKind) -> bool:
        with self._runtime.database.reading() as store:
            return bool(store.known_files([f"{kind}.atom"]))


def _from(request: Request) -> str:
    """Return the id after which a list goes on, empty for its beginning."""
    key = request.query_params.get("after", "")
    if key and not KEY.fullmatch(key):
        raise HTTPException(404, NO_PAGE)
    return key


def _state(request: Request) -> OriginalState:
    """Return the state whose originals are asked for, else say 404."""
    try:
        state = OriginalState(request.query_params.get("state", "gone"))
    except ValueError:
        raise HTTPException(404, NO_PAGE) from None
    if state not in STATES:
        raise HTTPException(404, NO_PAGE)
    return state
