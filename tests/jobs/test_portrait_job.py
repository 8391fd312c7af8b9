"""Laws of an article's picture: found among what was captured, the seed's word before the page's."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.jobs.keep import Order, keep, portable
from feedsvc.model import Image, Payload, Snapshot
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, Seeds, open_site
from tests.origin import Listener, Origin
from tests.replay.build import exchange

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x30\x08\2\0\0\0" + b"harbour" * 60
GIF = b"GIF89a\x40\0\x30\0" + b"boat" * 90
STORY = "https://example.org/ferry"


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def runtime(site: Path, origin: Origin) -> Iterator[Runtime]:
    archive = {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "per_host": 8}
    with open_site(site, archive=archive) as opened:
        yield opened


def page(*more: str) -> bytes:
    text = "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
    head = "<meta property=og:image content=/shared.png><title>A ferry for the harbour</title>"
    return (
        f"<html><head>{head}</head><h1>A ferry for the harbour</h1>{text}{''.join(more)}".encode()
    )


def captured(runtime: Runtime, seeds: Seeds, url: str, *, image: str = "") -> Snapshot:
    named = f"image: {image}\n" if image else ""
    text = f"---\ntitle: A ferry for the harbour\ndate: 2024-05-31\nurl: {url}\n{named}---\n{BODY}"
    seeds.write("ferry.md", text=text)
    jobs.ingest_seeds(runtime)
    (attempt,) = jobs.capture_due(runtime).attempts
    with runtime.database.reading() as store:
        found = store.snapshot(attempt.snapshot_id or "")
    assert found is not None
    return found


def test_a_captured_page_has_the_picture_it_names(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    origin.page("/shared.png", PNG, headers=(("Content-Type", "text/plain"),))
    snapshot = captured(runtime, seeds, origin.page("/ferry", page()))
    expected = Image(origin.url("/shared.png"), "image/png", len(PNG), 64, 48)
    assert (snapshot.image, snapshot.thumbnail) == (expected, expected)


def test_the_seeds_picture_goes_before_the_pages(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    origin.page("/shared.png", PNG)
    origin.page("/boat.gif", GIF)
    url = origin.page("/ferry", page("<img src=/boat.gif>"))
    snapshot = captured(runtime, seeds, url, image=origin.url("/boat.gif"))
    assert snapshot.image is not None
    assert (snapshot.image.url, snapshot.image.media_type) == (origin.url("/boat.gif"), "image/gif")


def test_what_was_not_captured_is_not_the_picture(
    runtime: Runtime, seeds: Seeds, origin: Origin
) -> None:
    origin.page("/shared.png", b"<h1>Not here</h1>", headers=(("Content-Type", "image/png"),))
    url = origin.page("/ferry", page())
    snapshot = captured(runtime, seeds, url, image="https://elsewhere.example.org/a.png")
    assert (snapshot.image, snapshot.thumbnail) == (None, None)


def order(picture: bytes = PNG, **more: object) -> Order:
    body = page()
    shown = exchange("https://example.org/shared.png", picture, "image/png")
    made = Order(
        snapshot_id="one",
        key="2026/11/one.warc.gz",
        title="A ferry for the harbour",
        text=BODY,
        url=STORY,
        final_url=STORY,
        status=200,
        seconds=1.0,
        content_type="text/html",
        body=body,
        page=[exchange(STORY, body)],
        requisites=[shown],
        missing=[],
        known={},
        robots="",
        software="test",
        now=NOON,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields by name


def test_a_picture_that_is_at_rest_already_is_looked_at_in_the_other_process_too(
    runtime: Runtime,
) -> None:
    given = order()
    sha1 = given.requisites[0].sha1
    known = {sha1: Payload(sha1, len(PNG), "u", "2026-01-01T00:00:00Z", "<urn:uuid:1>", "zero")}
    travelling = portable(replace(given, known=known))
    kept = keep(pickle.loads(pickle.dumps(travelling)), runtime.archive)  # noqa: S301 - made here
    assert kept.payloads
    assert sha1 not in {one.digest for one in kept.payloads}
    assert kept.image == Image("https://example.org/shared.png", "image/png", len(PNG), 64, 48)


def test_a_large_picture_is_no_thumbnail(runtime: Runtime) -> None:
    kept = keep(order(PNG + b"\0" * 200_000), runtime.archive)
    assert kept.image is not None
    assert kept.thumbnail is None
