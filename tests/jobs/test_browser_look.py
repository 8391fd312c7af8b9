"""Looks at originals that only a browser shows: by a browser, and by their text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.capture.browser_found import Absent, find_browser
from feedsvc.model import Outcome
from tests.jobs.originals import snapshots, trusting
from tests.jobs.site import Clock, Seeds, open_site
from tests.jobs.test_browser_job import APP, MAIN
from tests.origin import Origin

TEXT = (
    "The harbour council met on Monday to talk about the new ferry, which is late by a year.",
    "Several members asked who would pay for it, and nobody had an answer ready that evening.",
    "The ferry will carry two hundred people and forty cars, and it will sail every hour.",
)


def test_a_page_a_browser_showed_is_looked_at_by_a_browser(
    site: Path, seeds: Seeds, clock: Clock, origin: Origin
) -> None:
    if isinstance(find_browser(""), Absent):
        pytest.skip("no browser")  # .ci/run always has one
    kind = (("Content-Type", "application/json"),)
    origin.page("/app/main.js", MAIN, headers=(("Content-Type", "text/javascript"),))
    origin.page("/app/data", json.dumps(TEXT).encode(), headers=kind)
    url = origin.page("/app/", APP)
    settings = trusting(origin, browser="when-needed")
    with open_site(site, now=clock, archive=settings) as online:
        seeds.write("ferry.md", url=url, body="\n\n".join(TEXT))
        jobs.ingest_seeds(online)
        with online.database.reading() as store:
            article = store.newest(1)[0].id
        assert [one.outcome for one in jobs.capture_due(online).attempts] == [Outcome.VERIFIED]
        clock.advance(days=2)
        assert [one.outcome for one in jobs.recheck_due(online).attempts] == [Outcome.ALIVE]
        assert len(snapshots(online, article)) == 1
        changed = (TEXT[0].replace("a year", "two years and a half"), *TEXT[1:])
        origin.page("/app/data", json.dumps(changed).encode(), headers=kind)
        clock.advance(days=20)
        assert [one.outcome for one in jobs.recheck_due(online).attempts] == [Outcome.CHANGED]
        newest = snapshots(online, article)[0]
        assert newest.thumbnail is not None
