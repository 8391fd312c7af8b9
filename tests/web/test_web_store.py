"""Several web servers in front of one object store, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import obstore
import psycopg
import pytest
from obstore.store import S3Store
from sqlalchemy import make_url

from feedsvc import jobs
from feedsvc.jobs.publish_one import arrange_feeds, publish_channel
from feedsvc.jobs.shares import share_feed, unshare_feed
from feedsvc.runtime import Runtime
from tests.jobs.publishing import in_store, open_fleet
from tests.jobs.site import Seeds
from tests.object_store import REGION, Fault, FaultyProxy, ObjectStore, faulty_proxy
from tests.web.frontend import free_port

if TYPE_CHECKING:
    from tests.databases import PostgresqlDatabase

pytestmark = pytest.mark.fleet

SECONDS = 15.0


def eventually(what: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.01)


@contextmanager
def served(root: Path, database: str, sections: dict[str, Any]) -> Iterator[httpx.Client]:
    """Run `feedsvc serve`."""
    port = free_port()
    environment = {
        **os.environ,
        "FEEDSVC_DATABASE__URL": database,
        "FEEDSVC_WEB__PORT": str(port),
        "FEEDSVC_FLEET__ENABLED": "true",
    }
    for section in ("archive", "feeds", "s3"):
        for key, value in sections[section].items():
            environment[f"FEEDSVC_{section}__{key}".upper()] = value
    command = [sys.executable, "-m", "feedsvc", "serve", "--root", str(root)]
    with (
        (root / f"{port}.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        try:
            eventually(lambda: answers(client), seconds=60)
            yield client
        finally:
            process.terminate()
            process.wait(SECONDS)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def between(moto_store: ObjectStore) -> Iterator[FaultyProxy]:
    """Stand between the web servers and the object store."""
    with faulty_proxy(moto_store.port) as proxy:
        yield proxy


class Fleet:
    """A publisher in this process, and two web servers in others."""

    def __init__(self, runtime: Runtime, seeds: Seeds, webs: list[httpx.Client]) -> None:
        self.runtime = runtime
        self.seeds = seeds
        self.webs = webs

    def publish(self, title: str) -> bytes:
        """Publish an article under another title; return the feed that shows it."""
        self.seeds.write("a.md", title=title, url="https://example.org/a")
        jobs.ingest_seeds(self.runtime)
        publish_channel(self.runtime, "all")
        return self.stored("all.atom")

    def stored(self, name: str) -> bytes:
        """Return a document as it lies in the store."""
        with self.runtime.feeds.open(name) as file:
            return file.read()

    def shows(self, feed: bytes, name: str = "all.atom") -> bool:
        """Tell whether all web servers answer with those bytes, under one ETag."""
        answers = [web.get(f"/feeds/{name}") for web in self.webs]
        tags = {answer.headers.get("etag") for answer in answers}
        return {answer.content for answer in answers} == {feed} and len(tags) == 1


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_database: PostgresqlDatabase,
    moto_store: ObjectStore,
    between: FaultyProxy,
) -> Iterator[Fleet]:
    """One for all tests, as its web servers take a while to start."""
    postgresql_database.make_bare()
    address, bucket = postgresql_database.address, moto_store.bucket()
    root = tmp_path_factory.mktemp("fleet")
    seeds = Seeds(root / "seeds")
    with ExitStack() as stack:
        sections = in_store(moto_store, bucket)
        runtime = stack.enter_context(open_fleet(root, address, **sections))
        sections = in_store(moto_store, bucket, port=between.port)
        webs = [stack.enter_context(served(root, address, sections)) for _ in range(2)]
        made = Fleet(runtime, seeds, webs)
        made.publish("First")
        arrange_feeds(runtime)
        yield made


def test_every_web_server_shows_a_publication_at_once(fleet: Fleet) -> None:
    assert fleet.shows(fleet.stored("all.atom"))
    first = fleet.webs[0].get("/feeds/all.atom")
    assert first.headers["last-modified"]
    known = {"if-none-match": first.headers["etag"]}
    assert [web.get("/feeds/all.atom", headers=known).status_code for web in fleet.webs] == [
        304
    ] * 2
    for title in ("Second", "Third"):
        feed = fleet.publish(title)
        assert title.encode() in feed
        # Far sooner than all that is held is checked again.
        eventually(partial(fleet.shows, feed), seconds=5)


def test_what_was_never_published_is_missing_and_nobody_asks_the_store(
    fleet: Fleet, between: FaultyProxy
) -> None:
    asked = len(between.requests)
    for name in ("never.atom", "private/0123456789abcdef/all.atom", "all/0007.json"):
        assert fleet.webs[0].get(f"/feeds/{name}").status_code == 404
    assert len(between.requests) == asked
    assert fleet.webs[0].get("/feeds/index.opml").status_code == 200


def test_a_name_that_was_missing_is_there_as_soon_as_it_is_published(fleet: Fleet) -> None:
    missing = [web.get("/feeds/health.atom").status_code for web in fleet.webs]
    assert missing == [404, 404]
    body = "The hospital gave the patients a vaccine, and doctors and nurses treated the disease.\n"
    fleet.seeds.write("b.md", title="Hospital vaccine", url="https://example.org/b", body=body)
    jobs.ingest_seeds(fleet.runtime)
    publish_channel(fleet.runtime, "health")
    eventually(lambda: fleet.shows(fleet.stored("health.atom"), "health.atom"), seconds=5)


def test_what_is_held_is_served_while_the_store_is_away(fleet: Fleet, between: FaultyProxy) -> None:
    before = fleet.stored("all.atom")
    assert fleet.shows(before)
    between.fail(Fault.STALLED)
    after = fleet.publish("Meanwhile")
    assert fleet.shows(before)
    other = fleet.webs[0].get("/feeds/all.rss", timeout=30)
    assert (other.status_code, other.headers["retry-after"]) == (503, "5")
    between.mend()
    eventually(lambda: fleet.shows(after))


def test_a_publication_is_seen_after_the_database_has_cut_whoever_listens(
    fleet: Fleet, postgresql_database: PostgresqlDatabase
) -> None:
    assert fleet.shows(fleet.stored("all.atom"))
    url = make_url(postgresql_database.address).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        cut = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN %feedsvc_files%' AND datname = current_database()"
        ).fetchall()
    assert len(cut) == 2
    feed = fleet.publish("After the cut")
    eventually(lambda: fleet.shows(feed), seconds=10)


def test_objects_say_what_they_are_so_that_a_cdn_may_serve_them(
    fleet: Fleet, moto_store: ObjectStore
) -> None:
    share = share_feed(fleet.runtime, "all")
    bucket = fleet.runtime.feeds.place().removeprefix("s3://").partition("/")[0]
    store = S3Store(
        bucket,
        endpoint=moto_store.endpoint(),
        region=REGION,
        access_key_id=moto_store.key_id,
        secret_access_key=moto_store.secret_key,
        client_options={"allow_http": True},
    )
    said = {}
    for name in ("all.atom", "index.opml", f"private/{share.token}/all.atom"):
        found = obstore.get(store, f"feeds/{name}").attributes
        said[name[:7]] = (found["Content-Type"], found["Cache-Control"])
    atom = "application/atom+xml; charset=utf-8"
    assert said["all.ato"] == (atom, "public, max-age=60")
    assert said["index.o"] == ("text/x-opml; charset=utf-8", "public, max-age=60")
    assert said["private"] == (atom, "private, no-cache")
    path = f"/feeds/private/{share.token}/all.atom"
    assert {web.get(path).status_code for web in fleet.webs} == {200}
    unshare_feed(fleet.runtime, share.token)
    eventually(lambda: {web.get(path).status_code for web in fleet.webs} == {404}, seconds=5)
    assert not list(fleet.runtime.feeds.stored("private/"))
