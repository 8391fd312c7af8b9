from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from feedsvc.model import Outcome, Run
from feedsvc.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.conftest import Library, Served


def test_alive_asks_nothing_of_the_database(runtime: Runtime, web: Served) -> None:
    runtime.database.close()
    answer = web.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["cache-control"] == "no-store"


def test_ready_says_what_is_missing_and_what_to_do(library: Library, web: Served) -> None:
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    told = answer.json()
    assert told["ready"] is False
    assert "feedsvc publish" in told["checks"]["feeds"]
    assert told["checks"]["database"] == told["checks"]["disk"] == "ok"
    library.feed("all.rss", b"<rss/>")
    answer = web.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)


def test_a_full_disk_is_not_ready(open_site: Callable[..., tuple[Library, Served]]) -> None:
    library, web = open_site(archive={"min_free": "9999 TiB"})
    library.feed("all.rss", b"<rss/>")
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert "min_free" in answer.json()["checks"]["disk"]


def test_another_schema_is_not_ready(library: Library, runtime: Runtime, web: Served) -> None:
    library.feed("all.rss", b"<rss/>")
    with runtime.database.transaction() as store:
        store.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "9999" in web.get("/readyz").json()["checks"]["database"]


def numbers(web: Served) -> dict[str, float]:
    lines = [line for line in web.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_tell_what_is_stored_and_done(
    library: Library, runtime: Runtime, web: Served
) -> None:
    key = library.article("One")
    library.snapshot(key)
    library.attempt(
        library.article("Two"), Outcome.FAILED, cause="x", next_at=datetime(2099, 1, 1, tzinfo=UTC)
    )
    library.withdraw(library.article("Three"))
    library.feed("all.rss", b"<rss/>")
    began = runtime.now() - timedelta(hours=1)
    with runtime.database.transaction() as store:
        store.put_run(Run("publish", began, began, ok=True))
        store.put_run(Run("capture", began, began, ok=False, error="x"))
    tag = web.get("/feeds/all.rss").headers["etag"]
    web.get("/feeds/all.rss", headers={"if-none-match": tag})
    web.get("/feeds/none.rss")
    found = numbers(web)
    assert found["feedsvc_articles"] == 2
    assert found["feedsvc_articles_withdrawn"] == 1
    assert found["feedsvc_articles_archived"] == 1
    assert found['feedsvc_snapshots{verdict="verified"}'] == 1
    assert found['feedsvc_snapshots{verdict="mismatch"}'] == 0
    assert found['feedsvc_captures{state="failed"}'] == 1
    assert found['feedsvc_captures{state="due"}'] == 1
    assert found['feedsvc_looks{state="due"}'] == 0
    assert found['feedsvc_originals{state="gone"}'] == 0
    for status in (200, 304, 404):
        assert found[f'feedsvc_feed_requests_total{{status="{status}"}}'] == 1
    assert found['feedsvc_job_last_run_age_seconds{job="publish"}'] == pytest.approx(3600, abs=60)
    assert found['feedsvc_job_last_run_ok{job="publish"}'] == 1
    assert found['feedsvc_job_last_run_ok{job="capture"}'] == 0
    assert found["feedsvc_database_up"] == 1


def test_metrics_speak_openmetrics_when_asked(web: Served) -> None:
    answer = web.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_two_applications_in_one_process_count_for_themselves(
    library: Library, web: Served, open_site: Callable[..., tuple[Library, Served]]
) -> None:
    library.feed("all.rss", b"<rss/>")
    web.get("/feeds/all.rss")
    _, other = open_site()
    assert 'feedsvc_feed_requests_total{status="200"}' not in numbers(other)
