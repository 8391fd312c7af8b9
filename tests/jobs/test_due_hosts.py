"""At which hosts a dispatcher finds something due."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.jobs import due_hosts as module
from feedsvc.jobs.due_hosts import due_hosts
from feedsvc.model import Kind, Purpose
from feedsvc.runtime import Runtime
from tests.jobs.site import Seeds, open_site


@pytest.fixture
def fleet(site: Path, postgresql: str) -> Iterator[Runtime]:
    with open_site(site, database=postgresql, fleet={"enabled": True}) as runtime:
        yield runtime


def load(runtime: Runtime, seeds: Seeds, hosts: int, *, each: int = 1) -> None:
    for number in range(hosts):
        for article in range(each):
            seeds.write(
                f"{number}-{article}.md",
                title=f"Report {number} of {article}",
                url=f"https://h{number}.example/{article}",
            )
    jobs.ingest_seeds(runtime)


def found(runtime: Runtime) -> list[str]:
    with runtime.database.transaction() as store:
        tasks = due_hosts(runtime, store)
    assert {task.kind for task in tasks} <= {Kind.HOST}
    return [task.key for task in tasks]


def test_every_host_with_something_due_is_found_once(fleet: Runtime, seeds: Seeds) -> None:
    load(fleet, seeds, 4, each=3)
    assert found(fleet) == [f"h{number}.example" for number in range(4)]
    assert found(fleet) == [f"h{number}.example" for number in range(4)]


def test_hosts_that_have_nothing_to_claim_or_want_a_pause_are_left_out(
    fleet: Runtime, seeds: Seeds
) -> None:
    load(fleet, seeds, 4)
    with fleet.database.transaction() as store:
        store.hold_host("h0.example", 60.0)
        due = {host: id_ for id_, host in store.due_captures(now=fleet.now(), limit=9)}
        (job,) = store.claim_captures(
            [due["h1.example"]], now=fleet.now(), lease="x", until=fleet.now().replace(year=9000)
        )
        store.connection.exec_driver_sql(
            "UPDATE captures SET due = due + interval '1 hour' WHERE host = 'h2.example'"
        )
    assert job.url == "https://h1.example/0"
    assert found(fleet) == ["h3.example"]


def test_withdrawn_articles_wait_for_nothing(fleet: Runtime, seeds: Seeds) -> None:
    load(fleet, seeds, 2)
    (seeds.folder / "0-0.md").unlink()
    jobs.ingest_seeds(fleet)
    assert found(fleet) == ["h1.example"]


def test_a_tick_goes_on_where_the_last_one_stopped_and_begins_again(
    fleet: Runtime, seeds: Seeds
) -> None:
    load(fleet, seeds, 5)
    seen: list[list[str]] = []
    for _ in range(4):
        with fleet.database.transaction() as store:
            place = store.fact("fleet.hosts capture") or ""
            hosts, last = store.hosts_due(
                now=fleet.now(), purpose=Purpose.CAPTURE, beyond=place, limit=2
            )
            store.set_fact("fleet.hosts capture", last or "")
        seen.append(hosts)
    names = [f"h{number}.example" for number in range(5)]
    assert seen == [names[:2], names[2:4], names[4:], names[:2]]
    assert module.LOOKS > 2


def test_originals_are_looked_at_only_where_there_is_a_schedule(
    site: Path, postgresql: str, fleet: Runtime, seeds: Seeds
) -> None:
    load(fleet, seeds, 1)
    with fleet.database.transaction() as store:
        store.connection.exec_driver_sql("UPDATE captures SET purpose = 'look'")
    assert found(fleet) == ["h0.example"]
    with open_site(
        site, database=postgresql, fleet={"enabled": True}, archive={"recheck_after": ()}
    ) as without:
        assert found(without) == []
