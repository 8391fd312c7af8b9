"""Seeds → parsed and sorted articles, in worker processes where there are many."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from feedsvc.classify import Classifier
from feedsvc.errors import SeedBusy, SeedRejected, Temporary
from feedsvc.ingest import parse_seed
from feedsvc.ingest.files import FoundSeed
from feedsvc.jobs.sources import SeedSource
from feedsvc.model import FileStamp, ParsedArticle, TopicScore, content_digest
from feedsvc.urls import article_id, normalise

CHUNK = 250
"""Seeds a worker takes at a time."""
WORTH_WORKERS = 4 * CHUNK
"""From so many seeds on, starting workers (0.3 s each) pays."""


@dataclass(frozen=True, slots=True)
class Found:
    """A seed to look at, and where it was found."""

    source: SeedSource
    seed: FoundSeed


@dataclass(frozen=True, slots=True)
class Loaded:
    """What reading a seed gave: an article, a problem, the same bytes as before, or `busy`."""

    name: str
    stamp: FileStamp
    digest: str = ""
    parsed: ParsedArticle | None = None
    scores: tuple[TopicScore, ...] = ()
    problem: SeedRejected | None = None
    busy: bool = False
    same: bool = False
    key: str | None = None
    """The normalised original URL."""
    article_id: str = ""
    """The id the article has if it is a new one."""
    content: str = ""
    """What tells its revisions apart."""


def load_all(
    found: Sequence[Found], *, classifier: Classifier, limit: int, known: Mapping[str, str]
) -> Iterator[list[Loaded]]:
    """Yield what every seed gave, in the order given, a chunk at a time.

    ``limit`` is the largest file in bytes; ``known`` gives digests of bytes that need no parsing.
    """
    pieces = [found[start : start + CHUNK] for start in range(0, len(found), CHUNK)]
    if len(found) < WORTH_WORKERS:
        for piece in pieces:
            yield [load(one, classifier=classifier, limit=limit, known=known) for one in piece]
        return
    workers = max(1, min(os.cpu_count() or 1, 8, len(pieces)))
    with ProcessPoolExecutor(
        workers,
        # Forking a process that runs threads (the daemon does) can deadlock the child.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        # A starting worker does not read yet: what does not fit the pipe would hold us up.
        initargs=(zlib.compress(pickle.dumps(classifier), 1), limit),
    ) as pool:
        waiting: deque[Future[list[Loaded]]] = deque()
        try:
            for piece in pieces:
                digests = {one.seed.name: known.get(one.seed.name, "") for one in piece}
                waiting.append(pool.submit(_load_piece, piece, digests))
                if len(waiting) > workers + 2:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def load(found: Found, *, classifier: Classifier, limit: int, known: Mapping[str, str]) -> Loaded:
    """Read, parse and sort one seed."""
    seed = found.seed
    if seed.problem is not None:
        return Loaded(seed.name, seed.stamp, problem=seed.problem)
    try:
        content, stamp = found.source.read(seed, limit=limit)
    except SeedRejected as problem:
        return Loaded(seed.name, seed.stamp, problem=problem)
    except (SeedBusy, Temporary):
        return Loaded(seed.name, seed.stamp, busy=True)
    digest = hashlib.sha256(content).hexdigest()
    if known.get(seed.name) == digest:
        return Loaded(seed.name, stamp, digest, same=True)
    try:
        parsed = parse_seed(seed.name, content)
    except SeedRejected as problem:
        return Loaded(seed.name, stamp, digest, problem=problem)
    return Loaded(
        seed.name,
        stamp,
        digest,
        parsed,
        classifier.classify(parsed),
        key=normalise(parsed.url) if parsed.url else None,
        article_id=article_id(parsed.url, seed=seed.name),
        content=content_digest(parsed),
    )


_worker: dict[str, tuple[Classifier, int]] = {}


def _start_worker(classifier: bytes, limit: int) -> None:
    _worker["tools"] = (pickle.loads(zlib.decompress(classifier)), limit)  # noqa: S301 - our own bytes


def _load_piece(piece: Sequence[Found], known: Mapping[str, str]) -> list[Loaded]:
    classifier, limit = _worker["tools"]
    return [load(one, classifier=classifier, limit=limit, known=known) for one in piece]
