"""Follow the vocabulary: topics that have another slug now, labels that read otherwise."""

from __future__ import annotations

from feedsvc.classify import Classifier
from feedsvc.jobs.agreement import require_agreement
from feedsvc.logs import logger
from feedsvc.model import Topic
from feedsvc.runtime import Runtime

_FOLLOWED = "vocabulary followed"
"""The fact that tells which version of the vocabulary topics in use are named by."""

log = logger(__name__)


def follow_vocabulary(runtime: Runtime) -> None:
    """Rename topics in use whose slug changed in the vocabulary, and bring labels up to date.

    A topic is the same one as before if its address or its code is, or if the old slug is an
    alias of the new topic. Its articles, their places and its archive pages go with it.
    """
    classifier = runtime.classifier
    with runtime.database.reading() as store:
        require_agreement(runtime, store)
        if store.fact(_FOLLOWED) == classifier.version:
            return
    with runtime.database.transaction() as store:
        store.await_dropping()
        require_agreement(runtime, store)
        for topic in store.topics_in_use():
            new = _renamed(topic, classifier)
            if new is not None:
                store.rename_topic(topic.slug, new, now=runtime.now())
                log.info("topic.renamed", before=topic.slug, after=new.slug)
        if store.relabel_topics(classifier.topics):
            # Entries show the labels of their topics, in whatever feed they stand.
            store.mark_whole()
        store.set_fact(_FOLLOWED, classifier.version)


def _renamed(topic: Topic, classifier: Classifier) -> Topic | None:
    if topic.slug in classifier.topics:
        return None
    for one in classifier.topics.values():
        if topic.uri is not None and topic.uri == one.uri:
            return one
        if topic.code is not None and (topic.scheme, topic.code) == (one.scheme, one.code):
            return one
    named = classifier.resolve(topic.slug)
    return named if named.slug in classifier.topics else None
