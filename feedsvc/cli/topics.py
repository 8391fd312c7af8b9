"""The commands about topics: list, show, set, reset, eval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedsvc.cli.failures import OK
from feedsvc.cli.invocation import Invocation, command, group

if TYPE_CHECKING:
    from feedsvc.model import TopicScore

app = typer.Typer()

ArticleId = Annotated[
    str, typer.Argument(metavar="ARTICLE", help="An article's id, as in its address.")
]


@group(app)
def topics(invocation: Invocation) -> int:
    """List topics with their number of articles, or explain and correct one article's."""
    from feedsvc import jobs
    from feedsvc.cli.display import Table

    with invocation.runtime() as runtime:
        counts = jobs.list_topics(runtime)
    rows = [(one.topic.slug, one.topic.label, f"{one.articles:,}") for one in counts]
    invocation.show(
        {"topics": counts},
        lambda: [Table(("topic", "name", "articles"), rows, right=frozenset({2}))],
    )
    return OK


@command(app, "show")
def topics_show(invocation: Invocation, article: ArticleId) -> int:
    """Explain an article's topics: which words and rules gave how much."""
    from feedsvc import jobs
    from feedsvc.cli.reasons import describe_reasons

    with invocation.runtime() as runtime:
        found, explanation, stored = jobs.explain_topics(runtime, article)
    value = {
        "article": {"id": found.id, "title": found.title, "url": found.url, "seed": found.seed},
        "topics": stored,
        "explanation": explanation,
    }
    invocation.show(value, lambda: describe_reasons(found, explanation, stored))
    return OK


@command(app, "set")
def topics_set(
    invocation: Invocation,
    article: ArticleId,
    slugs: Annotated[list[str], typer.Argument(metavar="SLUG...", help="Topics, by slug or name.")],
    new: Annotated[bool, typer.Option("--new", help="Make topics that nobody knows yet.")] = False,
) -> int:
    """Say which topics an article belongs to; no rule or word overrides that."""
    from feedsvc import jobs

    with invocation.runtime() as runtime:
        _show_scores(invocation, jobs.set_topics(runtime, article, slugs, new=new))
    return OK


@command(app, "reset")
def topics_reset(invocation: Invocation, article: ArticleId) -> int:
    """Forget what a person said of an article's topics; rules and words decide again."""
    from feedsvc import jobs

    with invocation.runtime() as runtime:
        _show_scores(invocation, jobs.reset_topics(runtime, article))
    return OK


@command(app, "eval")
def topics_eval(
    invocation: Invocation,
    csv: Annotated[
        Path,
        typer.Argument(metavar="CSV", help="Columns label or slug, and title or text."),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="LABEL=TOPIC,…",
            help="What labels mean: Sports=sport,Business=economy|labour,World=*",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Sort labelled articles; print accuracy and macro-F1."""
    from feedsvc.classify.evaluate import evaluate, read_labelled, read_map
    from feedsvc.cli.reasons import describe_evaluation
    from feedsvc.runtime import read_classifier
    from feedsvc.settings import TOPICS_FILE

    classifier = read_classifier(invocation.settings.root / TOPICS_FILE)
    classes = read_map(labels, classifier) if labels else None
    evaluation = evaluate(
        classifier, read_labelled(read_given(csv), name=str(csv)), classes=classes
    )
    invocation.show(evaluation, lambda: describe_evaluation(evaluation))
    return OK


def read_given(path: Path) -> bytes:
    """Return the bytes of a file named on the command line; a wrong name is a usage error."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error


def _show_scores(invocation: Invocation, scores: Sequence[TopicScore]) -> None:
    from feedsvc.cli.display import Line

    invocation.show(
        {"topics": scores},
        lambda: [Line(f"{one.topic.slug} ({one.source.value})") for one in scores],
    )
