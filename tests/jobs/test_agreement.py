"""Laws of configuration in a fleet: machines that disagree never sort and write in turns."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text, update

from feedsvc import jobs
from feedsvc.cli import main
from feedsvc.fleet.worker import FleetWorker
from feedsvc.jobs.agreement import Disagreement, configuration, differing
from feedsvc.jobs.filing import file_stale
from feedsvc.jobs.fleet_troubles import fleet_troubles
from feedsvc.jobs.identity import join_fleet
from feedsvc.jobs.presence import Presence, present
from feedsvc.jobs.publish_one import arrange_feeds, publish_channel, rearrange
from feedsvc.model import Site, Worker
from feedsvc.rules import EditWatch
from feedsvc.runtime import Runtime, utc_now
from feedsvc.settings import CONFIG_FILE, FEEDS_FILE, TOPICS_FILE, load_settings
from feedsvc.storage.fleet_tables import workers
from tests.fleet.cluster import eventually
from tests.jobs.site import Seeds, open_site

pytestmark = pytest.mark.fleet

SHIPS = '[[topic]]\nslug = "ships"\nlabel = "Ships"\nkeywords = ["ferry^9", "harbour^9"]\n'
MONEY = '[[topic]]\nslug = "money"\nlabel = "Money"\nkeywords = ["pay^9", "ferry^9"]\n'
SEARCH = '[[feed]]\nname = "ferries"\ntitle = "Ferries"\nquery = "ferry"\n'


class Machines:
    """Machines of a fleet, each with a config/ of its own."""

    def __init__(self, folder: Path, database: str, stack: ExitStack) -> None:
        self._folder, self._database, self._stack = folder, database, stack

    def root(self, name: str, *, topics: str = SHIPS) -> Path:
        """Return a machine's folder; it gets one if it has none."""
        root, shared = self._folder / name, self._folder
        if not root.exists():
            (root / "config").mkdir(parents=True)
            (root / TOPICS_FILE).write_text(topics)
            (root / CONFIG_FILE).write_text(
                f'[fleet]\nenabled = true\n[database]\nurl = "{self._database}"\n'
                f'[archive]\nstore = "{shared}/snapshots"\n[feeds]\ndir = "{shared}/feeds"\n'
                f'[seeds]\npaths = ["{shared}/seeds"]\n'
            )
        return root

    def open(self, name: str, *, topics: str = SHIPS, **sections: Any) -> Runtime:
        """Open the site as a machine has it."""
        return self._stack.enter_context(
            open_site(self.root(name, topics=topics), now=utc_now, **sections)
        )

    def work(self, runtime: Runtime) -> Presence:
        """Enter a process as a worker, as `feedsvc worker` does. Raises Disagreement."""
        presence = Presence(runtime, numbers=tuple, config=configuration(runtime))
        presence.enter()
        self._stack.callback(presence.leave)
        return presence


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Put logging back: commands configure it for the whole process."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.configure(**before)


@pytest.fixture
def machines(tmp_path: Path, postgresql: str) -> Iterator[Machines]:
    (tmp_path / "seeds").mkdir()
    with ExitStack() as stack:
        yield Machines(tmp_path, postgresql, stack)


@pytest.fixture
def seeds(tmp_path: Path) -> Seeds:
    return Seeds(tmp_path / "seeds")


def edit(root: Path, topics: str) -> None:
    """Edit a topics.toml so that its time tells of it."""
    path = root / TOPICS_FILE
    before = path.stat().st_mtime_ns
    path.write_text(topics)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_workers_that_agree_work_together_whatever_their_comments_say(machines: Machines) -> None:
    one = machines.open("one")
    other = machines.open("two", topics=f"# the same\n\n{SHIPS}")
    machines.work(one)
    machines.work(other)
    with one.database.reading() as store:
        configs = [worker.config for worker in store.workers()]
    assert configs == [configuration(one)] * 2


def test_a_worker_with_another_configuration_is_refused_with_what_differs(
    machines: Machines,
) -> None:
    machines.work(machines.open("one"))
    other = machines.open("two", topics=MONEY, site={"title": "Another"})
    with pytest.raises(
        Disagreement, match=r"in config/topics\.toml, site\.title: copy config/.* stop every worker"
    ) as refused:
        machines.work(other)
    assert f"(process {os.getpid()})" in str(refused.value)
    with other.database.reading() as store:
        assert len(store.workers()) == 1


def test_once_all_have_stopped_another_configuration_may_start(machines: Machines) -> None:
    machines.work(machines.open("one")).leave()
    machines.work(machines.open("two", topics=MONEY))


@pytest.mark.parametrize(
    ("section", "values", "name"),
    [
        pytest.param("site", {"author": "Jane Roe"}, "site.author", id="site"),
        pytest.param("seeds", {"paths": ("elsewhere",)}, "seeds.paths", id="seeds"),
        pytest.param("feeds", {"entries": 7}, "feeds.entries", id="entries"),
        pytest.param("feeds", {"entry_link": "original"}, "feeds.entry_link", id="link"),
        pytest.param("feeds", {"also": ("authors",)}, "feeds.also", id="also"),
        pytest.param("feeds", {"private": ("ships",)}, "feeds.private", id="private"),
        pytest.param("feeds", {"packed": ("gz",)}, "feeds.packed", id="packed"),
        pytest.param("websub", {"hubs": ("https://hub.example/",)}, "websub.hubs", id="hubs"),
        pytest.param("websub", {"enabled": True}, "websub.enabled", id="own-hub"),
    ],
)
def test_each_setting_that_feeds_show_counts(
    tmp_path: Path, section: str, values: dict[str, Any], name: str
) -> None:
    changed: dict[str, Any] = {section: values}
    with open_site(tmp_path) as runtime, open_site(tmp_path, **changed) as other:
        assert differing(configuration(runtime), configuration(other)) == [name]


def test_all_that_feeds_say_of_a_site_counts_and_so_do_searches(tmp_path: Path) -> None:
    with open_site(tmp_path) as runtime:
        before = configuration(runtime)
        shown = {f"site.{one.name}" for one in fields(Site)}
        assert shown - set(before) == {"site.first_url", "site.ttl_minutes"}
        (tmp_path / "config").mkdir()
        (tmp_path / FEEDS_FILE).write_text(SEARCH)
        assert differing(before, configuration(runtime)) == [FEEDS_FILE]
        public = configuration(runtime)
        (tmp_path / FEEDS_FILE).write_text(SEARCH + "private = true\n")
        assert differing(public, configuration(runtime)) == [FEEDS_FILE]


def test_what_a_machine_may_have_for_itself_does_not_count(tmp_path: Path) -> None:
    own: dict[str, Any] = {"web": {"port": 9}, "fleet": {"concurrency": 3}}
    with open_site(tmp_path) as runtime, open_site(tmp_path, **own) as other:
        assert configuration(runtime) == configuration(other)


def test_an_edit_counts_in_a_fleet_only_after_a_restart(machines: Machines, seeds: Seeds) -> None:
    seeds.write("ferry.md")
    worker = machines.open("one")
    machines.work(worker)
    jobs.ingest_seeds(worker)
    watch, before = EditWatch(worker.root), configuration(worker)
    edit(worker.root, MONEY)
    assert (watch.edited(), watch.edited()) == ([TOPICS_FILE], [])
    assert configuration(worker) == before
    arrange_feeds(worker)
    assert [one.topic.slug for one in jobs.list_topics(worker)] == ["ships"]
    with pytest.raises(Disagreement):
        machines.work(machines.open("one"))


def test_one_machine_alone_takes_an_edit_at_once(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / TOPICS_FILE).write_text(SHIPS)
    with open_site(tmp_path) as runtime:
        assert set(runtime.classifier.topics) == {"ships"}
        edit(tmp_path, MONEY)
        assert set(runtime.classifier.topics) == {"money"}


def test_nothing_is_sorted_filed_or_published_from_a_machine_that_disagrees(
    machines: Machines, seeds: Seeds
) -> None:
    seeds.write("ferry.md")
    one = machines.open("one")
    machines.work(one)
    jobs.ingest_seeds(one)
    other = machines.open("two", topics=MONEY)
    calls: list[Callable[[], object]] = [
        lambda: jobs.ingest_seeds(other),
        lambda: jobs.publish_feeds(other),
        lambda: jobs.rebuild(other),
        lambda: arrange_feeds(other),
        lambda: rearrange(other),
        lambda: publish_channel(other, "all"),
        lambda: jobs.sort_stale(other),
        lambda: file_stale(other),
        lambda: jobs.set_topics(other, "https://example.org/ferry", ["money"]),
    ]
    for call in calls:
        with pytest.raises(Disagreement):
            call()
    jobs.publish_feeds(one)
    elsewhere = machines.open("four", seeds={"paths": ("elsewhere",)})
    with pytest.raises(Disagreement, match=r"in seeds\.paths:"):
        jobs.publish_feeds(elsewhere)
    assert [each.topic.slug for each in jobs.list_topics(other)] == ["ships"]
    # Whoever only archives has no say, and is in nobody's way.
    with present(other):
        machines.work(machines.open("three"))


@pytest.mark.usefixtures("logging_as_before")
def test_commands_and_workers_are_refused_with_exit_code_4_and_reading_is_not(
    machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    one = machines.open("one")
    join_fleet(one)
    machines.work(one)
    root = str(machines.root("two", topics=MONEY))
    for command in ("worker", "publish", "ingest"):
        assert main(["--root", root, command]) == 4
        assert (
            "differs from that of the workers at work in config/topics.toml"
            in capsys.readouterr().err
        )
    assert main(["--root", root, "topics"]) == 0


@pytest.mark.parametrize("lost", [False, True], ids=["silent", "given-up"])
def test_who_slept_has_to_end_if_others_have_come_with_another_configuration(
    machines: Machines, *, lost: bool
) -> None:
    one = machines.open("one")
    sleeper = machines.work(one)
    long_ago = one.now() - timedelta(minutes=1)
    with one.database.transaction() as store:
        store.connection.execute(update(workers).values(seen=long_ago))
        if lost:
            store.lose_workers([one.worker or ""], now=long_ago)
    other = machines.open("two", topics=MONEY)
    awake = machines.work(other)
    for presence in (sleeper, awake):
        presence.stopping()
    assert isinstance(sleeper.refused, Disagreement)
    assert awake.refused is None
    with pytest.raises(Disagreement):
        jobs.publish_feeds(one)
    jobs.publish_feeds(other)


def test_who_came_last_goes_on_whoever_was_there_before(machines: Machines) -> None:
    one, other = machines.open("one"), machines.open("two", topics=MONEY)
    presence = machines.work(one)
    now, config = one.now(), configuration(other)
    before = Worker("before", "n", 7, "1", now - timedelta(hours=1), now, 0.0, config=config)
    with one.database.transaction() as store:
        store.put_worker(before)
    presence.stopping()
    assert presence.refused is None
    jobs.publish_feeds(one)


def test_of_two_that_start_at_the_same_moment_one_is_refused(machines: Machines) -> None:
    one, other = machines.open("one"), machines.open("two", topics=MONEY)
    now, config = one.now(), configuration(one)
    configuration(other)
    waits = text("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with one.database.transaction() as store:
            store.hold_entrance()
            entering = pool.submit(machines.work, other)
            eventually(
                lambda: entering.done() or store.connection.scalar(waits) is not None, seconds=30
            )
            store.put_worker(Worker("first", "n", 7, "1", now, now, 0.0, config=config))
        assert isinstance(entering.exception(), Disagreement)


def test_a_worker_process_that_has_to_end_does_and_says_why(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    other = machines.open("two", topics=MONEY)
    root = machines.root("one")
    beat = load_settings(root).fleet.model_copy(update={"heartbeat": 0.1})
    settings = load_settings(root).model_copy(update={"fleet": beat})

    def overtaken(runtime: Runtime) -> None:
        edit(root, MONEY)
        now = runtime.now()
        later = Worker("later", "n", 7, "1", now, now, 0.0, config=configuration(other))
        with runtime.database.transaction() as store:
            store.put_worker(later)

    with pytest.raises(Disagreement, match=r"At work: n \(process 7\)"):
        FleetWorker(settings, ready=overtaken).run()
    assert f"event=config.edited file={TOPICS_FILE}" in capsys.readouterr().err
    with other.database.reading() as store:
        assert [one.id for one in store.workers()] == ["later"]


def test_an_older_release_leaves_sorting_to_the_one_that_came_last(
    machines: Machines, seeds: Seeds
) -> None:
    seeds.write("ferry.md")
    one = machines.open("one")
    machines.work(one)
    jobs.ingest_seeds(one)
    with one.database.transaction() as store:
        store.set_topics_version(
            [each.id for each in store.find("https://example.org/ferry")], "old"
        )
        now = one.now()
        store.put_worker(Worker("new", "n", 7, "99", now, now, 0.0, config=configuration(one)))
    assert arrange_feeds(one).resorted == 0
    with one.database.reading() as store:
        assert store.stale_count(one.classifier.version) == store.counts().articles


def test_status_tells_of_configurations_that_differ(machines: Machines) -> None:
    one, other = machines.open("one"), machines.open("two", topics=MONEY)
    now = one.now()
    machines.work(one)
    web = jobs.status(other).fleet
    assert web is not None
    (told,) = [each for each in fleet_troubles(web, now) if "configuration" in each.short]
    assert told.what == "the configuration here differs from the workers': config/topics.toml"
    with one.database.transaction() as store:
        store.put_worker(Worker("w", "n", 7, "1", now, now, 0.0, config=configuration(other)))
    found = jobs.status(one).fleet
    assert found is not None
    assert "workers have different configurations: config/topics.toml" in [
        each.what for each in fleet_troubles(found, now)
    ]
