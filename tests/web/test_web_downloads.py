from __future__ import annotations

import hashlib
import io
import os
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from feedsvc.model import Snapshot
from feedsvc.runtime import Runtime
from feedsvc.web.downloads import BlobResponse

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

CONTENT = os.urandom(700_001)


@pytest.fixture
def snapshot(library: Library) -> Snapshot:
    return library.snapshot(library.article(), CONTENT)


def path(snapshot: Snapshot) -> str:
    return f"/snapshots/{snapshot.id}.warc.gz"


def test_a_snapshot_is_sent_as_it_is_stored(snapshot: Snapshot, web: Served) -> None:
    answer = web.get(path(snapshot))
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"] == "application/gzip"
    assert answer.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in answer.headers
    disposition = answer.headers["content-disposition"]
    assert (
        disposition
        == f'attachment; filename="example.org-20240531T120000Z-{snapshot.id[:8]}.warc.gz"'
    )


def test_head_tells_the_size_and_sends_nothing(snapshot: Snapshot, web: Served) -> None:
    answer = web.client.head(path(snapshot))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=300000-", 300_000, 700_000), ("bytes=-1", 700_000, 700_000)],
)
def test_a_broken_download_can_go_on(
    snapshot: Snapshot, web: Served, wanted: str, first: int, last: int
) -> None:
    answer = web.get(path(snapshot), headers={"range": wanted})
    assert answer.status_code == 206
    assert answer.content == CONTENT[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"


def test_a_range_past_the_end_is_416(snapshot: Snapshot, web: Served) -> None:
    answer = web.get(path(snapshot), headers={"range": "bytes=700001-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_several_ranges_get_the_whole(snapshot: Snapshot, web: Served) -> None:
    answer = web.get(path(snapshot), headers={"range": "bytes=0-1,5-6"})
    assert (answer.status_code, len(answer.content)) == (200, len(CONTENT))


def test_a_range_of_another_version_gets_the_whole(snapshot: Snapshot, web: Served) -> None:
    headers = {"range": "bytes=0-1", "if-range": '"other"'}
    assert web.get(path(snapshot), headers=headers).status_code == 200
    headers["if-range"] = f'"{snapshot.sha256}"'
    assert web.get(path(snapshot), headers=headers).status_code == 206


def test_what_a_client_has_is_not_sent_again(snapshot: Snapshot, web: Served) -> None:
    answer = web.get(path(snapshot), headers={"if-none-match": f'"{snapshot.sha256}"'})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_other_bytes_never_go_out_under_a_recorded_digest(
    snapshot: Snapshot, runtime: Runtime, web: Served, damage: str
) -> None:
    if damage == "missing":
        runtime.archive.delete(snapshot.key)
    else:
        runtime.archive.put(snapshot.key, CONTENT[:-1])
    answer = web.get(path(snapshot))
    assert answer.status_code == 404
    assert "feedsvc verify" in answer.text


@pytest.mark.parametrize("when", ["before the first byte", "in the middle"])
def test_a_client_that_leaves_frees_the_file(when: str) -> None:
    file = io.BytesIO(CONTENT)
    response = BlobResponse(file, len(CONTENT), status=200, headers={})
    sent = 0

    async def leave() -> None:
        gone = anyio.Event()
        if when == "before the first byte":
            gone.set()

        async def receive() -> dict[str, str]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal sent
            sent += len(message.get("body", b""))
            if sent:
                gone.set()
                await anyio.sleep_forever()

        scope = {"type": "http", "method": "GET", "asgi": {"spec_version": "2.3"}}
        await response(scope, receive, send)

    anyio.run(leave)
    assert file.closed
    assert sent < len(CONTENT)
