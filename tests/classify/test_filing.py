from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedsvc.classify.filing import FILED, Filing, host_slug
from feedsvc.classify.names import slug_of
from feedsvc.classify.people import single_names
from feedsvc.classify.searches import read_searches
from feedsvc.errors import ConfigurationError
from feedsvc.model import ParsedArticle, Topic

NOON = datetime(2024, 5, 31, tzinfo=UTC)
ARTICLE = ParsedArticle(
    title="A ferry",
    html="",
    text="It left the harbour.",
    summary="",
    url="https://www.news.example.org/ferry",
    author="Ada Brandt and Bo de Wit",
    agency="AFP",
)
EVERYTHING = Filing(frozenset(FILED.values()))


def slugs(article: ParsedArticle, filing: Filing = EVERYTHING) -> list[str]:
    found = filing.channels(article, topics=[Topic("sport", "Sport")], published=NOON)
    return [one.slug for one in found]


@pytest.mark.parametrize(
    ("byline", "names"),
    [
        (None, ()),
        ("Ada Brandt", ("Ada Brandt",)),
        ("Ada Brandt and Bo de Wit", ("Ada Brandt", "Bo de Wit")),
        ("Ada Brandt, Bo de Wit, and Cy Dee", ("Ada Brandt", "Bo de Wit", "Cy Dee")),
        ("Ada Brandt & Bo", ("Ada Brandt", "Bo")),
        ("Martin Luther King, Jr.", ("Martin Luther King Jr",)),
        ("Ada Brandt, ada brandt", ("Ada Brandt",)),
        ("Candy Anderson", ("Candy Anderson",)),
        ("--- , ;", ()),
        ("x" * 500, ()),
    ],
)
def test_a_byline_is_parted_into_names(byline: str | None, names: tuple[str, ...]) -> None:
    assert single_names(byline) == names


def test_an_article_belongs_to_its_authors_agency_and_host() -> None:
    assert slugs(ARTICLE) == [
        "authors/ada-brandt",
        "authors/bo-de-wit",
        "agencies/afp",
        "hosts/news.example.org",
    ]
    assert slugs(ARTICLE, Filing()) == []


def test_an_agency_that_signs_alone_is_no_author() -> None:
    assert slugs(replace(ARTICLE, author="AFP", url=None)) == ["agencies/afp"]


@pytest.mark.parametrize("name", ["王小明", "Олена Шевченко", "محمد علي", "🦊", "Ы" * 80])
def test_a_name_of_any_script_has_a_slug_of_its_own(name: str) -> None:
    (slug,) = slugs(replace(ARTICLE, author=name, agency=None, url=None)) or ["authors/none"]
    (other,) = slugs(replace(ARTICLE, author=f"{name}x", agency=None, url=None))
    assert slug.isascii()
    assert slug != other
    assert len(slug) < 90


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("news.example.org", "news.example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a-b.example", "a-b.example"),
    ],
)
def test_a_host_is_its_own_slug(host: str, slug: str) -> None:
    assert host_slug(host) == slug


@pytest.mark.parametrize("host", ["x.atom", "example.org:8080", "::1", "_x.example", "a" * 120])
def test_a_host_that_no_file_can_be_called_gets_another_slug(host: str) -> None:
    assert host_slug(host) != host
    assert not host_slug(host).endswith((".rss", ".atom", ".json"))
    assert host_slug(host) == host_slug(host)


def test_no_topic_takes_the_place_of_other_feeds() -> None:
    for name in ("Changes", "gone", "STATUS", "authors", "private", "all"):
        assert slug_of(name).endswith("-topic")


def search(toml: str) -> Filing:
    return Filing(frozenset(), read_searches(toml, source="feeds.toml"))


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ('query = "harbour"', True),
        ('query = "airport"', False),
        ('topics = ["Sport"]', True),
        ('topics = ["weather", "sport"]', True),
        ('topics = ["weather"]', False),
        ('authors = "bo de wit"', True),
        ('authors = ["Cy Dee"]', False),
        ('hosts = ["news.example.org"]', True),
        ('hosts = ["example.org"]', False),
        ('hosts = ["*.example.org"]', True),
        ('query = "ferry"\nauthors = ["Cy Dee"]', False),
    ],
)
def test_a_saved_search_holds_what_meets_all_its_conditions(conditions: str, found: bool) -> None:
    filing = search(f'[[feed]]\nname = "x"\n{conditions}\n')
    assert slugs(ARTICLE, filing) == (["searches/x"] if found else [])


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[[fed]]\nname = "x"', "feeds.toml:1: unknown key 'fed'. Did you mean 'feed'"),
        ('[[feed]]\ntitle = "x"', "feeds.toml:1: this .* has no name"),
        ('[[feed]]\nname = "x"', "feeds.toml:1: this feed asks for nothing"),
        ('[[feed]]\nname = "X y"\nquery = "a"', "feeds.toml:2: .*such as 'x-y'"),
        ('[[feed]]\nname = "x"\n\nautors = ["A"]', "feeds.toml:4: .*Did you mean 'authors'"),
        ('[[feed]]\nname = "x"\nhosts = ["a b"]', "feeds.toml:3: 'a b' cannot be a host"),
        (
            '[[feed]]\nname = "x"\nquery = "a"\n[[feed]]\nname = "x"\nquery = "b"',
            "feeds.toml:5: .*twice",
        ),
        ('[[feed]]\nname = "x"\nquery = 3', "feeds.toml:3: query is a number"),
        ('[[feed]]\nname = "x"\nquery = "a"\nprivate = "yes"', "feeds.toml:4: private is text"),
        ("[[feed]\n", "feeds.toml:1: this is not TOML"),
    ],
)
def test_what_is_wrong_in_feeds_toml_is_told_with_its_line(toml: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        search(toml)


def test_only_what_decides_makes_another_version() -> None:
    one = '[[feed]]\nname = "x"\nquery = "ferry"\n'
    assert search(one).version == search(f'{one}title = "Y"\nprivate = true\n# note\n').version
    assert search(one).version != search(one.replace("ferry", "boat")).version
    assert Filing().version == ""


def test_the_example_of_the_documentation_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert [one.name for one in read_searches(example, source="docs/feeds.md")] == [
        "harbour",
        "ada-on-weather",
    ]
