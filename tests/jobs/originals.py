"""An original on loopback, and a site that archives it."""

from __future__ import annotations

from typing import Any

from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.model import CaptureState, Snapshot
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, Seeds
from tests.origin import Origin

PAGE = (
    "<!doctype html><html><head><title>A ferry for the harbour</title>"
    '<link rel="stylesheet" href="/site.css"><link rel="icon" href="/icon.png"></head>'
    "<body><nav>Home News Log in</nav><h1>A ferry for the harbour</h1>"
    + "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
    + '<img src="/boat.png"></body></html>'
)


def trusting(origin: Origin, **more: Any) -> dict[str, Any]:
    return {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "per_host": 8} | more


def serve(origin: Origin, path: str = "/ferry", page: str = PAGE) -> str:
    """Put the article and its requisites on the origin; return its URL."""
    origin.page("/site.css", b"h1 { background: url(/back.png) }", headers=content("text/css"))
    for image in ("/icon.png", "/boat.png", "/back.png"):
        origin.page(image, b"\x89PNG" + image.encode() * 100, headers=content("image/png"))
    return origin.page(path, page.encode())


def content(kind: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", kind),)


def load(runtime: Runtime, seeds: Seeds, url: str) -> str:
    seeds.write("ferry.md", url=url)
    jobs.ingest_seeds(runtime)
    with runtime.database.reading() as store:
        return store.newest(1)[0].id


def state(runtime: Runtime, article_id: str) -> CaptureState:
    with runtime.database.reading() as store:
        found = store.capture_state(article_id)
    assert found is not None
    return found


def snapshots(runtime: Runtime, article_id: str) -> list[Snapshot]:
    with runtime.database.reading() as store:
        return store.snapshots(article_id)


def records(runtime: Runtime, snapshot: Snapshot) -> list[tuple[str, str]]:
    with runtime.archive.open(snapshot.key) as file:
        return [
            (record.rec_type, record.rec_headers.get_header("WARC-Target-URI") or "")
            for record in ArchiveIterator(file, check_digests="raise")
        ]
