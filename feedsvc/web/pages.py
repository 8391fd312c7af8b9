"""The pages: newest articles and topics, one article, one of its revisions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from feedsvc.capture.compare import MainText, compare
from feedsvc.jobs.preparing import private_slugs
from feedsvc.model import (
    ALL,
    Article,
    CaptureState,
    Channel,
    ChannelKind,
    Revision,
    Snapshot,
    TopicScore,
    Verdict,
)
from feedsvc.runtime import Runtime
from feedsvc.web import twins
from feedsvc.web.answers import Pages, Shown
from feedsvc.web.changes import LOOKS, history, state_sentence
from feedsvc.web.listing import Counts, listed, page_start
from feedsvc.web.pictures import Pictures
from feedsvc.web.reasons import Reasons
from feedsvc.web.rendering import moment
from feedsvc.web.structured import news_article

NEWEST = 30
"""Articles that stand on a page of a list."""
TOPICS = 200
"""Topics that are told of at once."""

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")

NO_ARTICLE = "There is no article under this address."
NO_REVISION = "This article has no revision of that number."
NO_SNAPSHOT = "There is no snapshot under this address."
WITHDRAWN = "This article was withdrawn."


class SitePages:
    """Looks at the database for the front page and the pages of an article."""

    def __init__(
        self, runtime: Runtime, pages: Pages, *, counts: Counts, pictures: Pictures
    ) -> None:
        self._runtime = runtime
        self._pages = pages
        self._counts = counts
        self._pictures = pictures
        self._reasons = Reasons(runtime)

    def home(self, request: Request) -> Shown:
        """Show the newest articles and the topics with their feeds."""
        hidden = private_slugs(self._runtime)
        with self._runtime.database.reading() as store:
            start = page_start(request, store)
            found = store.newest(NEWEST + 1, after=start)
            some = listed(store, found[:NEWEST], hidden=hidden)
            marked = store.channels_from(ChannelKind.TOPIC, limit=TOPICS)
            counts = self._counts.of(store, marked)
            published = bool(store.known_files([f"{ALL}.atom"]))
        topics = by_size([one for one, _ in marked if one.slug not in hidden], counts)
        site = self._runtime.site
        return Shown(
            "home.html",
            site.title,
            "/",
            {
                "topics": topics,
                "counts": counts,
                "articles": some,
                "published": published,
            },
            lambda: {
                "articles": twins.entries(site, some),
                "topics": [twins.channel(site, one, count=counts[one.slug]) for one in topics],
            },
            query={} if start is None else {"after": start.id},
            following={"after": found[NEWEST - 1].id} if len(found) > NEWEST else None,
        )

    def article(self, request: Request) -> Shown | Response:
        """Show an article's text, its original, its topics, its revisions and its snapshots."""
        key = checked(request, "id", _ID, NO_ARTICLE)
        with self._runtime.database.reading() as store:
            article = store.article(key)
            if article is None:
                raise HTTPException(404, NO_ARTICLE)
            snapshots = store.snapshots(key)
            if article.withdrawn:
                return self._withdrawn(article, snapshots)
            topics = self._named(store.article_topics(key))
            channels = store.channels_of(key)
            state = store.capture_state(key)
            original = store.original(key)
            looks = store.attempts_at(key, limit=LOOKS)
            changes = store.changes_of(key, limit=LOOKS)
            revisions = store.revisions(key)
            best = store.good_snapshots([key]).get(key)
        site = self._runtime.site
        why = self._reasons.of(article, topics)
        return Shown(
            "article.html",
            article.title,
            f"/articles/{key}",
            {
                "article": article,
                "body": self._pictures.shown(article, best),
                "topics": topics,
                "why": why,
                "channels": self._public(channels),
                "original": original,
                "state": "" if original is None else state_sentence(original),
                "best": best,
                "history": history(snapshots, looks, changes),
                "revisions": revisions,
                "structured": news_article(site, article, topics=topics, snapshot=best),
                "capturing": capture_sentence(article, snapshots, state, now=self._runtime.now()),
            },
            lambda: {
                "article": twins.article(
                    site,
                    article,
                    state=original,
                    topics=[twins.topic_score(site, one, why[one.topic.slug]) for one in topics],
                    snapshots=snapshots,
                    best=best,
                ),
                "capture": twins.capture_state(state),
                "looks": [twins.look(one) for one in looks],
                "changes": [twins.change_head(site, one) for one in changes],
                "revisions": [twins.revision(site, one) for one in revisions],
            },
        )

    def _withdrawn(self, article: Article, snapshots: list[Snapshot]) -> Shown:
        site = self._runtime.site
        return Shown(
            "withdrawn.html",
            "Withdrawn",
            f"/articles/{article.id}",
            {"article": article, "snapshots": snapshots},
            lambda: {
                "article": {"id": article.id, "withdrawn": twins.time(article.withdrawn)},
                "snapshots": [twins.snapshot(site, one) for one in snapshots],
            },
            status=410,
        )

    def _named(self, topics: Sequence[TopicScore]) -> list[TopicScore]:
        """Return the topics that have a page: not those whose feeds are private."""
        hidden = private_slugs(self._runtime)
        return [one for one in topics if one.topic.slug not in hidden]

    def _public(self, channels: Sequence[Channel]) -> list[Channel]:
        """Return the channels beside topics that have a page of their own."""
        hidden = private_slugs(self._runtime)
        return [one for one in channels if "/" in one.slug and one.slug not in hidden]

    def revision(self, request: Request) -> Shown:
        """Show what changed in an article's own text from one revision to the next."""
        key = checked(request, "id", _ID, NO_ARTICLE)
        number = int(checked(request, "number", _NUMBER, NO_REVISION))
        with self._runtime.database.reading() as store:
            article = store.article(key)
            revisions = {one.number: one for one in store.revisions(key)}
        if article is None:
            raise HTTPException(404, NO_ARTICLE)
        if article.withdrawn:
            raise HTTPException(410, WITHDRAWN)
        if number not in revisions:
            raise HTTPException(404, NO_REVISION)
        site, now, before = self._runtime.site, revisions[number], revisions.get(number - 1)
        difference = None if before is None else compare(_text_of(before), _text_of(now))
        return Shown(
            "revision.html",
            f"Revision {number}: {now.title}",
            f"/articles/{key}/revisions/{number}",
            {
                "article": article,
                "revision": now,
                "before": before,
                "after": revisions.get(number + 1),
                "difference": difference,
            },
            lambda: {
                "article": twins.article_head(site, article),
                "revision": twins.revision(site, now) | {"text": now.text},
                "difference": None if difference is None else twins.difference(difference),
            },
        )

    def snapshot_twin(self, request: Request) -> Shown:
        """Tell of a snapshot what its page shows; that page itself is made by `Replay`."""
        key = snapshot_id(request)
        with self._runtime.database.reading() as store:
            snapshot = store.snapshot(key)
            if snapshot is None:
                raise HTTPException(404, NO_SNAPSHOT)
            article = store.article(snapshot.article_id)
        site = self._runtime.site
        head = article is not None and not article.withdrawn
        return Shown(
            "",
            f"Snapshot of {moment(snapshot.captured)}",
            f"/snapshots/{key}",
            {},
            lambda: {
                "article": twins.article_head(site, article) if article and head else None,
                "snapshot": twins.snapshot(site, snapshot),
            },
        )


def by_size(channels: Sequence[Channel], counts: dict[str, int]) -> list[Channel]:
    """Return channels, the largest first; those that hold nothing are left out."""
    held = [one for one in channels if counts[one.slug]]
    return sorted(held, key=lambda one: (-counts[one.slug], one.slug))


def _text_of(revision: Revision) -> MainText:
    return MainText(revision.title, tuple(revision.text.split("\n\n")))


def checked(request: Request, name: str, pattern: re.Pattern[str], missing: str) -> str:
    """Return a path parameter of the right shape, else say 404: nothing odd reaches the database."""
    value: str = request.path_params[name]
    if pattern.fullmatch(value) is None:
        raise HTTPException(404, missing)
    return value


def snapshot_id(request: Request) -> str:
    """Return the snapshot id a request names."""
    return checked(request, "id", _ID, NO_SNAPSHOT)


def capture_sentence(
    article: Article, snapshots: list[Snapshot], state: CaptureState | None, *, now: datetime
) -> str:
    """Say where the capture stands; empty where the snapshots say it all."""
    if state is None:
        return "" if snapshots or not article.url else "No capture is planned for this article."
    if state.purpose == "look":
        return ""
    if state.state == "leased":
        return "The original is being captured now."
    failed = state.outcome in {"failed", "refused", "mismatch"}
    if failed and state.tried:
        said = f"The last attempt, on {moment(state.tried)}, did not archive it"
        said += f": {state.cause.rstrip('.')}." if state.cause else "."
        return f"{said} {_next_try(state, now)}".rstrip()
    if any(snapshot.judgement.verdict is not Verdict.MISMATCH for snapshot in snapshots):
        return ""
    return f"Not archived yet. {_next_try(state, now)}".rstrip()


def _next_try(state: CaptureState, now: datetime) -> str:
    if state.next_at is None:
        return ""
    if state.next_at <= now:
        return "It is due now: a running daemon takes it next, and so does `feedsvc capture`."
    return f"The next attempt is on {moment(state.next_at)}."
