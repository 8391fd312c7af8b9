"""Snapshots are shown and sent from an object store as they are from a disk, in few requests."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from feedsvc.model import Snapshot
from tests.replay.build import exchange, warc

if TYPE_CHECKING:
    from tests.object_store import FaultyProxy, ObjectStore
    from tests.web.conftest import Library, Served

pytestmark = pytest.mark.fleet

PAGE = "https://example.org/story"
STYLE = "https://example.org/site.css"
PICTURES = [f"https://example.org/{number}.png" for number in range(6)]
HTML = '<link rel="stylesheet" href="/site.css"><h1>The ferry</h1><p>It sails.</p>'
PIXELS = [b"\x89PNG\r\n\x1a\n" + os.urandom(90_000) for _ in PICTURES]

Opened = tuple["Library", "Served"]


@pytest.fixture
def shown(
    open_site: Callable[..., Opened], object_store: ObjectStore, faulty: FaultyProxy
) -> Opened:
    access = object_store.access(port=faulty.port)
    return open_site(
        archive={"store": f"s3://{object_store.bucket()}/snapshots"},
        s3={
            "endpoint": access.endpoint,
            "region": access.region,
            "key_id": access.key_id,
            "secret_key": access.secret_key,
            "timeout": 1,
        },
    )


@pytest.fixture
def snapshot(shown: Opened) -> Snapshot:
    library, _ = shown
    content, payloads = warc(
        exchange(PAGE, HTML, coding="gzip"),
        requisites=(
            exchange(STYLE, "h1{color:teal}", "text/css"),
            *(exchange(url, data, "image/png") for url, data in zip(PICTURES, PIXELS, strict=True)),
        ),
    )
    return library.snapshot(library.article(), content, url=PAGE, final_url=PAGE, payloads=payloads)


def test_a_page_and_all_its_parts_are_replayed_with_a_request_for_each(
    shown: Opened, snapshot: Snapshot, faulty: FaultyProxy
) -> None:
    _, web = shown
    faulty.requests.clear()
    page = web.get(f"/snapshots/{snapshot.id}/mp_/{PAGE}")
    assert "The ferry" in page.text
    assert "h1" in web.get(f"/snapshots/{snapshot.id}/mp_/{STYLE}").text
    for url, data in zip(PICTURES, PIXELS, strict=True):
        assert web.get(f"/snapshots/{snapshot.id}/mp_/{url}").content == data
    # Two or three to make the index, once; one for each of the others.
    assert snapshot.size > 500_000
    assert len(faulty.requests) <= 3 + 2 + len(PICTURES)


def test_a_download_and_a_range_of_it_are_the_bytes(
    shown: Opened, snapshot: Snapshot, faulty: FaultyProxy
) -> None:
    library, web = shown
    with library.runtime.archive.open(snapshot.key) as file:
        content = file.read()
    path = f"/snapshots/{snapshot.id}.warc.gz"
    assert web.get(path).content == content
    faulty.requests.clear()
    part = web.get(path, headers={"range": "bytes=300000-300999"})
    assert (part.status_code, part.content) == (206, content[300_000:301_000])
    assert len(faulty.requests) == 1


def test_a_snapshot_that_changed_in_the_store_is_not_sent(
    shown: Opened, snapshot: Snapshot
) -> None:
    library, web = shown
    library.runtime.archive.put(snapshot.key, b"other bytes")
    assert web.get(f"/snapshots/{snapshot.id}.warc.gz").status_code == 404
    library.runtime.archive.delete(snapshot.key)
    assert web.get(f"/snapshots/{snapshot.id}.warc.gz").status_code == 404


@pytest.mark.parametrize("rest", [f"/mp_/{PAGE}", ".warc.gz"])
def test_a_store_that_is_away_is_told_as_such_and_not_as_damage(
    rest: str, shown: Opened, snapshot: Snapshot, faulty: FaultyProxy
) -> None:
    from tests.object_store import Fault

    _, web = shown
    faulty.fail(Fault.BUSY)
    answer = web.get(f"/snapshots/{snapshot.id}{rest}", timeout=30)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    faulty.mend()
    assert web.get(f"/snapshots/{snapshot.id}{rest}").status_code == 200


def test_what_is_free_is_unknown_and_says_so(shown: Opened) -> None:
    _, web = shown
    assert "disk_free_bytes" not in web.get("/metrics").text
    assert web.get("/status.json").json()["disk"]["free"] is None
    assert "free: unknown" in web.get("/status").text
    assert web.get("/readyz").json()["checks"]["disk"] == "ok"
