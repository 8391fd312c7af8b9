"""Laws of looking again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.daemon.work import Work
from feedsvc.model import OriginalState
from feedsvc.runtime import open_runtime
from feedsvc.settings import load_settings
from tests.jobs.watched import PARAGRAPHS, TITLE, page, serve
from tests.origin import Listener, Origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


def test_an_original_that_changed_is_noticed_and_published(site: Path, origin: Origin) -> None:
    environ = {
        "FEEDSVC_ARCHIVE__ALLOW_HOSTS": origin.host,
        "FEEDSVC_ARCHIVE__PER_HOST_DELAY": "0s",
        "FEEDSVC_ARCHIVE__RECHECK_AFTER": '["0.001s", "365d"]',
    }
    url = serve(origin, page(*PARAGRAPHS))
    text = "\n\n".join((f"# {TITLE}", "2026-01-03", *PARAGRAPHS, f"Original url: {url}\n"))
    (site / "seeds" / "light.md").write_text(text, encoding="utf-8")
    with open_runtime(load_settings(site, environ=environ)) as runtime:
        work = Work(runtime, later=lambda *_: None)
        work.first()
        work.capture()
        before = (site / "feeds" / "all.atom").read_bytes()
        serve(origin, page(*PARAGRAPHS, "Correction: the club sells cups."))
        work.recheck()
        assert jobs.status(runtime).originals[OriginalState.CHANGED] == 1
        assert (site / "feeds" / "all.atom").read_bytes() != before
        work.recheck()
        with runtime.database.reading() as store:
            (change,) = store.recent_changes(limit=9)
    assert change.difference.added == 5
