"""Settings of an object store: addresses are checked, places kept apart, secrets never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedsvc.errors import ConfigurationError
from feedsvc.runtime import blob_store, s3_access
from feedsvc.settings import load_settings
from feedsvc.storage.blobs import DiskBlobs

HIDDEN = "wJalrXUtnFEMI"


def problems(root: Path, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(root, environ={f"FEEDSVC_{key}": value for key, value in environ.items()})
    return str(caught.value)


def load(root: Path, **environ: str) -> None:
    load_settings(root, environ={f"FEEDSVC_{key}": value for key, value in environ.items()})


def test_a_site_may_lie_in_one_bucket_in_places_that_are_apart(tmp_path: Path) -> None:
    load(
        tmp_path,
        ARCHIVE__STORE="s3://bucket/snapshots",
        FEEDS__DIR="s3://bucket/feeds",
        SEEDS__PATHS='["s3://bucket/seeds", "seeds"]',
    )


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        pytest.param(
            {"ARCHIVE__STORE": "s3://bucket/a", "FEEDS__DIR": "s3://bucket/a"},
            "shares the place of archive.store",
            id="the-same",
        ),
        pytest.param(
            {"ARCHIVE__STORE": "s3://bucket", "FEEDS__DIR": "s3://bucket/feeds"},
            "shares the place of archive.store",
            id="feeds-inside-snapshots",
        ),
        pytest.param(
            {"ARCHIVE__STORE": "s3://bucket/a/b", "FEEDS__DIR": "s3://bucket/a/"},
            "shares the place of archive.store",
            id="snapshots-inside-feeds",
        ),
        pytest.param(
            {"FEEDS__DIR": "s3://bucket", "SEEDS__PATHS": "s3://bucket/seeds"},
            "shares the place of seeds.paths",
            id="seeds-inside-feeds",
        ),
        pytest.param(
            {"ARCHIVE__STORE": "s3://bucket/a", "SEEDS__PATHS": "s3://bucket/a/seeds"},
            "lies inside archive.store",
            id="seeds-inside-snapshots",
        ),
        pytest.param(
            {"ARCHIVE__STORE": "s3://bucket/seeds/a", "SEEDS__PATHS": "s3://bucket/seeds"},
            "s3://bucket/seeds contains archive.store",
            id="snapshots-inside-seeds",
        ),
        pytest.param(
            {"SEEDS__PATHS": "s3://bucket/a,s3://bucket/a/b"},
            "hold the same files",
            id="seeds-twice",
        ),
    ],
)
def test_places_that_mix_are_refused(environ: dict[str, str], words: str, tmp_path: Path) -> None:
    assert words in problems(tmp_path, **environ)


def test_prefixes_that_only_begin_alike_are_apart(tmp_path: Path) -> None:
    load(tmp_path, ARCHIVE__STORE="s3://bucket/a", FEEDS__DIR="s3://bucket/a-feeds")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        pytest.param("ARCHIVE__STORE", f"s3://me:{HIDDEN}@bucket", "do not belong", id="store"),
        pytest.param("FEEDS__DIR", f"s3://{HIDDEN}@bucket", "do not belong", id="feeds"),
        pytest.param("SEEDS__PATHS", f"s3://{HIDDEN}@bucket", "do not belong", id="seeds"),
        pytest.param("S3__ENDPOINT", f"https://me:{HIDDEN}@host", "no user name", id="endpoint"),
        pytest.param("S3__SECRET_KEY", HIDDEN, "belong together", id="secret-without-key"),
        pytest.param("ARCHIVE__STORE", "gs://bucket/a", "not an address", id="scheme"),
        pytest.param("ARCHIVE__STORE", "s3://Bucket_/a", "no bucket is called so", id="bucket"),
        pytest.param("S3__ENDPOINT", "s3.example.org", "not an http(s) address", id="no-scheme"),
        pytest.param("S3__REGION", "eu central", "not a region", id="region"),
        pytest.param("S3__KEY_ID", "key", "belong together", id="key-alone"),
    ],
)
def test_what_cannot_be_is_told_and_no_secret_with_it(
    key: str, value: str, words: str, tmp_path: Path
) -> None:
    said = problems(tmp_path, **{key: value})
    assert words in said
    assert HIDDEN not in said


def test_credentials_are_named_once(tmp_path: Path) -> None:
    one = {"S3__KEY_ID": "key", "S3__SECRET_KEY": HIDDEN}
    twice = one | {"S3__SECRET_KEY_FILE": "file"}
    assert "say the same twice" in problems(tmp_path, **twice)
    said = problems(tmp_path, **one, S3__CREDENTIALS_FILE="credentials")
    assert "keep one of them" in said
    assert HIDDEN not in said


def test_a_secret_is_hidden_wherever_settings_are_shown(tmp_path: Path) -> None:
    environ = {"FEEDSVC_S3__KEY_ID": "key", "FEEDSVC_S3__SECRET_KEY": HIDDEN}
    settings = load_settings(tmp_path, environ=environ)
    assert settings.effective()["s3.secret_key"] == "***"
    assert HIDDEN not in repr(settings)
    assert HIDDEN not in repr(s3_access(settings))
    assert s3_access(settings).credentials().secret_key == HIDDEN


def test_what_settings_leave_open_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.org/")
    monkeypatch.setenv("AWS_PROFILE", "ours")
    settings = load_settings(tmp_path, environ={})
    assert s3_access(settings).endpoint == "https://s3.example.org"
    assert s3_access(settings).profile == "ours"
    environ = {"FEEDSVC_S3__ENDPOINT": "http://127.0.0.1:9000"}
    assert s3_access(load_settings(tmp_path, environ=environ)).endpoint == "http://127.0.0.1:9000"


def test_an_address_opens_a_store_and_anything_else_a_folder(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    assert blob_store("s3://bucket/a/", settings).place("b") == "s3://bucket/a/b"
    folder = blob_store("data/snapshots", settings)
    assert isinstance(folder, DiskBlobs)
    assert folder.place() == str(tmp_path / "data/snapshots")
