"""What pages say as JSON: one function per noun, pure. docs/json.md tells what each name means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from feedsvc.model import (
    Article,
    Attempt,
    CaptureState,
    Change,
    Channel,
    ChannelKind,
    Difference,
    Image,
    Original,
    Revision,
    Site,
    Snapshot,
    Topic,
    TopicScore,
)
from feedsvc.publish import FEED_FORMATS, feed_url
from feedsvc.urls import host_of
from feedsvc.web.former import page_of
from feedsvc.web.listing import Listed
from feedsvc.web.rendering import iso

Json = dict[str, Any]


def time(moment: datetime | None) -> str | None:
    """Return a moment as RFC 3339 writes it, in UTC and whole seconds."""
    return None if moment is None else iso(moment)


def entry(site: Site, one: Listed) -> Json:
    """Return an article as lists have it."""
    snapshot = one.snapshot
    return _article(site, one.article) | {
        "original": original(one.article, one.original),
        "topics": [topic.slug for topic in one.topics],
        "snapshot": None if snapshot is None else proof(site, snapshot),
    }


def entries(site: Site, some: Iterable[Listed]) -> list[Json]:
    """Return a list of articles."""
    return [entry(site, one) for one in some]


def article_head(site: Site, one: Article) -> Json:
    """Return what names an article and leads to it."""
    return {
        "id": one.id,
        "title": one.title,
        "language": one.language,
        "url": f"{site.base_url}/articles/{one.id}",
        "json": f"{site.base_url}/articles/{one.id}.json",
    }


def _article(site: Site, one: Article) -> Json:
    return article_head(site, one) | {
        "entry_id": one.entry_id,
        "summary": one.summary,
        "author": one.author,
        "agency": one.agency,
        "published": time(one.published),
        "updated": time(one.updated),
    }


def article(
    site: Site,
    one: Article,
    *,
    state: Original | None,
    topics: Sequence[Mapping[str, Any]],
    snapshots: Sequence[Snapshot],
    best: Snapshot | None,
) -> Json:
    """Return an article with its text, its topics and its snapshots."""
    return _article(site, one) | {
        "credit": one.credit,
        "html": one.html,
        "text": one.text,
        "revision": one.revision,
        "original": original(one, state),
        "topics": list(topics),
        "snapshot": None if best is None else proof(site, best),
        "snapshots": [snapshot(site, each) for each in snapshots],
    }


def original(one: Article, state: Original | None) -> Json | None:
    """Return where an article comes from and how its original is; None if it names no address."""
    if one.url is None:
        return None
    found: Json = {"url": one.url, "host": host_of(one.url), "state": None}
    return found if state is None else found | original_state(state)


def original_state(one: Original) -> Json:
    """Return how an original is."""
    return {
        "state": str(one.state),
        "since": time(one.since),
        "looked": time(one.looked),
        "status": one.status,
        "cause": one.cause,
        "final_url": one.final_url,
    }


def proof(site: Site, one: Snapshot) -> Json:
    """Return what proves that a snapshot holds its article."""
    place = f"{site.base_url}/snapshots/{one.id}"
    likely = one.judgement.likely
    return {
        "id": one.id,
        "url": f"{place}/",
        "warc": f"{place}.warc.gz",
        "captured": time(one.captured),
        "verdict": str(one.judgement.verdict),
        "share": round(one.judgement.share, 4),
        "likely": None if likely is None else str(likely),
        "size": one.size,
        "sha256": one.sha256,
        "image": _image(f"{place}/image", one.image),
        "thumbnail": _image(f"{place}/thumbnail", one.thumbnail),
    }


def snapshot(site: Site, one: Snapshot) -> Json:
    """Return everything that is told of a snapshot."""
    return proof(site, one) | {
        "of": one.url,
        "final_url": one.final_url,
        "status": one.status,
        "evidence": one.judgement.evidence,
        "records": one.records,
        "requisites": one.requisites,
        "missing": one.missing,
        "repeats": one.repeats,
        "source": one.source,
        "damaged": time(one.damaged),
    }


def _image(url: str, image: Image | None) -> Json | None:
    if image is None or not image.size:
        return None
    sizes = {"width": image.width, "height": image.height}
    return {"url": url, "media_type": image.media_type, "size": image.size, **sizes}


def topic_score(site: Site, score: TopicScore, why: str) -> Json:
    """Return a topic of an article, who said so and why."""
    return topic(site, score.topic) | {
        "source": str(score.source),
        "score": round(score.score, 4),
        "why": why,
    }


def topic(site: Site, one: Topic) -> Json:
    """Return a topic."""
    return {
        "slug": one.slug,
        "label": one.label,
        "definition": one.definition,
        "uri": one.uri,
        "url": f"{site.base_url}/topics/{one.slug}",
        "json": f"{site.base_url}/topics/{one.slug}.json",
    }


def channel(site: Site, one: Channel, *, count: int | None = None) -> Json:
    """Return what a feed is about, with the feed in every format."""
    page = page_of(one.slug)
    told: Json = {
        "kind": str(one.kind),
        "slug": one.slug,
        "label": one.label,
        "definition": one.definition,
        "url": site.base_url + page,
        "json": f"{site.base_url}{page}{'index' if one.kind is ChannelKind.ALL else ''}.json",
        "feeds": {name: feed_url(site, one.slug, name) for name in FEED_FORMATS},
    }
    return told if count is None else told | {"articles": count}


def change_head(site: Site, one: Change) -> Json:
    """Return a change without the words that changed."""
    return {
        "id": one.id,
        "at": time(one.at),
        "url": f"{site.base_url}/changes/{one.id}",
        "json": f"{site.base_url}/changes/{one.id}.json",
        "summary": one.difference.summary,
        "added": one.difference.added,
        "removed": one.difference.removed,
        "headline": list(one.difference.headline) if one.difference.headline else None,
        "before": one.before_id,
        "after": one.after_id,
    }


def difference(one: Difference) -> Json:
    """Return what changed: hunks of paragraphs of pieces, `=` kept, `-` removed, `+` added."""
    return {"summary": one.summary} | one.as_json()


def revision(site: Site, one: Revision) -> Json:
    """Return a revision without its text."""
    place = f"{site.base_url}/articles/{one.article_id}/revisions/{one.number}"
    return {
        "number": one.number,
        "recorded": time(one.recorded),
        "title": one.title,
        "digest": one.digest,
        "url": place,
        "json": f"{place}.json",
    }


def look(one: Attempt) -> Json:
    """Return an attempt to capture an original, or to see how it is."""
    return {
        "at": time(one.started),
        "outcome": str(one.outcome),
        "status": one.status,
        "cause": one.cause,
        "snapshot": one.snapshot_id,
    }


def capture_state(one: CaptureState | None) -> Json | None:
    """Return where the capture of an original stands."""
    if one is None:
        return None
    return {
        "purpose": str(one.purpose),
        "state": one.state,
        "outcome": one.outcome,
        "status": one.status,
        "cause": one.cause,
        "attempts": one.attempts,
        "tried": time(one.tried),
        "next": time(one.next_at),
    }
