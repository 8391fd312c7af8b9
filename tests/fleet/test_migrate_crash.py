"""What a `kill -9` may do to a move: nothing but cost time."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url

from feedsvc.runtime import blob_store
from tests.databases import connection
from tests.jobs.moving import add_snapshots, command, documents, fleet_settings, rows_at, run, stock
from tests.jobs.site import open_site
from tests.object_store import Fault, FaultyProxy, ObjectStore, faulty_proxy

HERE = "sqlite:///data/feedsvc.db"
PATIENCE = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "seeds").mkdir()
    stock(tmp_path)
    with open_site(tmp_path) as runtime:
        add_snapshots(runtime, 40)
    return tmp_path


@pytest.fixture
def proxy(moto_store: ObjectStore) -> Iterator[FaultyProxy]:
    with faulty_proxy(moto_store.port) as standing:
        yield standing


@contextmanager
def unwritable(address: str, table: str) -> Iterator[None]:
    """Make whoever writes to a table wait; it can be read."""
    with connection(make_url(address)) as held, held.transaction():
        held.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())
        yield


def waits(address: str, table: str) -> bool:
    """Tell whether somebody waits to write to a table."""
    query = (
        "SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation "
        "WHERE NOT granted AND relname = %s"
    )
    with connection(make_url(address)) as asking:
        found = asking.execute(query, [table]).fetchone()
    return found is not None and found[0] > 0


def asked(proxy: FaultyProxy, seen: int, method: str, path: str) -> bool:
    """Tell whether such a request was made after those that were seen."""
    return any(one == method and path in target for one, target in proxy.requests[seen:])


def killed_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Kill a process, as nothing can be prepared for, once it got so far."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end, "it never came so far"
        threading.Event().wait(0.02)
    process.kill()
    assert process.wait() == -9


def test_a_move_that_is_killed_again_and_again_ends_whole(
    root: Path, postgresql: str, moto_store: ObjectStore, proxy: FaultyProxy
) -> None:
    bucket = moto_store.bucket()
    fleet = fleet_settings(root, postgresql, moto_store, bucket)
    arguments = (*("--to", postgresql, "--store", fleet.archive.store, "--feeds", fleet.feeds.dir),)
    environment = os.environ | moto_store.settings(port=proxy.port)

    def begun() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command(root, *arguments),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    for table in ("facts", "articles", "snapshots", "unindexed"):
        with unwritable(postgresql, table):
            killed_when(begun(), partial(waits, postgresql, table))
    for method, path in (("PUT", "2026/11/00020"), ("GET", "2026/11/00030"), ("PUT", ".atom")):
        proxy.fail(Fault.STALLED, method=method, path=re.escape(path))
        seen = len(proxy.requests)
        killed_when(begun(), partial(asked, proxy, seen, method, path))
        proxy.mend()

    report = run(root, *arguments, env=moto_store.settings().items())

    assert report["resumed"]
    assert (report["copied"], report["sent"], report["snapshots"]) == (0, 0, 41)
    assert (report["problems"], report["differences"]) == ([], [])
    assert rows_at(postgresql, root) == rows_at(HERE, root)
    with open_site(root) as here:
        assert documents(blob_store(fleet.archive.store, fleet)) == documents(here.archive)
        assert documents(blob_store(fleet.feeds.dir, fleet)) == documents(here.feeds)


def test_two_processes_that_move_the_same_site_do_not_meet(
    root: Path, postgresql: str, tmp_path: Path
) -> None:
    arguments = ("--to", postgresql, "--store", str(tmp_path / "new"))
    with unwritable(postgresql, "articles"):
        first = subprocess.Popen(command(root, *arguments), stdout=subprocess.PIPE)
        end = time.monotonic() + PATIENCE
        while not waits(postgresql, "articles"):
            assert time.monotonic() < end
            threading.Event().wait(0.02)
        second = run(root, *arguments, code=5)
        assert str(first.pid) in second["error"]
    assert first.communicate(timeout=PATIENCE)[0]
    assert first.returncode == 0
    assert rows_at(postgresql, root) == rows_at(HERE, root)
