"""Laws of an object store alone: creating only, few requests, and everything that goes wrong."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feedsvc.errors import ConfigurationError, FeedsvcError, NotFound, Temporary
from feedsvc.storage.s3 import Bucket
from feedsvc.storage.s3_access import S3Access, parse_address
from feedsvc.storage.s3_blobs import SINGLE, S3Blobs
from feedsvc.storage.s3_failures import explained
from feedsvc.storage.s3_reading import FIRST, LARGEST

if TYPE_CHECKING:
    from tests.object_store import FaultyProxy, ObjectStore

pytestmark = pytest.mark.fleet

DATA = random.Random(5).randbytes(200_000)
SOON = 1.0
"""Seconds after which a request is given up here."""


@pytest.fixture
def blobs(object_store: ObjectStore, faulty: FaultyProxy) -> S3Blobs:
    """Blobs behind a proxy that may fail, waited for briefly."""
    made = object_store.blobs(access=object_store.access(port=faulty.port, timeout=SOON))
    faulty.requests.clear()
    return made


def write(blobs: S3Blobs, key: str, data: bytes) -> None:
    with blobs.writing(key) as file:
        file.write(data)


def read(blobs: S3Blobs, key: str) -> bytes:
    with blobs.open(key) as file:
        return file.read()


# --- creating only -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, SINGLE + 1], ids=["small", "large"])
def test_other_bytes_are_never_replaced(size: int, object_store: ObjectStore) -> None:
    blobs = object_store.blobs()
    first = (DATA * (size // len(DATA) + 1))[:size]
    write(blobs, "a", first)
    with pytest.raises(ConfigurationError, match="holds other bytes"):
        write(blobs, "a", first[::-1])
    assert read(blobs, "a") == first


def test_a_lost_answer_to_a_write_is_no_failure(blobs: S3Blobs, faulty: FaultyProxy) -> None:
    from tests.object_store import Fault

    faulty.fail(Fault.LOST, method="PUT", times=1)
    write(blobs, "a", DATA)
    assert [method for method, _ in faulty.requests].count("PUT") == 2
    assert read(blobs, "a") == DATA


def test_a_lost_answer_does_not_hide_that_others_were_first(
    blobs: S3Blobs, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    blobs.put("a", b"of others")
    faulty.fail(Fault.LOST, method="PUT", times=1)
    with pytest.raises(ConfigurationError, match="holds other bytes"):
        write(blobs, "a", b"mine only")
    assert read(blobs, "a") == b"of others"


def test_a_lost_answer_to_a_large_upload_is_no_failure(
    object_store: ObjectStore, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    blobs = object_store.blobs(access=object_store.access(port=faulty.port))
    data = DATA * (SINGLE // len(DATA) + 2)
    # What whoever asks again is told, as the upload has ended.
    faulty.fail(Fault.DENIED, method="POST", path="uploadId", times=1)
    write(blobs, "a", data)
    assert read(blobs, "a") == data


# --- what befalls a store ----------------------------------------------------------------------


def asks(blobs: S3Blobs) -> dict[str, Callable[[], object]]:
    return {
        "read": lambda: read(blobs, "there"),
        "size": lambda: blobs.size("there"),
        "list": lambda: list(blobs.stored()),
        "write": lambda: write(blobs, "new", DATA),
        "put": lambda: blobs.put("there", DATA),
        "delete": lambda: blobs.delete("gone"),
    }


@pytest.mark.parametrize("fault", ["BUSY", "STALLED", "REFUSED", "LOST"])
@pytest.mark.parametrize("what", ["read", "size", "list", "write", "put", "delete"])
def test_what_passes_by_itself_is_not_noticed(
    fault: str, what: str, blobs: S3Blobs, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    blobs.put("there", DATA)
    faulty.fail(Fault[fault], times=1)
    asks(blobs)[what]()


def test_an_answer_cut_in_the_middle_is_asked_for_again(
    blobs: S3Blobs, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    blobs.put("a", DATA)
    faulty.fail(Fault.HALVED, method="GET", times=2)
    assert read(blobs, "a") == DATA
    faulty.fail(Fault.HALVED, method="GET", times=1)
    assert list(blobs.stored()) == ["a"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("BUSY", "status 503", id="busy"),
        pytest.param("STALLED", "does not answer in time", id="stalled"),
        pytest.param("REFUSED", "the connection to the store broke", id="cut"),
    ],
)
@pytest.mark.parametrize("what", ["read", "write"])
def test_a_store_that_stays_away_is_temporary_and_hangs_nobody(
    fault: str, words: str, what: str, blobs: S3Blobs, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    blobs.put("there", DATA)
    faulty.fail(Fault[fault])
    with pytest.raises(Temporary, match=words):
        asks(blobs)[what]()
    assert not faulty.outwaited
    faulty.mend()
    asks(blobs)[what]()


def test_an_object_that_changes_while_it_is_read_is_never_mixed(blobs: S3Blobs) -> None:
    blobs.put("a", b"1" * (FIRST + 1))
    with blobs.open("a") as file:
        assert file.read(FIRST) == b"1" * FIRST
        blobs.put("a", b"2" * (FIRST + 1))
        with pytest.raises(Temporary, match="changed while it was read"):
            file.read()


def test_nobody_listens(object_store: ObjectStore) -> None:
    access = replace(object_store.access(timeout=SOON), endpoint="http://127.0.0.1:1")
    with pytest.raises(Temporary, match="nothing answers"):
        object_store.blobs(access=access).check()


# --- few requests ------------------------------------------------------------------------------


def test_a_usual_snapshot_is_read_in_two_requests_and_written_in_one(
    blobs: S3Blobs, faulty: FaultyProxy
) -> None:
    write(blobs, "a", DATA)
    read(blobs, "a")
    assert [method for method, _ in faulty.requests] == ["PUT", "GET", "GET"]


def test_a_record_anywhere_is_read_in_one_request(blobs: S3Blobs, faulty: FaultyProxy) -> None:
    write(blobs, "a", DATA * 10)
    faulty.requests.clear()
    with blobs.open("a", at=1_500_000) as file:
        assert file.read(60_000) == (DATA * 10)[1_500_000:1_560_000]
    assert len(faulty.requests) == 1


def test_reading_on_takes_larger_and_larger_pieces(blobs: S3Blobs, faulty: FaultyProxy) -> None:
    data = DATA * 50
    blobs.put("a", data)
    faulty.requests.clear()
    assert read(blobs, "a") == data
    # 128 KiB, 512 KiB, 2 MiB, and 4 MiB each after that.
    assert len(faulty.requests) == 5
    assert len(data) < 3 * LARGEST


# --- what a person has to put right ------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"secret_key": "not-the-secret"}, "correct s3.key_id", id="secret"),
        pytest.param({"key_id": "test:nobody"}, "correct s3.key_id", id="key"),
        pytest.param({"region": "eu-nowhere-7"}, "correct s3.region", id="region"),
    ],
)
def test_wrong_settings_say_what_to_correct(
    change: dict[str, str], words: str, object_store: ObjectStore
) -> None:
    access = replace(object_store.access(), **change)  # type: ignore[arg-type]  # all of these are text
    with pytest.raises(ConfigurationError, match=words) as caught:
        object_store.blobs(access=access).check()
    assert "secret-of-the-tests" not in str(caught.value)
    assert "not-the-secret" not in str(caught.value)


def test_an_endpoint_without_tls_is_told(object_store: ObjectStore) -> None:
    access = object_store.access(timeout=SOON)
    access = replace(access, endpoint=access.endpoint.replace("http:", "https:"))
    with pytest.raises(ConfigurationError, match="speaks no TLS"):
        object_store.blobs(access=access).check()


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        pytest.param("PUT", "", "may not be written: give the key that right", id="read-only"),
        pytest.param("GET", "list-type", "may not be listed: give the key", id="unlistable"),
        pytest.param("GET", "check-", "may not be read: give the key", id="unreadable"),
        pytest.param("DELETE", "", "may not be deleted: give the key", id="undeletable"),
    ],
)
def test_each_right_that_lacks_is_told(
    method: str, path: str, words: str, blobs: S3Blobs, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    faulty.fail(Fault.FORBIDDEN, method=method, path=path)
    with pytest.raises(ConfigurationError, match=words):
        blobs.check()


def test_credentials_that_nobody_configured_are_told(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # Nobody tells this machine a role.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    access = replace(object_store.access(timeout=SOON), key_id="", secret_key="")
    with pytest.raises(ConfigurationError, match="no credentials are configured"):
        object_store.blobs(access=access).check()


@pytest.mark.parametrize("what", ["read", "list", "write", "put"])
def test_a_bucket_that_is_not_there_is_told(what: str, object_store: ObjectStore) -> None:
    blobs = S3Blobs(Bucket("no-such-bucket", "", object_store.access()))
    with pytest.raises(ConfigurationError, match="no such bucket: make it"):
        asks(blobs)[what]()


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        pytest.param(403, "AccessDenied", ConfigurationError, "may not be written", id="read-only"),
        pytest.param(403, "RequestTimeTooSkewed", ConfigurationError, "clock", id="clock"),
        pytest.param(403, "ExpiredToken", ConfigurationError, "has expired", id="token"),
        pytest.param(301, "PermanentRedirect", ConfigurationError, "another region", id="region"),
        pytest.param(400, "", ConfigurationError, "status 400", id="refused"),
        pytest.param(429, "SlowDown", Temporary, "status 429", id="too-many"),
        pytest.param(500, "InternalError", Temporary, "status 500", id="broken"),
        pytest.param(507, "InsufficientStorage", FeedsvcError, "make room", id="full"),
        pytest.param(404, "NoSuchKey", NotFound, "missing", id="missing"),
    ],
)
def test_every_refusal_has_its_error(
    status: int, code: str, error: type[FeedsvcError], words: str
) -> None:
    said = Exception(f"status code: {status} Words: <Error><Code>{code}</Code><Key>geheim</Key>")
    found = explained(said, doing="written", place="s3://b/a")
    assert isinstance(found, error)
    assert words in str(found)
    assert str(found).startswith("s3://b/a")
    assert "geheim" not in str(found)


def test_a_store_that_replaces_what_it_was_told_to_create_is_refused(
    moto_store: ObjectStore,
) -> None:
    from tests.object_store import faulty_proxy

    with faulty_proxy(moto_store.port) as proxy:
        proxy.drop_headers.add("if-none-match")
        blobs = moto_store.blobs(access=moto_store.access(port=proxy.port))
        with pytest.raises(ConfigurationError, match="heeds that"):
            blobs.check()
        assert list(blobs.stored()) == []


# --- credentials -------------------------------------------------------------------------------


def test_credentials_are_read_from_files_and_read_again(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    server, bare = object_store, replace(object_store.access(), key_id="", secret_key="")
    file = tmp_path / "credentials"
    file.write_text(
        f"[other]\naws_access_key_id = x\naws_secret_access_key = y\n[default]\n"
        f"aws_access_key_id = {server.key_id}\naws_secret_access_key={server.secret_key}\n"
    )
    server.blobs(access=replace(bare, credentials_file=file)).check()
    secret = tmp_path / "secret"
    secret.write_text(f"{server.secret_key}\n")
    server.blobs(access=replace(bare, key_id=server.key_id, secret_key_file=secret)).check()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"geheim", "line 1: not in the format", id="nonsense"),
        pytest.param(b"[default]\nx = geheim", "does not hold both", id="half"),
        pytest.param(b"\xff\xfe", "not text", id="binary"),
    ],
)
def test_files_of_credentials_that_are_wrong_are_told_without_what_is_in_them(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        S3Access(credentials_file=file).credentials()
    assert "geheim" not in str(caught.value)


def test_no_secret_is_shown_or_logged(
    object_store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    blobs = object_store.blobs()
    blobs.put("a", b"1")
    assert object_store.secret_key not in repr(blobs.bucket.access) + caplog.text
    assert object_store.key_id not in repr(blobs.bucket.access)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param("s3://key:secret@bucket", "credentials do not belong", id="credentials"),
        pytest.param("s3://bucket/a?x=y", "no query", id="query"),
        pytest.param("s3://Bucket/a", "no bucket is called so", id="capital"),
        pytest.param("s3://ab", "no bucket is called so", id="short"),
        pytest.param("s3://192.168.1.1/a", "no bucket is called so", id="address"),
        pytest.param("s3://bucket/../a", "the prefix may hold", id="parent"),
        pytest.param("gs://bucket", "not an address", id="scheme"),
    ],
)
def test_addresses_that_cannot_be_are_told(address: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_address(address)
    assert "secret" not in str(caught.value).replace("secret_key_file", "")


def test_an_address_is_a_bucket_and_a_prefix() -> None:
    assert parse_address("s3://bucket") == ("bucket", "")
    assert parse_address("s3://my-bucket.org/a/b/") == ("my-bucket.org", "a/b")


def test_the_library_is_loaded_for_the_first_request_only(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from feedsvc import jobs\n"
        "from feedsvc.runtime import open_runtime\n"
        "from feedsvc.settings import load_settings\n"
        f"settings = load_settings(Path({str(tmp_path)!r}))\n"
        "with open_runtime(settings) as runtime:\n"
        "    jobs.status(runtime)\n"
        "    print(runtime.archive.place(), 'obstore' in sys.modules)\n"
    )
    environ = dict(os.environ) | {"FEEDSVC_ARCHIVE__STORE": "s3://some-bucket/here"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["s3://some-bucket/here", "False"]
