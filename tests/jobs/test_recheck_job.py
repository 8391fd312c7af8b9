"""Laws of looking again: what an original is, when it is looked at, and what never happens."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.capture.http import Fetcher
from feedsvc.capture.robots import Robots
from feedsvc.errors import NotFound
from feedsvc.model import OriginalState, Outcome
from feedsvc.runtime import Runtime
from tests.jobs.originals import content, snapshots, state, trusting
from tests.jobs.site import Clock, Seeds, open_site
from tests.jobs.watched import (
    OTHER,
    PARAGRAPHS,
    REWRITTEN,
    TITLE,
    WALL,
    archive,
    look,
    original,
    page,
    serve,
)
from tests.origin import Origin

PAUSES = ("429", "503")
CAPTCHA = (
    b"<html><head><title>Just a moment...</title></head><body><h1>Checking your browser</h1>"
    b"<p>Verify you are human by completing the action below.</p>"
    b"<div class='g-recaptcha'></div></body></html>"
)


@pytest.mark.parametrize("online", ["sqlite", "postgresql"], indirect=True)
def test_an_original_is_looked_at_by_a_growing_schedule(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    assert original(online, article).state is OriginalState.ALIVE
    for days in (1, 7, 30, 90, 365, 365):
        assert jobs.recheck_due(online).attempts == ()
        clock.advance(days=days * 0.99)
        assert jobs.recheck_due(online).attempts == ()
        assert jobs.capture_due(online).attempts == ()
        clock.advance(days=days * 0.12)
        (attempt,) = jobs.recheck_due(online).attempts
        assert attempt.outcome is Outcome.UNCHANGED
        assert state(online, article).purpose == "look"
    assert len(snapshots(online, article)) == 7
    assert jobs.verify(online).damage == ()


def test_what_was_loaded_at_once_does_not_come_back_at_once(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    for number in range(12):
        seeds.write(
            f"{number}.md",
            title=TITLE,
            url=serve(origin, page(*PARAGRAPHS), f"/{number}"),
            body="\n\n".join(PARAGRAPHS),
        )
    jobs.ingest_seeds(online)
    assert jobs.capture_due(online).archived == 12
    with online.database.reading() as store:
        due = {store.capture_state(one.id).next_at for one in store.newest(12)}  # type: ignore[union-attr]  # each has a row
    assert len(due) == 12


def test_without_a_schedule_nothing_is_due_until_there_is_one(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    settings = online.settings
    never = settings.archive.model_copy(update={"recheck_after": ()})
    online.settings = settings.model_copy(update={"archive": never})
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    clock.advance(days=999)
    assert jobs.recheck_due(online).attempts == ()
    assert look(online, article).outcome is Outcome.UNCHANGED
    online.settings = settings
    assert jobs.recheck_due(online).attempts == ()
    clock.advance(days=999)
    assert len(jobs.recheck_due(online).attempts) == 1


def test_an_original_is_gone_when_it_is_missing_twice_a_day_apart(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (good,) = snapshots(online, article)
    origin.page("/light", b"<h1>Sorry</h1>", status=410)
    for _ in range(3):
        assert look(online, article).outcome is Outcome.MISSING
        assert original(online, article).state is OriginalState.ALIVE
        clock.advance(hours=7)
    waiting = state(online, article).next_at
    assert waiting is not None
    assert timedelta(hours=17) <= waiting - clock() <= timedelta(hours=20)
    clock.advance(hours=20)
    assert len(jobs.recheck_due(online).attempts) == 1
    gone = original(online, article)
    assert (gone.state, gone.status) == (OriginalState.GONE, 410)
    assert snapshots(online, article) == [good]
    with online.database.reading() as store:
        assert store.originals_in(OriginalState.GONE, limit=9) == [gone]
        assert store.good_snapshots([article])[article] == good
    serve(origin, page(*PARAGRAPHS))
    assert look(online, article).outcome is Outcome.UNCHANGED
    assert original(online, article).state is OriginalState.ALIVE


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, b"no", id="403"),
        pytest.param(200, CAPTCHA, id="captcha"),
    ],
)
def test_a_wall_blocks_and_never_replaces_the_article(
    status: int, body: bytes, online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (good,) = snapshots(online, article)
    origin.page("/light", body, status=status)
    attempt = look(online, article)
    assert attempt.outcome is Outcome.BLOCKED
    assert attempt.cause
    found = original(online, article)
    assert (found.state, found.cause) == (OriginalState.BLOCKED, attempt.cause)
    assert snapshots(online, article) == [good]


@pytest.mark.parametrize("shown", [1, 3])
def test_a_paywall_that_leaves_a_teaser_blocks(
    shown: int, online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (good,) = snapshots(online, article)
    serve(origin, page(*PARAGRAPHS[:shown], WALL, aside=""))
    assert look(online, article).outcome is Outcome.BLOCKED
    assert snapshots(online, article) == [good]
    assert original(online, article).state is OriginalState.BLOCKED


def test_a_paywall_before_a_rewritten_article_blocks_too(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    for shown in ((*PARAGRAPHS[:3], *REWRITTEN[:4]), (*PARAGRAPHS[:1], *REWRITTEN)):
        serve(origin, page(*shown))
        assert look(online, article).outcome is Outcome.CHANGED
    serve(origin, page(*REWRITTEN[:4], WALL, aside=""))
    assert look(online, article).outcome is Outcome.BLOCKED
    assert len(snapshots(online, article)) == 3


def test_a_robots_txt_that_forbids_it_blocks_with_a_cause_of_its_own(
    site: Path, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    url = serve(origin, page(*PARAGRAPHS))
    with open_site(site, now=clock, archive=trusting(origin)) as online:
        article = archive(online, seeds, url)
    origin.page("/robots.txt", b"User-agent: *\nDisallow: /\n", headers=content("text/plain"))
    with open_site(site, now=clock, archive=trusting(origin)) as online:
        before = origin.count("/light")
        assert look(online, article).outcome is Outcome.BLOCKED
        assert original(online, article).state is OriginalState.BLOCKED
        assert "robots.txt" in original(online, article).cause
        assert origin.count("/light") == before


def test_an_address_that_leads_to_something_else_is_redirected(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (good,) = snapshots(online, article)
    serve(origin, page(*OTHER, title="Turnips are cheap"), "/turnips")
    origin.redirect("/light", "/turnips")
    assert look(online, article).outcome is Outcome.REDIRECTED
    found = original(online, article)
    assert (found.state, found.final_url) == (OriginalState.REDIRECTED, origin.url("/turnips"))
    assert snapshots(online, article) == [good]


def test_an_article_that_moved_as_it_was_is_redirected(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    serve(origin, page(*PARAGRAPHS, aside="Read next: a tale of two lenses"), "/archive/light")
    origin.redirect("/light", "/archive/light")
    assert look(online, article).outcome is Outcome.REDIRECTED
    assert original(online, article).state is OriginalState.REDIRECTED
    assert len(snapshots(online, article)) == 1


def test_another_page_at_the_same_address_means_that_the_article_is_missing(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    serve(origin, page(*OTHER, title="Turnips are cheap"))
    assert look(online, article).outcome is Outcome.MISSING
    assert len(snapshots(online, article)) == 1


def refuse(origin: Origin) -> None:
    origin.raw("/light", lambda connection, _: connection.close())


@pytest.mark.parametrize("trouble", ["500", "429", "closed", "304"])
def test_trouble_that_may_pass_changes_nothing_and_is_shown(
    trouble: str, online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    before = original(online, article)
    if trouble == "closed":
        refuse(origin)
    else:
        headers = (("Retry-After", "7200"),) if trouble in PAUSES else ()
        origin.page("/light", b"", status=int(trouble), headers=headers)
    clock.advance(days=2)
    report = jobs.recheck_due(online)
    assert (len(report.attempts), report.partial) == (1, True)
    assert original(online, article) == before
    found = jobs.status(online)
    (failure,) = found.troubled
    assert failure.cause
    assert failure.next_at is not None
    assert failure.next_at >= clock() + timedelta(hours=2 if trouble in PAUSES else 0)
    assert (found.failures, found.looks_due) == ([], 0)
    serve(origin, page(*PARAGRAPHS))
    clock.advance(hours=3)
    online.cut_connections()
    assert [one.outcome for one in jobs.recheck_due(online).attempts] == [Outcome.UNCHANGED]
    assert jobs.status(online).troubled == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.EAI_NONAME, Outcome.MISSING),
        (socket.EAI_AGAIN, Outcome.FAILED),
        (socket.EAI_FAIL, Outcome.FAILED),
    ],
)
def test_a_name_that_is_gone_is_missing_and_one_without_an_answer_is_not(
    error: int, outcome: Outcome, online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    answers = ["127.0.0.1"]

    def resolve(_host: str, _port: int) -> list[str]:
        if not answers:
            raise socket.gaierror(error, "no")
        return answers

    host = f"korsvik.example:{origin.host.rpartition(':')[2]}"
    tools = online.capture_tools
    fetcher = Fetcher(user_agent="test", allow_hosts=(host,), resolve=resolve)
    robots = Robots(fetcher, user_agent="test", policy="ignore")
    online._tools = replace(tools, fetcher=fetcher, robots=robots)
    serve(origin, page(*PARAGRAPHS))
    article = archive(online, seeds, f"http://{host}/light")
    answers.clear()
    fetcher._transport.close()
    assert look(online, article).outcome is outcome
    found = original(online, article)
    assert (found.state, found.missed is None) == (
        OriginalState.ALIVE,
        outcome is Outcome.FAILED,
    )
    fetcher.close()


def test_only_archived_originals_are_looked_at(
    online: Runtime, seeds: Seeds, origin: Origin
) -> None:
    seeds.write("light.md", title=TITLE, url=origin.url("/missing"))
    jobs.ingest_seeds(online)
    assert jobs.recheck_due(online, everything=True).attempts == ()
    with pytest.raises(NotFound, match="not archived"):
        jobs.recheck_due(online, article="seeds/light.md")


def test_a_corrected_address_is_captured_first(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    clock.advance(days=2)
    serve(origin, page(*PARAGRAPHS), "/better")
    body = "\n\n".join(PARAGRAPHS)
    seeds.write("light.md", title=TITLE, url=origin.url("/better"), body=body)
    jobs.ingest_seeds(online)
    with online.database.reading() as store:
        (now,) = store.newest(9)
    assert now.id == article
    assert (state(online, article).purpose, state(online, article).state) == ("capture", "due")
    with online.database.reading() as store:
        assert store.original(article) is None
    assert jobs.recheck_due(online).attempts == ()
    assert jobs.capture_due(online).archived == 1


def test_a_lost_last_page_is_captured_anew(online: Runtime, seeds: Seeds, origin: Origin) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    (first,) = snapshots(online, article)
    Path(online.archive.place(first.key)).unlink()
    assert look(online, article).outcome is Outcome.VERIFIED
    second = snapshots(online, article)[0]
    assert (second.repeats, second.refers) == (None, ())


def test_first_captures_tell_how_originals_are(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    seeds.write("light.md", title=TITLE, url=origin.url("/missing"))
    jobs.ingest_seeds(online)
    (attempt,) = jobs.capture_due(online).attempts
    assert original(online, attempt.article_id).state is OriginalState.UNKNOWN
    # The second try comes when a day has passed, and not shortly before.
    assert attempt.next_at is not None
    assert timedelta(days=1) <= attempt.next_at - clock() <= timedelta(days=1.1)
    clock.advance(days=1.1)
    assert len(jobs.capture_due(online).attempts) == 1
    assert original(online, attempt.article_id).state is OriginalState.GONE
    assert jobs.status(online).originals["gone"] == 1


def test_an_archived_original_that_is_captured_in_vain_is_looked_at_again(
    online: Runtime, seeds: Seeds, origin: Origin, clock: Clock
) -> None:
    article = archive(online, seeds, serve(origin, page(*PARAGRAPHS)))
    origin.page("/light", b"gone", status=410)
    (attempt,) = jobs.capture_due(online, everything=True).attempts
    assert attempt.outcome is Outcome.MISSING
    assert (state(online, article).purpose, state(online, article).attempts) == ("look", 0)
    clock.advance(days=1.1)
    assert jobs.capture_due(online).attempts == ()
    assert [one.outcome for one in jobs.recheck_due(online).attempts] == [Outcome.MISSING]
    assert original(online, article).state is OriginalState.GONE
