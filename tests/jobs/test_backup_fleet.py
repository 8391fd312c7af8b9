"""Laws of backups where a fleet has its site: rows in PostgreSQL, bytes in an object store."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.errors import AlreadyRunning, ConfigurationError
from feedsvc.jobs.preparing import FIRST_URL
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from feedsvc.storage.tables import workers
from tests.jobs.moving import (
    add_snapshots,
    documents,
    fleet_settings,
    rows_at,
    stock,
)
from tests.jobs.site import open_site
from tests.object_store import ObjectStore

pytestmark = pytest.mark.fleet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A stocked site."""
    site = tmp_path / "site"
    (site / "seeds").mkdir(parents=True)
    stock(site)
    with open_site(site) as runtime:
        add_snapshots(runtime, 3)
    return site


@contextmanager
def moved(root: Path, postgresql: str, store: ObjectStore) -> Iterator[Runtime]:
    """The site, in the hands of a fleet."""
    settings = fleet_settings(root, postgresql, store, store.bucket())
    here = settings.model_copy(
        update={
            one: getattr(load_settings(root), one)
            for one in ("database", "archive", "feeds", "fleet")
        }
    )
    jobs.migrate(here, to=postgresql, store=settings.archive.store, feeds=settings.feeds.dir)
    with open_runtime(settings) as runtime:
        yield runtime


def configured(folder: Path, runtime: Runtime, *, database: str, store: str) -> Path:
    """An empty site whose settings name a database and a store."""
    s3 = runtime.settings.s3
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "feedsvc.toml").write_text(
        f'[database]\nurl = "{database}"\n[archive]\nstore = "{store}"\n[s3]\n'
        f'endpoint = "{s3.endpoint}"\nregion = "{s3.region}"\nkey_id = "{s3.key_id}"\n'
        f'secret_key = "{s3.secret_key}"\n'
    )
    return folder


def without_runs(rows: dict[str, list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    return {name: found for name, found in rows.items() if name != "runs"}


def test_what_a_fleet_has_is_backed_up_and_restored_anywhere(
    root: Path, postgresql: str, moto_store: ObjectStore, tmp_path: Path
) -> None:
    backup, folder = tmp_path / "site.tar", tmp_path / "folder"
    folder.mkdir()
    with moved(root, postgresql, moto_store) as fleet:
        report = jobs.back_up(fleet, backup)
        assert (report.articles, report.snapshots, report.problems) == (6, 4, ())
        restored = jobs.restore(folder, backup)
        assert (restored.articles, restored.snapshots, restored.missing) == (6, 4, 0)
        kept = rows_at("sqlite:///data/feedsvc.db", folder)
        assert without_runs(kept) == without_runs(rows_at(postgresql, root))
        with open_site(folder) as alone:
            assert documents(alone.archive) == documents(fleet.archive)

        bucket = f"s3://{moto_store.bucket()}/again"
        place = configured(
            tmp_path / "place", fleet, database="sqlite:///data/feedsvc.db", store=bucket
        )
        assert jobs.restore(place, backup).snapshots == 4
        with open_runtime(load_settings(place)) as again:
            key, other, *_ = documents(again.archive)
            again.archive.put(key, b"damaged since")
            again.archive.delete(other)
        healed = jobs.restore(place, backup, replace=True)
        assert (healed.snapshots, healed.present, healed.missing) == (2, 2, 0)
        with open_runtime(load_settings(place)) as again:
            assert documents(again.archive) == documents(fleet.archive)


def test_a_fleet_that_works_meanwhile_is_backed_up_as_it_was_when_that_began(
    root: Path, postgresql: str, moto_store: ObjectStore, tmp_path: Path
) -> None:
    backup, folder = tmp_path / "site.tar", tmp_path / "folder"
    folder.mkdir()
    with moved(root, postgresql, moto_store) as fleet:
        with fleet.database.reading() as store:
            article = store.newest(1)[0].id
        before = set(documents(fleet.archive))
        changed: list[str] = []

        def work(stage: str, done: int, total: int | None, detail: str = "") -> None:
            if not changed:
                changed.append(stage)
                add_snapshots(fleet, 2, folder="2026/12")
                jobs.forget_article(fleet, article, who="a test", reason="")

        report = jobs.back_up(fleet, backup, progress=work)
    assert changed == ["backing up"]
    assert report.problems == ()
    with tarfile.open(backup) as tar:
        names = {name.removeprefix("snapshots/") for name in tar.getnames() if "snapshots/" in name}
    assert names <= before
    assert jobs.restore(folder, backup).articles == 6


def test_a_fleet_at_work_is_not_restored_into(
    root: Path, postgresql: str, moto_store: ObjectStore, tmp_path: Path
) -> None:
    backup = tmp_path / "site.tar"
    with moved(root, postgresql, moto_store) as fleet:
        jobs.back_up(fleet, backup)
        place = configured(tmp_path / "place", fleet, database=postgresql, store="data/snapshots")
        with pytest.raises(ConfigurationError, match="already holds a site"):
            jobs.restore(place, backup)
        with fleet.database.transaction() as store:
            worker = {"id": "w", "host": "press-3", "pid": 7, "release": "1", "skew": 0.0}
            now = fleet.now()
            store.connection.execute(workers.insert(), [worker | {"started": now, "seen": now}])
        with pytest.raises(AlreadyRunning, match="press-3, process 7"):
            jobs.restore(place, backup)


def test_what_a_first_worker_left_in_an_empty_database_makes_way(
    root: Path, postgresql: str, moto_store: ObjectStore, tmp_path: Path
) -> None:
    backup = tmp_path / "site.tar"
    with open_site(root) as runtime:
        jobs.back_up(runtime, backup)
        with runtime.database.reading() as store:
            address = store.fact(FIRST_URL)
    fleet = fleet_settings(root, postgresql, moto_store, moto_store.bucket())
    with open_runtime(fleet) as started:
        with started.database.transaction() as store:
            store.set_fact(FIRST_URL, "https://elsewhere.example")
        place = configured(tmp_path / "place", started, database=postgresql, store="data/snapshots")
    jobs.restore(place, backup)
    with open_runtime(load_settings(place)) as restored, restored.database.reading() as store:
        assert store.fact(FIRST_URL) == address
