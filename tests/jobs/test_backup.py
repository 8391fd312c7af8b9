"""Laws of backups: what comes back is what was put in, byte for byte, or nothing is touched."""

from __future__ import annotations

import io
import tarfile
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from feedsvc import jobs
from feedsvc.errors import ConfigurationError, DamageFound, NotFound
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings
from feedsvc.storage.tables import metadata
from tests.jobs.importing import URL, Archive, take_in
from tests.jobs.site import Seeds, open_site


def stock(runtime: Runtime, seeds: Seeds, tmp_path: Path) -> None:
    """Give a site articles, one of them with a snapshot, a correction, and feeds."""
    seeds.write("ferry.md", url=URL)
    seeds.many(5)
    jobs.ingest_seeds(runtime)
    take_in(runtime, tmp_path, Archive().page().data)
    with runtime.database.reading() as store:
        newest = store.newest(1)[0].id
    jobs.set_topics(runtime, newest, ["sport"])
    jobs.publish_feeds(runtime)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(runtime: Runtime) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but what tells of the last runs."""
    with runtime.database.engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name != "runs"
        }


def parts(backup: Path) -> dict[str, bytes]:
    with tarfile.open(backup) as tar:
        return {one.name: body.read() for one in tar if (body := tar.extractfile(one)) is not None}


def backed_up(runtime: Runtime, tmp_path: Path) -> Path:
    target = tmp_path / "site.tar"
    assert jobs.back_up(runtime, target).problems == ()
    return target


def test_a_restored_site_is_the_one_that_was_backed_up(
    any_runtime: Runtime, seeds: Seeds, tmp_path: Path
) -> None:
    stock(any_runtime, seeds, tmp_path)
    backup = backed_up(any_runtime, tmp_path)
    other = tmp_path / "other"
    other.mkdir()

    report = jobs.restore(other, backup)

    assert (report.articles, report.snapshots, report.missing) == (6, 1, 0)
    with open_site(other) as restored:
        assert rows(restored) == rows(any_runtime)
        jobs.publish_feeds(restored)
        jobs.back_up(restored, tmp_path / "again.tar")
    for folder in ("seeds", "data/snapshots", "feeds"):
        assert tree(other / folder) == tree(any_runtime.root / folder)
    first, second = parts(backup), parts(tmp_path / "again.tar")
    assert {name for name in first if first[name] != second[name]} <= {
        "database.db",
        "manifest.json",
    }


def test_a_backup_goes_into_a_server_as_well_as_into_a_file(
    runtime: Runtime, seeds: Seeds, tmp_path: Path, postgresql: str
) -> None:
    stock(runtime, seeds, tmp_path)
    (runtime.root / "config").mkdir()
    (runtime.root / "config" / "feedsvc.toml").write_text('[site]\ntitle = "Before"\n')
    backup = backed_up(runtime, tmp_path)
    other = tmp_path / "other"
    (other / "config").mkdir(parents=True)
    (other / "config" / "feedsvc.toml").write_text(f'[database]\nurl = "{postgresql}"\n')

    report = jobs.restore(other, backup)

    assert report.kept == ("config/feedsvc.toml",)
    with open_runtime(load_settings(other), now=runtime.now) as restored:
        assert rows(restored) == rows(runtime)
        # What numbers its rows itself goes on after the last one.
        jobs.forget_article(restored, "seeds/ferry.md", who="a test", reason="")
    with pytest.raises(ConfigurationError, match="already holds a site"):
        jobs.restore(other, backup)


def test_a_site_is_not_overwritten_unasked(runtime: Runtime, seeds: Seeds, tmp_path: Path) -> None:
    stock(runtime, seeds, tmp_path)
    backup = backed_up(runtime, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    jobs.restore(other, backup)
    seed = other / "seeds" / "ferry.md"
    seed.write_text("# Edited since\n\nBy hand.\n")

    with pytest.raises(ConfigurationError, match="--replace"):
        jobs.restore(other, backup)
    assert seed.read_text().startswith("# Edited since")

    report = jobs.restore(other, backup, replace=True)
    assert seed.read_text().startswith("# A ferry")
    assert [path.read_text()[:14] for path in seed.parent.glob("ferry.md.before-*")] == [
        "# Edited since"
    ]
    assert Path(report.before).is_file()
    assert (report.snapshots, report.present) == (0, 1)


def test_a_damaged_backup_touches_nothing(runtime: Runtime, seeds: Seeds, tmp_path: Path) -> None:
    seeds.many(3)
    jobs.ingest_seeds(runtime)
    whole = backed_up(runtime, tmp_path).read_bytes()
    place = tmp_path / "other"
    place.mkdir()
    bad = tmp_path / "bad.tar"
    cuts: list[bytes] = [whole[: len(whole) * step // 12] for step in range(12)]
    flips = []
    for step in range(1, 12):
        flipped = bytearray(whole)
        flipped[len(whole) * step // 13] ^= 0x55
        flips.append(bytes(flipped))
    for data in [*cuts, *flips]:
        bad.write_bytes(data)
        with pytest.raises(DamageFound, match=r"bad\.tar"):
            jobs.restore(place, bad)
    assert tree(place) == {}
    with pytest.raises(NotFound, match=r"none\.tar"):
        jobs.restore(place, tmp_path / "none.tar")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", tarfile.REGTYPE),
        ("/evil", tarfile.REGTYPE),
        ("site/../../evil", tarfile.REGTYPE),
        ("snapshots/../evil", tarfile.REGTYPE),
        ("snapshots/.hidden", tarfile.REGTYPE),
        ("site/config/x.toml", tarfile.SYMTYPE),
        ("site/config/x.toml", tarfile.LNKTYPE),
        ("site/config/fifo", tarfile.FIFOTYPE),
        ("other/x", tarfile.REGTYPE),
    ],
)
def test_names_that_no_backup_has_are_refused(name: str, kind: bytes, tmp_path: Path) -> None:
    place = tmp_path / "other"
    place.mkdir()
    bad = tmp_path / "bad.tar"
    with tarfile.open(bad, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        if kind == tarfile.REGTYPE:
            entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(DamageFound, match="which no backup does"):
        jobs.restore(place, bad)
    assert tree(place) == {}
    assert not list(tmp_path.glob("evil"))


def test_a_link_in_the_way_is_not_followed(runtime: Runtime, seeds: Seeds, tmp_path: Path) -> None:
    seeds.write("ferry.md")
    jobs.ingest_seeds(runtime)
    backup = backed_up(runtime, tmp_path)
    outside, place = tmp_path / "outside", tmp_path / "other"
    outside.mkdir()
    place.mkdir()
    (place / "seeds").symlink_to(outside)
    with pytest.raises(ConfigurationError, match="leads out of"):
        jobs.restore(place, backup)
    assert tree(outside) == {}


def test_the_index_alone_tells_what_is_missing(
    runtime: Runtime, seeds: Seeds, tmp_path: Path
) -> None:
    seeds.write("ferry.md", url=URL)
    jobs.ingest_seeds(runtime)
    take_in(runtime, tmp_path, Archive().page().data)
    report = jobs.back_up(runtime, tmp_path / "index.tar", snapshots="index")
    assert (report.articles, report.snapshots) == (1, 0)
    (tmp_path / "other").mkdir()
    assert jobs.restore(tmp_path / "other", tmp_path / "index.tar").missing == 1


def test_a_damaged_snapshot_goes_along_and_is_told(
    runtime: Runtime, seeds: Seeds, tmp_path: Path
) -> None:
    seeds.write("ferry.md", url=URL)
    jobs.ingest_seeds(runtime)
    take_in(runtime, tmp_path, Archive().page().data)
    (key,) = runtime.archive.stored()
    path = Path(runtime.archive.place(key))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    report = jobs.back_up(runtime, tmp_path / "site.tar")
    assert report.snapshots == 1
    assert [key in problem for problem in report.problems] == [True]
    path.unlink()
    assert "missing" in jobs.back_up(runtime, tmp_path / "less.tar").problems[0]


def test_a_site_in_use_is_backed_up_as_it_was_at_one_moment(
    runtime: Runtime, seeds: Seeds, tmp_path: Path
) -> None:
    seeds.many(300)
    loading = threading.Thread(target=jobs.ingest_seeds, args=(runtime,))
    loading.start()
    for number in range(4):
        jobs.back_up(runtime, tmp_path / f"{number}.tar")
    loading.join()
    for number in range(4):
        place = tmp_path / f"other-{number}"
        place.mkdir()
        jobs.restore(place, tmp_path / f"{number}.tar")
        with open_site(place) as restored:
            jobs.ingest_seeds(restored)
            assert jobs.verify(restored).damage == ()
            with restored.database.reading() as store:
                assert store.counts().articles == 300


def test_rows_come_only_after_the_bytes_they_name(
    runtime: Runtime, seeds: Seeds, tmp_path: Path
) -> None:
    seeds.write("ferry.md", url=URL)
    jobs.ingest_seeds(runtime)
    take_in(runtime, tmp_path, Archive().page().data)
    backup = backed_up(runtime, tmp_path)
    (key,) = runtime.archive.stored()
    place = tmp_path / "other"
    (place / "data/snapshots" / key / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        jobs.restore(place, backup)
    assert not (place / "data/feedsvc.db").exists()


def test_only_its_owner_can_read_a_backup(runtime: Runtime, tmp_path: Path) -> None:
    assert backed_up(runtime, tmp_path).stat().st_mode & 0o777 == 0o600
