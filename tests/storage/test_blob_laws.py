"""Laws of every place where bytes are kept: a folder, and two object stores over HTTP."""

from __future__ import annotations

import io
import os
import pickle
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.errors import ConfigurationError, NotFound
from feedsvc.storage.blobs import BlobStore, DiskBlobs
from feedsvc.storage.s3_blobs import SINGLE

if TYPE_CHECKING:
    from tests.object_store import ObjectStore

LONG = random.Random(7).randbytes(600_000)
"""More than one request brings at first."""


@pytest.fixture(scope="module", params=["folder", "swift", "moto"])
def make(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], BlobStore]:
    """Return what makes new, empty places for blobs."""
    if request.param == "folder":
        return lambda: DiskBlobs(tmp_path_factory.mktemp("blobs"))
    name = "object_store" if request.param == "swift" else "moto_store"
    server: ObjectStore = request.getfixturevalue(name)
    return server.blobs


@pytest.fixture
def blobs(make: Callable[[], BlobStore]) -> BlobStore:
    return make()


def read(blobs: BlobStore, key: str) -> bytes:
    with blobs.open(key) as file:
        return file.read()


def write(blobs: BlobStore, key: str, data: bytes) -> None:
    with blobs.writing(key) as file:
        file.write(data)


def test_what_is_put_can_be_opened_and_replaced(blobs: BlobStore) -> None:
    blobs.put("2026/11/a.warc.gz", b"one")
    blobs.put("2026/11/a.warc.gz", b"another")
    assert read(blobs, "2026/11/a.warc.gz") == b"another"
    assert blobs.size("2026/11/a.warc.gz") == 7
    assert list(blobs.stored()) == ["2026/11/a.warc.gz"]


def test_bytes_appear_whole_when_the_block_ends(blobs: BlobStore) -> None:
    with blobs.writing("a") as file:
        file.write(LONG)
        file.seek(0)
        assert file.read(10) == LONG[:10]
        with pytest.raises(NotFound):
            blobs.size("a")
    assert read(blobs, "a") == LONG


def test_a_write_that_fails_leaves_nothing(blobs: BlobStore) -> None:
    def fail() -> None:
        with blobs.writing("a") as file:
            file.write(LONG)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(blobs.stored()) == []


def test_the_same_bytes_may_be_written_again(blobs: BlobStore) -> None:
    write(blobs, "a", LONG)
    write(blobs, "a", LONG)
    assert read(blobs, "a") == LONG


def test_what_is_missing_is_not_found(blobs: BlobStore) -> None:
    for ask in (blobs.open, blobs.size, blobs.written):
        with pytest.raises(NotFound, match=r"no/where"):
            ask("no/where")
    blobs.delete("no/where")


def test_what_is_deleted_is_gone(blobs: BlobStore) -> None:
    blobs.put("a", b"1")
    blobs.delete("a")
    assert list(blobs.stored()) == []
    with pytest.raises(NotFound):
        blobs.open("a")


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/passwd", ".hidden", "a//b", "", "a\0b"])
def test_no_key_leads_out(key: str, blobs: BlobStore) -> None:
    for ask in (blobs.open, blobs.size, blobs.delete):
        with pytest.raises(ValueError, match="not a key"):
            ask(key)
    with pytest.raises(ValueError, match="not a key"):
        blobs.put(key, b"")
    with pytest.raises(ValueError, match="not a key"):
        write(blobs, key, b"")


def test_keys_are_listed_in_order_below_a_beginning_and_after_one(blobs: BlobStore) -> None:
    keys = ["2026/10/a", "2026/11/a", "2026/11/ab", "2026/11/b/c", "2026/11-x", "z", "2026/11.x"]
    for key in keys:
        blobs.put(key, b"")
    assert list(blobs.stored()) == sorted(keys)
    assert list(blobs.stored("2026/11/a")) == ["2026/11/a", "2026/11/ab"]
    assert list(blobs.stored("2026/11/b")) == ["2026/11/b/c"]
    assert list(blobs.stored("2026/11/", after="2026/11/a")) == ["2026/11/ab", "2026/11/b/c"]
    assert list(blobs.stored(after="2026/11/b/c")) == ["z"]
    assert list(blobs.stored("none/")) == []


def test_reading_begins_where_it_is_asked_to(blobs: BlobStore) -> None:
    blobs.put("a", LONG)
    for at in (0, 1, 400_000, len(LONG), len(LONG) + 5):
        with blobs.open("a", at=at) as file:
            assert file.tell() == at
            assert file.read() == LONG[at:]
            file.seek(-3, os.SEEK_END)
            assert file.read() == LONG[-3:]


def test_nothing_is_as_good_as_something(blobs: BlobStore) -> None:
    blobs.put("a", b"")
    assert (read(blobs, "a"), blobs.size("a")) == (b"", 0)
    write(blobs, "b", b"")
    assert read(blobs, "b") == b""


@pytest.fixture(scope="module")
def long(make: Callable[[], BlobStore]) -> BlobStore:
    blobs = make()
    blobs.put("a", LONG)
    return blobs


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.sampled_from(["seek", "back", "read"]), st.integers(0, len(LONG) + 10)),
        max_size=8,
    )
)
def test_seeking_and_reading_anywhere_gives_the_bytes(
    long: BlobStore, steps: list[tuple[str, int]]
) -> None:
    plain = io.BytesIO(LONG)
    with long.open("a") as file:
        for what, number in steps:
            if what == "read":
                assert file.read(number // 4) == plain.read(number // 4)
            else:
                place = number if what == "seek" else -min(number, len(LONG))
                whence = os.SEEK_SET if what == "seek" else os.SEEK_END
                assert file.seek(place, whence) == plain.seek(place, whence)
        assert file.tell() == plain.tell()


def test_large_ones_are_kept_whole_too(blobs: BlobStore) -> None:
    chance = random.Random(3)
    parts = [chance.randbytes(1 << 20) for _ in range(4)]
    order = [chance.randrange(4) for _ in range((SINGLE >> 20) + 2)]
    with blobs.writing("large") as file:
        for number in order:
            file.write(parts[number])
    with blobs.open("large") as there:
        assert all(there.read(1 << 20) == parts[number] for number in order)
        assert there.read() == b""
    write(blobs, "other", b"1")
    assert list(blobs.stored()) == ["large", "other"]


def test_it_is_known_when_bytes_were_written(blobs: BlobStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    blobs.put("a", b"1")
    assert before <= blobs.written("a") <= datetime.now(UTC) + timedelta(seconds=2)


def test_a_check_passes_and_leaves_nothing(blobs: BlobStore) -> None:
    blobs.check()
    assert list(blobs.stored()) == []


def test_it_can_be_sent_to_another_process(blobs: BlobStore) -> None:
    blobs.put("a", b"1")
    assert read(pickle.loads(pickle.dumps(blobs)), "a") == b"1"  # noqa: S301 - our own


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((ConfigurationError, OSError)):
        DiskBlobs(tmp_path / "file").check()
