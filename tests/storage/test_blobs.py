from __future__ import annotations

import os
from pathlib import Path

import pytest

from feedsvc.errors import ConfigurationError, NotFound
from feedsvc.storage.blobs import DiskBlobs


def test_what_is_put_can_be_opened(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "new" / "folder")
    blobs.put("2026/11/a.warc.gz", b"one")
    blobs.put("2026/11/a.warc.gz", b"another")
    with blobs.open("2026/11/a.warc.gz") as file:
        assert file.read() == b"another"
    assert blobs.size("2026/11/a.warc.gz") == 7
    assert list(blobs.stored()) == ["2026/11/a.warc.gz"]


def test_a_write_that_fails_keeps_the_old_bytes_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    blobs.put("a", b"old")

    def fail() -> None:
        with blobs.writing("a") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with blobs.open("a") as old:
        assert old.read() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/passwd", ".hidden", "a//b", "", "a\0b"])
def test_no_key_leads_out_of_the_folder(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a key"):
        DiskBlobs(tmp_path).path(key)


def test_what_is_missing_is_not_found(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    with pytest.raises(NotFound):
        blobs.open("a")
    with pytest.raises(NotFound):
        blobs.size("a")
    blobs.delete("a")


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "feeds").write_text("")
    with pytest.raises((ConfigurationError, OSError)):
        DiskBlobs(tmp_path / "feeds").put("a", b"")


def test_leftovers_of_dead_writers_are_swept_and_living_ones_kept(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    leftover = tmp_path / ".tmp-1-0"
    leftover.write_bytes(b"half")
    os.utime(leftover, (1, 1))
    with blobs.writing("a") as file:
        (mine,) = set(tmp_path.iterdir()) - {leftover}
        os.utime(mine, (1, 1))
        assert blobs.sweep() == 1
        assert not leftover.exists()
        file.write(b"whole")
    assert list(blobs.stored()) == ["a"]


def test_a_file_that_is_just_being_made_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".tmp-1-0").write_bytes(b"")
    assert DiskBlobs(tmp_path).sweep() == 0
    # Whoever knows that nobody else writes there waits for nothing.
    assert DiskBlobs(tmp_path).sweep(age=0) == 1
