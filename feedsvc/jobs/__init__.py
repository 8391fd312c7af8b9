"""What feedsvc does: each job opens a runtime's parts, joins the stages and returns a report.

The CLI, the scheduler and, one day, workers on other machines call these same functions. A job
is imported when it is first asked for: `status` does not pay for the network's libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedsvc.jobs.add import add_urls
    from feedsvc.jobs.capture import capture_due
    from feedsvc.jobs.export import export_archive
    from feedsvc.jobs.fixity import verify
    from feedsvc.jobs.forget import audit_log, forget_article, remember_article
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
    from feedsvc.jobs.take_in import import_archives

_HOMES = {
    "add_urls": "add",
    "audit_log": "forget",
    "capture_due": "capture",
    "explain_topics": "sort",
    "export_archive": "export",
    "feed_urls": "publish",
    "forget_article": "forget",
    "import_archives": "take_in",
    "ingest_seeds": "ingest",
    "list_topics": "sort",
    "publish_feeds": "publish",
    "rebuild": "regenerate",
    "remember_article": "forget",
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
    "add_urls",
    "audit_log",
    "capture_due",
    "explain_topics",
    "export_archive",
    "feed_urls",
    "forget_article",
    "import_archives",
    "ingest_seeds",
    "list_topics",
    "publish_feeds",
    "rebuild",
    "remember_article",
    "reset_topics",
    "set_topics",
    "sort_stale",
    "status",
    "upgrade",
    "verify",
]
