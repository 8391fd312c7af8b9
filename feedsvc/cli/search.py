"""The command that finds articles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import OK
from feedsvc.cli.invocation import Invocation, command
from feedsvc.errors import NotFound
from feedsvc.text import did_you_mean

if TYPE_CHECKING:
    from feedsvc.cli.display import Block
    from feedsvc.model import Article
    from feedsvc.model.search import Found

app = typer.Typer()


def _option(name: str, metavar: str, help_: str) -> object:
    return typer.Option(name, metavar=metavar, help=help_, show_default=False)


@command(app, "search")
def search(
    invocation: Invocation,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS]...",
            help='Words, "phrases", begin*, -not, OR, title: author: agency: host: topic: '
            "before: after:",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[str | None, _option("--topic", "SLUG", "Only of this topic.")] = None,
    host: Annotated[str | None, _option("--host", "NAME", "Only originals of this host.")] = None,
    state: Annotated[
        str | None, _option("--state", "STATE", "Only originals that are, say, gone.")
    ] = None,
    after: Annotated[
        datetime | None,
        typer.Option("--after", formats=["%Y-%m-%d"], metavar="DATE", show_default=False),
    ] = None,
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=["%Y-%m-%d"], metavar="DATE", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, metavar="N", help="At most N articles.")
    ] = 20,
    page: Annotated[
        str | None, _option("--next", "MARK", "Go on where the last answer ended.")
    ] = None,
) -> int:
    """Find articles; without words the latest ones that pass the options."""
    from feedsvc import jobs
    from feedsvc.model.search import Filters

    _require_state(state)
    filters = Filters(topic=topic, host=host, state=state, after=_utc(after), before=_utc(before))
    with invocation.runtime() as runtime, invocation.progress() as tell:
        if not runtime.database.is_read_only:
            jobs.index_articles(runtime, progress=tell)
        if topic is not None:
            _require_topic(topic, [one.topic.slug for one in jobs.list_topics(runtime)])
        found, articles = jobs.search_articles(
            runtime, " ".join(words or ()), filters, limit=limit, after=page
        )
    value = {
        "total": found.total,
        "more": found.more,
        "next": found.next,
        "articles": [_as_json(one) for one in articles],
    }
    invocation.show(value, lambda: _describe(found, articles))
    return OK


def _require_state(state: str | None) -> None:
    from feedsvc.model import OriginalState

    known = [one.value for one in OriginalState]
    if state is not None and state not in known:
        guess = did_you_mean(state, known)
        raise typer.BadParameter(f"no original is {state!r}: {guess}it is {', '.join(known)}")


def _require_topic(topic: str, known: list[str]) -> None:
    if topic not in known:
        guess = did_you_mean(topic, known)
        raise NotFound(f"no article is in a topic {topic!r}: {guess}`feedsvc topics` lists them")


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _as_json(article: Article) -> dict[str, object]:
    return {
        "id": article.id,
        "title": article.title,
        "url": article.url,
        "author": article.author,
        "agency": article.agency,
        "published": article.published,
        "summary": article.summary,
        "seed": article.seed,
    }


def _describe(found: Found, articles: list[Article]) -> Iterator[Block]:
    from feedsvc.cli.display import Line, Table, counted

    rows = [
        (f"{one.published:%Y-%m-%d}", one.title, one.author or one.agency or "", one.id)
        for one in articles
    ]
    if rows:
        yield Table(("date", "title", "by", "id"), rows)
    more = "more than " if found.more else ""
    yield Line(f"{more}{counted(found.total, 'article')}")
    if found.next is not None:
        yield Line(f"go on with --next {found.next}")
