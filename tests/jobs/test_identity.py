"""Laws of belonging together: one database, one pair of stores, one release's tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from feedsvc.errors import ConfigurationError
from feedsvc.jobs.identity import adopt_fleet, confirm_fleet, dissolve_fleet, join_fleet
from feedsvc.model import Worker
from feedsvc.model.fleet import SITE_KEY
from feedsvc.runtime import FLEET, Runtime, utc_now
from tests.jobs.site import open_site

pytestmark = pytest.mark.fleet

Open = Callable[..., AbstractContextManager[Runtime]]


@pytest.fixture
def machine(site: Path, postgresql: str) -> Open:
    """Open the site as a machine of the fleet; settings as sections."""

    def opened(**sections: dict[str, Any]) -> AbstractContextManager[Runtime]:
        settings = {"fleet": {"enabled": True}, **sections}
        return open_site(site, database=postgresql, now=utc_now, **settings)

    return opened


@pytest.fixture
def founded(machine: Open) -> Iterator[Runtime]:
    """A machine of a fleet that is there."""
    with machine() as runtime:
        join_fleet(runtime)
        yield runtime


def known(runtime: Runtime) -> dict[str, Any]:
    with runtime.database.reading() as store:
        found: dict[str, Any] = json.loads(store.fact(FLEET) or "{}")
    return found


def change(runtime: Runtime, **values: object) -> None:
    """Write what another release or site would have written."""
    with runtime.database.transaction() as store:
        store.set_fact(FLEET, json.dumps(known(runtime) | values))


def test_the_first_founds_the_fleet_and_the_next_belongs_to_it(
    founded: Runtime, machine: Open
) -> None:
    site = known(founded)["site"]
    with machine() as other:
        join_fleet(other)
        confirm_fleet(other)
    assert known(founded)["site"] == site
    for blobs in (founded.archive, founded.feeds):
        with blobs.open(SITE_KEY) as file:
            assert json.load(file) == {"site": site}


def test_an_address_that_readers_do_not_know_is_refused(founded: Runtime, machine: Open) -> None:
    with (
        machine(site={"base_url": "https://other.example"}) as other,
        pytest.raises(
            ConfigurationError, match=r"site\.base_url is https://other\.example.*--adopt"
        ),
    ):
        join_fleet(other)


@pytest.mark.parametrize(
    ("setting", "section"),
    [
        pytest.param("archive.store", {"archive": {"store": "elsewhere"}}, id="archive"),
        pytest.param("feeds.dir", {"feeds": {"dir": "elsewhere"}}, id="feeds"),
    ],
)
def test_another_store_is_refused(
    founded: Runtime, machine: Open, setting: str, section: dict[str, Any]
) -> None:
    with (
        machine(**section) as other,
        pytest.raises(ConfigurationError, match=f"{setting}: .*elsewhere is not marked"),
    ):
        join_fleet(other)


def test_a_store_of_another_fleet_is_refused_and_stays_as_it_is(machine: Open, site: Path) -> None:
    mark = b'{"site": "somebody else"}'
    with machine() as runtime:
        runtime.archive.put(SITE_KEY, mark)
        with pytest.raises(ConfigurationError, match="belongs to another fleet"):
            join_fleet(runtime)
        assert known(runtime) == {}
        with runtime.archive.open(SITE_KEY) as file:
            assert file.read() == mark


def test_an_older_release_is_refused(founded: Runtime, machine: Open) -> None:
    change(founded, protocol=99, release="9.9")
    with (
        machine() as other,
        pytest.raises(ConfigurationError, match=r"the fleet runs feedsvc 9\.9"),
    ):
        join_fleet(other)


def test_a_newer_release_is_remembered(founded: Runtime, machine: Open) -> None:
    change(founded, protocol=0, release="0.0")
    with machine() as other:
        join_fleet(other)
    assert known(founded)["protocol"] == 1


def test_after_a_move_the_fleet_is_adopted_on_purpose(founded: Runtime, machine: Open) -> None:
    moved = {"archive": {"store": "elsewhere"}, "site": {"base_url": "https://new.example"}}
    with machine(**moved) as other:
        adopt_fleet(other)
        join_fleet(other)
    with pytest.raises(ConfigurationError):
        join_fleet(founded)


@pytest.mark.parametrize("change_it", [adopt_fleet, dissolve_fleet])
def test_nothing_is_adopted_or_dissolved_under_a_worker(
    founded: Runtime, change_it: Callable[[Runtime], None]
) -> None:
    now = founded.now()
    with founded.database.transaction() as store:
        store.put_worker(Worker("w", "node1", 7, "1", now, now, 0.0))
    with pytest.raises(ConfigurationError, match=r"node1 \(process 7\); stop them all"):
        change_it(founded)


def test_a_process_alone_is_refused_until_the_fleet_is_dissolved(
    founded: Runtime, machine: Open
) -> None:
    alone: dict[str, Any] = {"fleet": {"enabled": False}}
    with (
        pytest.raises(ConfigurationError, match=r"database of a fleet.*--dissolve"),
        machine(**alone),
    ):
        pass
    dissolve_fleet(founded)
    with machine(**alone) as runtime:
        assert runtime.queue is None
    assert list(founded.archive.stored()) == []


def test_a_fleet_needs_postgresql(site: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"database\.url names sqlite"),
        open_site(site, fleet={"enabled": True}),
    ):
        pass
