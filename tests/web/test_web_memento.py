"""Captures are offered by address and time as RFC 7089 says."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from feedsvc.model import Judgement, Likely, Snapshot, Verdict
from feedsvc.web.memento import BadDatetime, accept_datetime
from tests.replay.build import NOON, exchange, warc

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

URL = "https://example.org/story?b=2&a=1"
PICTURE = "https://example.org/p.png"
WALL = Judgement(Verdict.MISMATCH, 0.0, Likely.CHALLENGE, "")
DAY = timedelta(days=1)
BASE = "http://127.0.0.1:8080"


@pytest.fixture
def three(library: Library) -> list[Snapshot]:
    article = library.article()
    requisites = (exchange(PICTURE, b"x", "image/png"),)
    made = [
        library.snapshot(
            article,
            warc(exchange(URL, f"<p>Day {day}", started=NOON + day * DAY), requisites=requisites)[
                0
            ],
            url=URL,
            final_url=URL,
            captured=NOON + day * DAY,
        )
        for day in range(3)
    ]
    library.snapshot(
        article, warc(exchange(URL, "prove it"))[0], judgement=WALL, url=URL, final_url=URL,
        captured=NOON + 9 * DAY,
    )  # fmt: skip
    return made


def memento(snapshot: Snapshot, url: str = URL) -> str:
    return f"{BASE}/snapshots/{snapshot.id}/mp_/{url}"


def links(header: str) -> dict[str, str]:
    """Return targets by each of their relations."""
    found = re.findall(r'<([^>]*)>; rel="([^"]*)"', header)
    return {rel: target for target, rels in found for rel in rels.split()}


@pytest.mark.parametrize(
    ("asked", "day"),
    [
        pytest.param(None, 2, id="none-is-latest"),
        pytest.param("Fri, 31 May 2024 12:00:00 GMT", 0, id="exact"),
        pytest.param("Sat, 01 Jun 2024 13:00:00 GMT", 1, id="nearest"),
        pytest.param("Mon, 01 Jan 1996 00:00:00 GMT", 0, id="before-all"),
        pytest.param("Sun, 01 Jan 2090 00:00:00 GMT", 2, id="after-all"),
    ],
)
def test_the_timegate_leads_to_the_nearest_capture_that_counts(
    three: list[Snapshot], web: Served, asked: str | None, day: int
) -> None:
    headers = {"accept-datetime": asked} if asked else {}
    answer = web.get(f"/timegate/{URL}", headers=headers)
    assert answer.status_code == 302
    assert answer.headers["location"] == memento(three[day])
    assert "accept-datetime" in answer.headers["vary"]
    # RFC 7089 §4.2.1: the answer of a TimeGate is no memento itself.
    assert "memento-datetime" not in answer.headers
    found = links(answer.headers["link"])
    assert found["original"] == URL
    assert found["timemap"].startswith(f"{BASE}/timemap/")
    assert (found["first"], found["last"]) == (memento(three[0]), memento(three[2]))


@pytest.mark.parametrize(
    "url",
    [
        "http://www.example.org/story?a=1&b=2",
        "https://EXAMPLE.org:443/Story?b=2&a=1&utm_source=feed",
        "example.org/story?b=2&a=1",
        "https:/example.org/story?b=2&a=1",
    ],
)
def test_spelling_does_not_hide_a_capture(three: list[Snapshot], web: Served, url: str) -> None:
    answer = web.get(f"/timegate/{url}")
    assert answer.status_code == 302
    assert f"/snapshots/{three[2].id}/mp_/" in answer.headers["location"]
    path = answer.headers["location"].removeprefix(BASE)
    assert web.get(path).headers["memento-datetime"] == "Sun, 02 Jun 2024 12:00:00 GMT"


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "",
        "2024-05-31T12:00:00Z",
        "Fri, 31 May 2024 12:00:00",
        "Fri, 31 May 2024 12:00:00 +0200",
        "Fri, 31 Foo 2024 12:00:00 GMT",
        "Fri, 30 Feb 2024 12:00:00 GMT",
        "Fri, 31 May 2024 25:00:00 GMT",
        "Fri, 31 May 0000 12:00:00 GMT",
    ],
)
def test_a_date_that_is_none_is_a_bad_request(
    three: list[Snapshot], web: Served, value: str
) -> None:
    answer = web.get(f"/timegate/{URL}", headers={"accept-datetime": value})
    assert answer.status_code == 400
    assert "Accept-Datetime" in answer.text
    assert links(answer.headers["link"])["original"] == URL
    with pytest.raises(BadDatetime):
        accept_datetime(value)


@pytest.mark.parametrize("place", ["timegate", "timemap/link", "timemap/json"])
@pytest.mark.parametrize("url", ["https://example.org/other", "nonsense", "ftp://example.org/", ""])
def test_an_address_nobody_captured_is_not_found(
    three: list[Snapshot], web: Served, place: str, url: str
) -> None:
    assert web.get(f"/{place}/{url}").status_code == 404


def test_only_a_wall_was_captured_is_nothing_to_offer(library: Library, web: Served) -> None:
    content = warc(exchange(URL, "prove it"))[0]
    library.snapshot(library.article(), content, judgement=WALL, url=URL, final_url=URL)
    assert web.get(f"/timegate/{URL}").status_code == 404


def test_a_memento_tells_its_time_and_its_neighbours(three: list[Snapshot], web: Served) -> None:
    answer = web.get(memento(three[1]).removeprefix(BASE))
    assert answer.headers["memento-datetime"] == "Sat, 01 Jun 2024 12:00:00 GMT"
    found = links(answer.headers["link"])
    assert found["original"] == URL
    assert found["timegate"] == f"{BASE}/timegate/{URL}"
    assert (found["first"], found["prev"]) == (memento(three[0]), memento(three[0]))
    assert (found["next"], found["last"]) == (memento(three[2]), memento(three[2]))
    ends = links(web.get(memento(three[2]).removeprefix(BASE)).headers["link"])
    assert "next" not in ends
    assert ends["prev"] == memento(three[1])


def test_requisites_and_raw_bytes_are_mementos_too(three: list[Snapshot], web: Served) -> None:
    raw = web.get(memento(three[1]).removeprefix(BASE).replace("mp_", "id_"))
    assert raw.headers["memento-datetime"] == "Sat, 01 Jun 2024 12:00:00 GMT"
    picture = web.get(memento(three[1], PICTURE).removeprefix(BASE))
    assert picture.headers["memento-datetime"] == "Fri, 31 May 2024 12:00:00 GMT"
    assert links(picture.headers["link"]) == {"original": PICTURE}


def test_a_timemap_lists_every_capture_once_in_order(three: list[Snapshot], web: Served) -> None:
    answer = web.get(f"/timemap/link/{URL}")
    assert answer.headers["content-type"] == "application/link-format"
    lines = answer.text.strip().split(",\n")
    assert lines[0] == f'<{URL}>; rel="original"'
    assert lines[1] == (
        f'<{BASE}/timemap/link/{URL}>; rel="self"; type="application/link-format"; '
        'from="Fri, 31 May 2024 12:00:00 GMT"; until="Sun, 02 Jun 2024 12:00:00 GMT"'
    )
    assert lines[2] == f'<{BASE}/timegate/{URL}>; rel="timegate"'
    assert lines[3:] == [
        f'<{memento(three[0])}>; rel="first memento"; datetime="Fri, 31 May 2024 12:00:00 GMT"',
        f'<{memento(three[1])}>; rel="memento"; datetime="Sat, 01 Jun 2024 12:00:00 GMT"',
        f'<{memento(three[2])}>; rel="last memento"; datetime="Sun, 02 Jun 2024 12:00:00 GMT"',
    ]


def test_the_timemap_in_json_says_the_same(three: list[Snapshot], web: Served) -> None:
    listed = web.get(f"/timemap/json/{URL}").json()
    assert listed["original_uri"] == URL
    assert [one["uri"] for one in listed["mementos"]["list"]] == [memento(one) for one in three]
    assert listed["mementos"]["first"]["datetime"] == "2024-05-31T12:00:00Z"
    assert listed["mementos"]["last"]["uri"] == memento(three[2])
    assert listed["timegate_uri"] == f"{BASE}/timegate/{URL}"


def test_every_address_a_timemap_names_can_be_fetched(three: list[Snapshot], web: Served) -> None:
    for uri, date in re.findall(
        r'<([^>]*)>; rel="[^"]*memento"; datetime="([^"]*)"', web.get(f"/timemap/link/{URL}").text
    ):
        answer = web.get(uri.removeprefix(BASE))
        assert (answer.status_code, answer.headers["memento-datetime"]) == (200, date)


def test_the_timegate_answers_to_head(three: list[Snapshot], web: Served) -> None:
    answer = web.client.head(f"/timegate/{URL}")
    assert (answer.status_code, answer.headers["location"]) == (302, memento(three[2]))
