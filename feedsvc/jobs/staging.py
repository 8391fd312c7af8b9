"""What a worker read of a seed, as bytes that another machine understands."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from datetime import datetime
from typing import Any

from feedsvc import __version__
from feedsvc.errors import SeedRejected
from feedsvc.ingest import PARSER_VERSION
from feedsvc.jobs.load import Loaded
from feedsvc.model import FileStamp, ParsedArticle, Topic, TopicScore, TopicSource


def reading_version(topics_version: str) -> str:
    """Return what tells that two machines read seeds alike."""
    return f"{__version__}/{PARSER_VERSION}/{topics_version}"


def packed(loaded: Loaded) -> bytes:
    """Return what a seed gave, without its name and stamp."""
    parsed, problem = loaded.parsed, loaded.problem
    said: dict[str, Any] = {
        "digest": loaded.digest,
        "same": loaded.same,
        "key": loaded.key,
        "article_id": loaded.article_id,
        "content": loaded.content,
        "scores": [asdict(one) for one in loaded.scores],
    }
    if parsed is not None:
        date = parsed.published
        said["parsed"] = asdict(parsed) | {"published": date and date.isoformat()}
    if problem is not None:
        said["problem"] = [problem.reason, problem.remedy, problem.line]
    return zlib.compress(json.dumps(said, ensure_ascii=False).encode("utf-8"), 1)


def unpacked(data: bytes, *, name: str, stamp: FileStamp) -> Loaded:
    """Return what a seed gave, as `load` did."""
    said = json.loads(zlib.decompress(data))
    problem = said.get("problem")
    return Loaded(
        name=name,
        stamp=stamp,
        digest=said["digest"],
        parsed=_article(said["parsed"]) if "parsed" in said else None,
        scores=tuple(_score(one) for one in said["scores"]),
        problem=problem and SeedRejected(problem[0], remedy=problem[1], line=problem[2]),
        same=said["same"],
        key=said["key"],
        article_id=said["article_id"],
        content=said["content"],
    )


def _article(said: dict[str, Any]) -> ParsedArticle:
    date = said["published"]
    return ParsedArticle(
        **said
        | {
            "published": date and datetime.fromisoformat(date),
            "topics": tuple(said["topics"]),
            "warnings": tuple(said["warnings"]),
        }
    )


def _score(said: dict[str, Any]) -> TopicScore:
    return TopicScore(Topic(**said["topic"]), said["score"], TopicSource(said["source"]))
