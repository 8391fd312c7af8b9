"""Laws of /status: what is wrong first, why, since when and when again; no secrets; for whom."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from feedsvc import jobs
from feedsvc.errors import FeedsvcError
from feedsvc.jobs.running import recorded
from feedsvc.model import Outcome, Status
from feedsvc.runtime import utc_now
from feedsvc.web.remembered import Refreshed, Remembered
from tests.web.admin_rig import BEARER, TOKEN, OpenSite, open_admin_site, sign_in
from tests.web.conftest import Library, Served


def headings(html: str) -> list[str]:
    return re.findall(r'<h2 id="[\w-]+">([^<]*?)\s*<', html.partition("</main>")[0])


def test_all_is_well_where_nothing_is_wrong(open_site: OpenSite) -> None:
    _, web = open_admin_site(open_site)
    page = web.get("/status")
    assert page.status_code == 200
    assert "All is well." in page.text
    assert headings(page.text) == ["Numbers"]
    twin = web.get("/status.json").json()
    assert twin["healthy"] is True
    assert twin["troubles"] == []
    assert twin["queue"] == {
        "captures_due": 0,
        "looks_due": 0,
        "in_flight": 0,
        "feeds_to_write": 0,
        "articles_to_index": 0,
        "pushes_due": 0,
    }


def test_what_is_wrong_comes_first_with_why_since_when_and_when_again(
    open_site: OpenSite,
) -> None:
    library, web = open_admin_site(open_site)
    again = utc_now() + timedelta(hours=3)
    article = library.article("The <ferry>")
    library.attempt(article, Outcome.FAILED, cause="the server said 503", next_at=again)
    spoilt = library.snapshot(library.article("Another one"))
    with library.runtime.database.transaction() as store:
        store.mark_damaged([spoilt.id], now=utc_now())
    seeds = library.runtime.root / "seeds"
    (seeds / "empty.md").write_text("# Only a title\n")
    jobs.ingest_seeds(library.runtime)
    with pytest.raises(FeedsvcError), recorded(library.runtime, "verify"):
        raise FeedsvcError("postgresql://me:geheim@db/x is away, token=geheim2")

    page = web.get("/status").text
    assert headings(page) == [
        "Jobs that failed",
        "Damaged snapshots",
        "Not archived",
        "Seeds rejected",
        "Numbers",
        "Last runs",
    ]
    assert page.index("Jobs that failed") < page.index("Numbers")
    assert "The &lt;ferry&gt;" in page
    assert "the server said 503" in page
    assert f'<time datetime="{again:%Y-%m-%dT%H:%M:%SZ}">' in page
    assert "4 things do not work." in page
    twin = web.get("/status.json")
    failed, damaged, original, seed = twin.json()["troubles"]
    assert failed["why"].startswith("FeedsvcError: postgresql://me:***@db")
    assert damaged["path"] == f"/snapshots/{spoilt.id}/"
    assert (original["what"], original["path"]) == ("The <ferry>", f"/articles/{article}")
    assert original["again"] == f"{again:%Y-%m-%dT%H:%M:%SZ}"
    assert original["since"]
    assert seed["what"].startswith("seeds/empty.md")
    assert "neither a text" in seed["why"]
    assert "geheim" not in page + twin.text


def test_it_says_the_same_as_the_job(open_site: OpenSite) -> None:
    library, web = open_admin_site(open_site)
    library.article("One")
    found, twin = jobs.status(library.runtime), web.get("/status.json").json()
    assert twin["stored"]["articles"] == found.articles == 1
    assert twin["queue"]["captures_due"] == found.due == 1
    assert twin["queue"]["articles_to_index"] == found.unindexed == 1
    assert twin["versions"]["schema"] == found.schema


def test_many_of_a_kind_are_folded_away(open_site: OpenSite) -> None:
    library, web = open_admin_site(open_site)
    for number in range(8):
        (library.runtime.root / "seeds" / f"{number}.md").write_text(f"# {number}\n")
    jobs.ingest_seeds(library.runtime)
    page = web.get("/status").text
    shown, _, folded = page.partition("<summary>5 more</summary>")
    assert "seeds/2.md" in shown
    assert "seeds/3.md" in folded


@pytest.mark.parametrize(
    ("host", "setting", "public"),
    [
        ("127.0.0.1", "auto", True),
        ("::1", "auto", True),
        ("0.0.0.0", "auto", False),
        ("0.0.0.0", "public", True),
        ("127.0.0.1", "admin", False),
    ],
)
def test_others_see_it_only_if_they_may(
    open_site: OpenSite, host: str, setting: str, public: bool
) -> None:
    _, web = open_admin_site(open_site, web={"host": host, "status": setting})
    assert web.get("/status").status_code == (200 if public else 401)
    twin = web.get("/status.json")
    assert twin.status_code == (200 if public else 401)
    if not public:
        assert twin.headers["content-type"] == "application/problem+json"
        assert 'name="next" value="/status"' in web.get("/status").text
        assert web.get("/status.json", headers=BEARER).json()["healthy"] is True
        sign_in(web)
        page = web.get("/status")
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in web.get("/status.json").headers


def test_where_nobody_can_sign_in_it_says_how_to_see_it(open_site: OpenSite) -> None:
    _, web = open_site(web={"status": "admin"})
    page = web.get("/status")
    assert page.status_code == 403
    assert "web.status" in page.text
    assert web.get("/status.json").json()["status"] == 403
    assert TOKEN not in page.text


def test_a_database_that_is_away_is_told_and_is_no_fault(library: Library, web: Served) -> None:
    library.runtime.database.close()
    (library.runtime.root / "data" / "feedsvc.db").unlink()
    (library.runtime.root / "data" / "feedsvc.db").mkdir()
    assert web.get("/status").status_code == 503
    assert web.get("/status.json").json()["status"] == 503


def test_what_takes_long_is_not_found_out_for_everybody(library: Library) -> None:
    now, found = [0.0], list[int]()
    status = jobs.status(library.runtime)
    waiting, go_on = threading.Event(), threading.Event()

    def find() -> Status:
        now[0] += 2.0
        found.append(1)
        if len(found) == 2:
            waiting.set()
            assert go_on.wait(10)
        return status

    remembered = Remembered(find, clock=lambda: now[0])
    assert remembered.get() is remembered.get() is status
    now[0] += 19.0
    remembered.get()
    assert len(found) == 1
    now[0] += 2.0
    other = threading.Thread(target=remembered.get)
    other.start()
    assert waiting.wait(10)
    # Whoever comes meanwhile does not wait.
    assert remembered.get() is status
    go_on.set()
    other.join(10)
    assert len(found) == 2


def test_what_takes_very_long_holds_nobody_up() -> None:
    go_on, found = threading.Event(), list[int]()

    def find() -> int:
        found.append(1)
        if len(found) == 1:
            assert go_on.wait(30)
        return len(found)

    slow = Refreshed(find, clock=lambda: 0.0, patience=0.01, least=1.0)
    assert [slow.get(), slow.get()] == [None, None]
    assert len(found) == 1
    go_on.set()
    patient = (slow.get() for _ in range(1000))
    assert next(one for one in patient if one is not None) >= 1


def test_what_took_long_is_kept_ten_times_as_long_and_what_took_no_time_is_not() -> None:
    now, took = [0.0], [2.0]

    def find() -> float:
        now[0] += took[0]
        return now[0]

    kept = Refreshed(find, clock=lambda: now[0], patience=30, least=1.0)
    assert kept.get() == 2.0
    now[0] = 21.0
    assert kept.get() == 2.0
    now[0], took[0] = 23.0, 0.0
    assert [kept.get(), kept.get()] == [23.0, 23.0]
    now[0] = 24.0
    assert kept.get() == 24.0


def test_an_error_is_raised_until_it_is_mended() -> None:
    away = [True]

    def find() -> str:
        if away[0]:
            raise FeedsvcError("away")
        return "there"

    known = Refreshed(find, clock=lambda: 0.0, patience=30, least=1.0)
    with pytest.raises(FeedsvcError, match="away"):
        known.get()
    away[0] = False
    assert known.get() == "there"
