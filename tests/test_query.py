from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.query import Looked, look_at, parse_query


@dataclass(frozen=True)
class Piece:
    title: str = "The night ferry to Kraków"
    text: str = (
        "Storms kept the ferries in harbour.\n\nNobody crossed; O'Neil waited. 東京大学 watched."
    )
    url: str | None = "https://news.example.org/a"
    author: str | None = "José García"
    agency: str | None = "AFP"


def looked(piece: Piece | None = None) -> Looked:
    return look_at(
        piece or Piece(),
        host="news.example.org",
        topics=["weather", "crime-law-justice"],
        published=datetime(2024, 5, 31, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "query",
    [
        "",
        "ferry",
        "FERRY storms",
        '"night ferry"',
        "ferr*",
        "storm* harbour",
        "ferry -airport",
        'ferry -"day ferry"',
        "airport OR ferry",
        "airport OR train OR ferry harbour",
        "krakow",
        "Kraków",
        "o'neil",
        "oneil",
        "大学",
        "title:ferry",
        "title:krak*",
        "author:garcia",
        'author:"jose garcia"',
        "agency:afp",
        "host:example.org",
        "host:www.news.example.org",
        "topic:weather",
        "topic:crime-law-justice",
        'topic:"Crime, law, justice"',
        "before:2025",
        "before:2024-06",
        "after:2024-05-31",
        "after:2024 before:2024-06-01 -topic:sport",
        "-host:elsewhere.example",
        '"night ferry',
        "ferry OR",
        "OR ferry",
        "( ferry )",
        "before:soon OR ferry",
    ],
)
def test_a_query_finds_what_it_asks_for(query: str) -> None:
    assert parse_query(query).matches(looked())


@pytest.mark.parametrize(
    "query",
    [
        "airport",
        "ferry airport",
        '"ferry night"',
        '"kraków storms"',
        "-ferry",
        "ferry -harbour",
        "ferr",
        "title:harbour",
        "author:afp",
        "host:ample.org",
        "host:old.news.example.org",
        "topic:law",
        "before:2024-05-31",
        "after:2024-06",
        "airport OR train harbour",
        "after:2024-13-45",
        "nofield:ferry",
    ],
)
def test_a_query_leaves_out_what_it_does_not_ask_for(query: str) -> None:
    assert not parse_query(query).matches(looked())


@given(st.text(max_size=300))
def test_every_text_is_a_query(text: str) -> None:
    parse_query(text).matches(looked())


@given(
    st.lists(st.sampled_from(['"', "-", ":", "OR", " ", "*", "title", "before:", "2024-", "ferry"]))
)
def test_every_mixture_of_signs_is_a_query(parts: list[str]) -> None:
    parse_query("".join(parts)).matches(looked())


@given(
    st.lists(st.sampled_from(["ferry", "storms", "airport", '"in harbour"', "kra*"]), min_size=1)
)
def test_a_query_and_its_denial_never_agree(words: list[str]) -> None:
    for word in words:
        assert parse_query(word).matches(looked()) != parse_query(f"-{word}").matches(looked())
    together = all(parse_query(word).matches(looked()) for word in words)
    either = any(parse_query(word).matches(looked()) for word in words)
    assert parse_query(" ".join(words)).matches(looked()) == together
    assert parse_query(" OR ".join(words)).matches(looked()) == either


def test_a_query_takes_time_in_proportion_to_what_it_is_asked(  # pathological input ends
) -> None:
    big = Piece(text="a " * 500_000)
    assert not parse_query('"a a b" ' * 500).matches(looked(big))
