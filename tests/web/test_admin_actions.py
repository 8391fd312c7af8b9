"""Laws of what can be done by the web: what the jobs do, told as it goes on, and in the audit log."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from feedsvc import jobs
from feedsvc.model import AuditEntry, SeedState
from feedsvc.web.admin_actions import ACTIONS
from feedsvc.web.admin_bodies import Fields
from feedsvc.web.tasks import Tasks
from tests.origin import Listener, Origin, Seen
from tests.web.admin_rig import (
    BEARER,
    PAGE,
    SEED,
    OpenSite,
    call,
    done,
    open_admin_site,
    problem,
    send,
    sign_in,
    told,
)
from tests.web.conftest import SCIENCE, Library, Served


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def site(open_site: OpenSite, origin: Origin) -> tuple[Library, Served]:
    archive = {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "browser": "never"}
    return open_admin_site(open_site, archive=archive)


def upload(served: Served, name: str, data: bytes = SEED) -> dict[str, object]:
    headers = BEARER | {"content-type": "text/markdown"}
    url = "/admin/api/upload"
    answer = served.client.post(url, params={"name": name}, content=data, headers=headers)
    return done(served, answer)


def audit(library: Library) -> list[AuditEntry]:
    return jobs.audit_log(library.runtime)


def test_an_address_becomes_a_published_article_and_each_step_is_told(
    site: tuple[Library, Served], origin: Origin
) -> None:
    library, served = site
    url = origin.page("/ferry", PAGE)
    sign_in(served)
    answer = send(served, "/admin/add", {"url": url})
    assert answer.status_code == 303
    news = told(served, answer.headers["location"].rpartition("/")[2])
    assert [one["going"] for one in news][-2:] == [True, False]
    assert news[-1]["state"] == "done"
    assert "Added and archived: A ferry for the harbour" in news[-1]["lines"][0]
    assert url in served.get("/feeds/all.atom").text
    page = served.get(answer.headers["location"])
    assert "A ferry for the harbour" in page.text
    assert "data-events" not in page.text
    # A moment for people, and the same for machines.
    moment = (
        r'Asked <time datetime="[0-9TZ:-]{20}">\d+ \w+ \d{4}, \d\d:\d\d UTC</time>, ended <time'
    )
    assert re.search(moment, page.text)
    assert re.search(r"asked <time datetime=[^>]+>\d+ \w+ \d{4}", served.get("/admin").text)
    (entry,) = audit(library)
    assert (entry.who, entry.action) == ("admin@127.0.0.1", "add")
    assert entry.details == {"urls": [url]}


def test_an_address_that_is_here_already_is_told_and_nothing_fails(
    site: tuple[Library, Served], origin: Origin
) -> None:
    _, served = site
    url = origin.page("/ferry", PAGE)
    done(served, call(served, "add", url=url))
    task = done(served, call(served, "add", urls=[url, f"{url}?utm_source=x"]))
    assert task["state"] == "done"
    assert all(line.startswith("Here already") for line in task["lines"])


def test_private_addresses_are_refused_with_the_guards_words(open_site: OpenSite) -> None:
    library, served = open_admin_site(open_site)
    task = done(served, call(served, "add", url="http://127.0.0.1:80/secrets"))
    assert task["state"] == "partial"
    assert "127.0.0.1" in task["lines"][0]
    assert "is not an address of the public Internet" in task["lines"][0]
    assert list((library.runtime.root / "seeds").rglob("*.md")) == []


@pytest.mark.parametrize("url", ["", "ftp://example.org/a", "javascript:alert(1)", "no address"])
def test_what_is_no_address_is_refused_at_once(site: tuple[Library, Served], url: str) -> None:
    assert problem(call(site[1], "add", url=url), 400)


def test_an_uploaded_seed_is_published_under_a_harmless_name(site: tuple[Library, Served]) -> None:
    library, served = site
    task = upload(served, "../../etc/Crème brûlée <b>.MD")
    assert task["state"] == "done"
    assert task["lines"] == ["Loaded: seeds/uploads/crème-brûlée-b.md"]
    assert (library.runtime.root / "seeds/uploads/crème-brûlée-b.md").read_bytes() == SEED
    assert "Why ferries are late" in served.get("/feeds/all.atom").text
    (found,) = served.get("/search.json?q=ferries").json()["articles"]
    assert found["title"] == "Why ferries are late"


def test_a_form_with_a_file_does_the_same(site: tuple[Library, Served]) -> None:
    library, served = site
    sign_in(served)
    # What looks like the end of a form may stand in a file.
    data = SEED + b"\r\n--boundary--\r\nand more"
    answer = send(served, "/admin/upload", files={"file": ("late.txt", data, "text/plain")})
    assert answer.status_code == 303
    told(served, answer.headers["location"].rpartition("/")[2])
    assert (library.runtime.root / "seeds/uploads/late.txt").read_bytes() == data


def test_an_upload_overwrites_nothing_and_the_same_one_is_one(site: tuple[Library, Served]) -> None:
    library, served = site
    folder = library.runtime.root / "seeds" / "uploads"
    folder.mkdir()
    (folder / "late.md").write_text("# Somebody's own\n\nText.\n")
    other = SEED.replace(b"example.org/late", b"example.org/later")
    with ThreadPoolExecutor(4) as pool:
        tasks = list(
            pool.map(lambda data: upload(served, "late.md", data), [SEED, SEED, other, other])
        )
    assert {task["state"] for task in tasks} == {"done"}
    assert (folder / "late.md").read_text() == "# Somebody's own\n\nText.\n"
    kept = sorted(one.read_bytes() for one in folder.iterdir() if one.name != "late.md")
    assert kept == sorted([SEED, other])


def test_an_upload_that_is_not_taken_leaves_no_file_and_says_why(
    site: tuple[Library, Served],
) -> None:
    library, served = site
    upload(served, "first.md")
    task = upload(served, "second.md", SEED + b"\n")
    assert task["state"] == "partial"
    lines = task["lines"]
    assert isinstance(lines, list)
    assert "seeds/uploads/first.md" in lines[0]
    assert [one.name for one in (library.runtime.root / "seeds/uploads").iterdir()] == ["first.md"]
    status = jobs.status(library.runtime)
    assert status.seeds == {SeedState.LOADED: 1}


def test_topics_are_corrected_and_given_back_to_rules(site: tuple[Library, Served]) -> None:
    library, served = site
    article = library.article("Ferries", topics=(SCIENCE,))
    task = done(served, call(served, "topics", article=article, topics=["sport", "politics"]))
    assert task["lines"][0].startswith("Ferries: ")
    with library.runtime.database.reading() as store:
        assert store.topic_slugs([article])[article][0][1] == "person"
    assert "Ferries" in served.get("/feeds/sport.atom").text
    done(served, call(served, "topics", article=f"http://x.example/articles/{article}", reset=True))
    with library.runtime.database.reading() as store:
        assert store.topic_slugs([article])[article][0][1] != "person"
    assert [one.subject for one in audit(library)] == [article, article]


def test_a_topic_that_there_is_not_is_told_with_a_guess(site: tuple[Library, Served]) -> None:
    library, served = site
    article = library.article("Ferries")
    task = done(served, call(served, "topics", article=article, topics=["sprot"]))
    assert task["state"] == "failed"
    assert "did you mean 'sport'" in task["lines"][0]


@pytest.mark.parametrize("names", [["x" * 61], ["a b"] * 21, [], [" "]])
def test_topics_that_cannot_be_are_refused(site: tuple[Library, Served], names: list[str]) -> None:
    library, served = site
    article = library.article("Ferries")
    assert problem(call(served, "topics", article=article, topics=names, new=True), 400)


def test_one_article_is_captured_now_and_looked_at_again(
    site: tuple[Library, Served], origin: Origin
) -> None:
    library, served = site
    url = origin.page("/ferry", PAGE)
    seed = b"# A ferry for the harbour\n\n" + b"\n\n".join(
        line.partition(b"</p>")[0] for line in PAGE.split(b"<p>")[2:]
    )
    upload(served, "ferry.md", seed + f"\n\nOriginal url: {url}\n".encode())
    with library.runtime.database.reading() as store:
        (article,) = store.newest(10)
    task = done(served, call(served, "capture", article="seeds/uploads/ferry.md"))
    assert task["lines"] == ["1 tried, 1 went well", f"verified: {url}"]
    assert "Archived" in served.get(f"/articles/{article.id}").text
    task = done(served, call(served, "recheck", article=url))
    assert task["lines"][1].startswith("unchanged")
    assert done(served, call(served, "recheck"))["lines"] == ["0 tried, 0 went well"]


def test_all_that_failed_is_tried_again(site: tuple[Library, Served], origin: Origin) -> None:
    library, served = site
    seed = SEED.replace(b"https://example.org/late", origin.url("/late").encode())
    upload(served, "late.md", seed)
    first = done(served, call(served, "retry"))
    again = done(served, call(served, "retry"))
    assert first["state"] == again["state"] == "partial"
    assert "404" in again["lines"][1]
    assert origin.count("/late") == 2
    assert jobs.status(library.runtime).failures


def test_forgetting_is_said_twice_and_with_a_reason(site: tuple[Library, Served]) -> None:
    library, served = site
    article = library.article("A secret <b>")
    library.snapshot(article)
    assert "reason" in problem(call(served, "forget", article=article), 400)
    asked = problem(call(served, "forget", article=article, reason="they asked"), 409)
    assert article in asked
    sign_in(served)
    page = send(served, "/admin/forget", {"article": article, "reason": "they <asked>"})
    assert page.status_code == 200
    assert "A secret &lt;b&gt;" in page.text
    assert "they &lt;asked&gt;" in page.text
    assert served.get(f"/articles/{article}").status_code == 200
    call_again = call(served, "forget", article=article, reason="they asked", confirm=article)
    assert done(served, call_again)["lines"][0] == "Forgotten: A secret <b>, 1 snapshots"
    assert served.get(f"/articles/{article}").status_code == 404
    (entry,) = audit(library)
    assert (entry.action, entry.reason) == ("forget", "they asked")
    assert entry.who == "admin@127.0.0.1"


def test_everything_is_rebuilt(site: tuple[Library, Served]) -> None:
    library, served = site
    (library.runtime.root / "seeds" / "late.md").write_bytes(SEED)
    task = done(served, call(served, "rebuild"))
    assert task["state"] == "done"
    assert task["lines"][0].startswith("1 articles in ")
    assert "Why ferries are late" in served.get("/feeds/all.rss").text
    failed = done(served, call(served, "rebuild", topic="no-such-topic"))
    assert failed["state"] == "failed"
    assert "no-such-topic" in failed["lines"][0]


@pytest.mark.parametrize("action", ["capture", "topics", "recheck", "forget"])
def test_unknown_articles_are_told(site: tuple[Library, Served], action: str) -> None:
    values = {"article": "no such \x00 article", "topics": ["sport"], "reason": "r"}
    assert "no article has the id" in problem(call(site[1], action, **values), 404)


def test_reading_an_action_does_nothing(site: tuple[Library, Served], origin: Origin) -> None:
    library, served = site
    url = origin.page("/ferry", PAGE)
    sign_in(served)
    page = served.get("/admin/add", params={"url": f'{url}?"><script>'})
    assert f'value="{url}?&#34;&gt;&lt;script&gt;"' in page.text
    for action in ("retry", "rebuild", "forget", "upload"):
        assert served.get(f"/admin/{action}").headers["location"] == "/admin"
        assert problem(served.get(f"/admin/api/{action}"), 405)
    assert origin.seen == []
    assert audit(library) == []


def test_the_bookmark_leads_to_the_form(site: tuple[Library, Served]) -> None:
    _, served = site
    sign_in(served)
    page = served.get("/admin").text
    assert "javascript:void(open(&#34;http://127.0.0.1:8080/admin/add?url=&#34;+encodeURI" in page


def test_a_site_that_cannot_be_written_says_so(
    site: tuple[Library, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so the question itself is answered.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "read-only" in problem(call(site[1], "rebuild"), 503)


def test_a_server_that_keeps_silent_does_not_keep_ours_from_ending(
    site: tuple[Library, Served], origin: Origin
) -> None:
    library, _ = site
    runtime, asked = library.runtime, threading.Event()

    def silent(_connection: socket.socket, _seen: Seen) -> None:
        asked.set()
        origin.pause(30)

    order = ACTIONS["add"](runtime, Fields({"url": origin.raw("/silent", silent)}), "me")
    tasks = Tasks(runtime, now=runtime.now, new_id=lambda: "a" * 32)
    task = tasks.start("add", order.title, order.work, key=order.key)
    assert asked.wait(10)
    assert tasks.end(4.0)
    ended = tasks.get(task.id)
    assert ended is not None
    assert ended.state == "stopped"
    assert list((runtime.root / "seeds").rglob("*")) == []
