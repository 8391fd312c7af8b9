"""Seeds by HTTP, on a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from feedsvc import jobs
from feedsvc.jobs.find_seeds import load_seeds
from tests.web.admin_rig import BEARER, SEED, TOKEN, OpenSite, open_admin_site, problem
from tests.web.conftest import Library, Served

MARKDOWN = BEARER | {"content-type": "text/markdown"}
OTHER = SEED.replace(b"The hull is", b"The keel is")


@pytest.fixture
def site(open_site: OpenSite) -> tuple[Library, Served]:
    return open_admin_site(open_site)


def put(served: Served, name: str, body: bytes = SEED, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return served.client.put(f"/api/seeds/{name}", content=body, headers=MARKDOWN | named)


def show(served: Served, name: str) -> httpx.Response:
    return served.client.get(f"/api/seeds/{name}", headers=BEARER)


def test_a_seed_that_is_sent_is_an_article_at_once(site: tuple[Library, Served]) -> None:
    library, served = site
    answer = served.client.post("/api/seeds/desk/late ä.md", content=SEED, headers=MARKDOWN)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/api/seeds/desk/late%20%C3%A4.md"
    told = answer.json()
    assert (told["state"], told["seed"]) == ("loaded", "seeds/desk/late ä.md")
    assert served.client.get(httpx.URL(told["article"]["url"]).path).status_code == 200
    assert (library.runtime.root / "seeds/desk/late ä.md").read_bytes() == SEED
    again = served.client.get(answer.headers["location"], headers=BEARER)
    assert again.json() == told
    assert again.headers["etag"] == answer.headers["etag"]


def test_the_same_bytes_again_change_nothing(site: tuple[Library, Served]) -> None:
    _, served = site
    first = put(served, "late.md")
    again = put(served, "late.md")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert put(served, "late.md", if_none_match="*").status_code == 412


def test_other_bytes_replace_a_seed_only_if_it_is_the_one_that_was_meant(
    site: tuple[Library, Served],
) -> None:
    library, served = site
    first = put(served, "late.md", if_none_match="*")
    assert "another seed of that name" in problem(put(served, "late.md", OTHER), 409)
    assert "no longer" in problem(put(served, "late.md", OTHER, if_match='"other"'), 412)
    assert "no longer" in problem(put(served, "new.md", OTHER, if_match="*"), 412)
    tag = first.headers["etag"]
    problem(put(served, "late.md", OTHER, if_match=f"W/{tag}"), 412)
    replaced = put(served, "late.md", OTHER, if_match=f'"x", {tag}')
    assert (replaced.status_code, replaced.json()["state"]) == (200, "loaded")
    assert replaced.headers["etag"] != tag
    with library.runtime.database.reading() as store:
        article = store.article(replaced.json()["article"]["id"])
    assert article is not None
    assert (article.revision, "keel" in article.text) == (2, True)


def test_a_deleted_seed_withdraws_its_article_even_if_it_is_the_only_one(
    site: tuple[Library, Served],
) -> None:
    library, served = site
    made = put(served, "late.md")
    path = "/api/seeds/late.md"
    wrong = served.client.delete(path, headers=BEARER | {"if-match": '"other"'})
    assert wrong.status_code == 412
    right = served.client.delete(path, headers=BEARER | {"if-match": made.headers["etag"]})
    assert right.status_code == 204
    problem(show(served, "late.md"), 404)
    problem(served.client.delete(path, headers=BEARER), 404)
    with library.runtime.database.reading() as store:
        article = store.article(made.json()["article"]["id"])
    assert article is not None
    assert article.withdrawn is not None


def test_what_is_no_seed_is_refused_with_line_reason_and_remedy(
    site: tuple[Library, Served],
) -> None:
    library, served = site
    wrong = b"---\ntitle: A\ndate: yesterday-ish\n---\n\nWords.\n"
    answer = put(served, "wrong.md", wrong)
    assert problem(answer, 422)
    told = answer.json()
    assert (told["line"], bool(told["reason"]), bool(told["remedy"])) == (3, True, True)
    assert list((library.runtime.root / "seeds").iterdir()) == []


def test_a_duplicate_is_told_and_not_kept(site: tuple[Library, Served]) -> None:
    library, served = site
    put(served, "one.md")
    said = problem(put(served, "two.md", OTHER), 409)
    assert "its original URL is that of seeds/one.md" in said
    assert not (library.runtime.root / "seeds/two.md").exists()
    problem(show(served, "two.md"), 404)


@pytest.mark.parametrize(
    "name", ["x.pdf", "a//b.md", "%2e%2e/x.md", ".x.md", "a%5Cb.md", "a%01.md", "x" * 300 + ".md"]
)
def test_a_name_that_no_seed_can_have_is_refused(site: tuple[Library, Served], name: str) -> None:
    library, served = site
    problem(put(served, name), 422)
    assert {one.name for one in library.runtime.root.rglob("*.md")} == set()


def test_only_seeds_of_a_size_and_kind_that_are_read_are_taken(
    open_site: OpenSite,
) -> None:
    _, served = open_admin_site(open_site, seeds={"max_size": 100_000})
    problem(put(served, "large.md", b"x" * 100_001), 413)
    assert put(served, "large.md", SEED.replace(b"hull", b"hull " * 15_000)).status_code == 201
    for kind in ("text/html", "text/plain; charset=latin-1", "application/json"):
        headers = BEARER | {"content-type": kind}
        answer = served.client.post("/api/seeds/x.md", content=SEED, headers=headers)
        assert "text/markdown" in problem(answer, 415)
    problem(served.client.patch("/api/seeds/x.md", content=SEED, headers=MARKDOWN), 405)


def test_nobody_sends_seeds_without_the_token_and_guessing_is_slow(
    site: tuple[Library, Served],
) -> None:
    _, served = site
    answer = served.client.put("/api/seeds/x.md", content=SEED)
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    wrong = {"authorization": "Bearer wrong", "content-type": "text/plain"}
    statuses = [
        served.client.put("/api/seeds/x.md", content=SEED, headers=wrong).status_code
        for _ in range(6)
    ]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    problem(show(served, "x.md"), 429)


def test_without_a_token_there_is_no_such_address(open_site: OpenSite) -> None:
    _, served = open_site()
    assert served.client.put("/api/seeds/x.md", content=SEED).status_code == 404


def test_a_seed_that_cannot_be_loaded_now_is_accepted_and_told_later(
    site: tuple[Library, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, served = site
    monkeypatch.setattr("feedsvc.jobs.seed_resource.WAIT_SECONDS", 0.0)
    with library.runtime.lock("ingest"):
        answer = put(served, "late.md")
        assert answer.status_code == 202
        assert answer.headers["location"] == "/api/seeds/late.md"
        assert show(served, "late.md").json()["state"] == "waiting"
    jobs.ingest_seeds(library.runtime)
    assert show(served, "late.md").json()["state"] == "loaded"


def test_the_documented_commands_work(site: tuple[Library, Served], tmp_path: Path) -> None:
    _, served = site
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")  # .ci/run installs it
    (tmp_path / "ferry.md").write_bytes(SEED)
    (tmp_path / "corrected.md").write_bytes(OTHER)
    page = Path("docs/seeds-api.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    environ = {
        "TOKEN": TOKEN,
        "SITE": f"http://127.0.0.1:{served.port}",
        "PATH": str(Path(curl).parent),
    }
    done = subprocess.run(
        ["/bin/sh", "-ec", block[1]], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    problem(show(served, "desk/ferry.md"), 404)


def test_in_a_fleet_a_worker_loads_what_was_sent(open_site: OpenSite, postgresql: str) -> None:
    sections: dict[str, Any] = {"fleet": {"enabled": True}, "database": {"url": postgresql}}
    library, served = open_admin_site(open_site, **sections)
    name = "desk/late-news-of-the-harbour-and-of-its-ferries.md"
    answer = put(served, name)
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert show(served, name).headers["retry-after"]
    with library.runtime.database.reading() as store:
        query = text("SELECT args->'names'->>0 FROM procrastinate_jobs WHERE lock LIKE 'load:%'")
        names = store.connection.scalars(query).all()
    assert names == [f"seeds/{name}"]
    load_seeds(library.runtime, names)
    told = show(served, name)
    assert (told.json()["state"], told.headers["etag"]) == ("loaded", answer.headers["etag"])
    again = put(served, name)
    assert (again.status_code, again.json()) == (200, told.json())
    assert served.client.delete(f"/api/seeds/{name}", headers=BEARER).status_code == 204
