"""Laws of takedowns: nothing of the article stays, nobody else loses a byte, it stays away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.errors import NotFound, Temporary
from feedsvc.jobs.removal import finish_removals
from feedsvc.model import Snapshot
from feedsvc.runtime import Runtime
from tests.jobs.site import BODY, Clock, Seeds, open_site
from tests.origin import Listener, Origin

STYLE = b"h1 { color: teal } " * 40
IMAGE = b"\x89PNG" + b"harbour" * 200


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def runtime(
    request: pytest.FixtureRequest, site: Path, origin: Origin, clock: Clock
) -> Iterator[Runtime]:
    archive = {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "per_host": 8}
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with open_site(site, database=url, now=clock, archive=archive | {"deadline": 60.0}) as opened:
        yield opened


@pytest.fixture
def archived(runtime: Runtime, seeds: Seeds, origin: Origin) -> list[Snapshot]:
    """Three articles, one after the other: the later ones refer to the first one's payloads."""
    origin.page("/site.css", STYLE, headers=(("Content-Type", "text/css"),))
    origin.page("/boat.png", IMAGE, headers=(("Content-Type", "image/png"),))
    for number in range(3):
        title = f"Report number {number}"
        body = "".join(f"<p>{part}</p>" for part in BODY.split("\n\n"))
        head = f"<title>{title}</title><link rel=stylesheet href=/site.css>"
        page = f"<html><head>{head}</head><h1>{title}</h1>{body}<img src=/boat.png></html>"
        url = origin.page(f"/{number}", page.encode())
        seeds.write(f"{number}.md", title=title, url=url, date=f"2024-05-0{number + 1}")
        jobs.ingest_seeds(runtime)
        assert jobs.capture_due(runtime).archived == 1
    jobs.publish_feeds(runtime)
    return snapshots(runtime)


def snapshots(runtime: Runtime) -> list[Snapshot]:
    with runtime.database.reading() as store:
        return sorted(store.all_snapshots(), key=lambda one: one.url)


def payloads(runtime: Runtime, chosen: list[Snapshot]) -> dict[tuple[str, str], bytes]:
    """Return what every record of these snapshots holds, revisits resolved as they say."""
    held: dict[tuple[str, str], bytes] = {}
    found: dict[tuple[str, str], bytes] = {}
    later: list[tuple[tuple[str, str], tuple[str, str]]] = []
    for snapshot in chosen:
        with runtime.archive.open(snapshot.key) as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                get = record.rec_headers.get_header
                place = (snapshot.id, get("WARC-Target-URI"))
                if record.rec_type == "response":
                    data = record.raw_stream.read()
                    held[get("WARC-Target-URI"), get("WARC-Date")] = found[place] = data
                elif record.rec_type == "revisit":
                    target = get("WARC-Refers-To-Target-URI"), get("WARC-Refers-To-Date")
                    later.append((place, target))
    return found | {place: held[target] for place, target in later}


@pytest.mark.parametrize("runtime", ["sqlite", "postgresql"], indirect=True)
def test_a_forgotten_article_is_gone_and_others_lose_nothing(
    runtime: Runtime, archived: list[Snapshot], site: Path, origin: Origin
) -> None:
    first, *rest = archived
    before = payloads(runtime, archived)
    report = jobs.forget_article(runtime, first.article_id, who="ada", reason="asked to")
    assert (report.done, report.snapshots, report.rehomed, report.problems) == (True, 1, 2, ())
    assert report.seed_exists
    left = snapshots(runtime)
    assert [one.id for one in left] == [one.id for one in rest]
    assert payloads(runtime, left) == {
        place: data for place, data in before.items() if place[0] != first.id
    }
    assert first.key not in set(runtime.archive.stored())
    assert len(list(runtime.archive.stored())) == 2
    assert jobs.verify(runtime).damage == ()
    with runtime.database.reading() as store:
        assert store.article(first.article_id) is None
        assert store.snapshots(first.article_id) == []
        assert store.capture_state(first.article_id) is None
        assert {
            one.snapshot_id for one in store.known_payloads(digests(runtime, left)).values()
        } <= {one.id for one in left}
    assert "Report number 0" not in (site / "feeds" / "all.atom").read_text()
    assert "Report number 1" in (site / "feeds" / "all.atom").read_text()


def digests(runtime: Runtime, chosen: list[Snapshot]) -> set[str]:
    found = set()
    for snapshot in chosen:
        with runtime.archive.open(snapshot.key) as file:
            for record in ArchiveIterator(file):
                found.add(record.rec_headers.get_header("WARC-Payload-Digest") or "")
    return found


def test_one_after_the_other_can_be_forgotten_and_the_last_needs_nobody(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    before = payloads(runtime, archived)
    for snapshot in archived[:2]:
        jobs.forget_article(runtime, snapshot.article_id, who="ada")
    (last,) = snapshots(runtime)
    assert payloads(runtime, [last]) == {
        place: data for place, data in before.items() if place[0] == last.id
    }
    assert jobs.forget_article(runtime, last.article_id, who="ada").rehomed == 0
    assert list(runtime.archive.stored()) == []


def test_later_captures_refer_to_where_payloads_stand_now(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    jobs.forget_article(runtime, archived[0].article_id, who="ada")
    jobs.capture_due(runtime, article=archived[2].article_id)
    assert payloads(runtime, snapshots(runtime))
    newest = max(snapshots(runtime), key=lambda one: one.captured)
    assert newest.size < archived[0].size


def test_a_dry_run_tells_what_would_go_and_changes_nothing(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    keys = set(runtime.archive.stored())
    report = jobs.forget_article(runtime, archived[0].article_id, who="ada", dry_run=True)
    assert (report.done, report.snapshots, report.rehomed) == (False, 1, 2)
    assert set(runtime.archive.stored()) == keys
    assert snapshots(runtime) == archived
    assert jobs.audit_log(runtime) == []


def test_a_forgotten_seed_is_refused_until_it_is_remembered(
    runtime: Runtime, archived: list[Snapshot], seeds: Seeds, clock: Clock
) -> None:
    first = archived[0]
    jobs.forget_article(runtime, first.url, who="ada", reason="asked to")
    report = jobs.ingest_seeds(runtime)
    assert (report.new, report.failed) == (0, 1)
    assert "forgotten" in report.problems[0].reason
    assert f"--undo {first.article_id}" in report.problems[0].remedy
    # Another spelling of the address in another file is the same article.
    seeds.write("copy.md", url=f"{first.url}?utm_source=x#top")
    assert jobs.ingest_seeds(runtime).failed == 2
    clock.advance(hours=1)
    entry = jobs.remember_article(runtime, first.url, who="bob", reason="was a mistake")
    assert entry.subject == first.article_id
    report = jobs.ingest_seeds(runtime)
    assert (report.new, report.failed) == (1, 1), "the copy is a duplicate now"
    log = jobs.audit_log(runtime)
    assert [(one.who, one.action, one.reason) for one in log] == [
        ("bob", "remember", "was a mistake"),
        ("ada", "forget", "asked to"),
    ]
    assert log[1].details["snapshots"] == [{"id": first.id, "sha256": first.sha256}]
    with pytest.raises(NotFound, match="was forgotten"):
        jobs.remember_article(runtime, first.url, who="bob")


def test_an_address_that_was_forgotten_is_not_added_again(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    jobs.forget_article(runtime, archived[0].article_id, who="ada")
    (one,) = jobs.add_urls(runtime, [archived[0].url]).additions
    assert "forgotten" in one.cause


def test_bytes_a_crash_left_are_deleted_by_the_next_run(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    first = archived[0]
    data = Path(runtime.archive.place(first.key)).read_bytes()
    jobs.forget_article(runtime, first.article_id, who="ada")
    # As if the process had been killed between the change and the deleting.
    runtime.archive.put(first.key, data)
    with runtime.database.transaction() as store:
        store.put_removals([first.key])
    jobs.capture_due(runtime)
    assert len(list(runtime.archive.stored())) == 2
    assert jobs.verify(runtime).damage == ()
    assert finish_removals(runtime) == 0


def test_a_takedown_that_breaks_off_leaves_everything_as_it_was(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    before = payloads(runtime, archived)

    def break_off(stage: str, done: int, total: int | None, detail: str = "") -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.forget_article(runtime, archived[0].article_id, who="ada", progress=break_off)
    assert snapshots(runtime) == archived
    assert payloads(runtime, archived) == before
    assert len(list(runtime.archive.stored())) == 3
    report = jobs.forget_article(runtime, archived[0].article_id, who="ada")
    assert (report.done, report.rehomed) == (True, 2)


def test_captures_under_way_are_waited_for(
    runtime: Runtime, archived: list[Snapshot], clock: Clock, site: Path, origin: Origin
) -> None:
    other = archived[1].article_id
    with runtime.database.transaction() as store:
        store.make_due(other, now=clock())
        until = clock.moment.replace(hour=23)
        assert store.claim_captures([other], now=clock(), lease="elsewhere", until=until)
    archive = {"allow_hosts": (origin.host,), "deadline": 0.1}
    with (
        open_site(site, now=clock, archive=archive) as impatient,
        pytest.raises(Temporary, match="nothing was removed"),
    ):
        jobs.forget_article(impatient, archived[0].article_id, who="ada")
    assert snapshots(runtime) == archived


def test_a_damaged_snapshot_goes_too_and_what_is_lost_is_told(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    path = Path(runtime.archive.place(archived[0].key))
    path.write_bytes(path.read_bytes()[:-300])
    report = jobs.forget_article(runtime, archived[0].article_id, who="ada")
    assert report.done
    assert len(snapshots(runtime)) == 2


def test_what_is_not_there_cannot_be_forgotten(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        jobs.forget_article(runtime, "nothing", who="ada")


def test_a_takedown_leaves_a_trace_while_it_works_so_that_a_kill_is_swept(
    runtime: Runtime, archived: list[Snapshot]
) -> None:
    traces: list[list[Path]] = []

    def look(stage: str, done: int, total: int | None, detail: str = "") -> None:
        traces.append(list((runtime.state / "leases").iterdir()))

    first = archived[0].article_id
    assert jobs.forget_article(runtime, first, who="test", progress=look).rehomed == 2
    assert [] not in traces[:2]
    assert list((runtime.state / "leases").iterdir()) == []
