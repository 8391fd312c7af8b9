"""What `feedsvc doctor` says of an object store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedsvc.cli.finding import Finding
from feedsvc.cli.store_checks import readable, writable
from feedsvc.settings import Settings, load_settings

if TYPE_CHECKING:
    from tests.object_store import ObjectStore

pytestmark = pytest.mark.fleet


def of(store: ObjectStore, root: Path, **more: str) -> Settings:
    return load_settings(root, environ=store.settings() | more)


def test_a_store_that_works_is_told_with_its_speed(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    settings, bucket = of(object_store, tmp_path), object_store.bucket()
    written = writable("archive", f"s3://{bucket}/a", settings)
    assert written.finding is Finding.OK
    assert written.detail.startswith(f"s3://{bucket}/a can be written, ")
    seeds = readable(f"s3://{bucket}/seeds", settings)
    assert (seeds.name, seeds.finding) == ("seeds", Finding.OK)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"FEEDSVC_S3__SECRET_KEY": "wrong"}, "correct s3.key_id", id="secret"),
        pytest.param({"FEEDSVC_S3__REGION": "eu-nowhere-7"}, "correct s3.region", id="region"),
        pytest.param(
            {"FEEDSVC_S3__ENDPOINT": "http://127.0.0.1:1", "FEEDSVC_S3__TIMEOUT": "1s"},
            "start the store",
            id="away",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(
    more: dict[str, str], words: str, object_store: ObjectStore, tmp_path: Path
) -> None:
    settings = of(object_store, tmp_path, **more)
    for check in (
        writable("archive", f"s3://{object_store.bucket()}/a", settings),
        readable(f"s3://{object_store.bucket()}", settings),
    ):
        assert check.finding is Finding.PROBLEM
        assert words in check.remedy
        assert "wrong" not in check.detail


def test_a_bucket_that_is_missing_is_told(object_store: ObjectStore, tmp_path: Path) -> None:
    check = writable("feeds", "s3://no-such-bucket/feeds", of(object_store, tmp_path))
    assert (check.finding, check.remedy) == (Finding.PROBLEM, "make it, or correct the address")
    assert check.detail == "s3://no-such-bucket/feeds: there is no such bucket"
