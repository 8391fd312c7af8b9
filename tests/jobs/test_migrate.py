"""Laws of a site that moves: it is the same at both ends, and the one it leaves is not touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from feedsvc import jobs
from feedsvc.errors import (
    AlreadyRunning,
    ConfigurationError,
    OutOfSpace,
    SchemaMismatch,
)
from feedsvc.model.moving import MoveReport
from feedsvc.runtime import blob_store, open_runtime
from feedsvc.settings import Settings
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.tables import snapshots, workers
from feedsvc.storage.transfer_guards import sole_mover
from tests.jobs.moving import (
    add_snapshots,
    documents,
    fleet_settings,
    reached,
    rows_at,
    settings_for,
    stock,
)
from tests.jobs.site import Clock, open_site
from tests.object_store import ObjectStore

pytestmark = pytest.mark.fleet

HERE = "sqlite:///data/feedsvc.db"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A stocked site with a few snapshots."""
    site = tmp_path / "site"
    (site / "seeds").mkdir(parents=True)
    stock(site)
    with open_site(site) as runtime:
        add_snapshots(runtime, 5)
    return site


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but locks and SQLite's own, which reading makes too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".lock", ".db-wal", ".db-shm"}
    }


def moved(settings: Settings, to: str, **where: Any) -> MoveReport:
    report = jobs.migrate(settings, to=to, **where)
    assert (report.problems, report.differences) == ((), ())
    return report


def published(settings: Settings) -> dict[str, bytes]:
    """What publishing everything anew leaves."""
    with open_runtime(settings, now=Clock()) as runtime:
        for key in list(documents(runtime.feeds)):
            runtime.feeds.delete(key)
        jobs.rebuild(runtime)
        return documents(runtime.feeds)


def test_a_site_goes_to_a_fleet_and_comes_back_byte_by_byte(
    root: Path, bare_postgresql: str, moto_store: ObjectStore
) -> None:
    bucket = moto_store.bucket()
    here = settings_for(root, s3=reached(moto_store))
    fleet = fleet_settings(root, bare_postgresql, moto_store, bucket)
    before = files(root)

    there = moved(here, bare_postgresql, store=fleet.archive.store, feeds=fleet.feeds.dir)

    assert files(root) == before
    assert (there.snapshots, there.sent, there.copied) == (6, 6, there.rows)
    assert {one.key for one in there.steps} == {
        "database.url",
        "archive.store",
        "feeds.dir",
        "fleet.enabled",
    }
    assert rows_at(bare_postgresql, root) == rows_at(HERE, root)
    with open_site(root) as old, open_runtime(fleet, now=Clock()) as new:
        assert documents(new.archive) == documents(old.archive)
        assert documents(new.feeds) == documents(old.feeds)

    again = moved(here, bare_postgresql, store=fleet.archive.store, feeds=fleet.feeds.dir)
    assert (again.resumed, again.copied, again.sent) == (True, 0, 0)

    before, back = files(root), "sqlite:///back/feedsvc.db"
    with open_runtime(fleet, now=Clock()) as new:
        assert jobs.publish_feeds(new).written == 0
    at_fleet = rows_at(bare_postgresql, root)
    moved(fleet, back, store="back/snapshots", feeds="back/feeds")

    assert rows_at(bare_postgresql, root) == rows_at(back, root) == at_fleet
    assert files(root).items() >= before.items()
    alone = settings_for(
        root,
        database={"url": back},
        archive={"store": "back/snapshots"},
        feeds={"dir": "back/feeds"},
    )
    with open_site(root) as old, open_runtime(alone, now=Clock()) as new:
        assert documents(new.archive) == documents(old.archive)
        assert documents(new.feeds) == documents(old.feeds)
        assert jobs.verify(new).damage == ()
        assert jobs.index_articles(new).indexed == 6
    assert published(fleet) == published(here) == published(alone)


def test_what_is_there_is_not_sent_again_and_what_is_wrong_is(root: Path, tmp_path: Path) -> None:
    here = settings_for(root)
    to, store = f"sqlite:///{tmp_path}/new.db", str(tmp_path / "new")
    moved(here, to, store=store)
    target = blob_store(store, here)
    keys = list(target.stored())
    target.delete(keys[0])
    target.put(keys[1], b"cut")
    with target.open(keys[2]) as file:
        data = file.read()
    target.put(keys[2], data[:-1] + b"?")

    again = moved(here, to, store=store)

    assert (again.resumed, again.copied, again.sent, again.snapshots) == (True, 0, 3, 6)
    with open_site(root) as old:
        assert documents(target) == documents(old.archive)


def test_a_quick_look_sees_sizes_only(root: Path, tmp_path: Path) -> None:
    here = settings_for(root)
    to, store = f"sqlite:///{tmp_path}/new.db", str(tmp_path / "new")
    moved(here, to, store=store)
    target = blob_store(store, here)
    first, second, *_ = target.stored()
    with target.open(first) as file:
        data = file.read()
    target.put(first, data[:-1] + b"?")
    target.put(second, data + b"?")
    assert moved(here, to, store=store, quick=True).sent == 1
    assert moved(here, to, store=store).sent == 1


def test_damage_is_named_and_the_rest_goes_on(root: Path, tmp_path: Path) -> None:
    with open_site(root) as runtime:
        missing, changed, known, *_ = (key for key in runtime.archive.stored() if "2026/11" in key)
        runtime.archive.delete(missing)
        runtime.archive.put(changed, b"not what it was")
        runtime.archive.put(known, b"nor this")
        with runtime.database.transaction() as store:
            store.connection.execute(
                update(snapshots).where(snapshots.c.key == known).values(damaged=runtime.now())
            )
    to, place = f"sqlite:///{tmp_path}/new.db", str(tmp_path / "new")

    report = jobs.migrate(settings_for(root), to=to, store=place)

    assert [key in told for key, told in zip((known,), report.problems, strict=True)] == [True]
    assert sorted(report.differences) == sorted(
        [
            f"{root}/data/snapshots/{missing} is missing; `feedsvc verify` tells what to do",
            f"{root}/data/snapshots/{changed} is not as it was recorded; `feedsvc verify` tells "
            "what to do",
        ]
    )
    assert (report.snapshots, report.sent) == (5, 5)
    assert rows_at(to, root) == rows_at(HERE, root)
    assert documents(blob_store(place, settings_for(root)))[known] == b"nor this"


def test_a_row_that_was_changed_on_the_way_is_named(root: Path, tmp_path: Path) -> None:
    to, store = f"sqlite:///{tmp_path}/new.db", str(tmp_path / "new")
    moved(settings_for(root), to, store=store)
    with (
        closing(Database(database_url(to, root=root))) as database,
        database.transaction() as there,
    ):
        there.connection.execute(text("UPDATE revisions SET title = 'other' WHERE url IS NOT NULL"))
        there.connection.execute(text("DELETE FROM topic_choices"))
    report = jobs.migrate(settings_for(root), to=to, store=store)
    told = report.differences
    assert sum(one.startswith("revisions ") and "title differ" in one for one in told) == 6
    assert any(one.startswith("topic_choices ") and "no such row" in one for one in told)
    assert "empty the target" in told[-1]


def test_snapshots_may_stay_where_they_are(root: Path, tmp_path: Path) -> None:
    before = files(root)
    report = moved(settings_for(root), f"sqlite:///{tmp_path}/new.db")
    assert (report.snapshots, report.sent) == (6, 0)
    assert [one.key for one in report.steps] == ["database.url"]
    assert files(root) == before
    with open_site(root) as runtime:
        changed = next(iter(runtime.archive.stored()))
        runtime.archive.put(changed, b"damaged, and the only one there is")
    before = files(root)
    linked = tmp_path / "link"
    linked.symlink_to(root / "data/snapshots")
    report = jobs.migrate(
        settings_for(root), to=f"sqlite:///{tmp_path}/other.db", store=str(linked)
    )
    assert (report.snapshots, report.sent, len(report.differences)) == (5, 0, 1)
    assert files(root) == before


def test_a_rehearsal_tells_and_moves_nothing(root: Path, tmp_path: Path, postgresql: str) -> None:
    before = files(root)
    for to in (f"sqlite:///{tmp_path}/new/new.db", postgresql):
        report = jobs.rehearse_migration(settings_for(root), to=to, store=str(tmp_path / "new"))
        assert (report.done, report.sent) == (False, 6)
    assert files(tmp_path / "new") == {}
    assert files(root) == before
    assert not any(rows_at(postgresql, root).values())


def test_two_moves_at_once_are_one(root: Path, postgresql: str, tmp_path: Path) -> None:
    with (
        closing(Database(database_url(postgresql, root=root))) as target,
        sole_mover(target),
        pytest.raises(AlreadyRunning, match="another process is moving"),
    ):
        jobs.migrate(settings_for(root), to=postgresql, store=str(tmp_path / "new"))
    assert not any(rows_at(postgresql, root).values())


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "where", "says"),
    [
        pytest.param(HERE, {"store": "new"}, "the database the site is in", id="same-database"),
        pytest.param(
            "sqlite:///data/../data/feedsvc.db",
            {},
            "the database the site is in",
            id="same-by-path",
        ),
        pytest.param("sqlite://", {}, "must name a file", id="memory"),
        pytest.param("mysql://host/name", {}, "sqlite and postgresql", id="another-engine"),
        pytest.param("nonsense", {}, "not a database URL", id="no-address"),
        pytest.param(
            "sqlite:///new.db", {"store": "data/snapshots/new"}, "inside the other", id="inside"
        ),
        pytest.param(
            "sqlite:///new.db", {"store": "new", "feeds": "new"}, "for snapshots", id="one-for-both"
        ),
        pytest.param("sqlite:///new.db", {"store": "gs://bucket/x"}, "s3://", id="another-scheme"),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    root: Path, to: str, where: dict[str, Any], says: str
) -> None:
    before = files(root)
    with pytest.raises(ConfigurationError, match=says):
        jobs.migrate(settings_for(root), to=to, **where)
    assert files(root) == before


def test_where_no_site_is_nothing_is_made(tmp_path: Path, postgresql: str) -> None:
    with pytest.raises(ConfigurationError, match="no site to move"):
        jobs.migrate(settings_for(tmp_path), to=postgresql)
    assert files(tmp_path) == {}


def test_an_older_site_is_upgraded_first(root: Path, tmp_path: Path) -> None:
    with open_site(root) as runtime, runtime.database.transaction() as store:
        store.connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))
    with pytest.raises(SchemaMismatch, match="feedsvc upgrade"):
        jobs.migrate(settings_for(root), to=f"sqlite:///{tmp_path}/new.db")


def test_a_target_of_another_release_is_refused(root: Path, postgresql: str) -> None:
    with closing(Database(database_url(postgresql, root=root))) as database:
        with database.transaction() as store:
            store.connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))
        for move in (jobs.migrate, jobs.rehearse_migration):
            with pytest.raises(SchemaMismatch, match=r"postgresql.*0008"):
                move(settings_for(root), to=postgresql)
        with database.transaction() as store:
            store.connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))


def test_a_fleet_at_work_is_not_moved(
    root: Path, postgresql: str, moto_store: ObjectStore, tmp_path: Path
) -> None:
    fleet = fleet_settings(root, postgresql, moto_store, moto_store.bucket())
    with open_runtime(fleet) as runtime, runtime.database.transaction() as store:
        worker = {"id": "w", "host": "press-3", "pid": 7, "release": "1", "skew": 0.0}
        moment = runtime.now()
        store.connection.execute(workers.insert(), [worker | {"started": moment, "seen": moment}])
    with pytest.raises(AlreadyRunning, match="press-3, process 7"):
        jobs.migrate(fleet, to=f"sqlite:///{tmp_path}/new.db", store=str(tmp_path / "new"))


def _absent(store: ObjectStore, settings: Settings) -> Settings:
    return settings


def _wrong_key(store: ObjectStore, settings: Settings) -> Settings:
    changed = settings.s3.model_copy(update={"secret_key": "wrong"})
    return settings.model_copy(update={"s3": changed})


@pytest.mark.parametrize("spoil", [_absent, _wrong_key])
def test_a_bucket_that_cannot_be_written_is_refused_before_a_row_moves(
    root: Path,
    postgresql: str,
    object_store: ObjectStore,
    spoil: Callable[[ObjectStore, Settings], Settings],
) -> None:
    name = "there-is-none" if spoil is _absent else object_store.bucket()
    settings = spoil(object_store, settings_for(root, s3=reached(object_store)))
    with pytest.raises(ConfigurationError, match=name):
        jobs.migrate(settings, to=postgresql, store=f"s3://{name}/snapshots")
    assert not any(rows_at(postgresql, root).values())


def test_the_place_of_another_fleet_is_refused(root: Path, postgresql: str, tmp_path: Path) -> None:
    store = blob_store(str(tmp_path / "taken"), settings_for(root))
    store.put("feedsvc.json", b'{"site": "another"}')
    with pytest.raises(ConfigurationError, match="belongs to a fleet"):
        jobs.migrate(settings_for(root), to=postgresql, store=str(tmp_path / "taken"))


def test_a_disk_that_is_too_small_is_told_before_a_row_moves(root: Path, tmp_path: Path) -> None:
    with open_site(root) as runtime, runtime.database.transaction() as store:
        room = shutil.disk_usage(tmp_path).total
        store.connection.execute(update(snapshots).values(size=room))
    to = f"sqlite:///{tmp_path}/new.db"
    with pytest.raises(OutOfSpace, match="MB are needed"):
        jobs.migrate(settings_for(root), to=to, store=str(tmp_path / "new"))
    assert not any(rows_at(to, root).values())


def test_a_report_is_the_same_but_for_time_when_it_is_asked_again(
    root: Path, tmp_path: Path
) -> None:
    to, store = f"sqlite:///{tmp_path}/new.db", str(tmp_path / "new")
    first = moved(settings_for(root), to, store=store)
    again = moved(settings_for(root), to, store=store)
    assert replace(again, seconds=0, copied=first.copied, sent=6, sent_size=first.sent_size) == (
        replace(first, seconds=0, resumed=True)
    )
