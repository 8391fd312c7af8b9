"""Laws of pictures on the web: ours to send, pinned to what their bytes are, the same for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from feedsvc.model import Image, Payload
from tests.replay.build import exchange, warc

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

STORY = "https://news.example.test/story"
PICTURE = "https://news.example.test/a.png"
BYTES = b"\x89PNG\r\n\x1a\n" + b"picture " * 900
IMAGE = Image(PICTURE, "image/png", len(BYTES), 64, 48)

Keep = Callable[..., str]


@pytest.fixture
def kept(library: Library) -> Keep:
    """Store a snapshot with its picture; return its address."""

    def keep(
        image: Image | None = IMAGE,
        thumbnail: Image | None = None,
        *,
        kind: str = "text/html",
        coding: str = "",
        content: bytes | None = None,
        title: str = "A title",
    ) -> str:
        picture = exchange(PICTURE, BYTES, kind, coding=coding)
        made, payloads = warc(exchange(STORY, "<p>"), requisites=(picture,), snapshot_id=title)
        article = library.article(title)
        snapshot = library.snapshot(
            article, made if content is None else content, url=STORY, final_url=STORY
        )
        _record(library, snapshot.id, image, thumbnail, payloads)
        return f"/snapshots/{snapshot.id}"

    return keep


def _record(
    library: Library,
    snapshot: str,
    image: Image | None,
    thumbnail: Image | None,
    payloads: tuple[Payload, ...],
) -> None:
    """Have the snapshot recorded with its pictures, as a capture does."""
    with library.runtime.database.transaction() as store:
        found = store.snapshot(snapshot)
        assert found is not None
        store.drop_snapshots([snapshot])
        owned = [replace(one, snapshot_id=snapshot) for one in payloads]
        store.add_snapshot(replace(found, image=image, thumbnail=thumbnail), owned)


@pytest.mark.parametrize("coding", ["", "gzip", "br"])
def test_a_picture_is_sent_whole_as_what_it_is(kept: Keep, web: Served, coding: str) -> None:
    answer = web.get(f"{kept(coding=coding)}/image")
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(BYTES))
    assert "content-encoding" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert "max-age=2592000" in answer.headers["cache-control"]
    assert answer.headers["content-disposition"].endswith('.png"')


def test_who_has_it_already_is_told_so(kept: Keep, web: Served) -> None:
    path = f"{kept()}/image"
    first = web.get(path)
    for headers in (
        {"if-none-match": first.headers["etag"]},
        {"if-modified-since": first.headers["last-modified"]},
    ):
        again = web.get(path, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    head = web.client.head(path)
    assert (head.headers["content-length"], head.content) == (str(len(BYTES)), b"")


def test_image_and_thumbnail_are_two(kept: Keep, web: Served) -> None:
    path = kept(None, IMAGE)
    assert web.get(f"{path}/thumbnail").content == BYTES
    assert web.get(f"{path}/image").status_code == 404


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(None, id="none"),
        pytest.param(replace(IMAGE, media_type="image/svg+xml"), id="a-drawing"),
        pytest.param(replace(IMAGE, media_type="text/html"), id="a-page"),
        pytest.param(replace(IMAGE, media_type=None), id="no-type"),
        pytest.param(replace(IMAGE, size=None), id="no-size"),
        pytest.param(replace(IMAGE, size=len(BYTES) - 1), id="another-size"),
        pytest.param(replace(IMAGE, url="https://news.example.test/b.png"), id="not-there"),
    ],
)
def test_what_is_no_picture_is_not_there(kept: Keep, web: Served, image: Image | None) -> None:
    assert web.get(f"{kept(image)}/image").status_code == 404


def test_a_picture_that_an_earlier_snapshot_holds_is_found_there(
    kept: Keep, library: Library, web: Served
) -> None:
    kept()
    with library.runtime.database.reading() as store:
        known = store.known_payloads([exchange(PICTURE, BYTES).sha1])
    later, _ = warc(exchange(STORY, "<p>"), requisites=(exchange(PICTURE, BYTES, "image/png"),), known=known)  # fmt: skip
    path = kept(content=later, title="Another")
    assert len(later) < len(BYTES)
    assert web.get(f"{path}/image").content == BYTES


@pytest.mark.parametrize("content", [b"", b"no warc at all"])
def test_a_damaged_snapshot_has_no_picture(kept: Keep, web: Served, content: bytes) -> None:
    assert web.get(f"{kept(content=content)}/image").status_code == 404


def test_unknown_snapshots_have_none(web: Served) -> None:
    for path in ("/snapshots/none/image", "/snapshots/%3Cx%3E/thumbnail"):
        assert web.get(path).status_code == 404


def test_a_snapshot_from_another_archive_says_so(library: Library, web: Served) -> None:
    article = library.article()
    snapshot = library.snapshot(article, warc(exchange(STORY, "<p>"))[0])
    source = "https://archive.example/web/20240531120000/https://example.org/a?<b>"
    with library.runtime.database.transaction() as store:
        store.drop_snapshots([snapshot.id])
        store.add_snapshot(replace(snapshot, source=source), ())
    for path in (f"/articles/{article}", f"/snapshots/{snapshot.id}/"):
        text = web.get(path).text
        assert ">archive.example</a>, captured" in text
        assert "&lt;b&gt;" in text
