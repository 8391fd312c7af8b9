"""Laws of packed copies beside feeds: they always unpack to the feed, or are not there."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard

from feedsvc import jobs
from feedsvc.jobs.packed import put_packed
from feedsvc.storage.blobs import DiskBlobs
from tests.jobs.site import Clock, Seeds, open_site

UNPACKED = {
    "gz": gzip.decompress,
    "br": brotli.decompress,
    "zst": lambda data: zstandard.ZstdDecompressor().decompress(data),
}


def copies(site: Path) -> dict[str, set[str]]:
    """Return the endings of the packed copies of each document; all of them are right."""
    found: dict[str, set[str]] = {}
    for path in (site / "feeds").rglob("*.*"):
        ending = path.suffix[1:]
        if ending in UNPACKED:
            document = path.with_suffix("")
            assert UNPACKED[ending](path.read_bytes()) == document.read_bytes()
            found.setdefault(document.name, set()).add(ending)
    return found


def publish(root: Path, seeds: Seeds, clock: Clock, *packed: str) -> None:
    clock.advance(minutes=1)
    with open_site(root, now=clock, feeds={"packed": packed}) as runtime:
        jobs.ingest_seeds(runtime)
        jobs.publish_feeds(runtime)
        assert jobs.verify(runtime).damage == ()


@pytest.fixture
def seeds(tmp_path: Path) -> Seeds:
    seeds = Seeds(tmp_path / "seeds")
    seeds.write("a.md")
    return seeds


def test_packed_copies_follow_the_setting_and_every_change(tmp_path: Path, seeds: Seeds) -> None:
    clock = Clock()
    publish(tmp_path, seeds, clock)
    assert copies(tmp_path) == {}
    publish(tmp_path, seeds, clock, "gz", "br", "zst")
    assert copies(tmp_path)["all.atom"] == {"gz", "br", "zst"}
    seeds.write("b.md", title="Another ferry", url="https://example.org/another")
    publish(tmp_path, seeds, clock, "gz", "br", "zst")
    assert copies(tmp_path)["all.json"] == {"gz", "br", "zst"}
    seeds.write("c.md", title="A third ferry", url="https://example.org/third")
    publish(tmp_path, seeds, clock, "gz")
    assert copies(tmp_path)["all.rss"] == {"gz"}
    seeds.write("d.md", title="A fourth ferry", url="https://example.org/fourth")
    publish(tmp_path, seeds, clock)
    assert "all.atom" not in copies(tmp_path)


def test_copies_of_a_feed_go_with_it(tmp_path: Path, seeds: Seeds) -> None:
    clock = Clock()
    front = "---\ntitle: A ferry\ntopics: [{}]\n---\nThe ferry left.\n\nOriginal url: https://example.org/f\n"
    seeds.write("t.md", text=front.format("sport"))
    publish(tmp_path, seeds, clock, "gz")
    assert "sport.atom" in copies(tmp_path)
    seeds.write("t.md", text=front.format("politics"))
    publish(tmp_path, seeds, clock, "gz")
    assert "politics.atom" in copies(tmp_path)
    assert not list((tmp_path / "feeds").glob("sport.*"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-len(data) // 3] ^= 1
    path.write_bytes(data)


def bomb(path: Path) -> None:
    blobs = DiskBlobs(path.parent)
    put_packed(blobs, path.stem, bytes(64 << 20), endings=[path.suffix[1:]])


HARMS: list[Callable[[Path], object]] = [
    flip,
    bomb,
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    lambda path: path.write_bytes(b""),
    Path.unlink,
]


@pytest.mark.parametrize("ending", UNPACKED)
def test_a_wrong_copy_is_found_and_written_again_by_the_next_publication(
    tmp_path: Path, seeds: Seeds, ending: str
) -> None:
    clock = Clock()
    publish(tmp_path, seeds, clock, ending)
    damaged = ["all.atom", "index.opml"]
    with open_site(tmp_path, now=clock, feeds={"packed": [ending]}) as runtime:
        for harm in HARMS:
            for name in damaged:
                harm(tmp_path / "feeds" / f"{name}.{ending}")
            found = jobs.verify(runtime).damage
            assert [(one.what, one.name) for one in found] == [
                ("feed", f"{name}.{ending}") for name in damaged
            ]
            assert {one.remedy for one in found} == {"run `feedsvc publish`"}
            jobs.publish_feeds(runtime)
            assert all(copies(tmp_path)[name] == {ending} for name in damaged)
            assert jobs.verify(runtime).damage == ()


def test_a_lost_copy_is_written_again_by_the_next_publication(tmp_path: Path, seeds: Seeds) -> None:
    clock = Clock()
    publish(tmp_path, seeds, clock, "gz")
    (tmp_path / "feeds" / "all.rss.gz").unlink()
    publish(tmp_path, seeds, clock, "gz")
    assert copies(tmp_path)["all.rss"] == {"gz"}


def test_copies_that_are_not_wanted_any_more_are_still_compared(
    tmp_path: Path, seeds: Seeds
) -> None:
    clock = Clock()
    publish(tmp_path, seeds, clock, "gz")
    flip(tmp_path / "feeds" / "all.rss.gz")
    (tmp_path / "feeds" / "all.atom.gz").unlink()
    with open_site(tmp_path, now=clock) as runtime:
        assert [one.name for one in jobs.verify(runtime).damage] == ["all.rss.gz"]
        jobs.publish_feeds(runtime)
        assert jobs.verify(runtime).damage == ()


def test_a_crash_between_copy_and_feed_is_mended(tmp_path: Path, seeds: Seeds) -> None:
    clock = Clock()
    publish(tmp_path, seeds, clock, "gz")
    seeds.write("b.md", title="Another ferry", url="https://example.org/another")
    # The copy is written first, so this is all that a crash can leave.
    put_packed(DiskBlobs(tmp_path / "feeds"), "all.atom", b"what was due", endings=["gz"])
    publish(tmp_path, seeds, clock, "gz")
    assert copies(tmp_path)["all.atom"] == {"gz"}
