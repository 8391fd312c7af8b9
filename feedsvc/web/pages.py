"""The pages: topics and newest articles, one topic, one article, one snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from feedsvc.model import ALL, Article, CaptureState, Snapshot, TopicSource, Verdict
from feedsvc.runtime import Runtime
from feedsvc.web.answers import Pages
from feedsvc.web.rendering import moment

NEWEST = 50
"""Articles a list shows."""

SOURCES: Mapping[TopicSource, str] = {
    TopicSource.FRONT_MATTER: "named in the seed",
    TopicSource.PERSON: "set by a person",
    TopicSource.RULE: "by the site's rules",
    TopicSource.KEYWORDS: "by the words of the text",
    TopicSource.NONE: "no topic was sure",
}

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_SLUG = re.compile(r"[a-z0-9-]{1,120}")

NO_ARTICLE = "There is no article under this address."
NO_TOPIC = "No article belongs to a topic of this name."
NO_SNAPSHOT = "There is no snapshot under this address."


class SitePages:
    """Endpoints that read the database and render a template."""

    def __init__(self, runtime: Runtime, pages: Pages, *, prefix: str) -> None:
        self._runtime = runtime
        self._pages = pages
        self._prefix = prefix

    def home(self, request: Request) -> Response:
        """Show the topics with their feeds, and the newest articles."""
        with self._runtime.database.reading() as store:
            topics = store.topic_counts()
            articles = store.newest(NEWEST)
        return self._pages.page(
            request,
            "home.html",
            topics=topics,
            articles=articles,
            published=self._runtime.feeds.path(f"{ALL}.atom").exists(),
        )

    def topic(self, request: Request) -> Response:
        """Show the newest articles of a topic and its feeds."""
        slug = checked(request, "slug", _SLUG, NO_TOPIC)
        if slug == ALL:
            return RedirectResponse(f"{self._prefix}/", 308)
        with self._runtime.database.reading() as store:
            found = next((c for c in store.topic_counts() if c.topic.slug == slug), None)
            if found is None:
                raise HTTPException(404, NO_TOPIC)
            articles = store.newest(NEWEST, topic=slug)
        return self._pages.page(
            request, "topic.html", topic=found.topic, count=found.articles, articles=articles
        )

    def article(self, request: Request) -> Response:
        """Show an article's text, its original, its topics and its snapshots."""
        key = checked(request, "id", _ID, NO_ARTICLE)
        with self._runtime.database.reading() as store:
            article = store.article(key)
            if article is None:
                raise HTTPException(404, NO_ARTICLE)
            snapshots = store.snapshots(key)
            topics = [] if article.withdrawn else store.article_topics(key)
            state = store.capture_state(key)
        if article.withdrawn:
            return self._pages.page(
                request, "withdrawn.html", status=410, article=article, snapshots=snapshots
            )
        return self._pages.page(
            request,
            "article.html",
            article=article,
            # The stored body went through the sanitiser when it was loaded; nothing else may do this.
            body=Markup(article.html),  # noqa: S704 - cleaned when it was loaded
            topics=topics,
            sources=SOURCES,
            snapshots=snapshots,
            capturing=capture_sentence(article, snapshots, state, now=self._runtime.now()),
        )


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
