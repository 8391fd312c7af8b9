"""Seeds in a bucket, on a real server that speaks S3."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from feedsvc import jobs
from feedsvc.errors import SeedBusy
from feedsvc.jobs.seed_resource import Kept, drop, hold, keep, load
from feedsvc.jobs.sources import seed_sources
from feedsvc.jobs.upload import keep_upload, load_upload
from feedsvc.model import SeedState
from feedsvc.runtime import Runtime
from tests.jobs.site import Seeds, only, open_site
from tests.object_store import REGION, ObjectStore, moto

pytestmark = pytest.mark.fleet


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with moto() as served:
        yield served


class Objects:
    """Objects of a bucket, under any key."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.bucket = store.bucket()
        self.address = f"s3://{self.bucket}/in/here"

    def ask(self, method: str, key: str, body: bytes = b"") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.store.port, timeout=30)
        # This server looks at no signature, but wants to see one.
        scope = (
            f"Credential=test/20260101/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
        )
        connection.request(
            method,
            f"/{self.bucket}/" + quote(f"in/here/{key}"),
            body,
            {"authorization": f"AWS4-HMAC-SHA256 {scope}"},
        )
        status = connection.getresponse().status
        connection.close()
        assert status < 300, (method, key, status)
        return status

    def put(self, key: str, *, title: str = "A ferry", url: str | None = None) -> None:
        url = url or f"https://example.org/{quote(key)}"
        self.ask("PUT", key, f"# {title}\n\nWords.\n\nOriginal url: {url}\n".encode())


@pytest.fixture
def objects(store: ObjectStore) -> Objects:
    return Objects(store)


@pytest.fixture
def runtime(objects: Objects, tmp_path: Path) -> Iterator[Runtime]:
    (tmp_path / "seeds").mkdir()
    access = {
        "endpoint": objects.store.endpoint(),
        "region": REGION,
        "key_id": "test",
        "secret_key": "test",
    }
    paths = (objects.address, "seeds")
    with open_site(tmp_path, seeds={"paths": paths}, s3=access) as opened:
        yield opened


def states(runtime: Runtime) -> dict[str, SeedState]:
    with runtime.database.reading() as store:
        return {name: state for name, (_, state, _) in store.seed_stamps().items()}


def test_seeds_in_a_bucket_are_loaded_edited_moved_and_withdrawn(
    runtime: Runtime, objects: Objects
) -> None:
    for number in range(4):
        objects.put(f"py thon/ä{number}?.md", url=f"https://example.org/{number}")
    assert only(jobs.ingest_seeds(runtime)) == {"new": 4}
    assert set(states(runtime)) == {f"{objects.address}/py thon/ä{n}?.md" for n in range(4)}
    assert only(jobs.ingest_seeds(runtime)) == {"unmodified": 4}

    objects.put("py thon/ä0?.md", title="Another", url="https://example.org/0")
    objects.ask("DELETE", "py thon/ä1?.md")
    objects.put("moved.md", url="https://example.org/1")
    objects.ask("DELETE", "py thon/ä2?.md")
    assert only(jobs.ingest_seeds(runtime)) == {
        "modified": 1,
        "moved": 1,
        "withdrawn": 1,
        "unmodified": 1,
    }


def test_what_is_no_seed_is_passed_over_and_what_cannot_be_one_is_told(
    runtime: Runtime, objects: Objects
) -> None:
    for key in ("a/.git/x.md", ".x.md", "x.md~", "x.pdf", "folder/"):
        objects.ask("PUT", key, b"x")
    objects.put("good.md")
    objects.put("line\u2028end.md")
    objects.ask("PUT", "empty.md")
    objects.ask("PUT", "large.md", b"# x\n" * (runtime.settings.seeds.max_size // 4 + 1))
    report = jobs.ingest_seeds(runtime)
    assert report.new == 1
    told = {one.seed.removeprefix(f"{objects.address}/"): one.reason for one in report.problems}
    assert told["empty.md"] == "the file is empty"
    assert "bytes large; at most" in told["large.md"]
    assert told["line\\x2028end.md"] == "its name holds control characters"
    assert len(told) == 3


@pytest.mark.parametrize("key", ["a//b.md", "a/../b.md", "a/./b.md", "a/\x01.md"])
def test_a_key_that_is_no_path_hides_its_folder_and_nothing_else(
    runtime: Runtime, objects: Objects, key: str
) -> None:
    objects.put("a/before.md")
    objects.put("z.md")
    jobs.ingest_seeds(runtime)
    objects.ask("PUT", key, b"x")
    objects.put("z/new.md")
    report = jobs.ingest_seeds(runtime)
    assert (report.new, report.withdrawn) == (1, 0)
    assert any("it cannot be listed" in one.reason for one in report.problems)
    objects.ask("DELETE", "a/before.md")
    objects.ask("DELETE", key)
    assert jobs.ingest_seeds(runtime).withdrawn == 1


def test_a_bucket_that_cannot_be_listed_is_absent_and_loses_nothing(
    runtime: Runtime, objects: Objects, tmp_path: Path
) -> None:
    objects.put("one.md")
    jobs.ingest_seeds(runtime)
    settings = runtime.settings
    nothing = settings.s3.model_copy(update={"endpoint": "http://127.0.0.1:9", "timeout": 1.0})
    runtime.settings = settings.model_copy(update={"s3": nothing})
    Seeds(tmp_path / "seeds").write("two.md")
    report = jobs.ingest_seeds(runtime)
    assert report.absent == (objects.address,)
    assert (report.new, report.withdrawn, report.held) == (1, 0, 1)
    runtime.settings = settings
    assert jobs.ingest_seeds(runtime).held == 0
    assert states(runtime)[f"{objects.address}/one.md"] is SeedState.LOADED


def test_only_the_version_that_was_listed_is_read(runtime: Runtime, objects: Objects) -> None:
    objects.put("one.md")
    source = seed_sources(runtime)[objects.address]
    [seed] = source.scan()
    objects.put("one.md", title="B ferry")
    with pytest.raises(SeedBusy):
        source.read(seed, limit=10_000)
    objects.ask("DELETE", "one.md")
    with pytest.raises(SeedBusy):
        source.read(seed, limit=10_000)
    assert source.look("one.md") is None


def test_an_uploaded_seed_goes_into_the_bucket_once(runtime: Runtime, objects: Objects) -> None:
    data = b"# Sent\n\nWords.\n\nOriginal url: https://example.org/sent\n"
    seed = keep_upload(runtime, "Sent in.md", data)
    assert seed == f"{objects.address}/uploads/sent-in.md"
    assert keep_upload(runtime, "Sent in.md", data) == seed
    assert keep_upload(runtime, "Sent in.md", data + b" ") == seed.replace("in.md", "in-2.md")
    record = load_upload(runtime, seed)
    assert record is not None
    assert record.state is SeedState.LOADED
    # The second has the same address: it is told, and taken away again.
    other = load_upload(runtime, seed.replace("in.md", "in-2.md"))
    assert other is not None
    assert other.state is SeedState.DUPLICATE
    assert set(states(runtime)) == {seed}


def test_a_seed_that_is_sent_by_name_lies_in_the_bucket_and_is_replaced_only_as_it_was(
    runtime: Runtime, objects: Objects
) -> None:
    data = b"# Sent\n\nWords.\n\nOriginal url: https://example.org/sent\n"
    assert keep(runtime, "desk/a b.md", data) == (Kept.CREATED, f"{objects.address}/desk/a b.md")
    assert keep(runtime, "desk/a b.md", data)[0] is Kept.THERE
    assert keep(runtime, "desk/a b.md", data + b"!")[0] is Kept.OTHER
    held = hold(runtime, "desk/a b.md")
    assert held is not None
    assert (
        keep(runtime, "desk/a b.md", data + b"!", may=lambda tag: tag == held.tag)[0]
        is Kept.REPLACED
    )
    assert keep(runtime, "desk/a b.md", data, may=lambda tag: tag == held.tag)[0] is Kept.FAILED
    assert load(runtime, held.seed) is not None
    assert drop(runtime, "desk/a b.md")
    assert states(runtime) == {}
    assert hold(runtime, "desk/a b.md") is None
