"""What feedsvc does: each job opens a runtime's parts, joins the stages and returns a report.

The CLI, the scheduler and, one day, workers on other machines call these same functions. A job
is imported when it is first asked for: `status` does not pay for the network's libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedsvc.jobs.add import add_urls
    from feedsvc.jobs.backup import back_up
    from feedsvc.jobs.capture import capture_due
    from feedsvc.jobs.export import export_archive
    from feedsvc.jobs.fixity import verify
    from feedsvc.jobs.forget import audit_log, forget_article, remember_article
    from feedsvc.jobs.health import status
    from feedsvc.jobs.ingest import ingest_seeds
    from feedsvc.jobs.migrate import migrate, rehearse_migration
    from feedsvc.jobs.publish import feed_urls, publish_feeds
    from feedsvc.jobs.push import push_due
    from feedsvc.jobs.push_state import list_subscriptions
    from feedsvc.jobs.recheck import recheck_due
    from feedsvc.jobs.regenerate import rebuild
    from feedsvc.jobs.rehearse import rehearse_ingest
    from feedsvc.jobs.restore import rehearse_restore, restore
    from feedsvc.jobs.schema import upgrade
    from feedsvc.jobs.search import index_articles, search_articles
    from feedsvc.jobs.shares import (
        find_shares,
        list_feeds,
        share_feed,
        shared_feeds,
        unshare_feed,
    )
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
    "back_up": "backup",
    "capture_due": "capture",
    "explain_topics": "sort",
    "export_archive": "export",
    "feed_urls": "publish",
    "find_shares": "shares",
    "forget_article": "forget",
    "import_archives": "take_in",
    "index_articles": "search",
    "ingest_seeds": "ingest",
    "list_subscriptions": "push_state",
    "list_feeds": "shares",
    "list_topics": "sort",
    "migrate": "migrate",
    "publish_feeds": "publish",
    "push_due": "push",
    "rebuild": "regenerate",
    "recheck_due": "recheck",
    "rehearse_ingest": "rehearse",
    "rehearse_migration": "migrate",
    "rehearse_restore": "restore",
    "remember_article": "forget",
    "reset_topics": "sort",
    "restore": "restore",
    "search_articles": "search",
    "set_topics": "sort",
    "share_feed": "shares",
    "shared_feeds": "shares",
    "sort_stale": "sort",
    "status": "health",
    "unshare_feed": "shares",
    "upgrade": "schema",
    "verify": "fixity",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{home}")
    # All of them: one that is called like its module would be hidden by it from now on.
    globals().update({job: getattr(module, job) for job, at in _HOMES.items() if at == home})
    return globals()[name]


__all__ = [
    "add_urls",
    "audit_log",
    "back_up",
    "capture_due",
    "explain_topics",
    "export_archive",
    "feed_urls",
    "find_shares",
    "forget_article",
    "import_archives",
    "index_articles",
    "ingest_seeds",
    "list_feeds",
    "list_subscriptions",
    "list_topics",
    "migrate",
    "publish_feeds",
    "push_due",
    "rebuild",
    "recheck_due",
    "rehearse_ingest",
    "rehearse_migration",
    "rehearse_restore",
    "remember_article",
    "reset_topics",
    "restore",
    "search_articles",
    "set_topics",
    "share_feed",
    "shared_feeds",
    "sort_stale",
    "status",
    "unshare_feed",
    "upgrade",
    "verify",
]
