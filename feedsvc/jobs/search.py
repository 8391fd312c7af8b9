"""Find articles, and keep the index in which they are found."""

from __future__ import annotations

import threading
import time

from feedsvc.jobs.running import silent
from feedsvc.model import Article, Progress
from feedsvc.model.search import Filters, Found, IndexReport
from feedsvc.query import parse_query
from feedsvc.runtime import Runtime

BATCH = 250
"""Articles indexed in one transaction: writers wait for none longer than a moment."""


def index_articles(
    runtime: Runtime, *, progress: Progress = silent, stop: threading.Event | None = None
) -> IndexReport:
    """Bring every article into the index as it is; articles that were indexed cost nothing."""
    began = time.monotonic()
    with runtime.database.reading() as store:
        total = store.unindexed_count()
    done = 0
    while total and not (stop is not None and stop.is_set()):
        progress("indexing", done, max(total, done))
        with runtime.database.transaction() as store:
            some = store.index_some(limit=BATCH)
        if not some:
            break
        done += some
    return IndexReport(indexed=done, seconds=time.monotonic() - began)


def search_articles(
    runtime: Runtime,
    words: str,
    filters: Filters | None = None,
    *,
    limit: int = 50,
    after: str | None = None,
) -> tuple[Found, list[Article]]:
    """Return what was found and those articles, in its order; any words make a query."""
    with runtime.database.reading() as store:
        found = store.search(parse_query(words), filters or Filters(), limit=limit, after=after)
        known = store.articles(found.ids)
    return found, [known[one] for one in found.ids if one in known]
