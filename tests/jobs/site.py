"""Sites and seeds for the tests of jobs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from tests.databases import SITE_FILE, put_new_file

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

BODY = (
    "The harbour council met on Monday to talk about the new ferry.\n\n"
    "Several members asked who would pay for it, and nobody had an answer ready.\n"
)


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Seeds:
    """A folder of seeds that look as if they had been left alone for an hour."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._age = 3600.0

    def write(
        self,
        name: str,
        *,
        title: str = "A ferry for the harbour",
        url: str | None = "https://example.org/ferry",
        date: str = "May 31, 2024",
        body: str = BODY,
        text: str | None = None,
    ) -> Path:
        """Write a seed; ``text`` replaces everything."""
        if text is None:
            tail = f"\nOriginal url: {url}" if url else ""
            text = f"# {title}\n\nBy Jane Roe\n\n{date}\n\n{body}{tail}"
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.age(path)
        return path

    def age(self, path: Path) -> None:
        """Give a file a time of its own, an hour ago: no two writes look alike."""
        self._age -= 0.001
        moment = time.time() - self._age
        os.utime(path, (moment, moment))

    def many(self, count: int, *, folder: str = "many") -> list[Path]:
        """Write seeds that differ in URL, title and date."""
        return [
            self.write(
                f"{folder}/{number:04}.md",
                title=f"Report number {number}",
                url=f"https://example.org/{folder}/{number}",
                date=f"2024-05-{number % 28 + 1:02}",
            )
            for number in range(count)
        ]


@contextmanager
def open_site(
    root: Path,
    *,
    database: str | None = None,
    now: Any = None,
    **sections: dict[str, Any],
) -> Iterator[Runtime]:
    """Open the site in root; ``sections`` override settings: archive={"per_host": 9}."""
    settings = load_settings(root)
    if settings.database.url == f"sqlite:///{SITE_FILE}" and database is None:
        put_new_file(root / SITE_FILE)
    if database is not None:
        sections["database"] = {"url": database}
    for section, values in sections.items():
        changed = getattr(settings, section).model_copy(update=values)
        settings = settings.model_copy(update={section: changed})
    with open_runtime(settings, now=now or Clock()) as runtime:
        yield runtime


def only(report: object) -> dict[str, int]:
    """Return the numbers of a report that are not zero, without the time it took."""
    from feedsvc.jobs.running import numbers

    return {
        name: value
        for name, value in numbers(replace(report, seconds=0.0)).items()  # type: ignore[type-var]  # every report is a dataclass
        if value
    }
