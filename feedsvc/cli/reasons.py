"""Why an article has its topics, and how well topics are told, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from feedsvc.classify import Explanation
from feedsvc.classify.evaluate import Evaluation
from feedsvc.cli.display import Block, Line, Table
from feedsvc.model import Article, TopicScore

_HITS = 12


def describe_reasons(
    article: Article, explanation: Explanation, stored: Sequence[TopicScore]
) -> Iterator[Block]:
    """Say which topics an article has and what spoke for each."""
    yield Line(article.title, "bold")
    chosen = ", ".join(f"{one.topic.slug} ({one.source.value})" for one in stored)
    yield Line(f"topics: {chosen or 'none yet'}")
    yield Line(f"{explanation.decision} {explanation.words:,} words were looked at.")
    for reasons in explanation.topics:
        yield Line()
        mark = "chosen" if reasons.chosen else "not chosen"
        yield Line(
            f"{reasons.topic.slug}: {reasons.total:.2f}, {mark}", "green" if reasons.chosen else ""
        )
        rows = [
            (
                f"  {hit.text}",
                hit.where,
                str(hit.times),
                f"{hit.weight:g}",
                f"{hit.contribution:+.2f}",
            )
            for hit in reasons.hits[:_HITS]
        ]
        if rows:
            yield Table(
                ("  what", "where", "times", "weight", "gave"), rows, right=frozenset({2, 3, 4})
            )
        if len(reasons.hits) > _HITS:
            yield Line(f"  … and {len(reasons.hits) - _HITS} more (--json lists them all)", "dim")


def describe_evaluation(evaluation: Evaluation) -> Iterator[Block]:
    """Say how often the best topic was the right one."""
    rows = [
        (
            one.name,
            f"{one.texts:,}",
            f"{one.precision:.1%}",
            f"{one.recall:.1%}",
            f"{one.f1:.1%}",
            ", ".join(f"{name} {count}" for name, count in one.mistaken_for[:2]),
        )
        for one in evaluation.classes
    ]
    head = ("label", "texts", "precision", "recall", "F1", "mistaken for")
    yield Table(head, rows, right=frozenset({1, 2, 3, 4}))
    yield Line()
    yield Line(f"labels: {evaluation.mapping}")
    yield Line(
        f"accuracy {evaluation.accuracy:.1%}, macro-F1 {evaluation.macro_f1:.1%} on {evaluation.texts:,} texts; "
        f"{evaluation.coverage:.1%} sorted, {evaluation.among:.1%} right among all topics given"
    )
