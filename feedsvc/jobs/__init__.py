"""What feedsvc does: each job opens a runtime's parts, joins the stages and returns a report.

The CLI, the scheduler and, one day, workers on other machines call these same functions. A job
is imported when it is first asked for: `status` does not pay for the network's libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedsvc.jobs.capture import capture_due
    from feedsvc.jobs.fixity import verify
    from feedsvc.jobs.health import status
    from feedsvc.jobs.ingest import ingest_seeds
    from feedsvc.jobs.publish import feed_urls, publish_feeds
    from feedsvc.jobs.regenerate import rebuild
    from feedsvc.jobs.schema import upgrade
    from feedsvc.jobs.sort import (
        explain_topics,
        list_topics,
        reset_topics,
        set_topics,
        sort_stale,
    )

_HOMES = {
    "capture_due": "capture",
    "explain_topics": "sort",
    "feed_urls": "publish",
    "ingest_seeds": "ingest",
    "list_topics": "sort",
    "publish_feeds": "publish",
    "rebuild": "regenerate",
    "reset_topics": "sort",
    "set_topics": "sort",
    "sort_stale": "sort",
    "status": "health",
    "upgrade": "schema",
    "verify": "fixity",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    job = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = job
    return job


__all__ = [
    "capture_due",
    "explain_topics",
    "feed_urls",
    "ingest_seeds",
    "list_topics",
    "publish_feeds",
    "rebuild",
    "reset_topics",
    "set_topics",
    "sort_stale",
    "status",
    "upgrade",
    "verify",
]
