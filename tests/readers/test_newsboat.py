"""Laws that readers rely on, held by the real newsboat."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.readers.served import TOPIC, ServedSite

FEEDS = [("all", "rss"), ("all", "atom"), (TOPIC, "rss"), (TOPIC, "atom")]


class Newsboat:
    """newsboat with a home of its own and one feed: it keeps each id once."""

    def __init__(self, home: Path, feed: str) -> None:
        program = shutil.which("newsboat")
        if program is None:
            pytest.skip("no newsboat on this machine")  # .ci/run installs it
        self._program = program
        self._home = home
        home.mkdir()
        (home / "urls").write_text(f"{feed}\n")
        (home / "config").write_text("error-log /dev/null\n")

    def poll(self) -> None:
        """Fetch the feed."""
        files = {"-u": "urls", "-C": "config", "-c": "cache.db"}
        options = [
            part for option, name in files.items() for part in (option, str(self._home / name))
        ]
        environment = {**os.environ, "HOME": str(self._home), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [self._program, *options, "-x", "reload"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done

    def items(self) -> list[tuple[str, str, str, int]]:
        """Return id, title, text and date of every entry it has."""
        with closing(sqlite3.connect(self._home / "cache.db")) as cache:
            query = "SELECT guid, title, content, pubDate FROM rss_item ORDER BY 1"
            return list(cache.execute(query))


def subscribed(site: ServedSite, home: Path, slug: str, form: str) -> Newsboat:
    newsboat = Newsboat(home, site.feed(slug, form))
    # Old versions remember a feed's tag from its second download on only.
    newsboat.poll()
    newsboat.poll()
    assert {status for _, status in site.asked()} <= {200, 304}
    return newsboat


def test_newsboat_shows_the_same_in_both_formats_and_gets_304_from_then_on(
    still: ServedSite, tmp_path: Path
) -> None:
    seen = []
    for slug, form in FEEDS:
        newsboat = subscribed(still, tmp_path / f"{slug}-{form}", slug, form)
        items = newsboat.items()
        seen.append([(key, title, date) for key, title, _, date in items])
        assert all("Ferry number" in title for _, title, _, _ in items)
        assert all("left the harbour" in text for _, _, text, _ in items)
        newsboat.poll()
        assert still.asked() == [(f"/feeds/{slug}.{form}", 304)]
        assert newsboat.items() == items
    assert len(seen[0]) > 5
    assert seen[0] == seen[1] == seen[2] == seen[3]


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_newsboat_takes_an_edit_for_an_edit_and_a_lost_database_for_nothing(
    site: ServedSite, tmp_path: Path, form: str
) -> None:
    newsboat = subscribed(site, tmp_path / "home", "all", form)
    before = newsboat.items()
    site.lose_the_database()
    site.open()
    newsboat.poll()
    assert newsboat.items() == before
    site.clock.advance(hours=1)
    site.article(22, body="The ferry left the harbour an hour late.\n")
    site.publish()
    newsboat.poll()
    after = newsboat.items()
    assert [item[:2] for item in after] == [item[:2] for item in before]
    assert sum("an hour late" in text for _, _, text, _ in after) == 1
