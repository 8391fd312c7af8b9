"""Sort articles into topics again, and let a person correct that."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import cpu_count
from typing import TYPE_CHECKING

from feedsvc.classify import Classifier
from feedsvc.errors import ConfigurationError, NotFound
from feedsvc.jobs.agreement import require_agreement
from feedsvc.jobs.filing import file_articles
from feedsvc.jobs.running import silent
from feedsvc.model import (
    UNCATEGORISED,
    Article,
    ClassifyReport,
    Progress,
    Topic,
    TopicCount,
    TopicScore,
    TopicSource,
)
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store
from feedsvc.text import did_you_mean

if TYPE_CHECKING:
    from feedsvc.classify import Explanation

BATCH = 1000
"""Articles sorted in one transaction."""
WORTH_WORKERS = 2000
NAMES = 2000
"""Latest articles among which one is looked for that was misspelt."""


def sort_stale(runtime: Runtime, *, progress: Progress = silent) -> ClassifyReport:
    """Sort articles that were sorted under other rules; write only what changes.

    Ids, dates and revisions of the articles stay; topics they leave or join become dirty.
    """
    began = time.monotonic()
    classifier = runtime.classifier
    with runtime.database.reading() as store:
        total = store.stale_count(classifier.version)
    if not total:
        return ClassifyReport()
    done = changed = 0
    with _Sorting(classifier, total) as sorting:
        while True:
            with runtime.database.reading() as store:
                articles = store.stale_articles(classifier.version, limit=BATCH)
            if not articles:
                break
            scores = dict(zip((one.id for one in articles), sorting.sort(articles), strict=True))
            with runtime.database.transaction() as store:
                changed += _apply(store, runtime, articles, scores)
            done += len(articles)
            progress("sorting", done, total)
    return ClassifyReport(looked_at=done, changed=changed, seconds=time.monotonic() - began)


def _apply(
    store: Store,
    runtime: Runtime,
    articles: Sequence[Article],
    scores: Mapping[str, tuple[TopicScore, ...]],
) -> int:
    """Store new topics where they differ; return how many articles changed theirs."""
    require_agreement(runtime, store)
    classifier = runtime.classifier
    ids = [one.id for one in articles]
    stored = store.topic_slugs(ids)
    final = with_choices(store, classifier, scores)
    differ = {
        id_: list_
        for id_, list_ in final.items()
        if [(score.topic.slug, str(score.source)) for score in list_] != stored[id_]
    }
    if differ:
        store.put_topics(differ)
        _file(store, runtime, {one.id: one for one in articles if one.id in differ}, differ)
    store.set_topics_version(ids, classifier.version)
    return len(differ)


def _file(
    store: Store,
    runtime: Runtime,
    articles: Mapping[str, Article],
    scores: Mapping[str, Sequence[TopicScore]],
) -> None:
    """Let saved searches that ask for topics follow."""
    file_articles(
        store,
        runtime.filing,
        {id_: (one, one.published) for id_, one in articles.items()},
        topics={id_: [one.topic for one in scores[id_]] for id_ in articles},
    )


class _Sorting:
    """Sorts batches, in worker processes where there are many articles."""

    def __init__(self, classifier: Classifier, total: int) -> None:
        self._classifier = classifier
        self._pool = (
            ProcessPoolExecutor(
                min(cpu_count() or 1, 8),
                mp_context=get_context("spawn"),
                initializer=_start_worker,
                initargs=(classifier,),
            )
            if total >= WORTH_WORKERS
            else None
        )

    def __enter__(self) -> _Sorting:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def sort(self, articles: Sequence[Article]) -> list[tuple[TopicScore, ...]]:
        """Return the topics of every article, in order."""
        if self._pool is None:
            return [self._classifier.classify(one) for one in articles]
        return list(self._pool.map(_classify, articles, chunksize=100))


_worker: dict[str, Classifier] = {}


def _start_worker(classifier: Classifier) -> None:
    _worker["classifier"] = classifier


def _classify(article: Article) -> tuple[TopicScore, ...]:
    return _worker["classifier"].classify(article)


def with_choices(
    store: Store,
    classifier: Classifier,
    scores: Mapping[str, tuple[TopicScore, ...]],
    *,
    fresh: Collection[str] = (),
) -> dict[str, tuple[TopicScore, ...]]:
    """Return scores with a person's choice in place of all but front matter's word."""
    choices = store.topic_choices([id_ for id_ in scores if id_ not in fresh])
    # A topic outside the vocabulary has its label in the database alone.
    stored = {topic.slug: topic for topic in store.topics_in_use()} if choices else {}
    known = {**stored, **classifier.topics}
    return {
        id_: tuple(
            TopicScore(known.get(slug) or classifier.label(slug), 1.0, TopicSource.PERSON)
            for slug in choices[id_]
        )
        if id_ in choices and list_[0].source is not TopicSource.FRONT_MATTER
        else list_
        for id_, list_ in scores.items()
    }


def list_topics(runtime: Runtime) -> list[TopicCount]:
    """Return topics in use with how many articles each holds, the largest first."""
    with runtime.database.reading() as store:
        return store.topic_counts()


def find_article(store: Store, text: str) -> Article:
    """Return the one article with that id (or its beginning), seed or URL; raise NotFound."""
    found = store.find(text.strip().removeprefix("urn:uuid:"))
    exact = [one for one in found if text in {one.id, one.entry_id, one.seed, one.url}] or found
    if len(exact) == 1:
        return exact[0]
    if exact:
        several = ", ".join(one.id for one in exact)
        raise NotFound(f"several articles fit {text!r}: {several}; give more of the id")
    guess = did_you_mean(text, store.article_names(NAMES))
    raise NotFound(
        f"no article has the id, seed or URL {text!r}: {guess}a seed is named as in "
        "`feedsvc status`, such as seeds/why.md; `feedsvc search` finds articles by their words"
    )


def explain_topics(runtime: Runtime, article: str) -> tuple[Article, Explanation, list[TopicScore]]:
    """Return an article, what speaks for which topic, and the topics it has. Raises NotFound."""
    with runtime.database.reading() as store:
        found = find_article(store, article)
        stored = store.article_topics(found.id)
    return found, runtime.classifier.explain(found), stored


def set_topics(
    runtime: Runtime, article: str, names: Sequence[str], *, new: bool = False
) -> list[TopicScore]:
    """Put an article into topics by a person's word, which no rule overrides.

    A topic that nobody knows yet is made only if ``new``. Raises NotFound for an unknown article
    or topic, ConfigurationError where the seed's front matter has the last word.
    """
    classifier = runtime.classifier
    topics = {topic.slug: topic for topic in map(classifier.resolve, names)}
    with runtime.database.transaction() as store:
        found = find_article(store, article)
        if found.topics:
            raise ConfigurationError(
                f"{found.seed} names its topics in its front matter ({', '.join(found.topics)}), "
                "which stands above a person's choice; change them there"
            )
        if not new:
            _refuse_unknown(store, classifier, topics)
        store.ensure_topics(topics.values())
        store.choose_topics(found.id, list(topics), now=runtime.now())
        return _sort_one(store, runtime, found)


def _refuse_unknown(store: Store, classifier: Classifier, topics: Mapping[str, Topic]) -> None:
    known = {*classifier.topics, UNCATEGORISED, *(one.slug for one in store.topics_in_use())}
    for slug in topics:
        if slug not in known:
            raise NotFound(
                f"there is no topic {slug!r}: {did_you_mean(slug, known)}`feedsvc topics` and "
                "config/topics.toml name those there are, and `--new` makes one"
            )


def reset_topics(runtime: Runtime, article: str) -> list[TopicScore]:
    """Take a person's word back: rules and keywords decide again. Raises NotFound."""
    with runtime.database.transaction() as store:
        found = find_article(store, article)
        store.forget_choice(found.id)
        return _sort_one(store, runtime, found)


def _sort_one(store: Store, runtime: Runtime, article: Article) -> list[TopicScore]:
    require_agreement(runtime, store)
    classifier = runtime.classifier
    scores = with_choices(store, classifier, {article.id: classifier.classify(article)})
    store.put_topics(scores)
    _file(store, runtime, {article.id: article}, scores)
    store.set_topics_version([article.id], classifier.version)
    return list(scores[article.id])
