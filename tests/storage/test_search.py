"""Laws of full-text search: what a query says is what it finds, on either database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedsvc.model import ParsedArticle, Topic, content_digest
from feedsvc.model.search import Filters
from feedsvc.query import look_at, parse_query
from feedsvc.storage.database import Database
from feedsvc.storage.store import Store
from feedsvc.storage.store_articles import ArticlePut
from feedsvc.storage.store_search import BOUNDS, Bounds
from feedsvc.urls import host_of
from tests.storage.build import NOW, POLITICS, SPORT, add, put

WORDS = ("harbour", "ferry", "storm", "night", "café", "Straße", "東京", "港", "mañana", "O'Neill")
AUTHORS = ("Ada Brandt", "Bo Lund", None)
AGENCIES = ("AFP", "Harbour News Agency", None)
HOSTS = ("example.org", "news.example.org", "other.example.com")


def article(number: int, title: str, text: str) -> ArticlePut:
    """Return an article whose other properties follow from its number."""
    url = f"https://{HOSTS[number % 3]}/{number}"
    made = put(url, seed=f"seeds/{number}.md", published=NOW + timedelta(days=number * 7 % 40))
    parsed = ParsedArticle(
        title=title,
        html="",
        text=text,
        summary="",
        url=url,
        author=AUTHORS[number % 3],
        agency=AGENCIES[number // 3 % 3],
    )
    return replace(made, parsed=parsed, digest=content_digest(parsed))


def topics_of(number: int) -> tuple[Topic, ...]:
    return (SPORT, POLITICS)[number % 2 : number % 2 + 1]


def fill(store: Store, texts: list[tuple[str, str]]) -> None:
    for number, (title, text) in enumerate(texts):
        add(store, article(number, title, text), topics=topics_of(number))
    index(store)


def index(store: Store) -> None:
    while store.index_some(limit=7):
        pass


RANKS_NOTHING = Bounds(ranked=0)
WALKS = Bounds(wide=-1, walked=2)
"""As if every word were nearly everywhere, and pages looked through two articles each."""


def found(store: Store, words: str, *, bounds: Bounds = BOUNDS, **filters: object) -> list[str]:
    """Return the seeds' numbers of everything that is found, over all pages, in order."""
    wanted, after, numbers = Filters(**filters), None, []  # type: ignore[arg-type]  # as tests give them
    while True:
        page = store.search(parse_query(words), wanted, limit=3, after=after, bounds=bounds)
        seeds = store.articles(page.ids)
        numbers += [seeds[one].seed[6:-3] for one in page.ids]
        if page.next is None:
            return numbers
        after = page.next


def expected(store: Store, words: str) -> set[str]:
    """Return what the query itself says of every article."""
    query = parse_query(words)
    matching = set()
    for one in store.newest(1000):
        number = int(one.seed[6:-3])
        looked = look_at(
            one,
            host=host_of(one.url or ""),
            topics={topic.slug for topic in topics_of(number)},
            published=one.published,
        )
        if query.matches(looked):
            matching.add(str(number))
    return matching


_word = st.sampled_from([*WORDS, "har*", "ST*", "東*", "nothing", "cafe", "strasse", "oneill"])
_phrase = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda w: f'"{" ".join(w)}"')
_field = st.one_of(
    st.tuples(st.just("title:"), _word | _phrase),
    st.tuples(st.just("author:"), st.sampled_from(["ada", '"bo lund"', "lu*", "nobody"])),
    st.tuples(st.just("agency:"), st.sampled_from(["afp", "harbour", '"news agency"'])),
    st.tuples(st.just("host:"), st.sampled_from(["example.org", "www.example.org", "org", "x.y"])),
    st.tuples(st.just("topic:"), st.sampled_from(["sport", "politics", "none"])),
    st.tuples(st.sampled_from(["before:", "after:"]), st.sampled_from(["2026-11-20", "2026", "x"])),
).map("".join)
_term = st.tuples(st.sampled_from(["", "", "", "-"]), _word | _phrase | _field).map("".join)
_query = st.lists(_term | st.just("OR"), max_size=6).map(" ".join)
_text = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    texts=st.lists(st.tuples(_text, _text), min_size=1, max_size=9),
    queries=st.lists(_query, min_size=1, max_size=12),
)
def test_the_index_finds_what_the_query_says(
    database: Database, texts: list[tuple[str, str]], queries: list[str]
) -> None:
    with database.transaction() as store:
        store.drop_articles([one.id for one in store.newest(1000)])
        fill(store, texts)
        for words in queries:
            want = expected(store, words)
            for bounds in (BOUNDS, RANKS_NOTHING, WALKS):
                got = found(store, words, bounds=bounds)
                assert len(got) == len(set(got)), words
                assert set(got) == want, words


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.text(max_size=60), mark=st.text(max_size=30))
def test_every_text_is_a_query_and_every_mark_a_beginning(
    database: Database, words: str, mark: str
) -> None:
    with database.reading() as store:
        store.search(parse_query(words), Filters(host=words, author=mark), limit=2, after=mark)


STRANGE = (
    '"', '""', "*", "-", "- -", "OR", "OR OR", "NEAR(a b)", "a AND NOT b", "title:", '-"', "(((",
    "a" * 9000, "{title} : x", "x'; DROP TABLE articles; --", "\x00", "\ud800", "a:b:c:*",
    "before:9999-99", "after:0000", "%", "_", "'a':*B", "!a & (b | c)", "\\", "🐈‍⬛ 🛳",
)  # fmt: skip


def test_what_other_languages_mean_something_by_is_words(database: Database) -> None:
    with database.transaction() as store:
        fill(store, [("A ferry", "The harbour at night")])
        for words in STRANGE:
            for bounds in (BOUNDS, WALKS):
                assert set(found(store, words, bounds=bounds)) == expected(store, words), words


def test_a_revision_a_withdrawal_and_a_takedown_reach_the_index(database: Database) -> None:
    with database.transaction() as store:
        fill(store, [("Ferry one", "storm"), ("Ferry two", "night")])
        first = next(one for one in store.newest(2) if one.title == "Ferry one")
        revised = replace(article(0, "Ferry one", "calm"), revision=2)
        store.put_articles([revised], now=NOW)
        assert store.unindexed_count() == 1
        index(store)
        assert (found(store, "storm"), found(store, "calm")) == ([], ["0"])
        store.put_topics({first.id: []})
        index(store)
        assert found(store, "topic:sport") == []
        store.withdraw([first.id], now=NOW)
        assert found(store, "ferry") == ["1"]
        index(store)
        assert found(store, "ferry") == ["1"]
        store.drop_articles([one.id for one in store.newest(9)])
        assert found(store, "ferry") == []


def test_words_in_the_title_weigh_more(database: Database) -> None:
    with database.transaction() as store:
        fill(store, [("News", "the storm and the ferry"), ("Storm", "a long text " * 5 + "ferry")])
        assert found(store, "storm") == ["1", "0"]


def test_filters_let_through_what_they_name(database: Database) -> None:
    with database.transaction() as store:
        fill(store, [("Ferry", "night")] * 9)
        assert set(found(store, "ferry", topic="sport")) == {"0", "2", "4", "6", "8"}
        assert set(found(store, "", author="Ada Brandt")) == {"0", "3", "6"}
        assert set(found(store, "ferry", agency="AFP")) == {"0", "1", "2"}
        assert set(found(store, "", host="news.example.org")) == {"1", "4", "7"}
        late = NOW + timedelta(days=20)
        since, until = found(store, "", after=late), found(store, "", before=late)
        assert sorted(since + until) == [str(number) for number in range(9)]
        assert since
        assert until


def test_without_words_the_latest_come_first(database: Database) -> None:
    with database.transaction() as store:
        fill(store, [("Ferry", "night")] * 9)
        order = [one.seed[6:-3] for one in store.newest(9)]
        for bounds in (BOUNDS, WALKS):
            assert found(store, "", bounds=bounds) == order
            assert found(store, "-storm", bounds=bounds) == order


def test_of_words_that_are_everywhere_the_latest_come_first_page_by_page(
    database: Database,
) -> None:
    with database.transaction() as store:
        fill(store, [("Ferry", "night" if number % 4 else "storm") for number in range(20)])
        ferry, storm = parse_query("ferry"), parse_query("storm")
        latest = {one.id: number for number, one in enumerate(store.newest(20))}
        first = store.search(ferry, Filters(), limit=3, bounds=Bounds(wide=-1, walked=6))
        if not database.is_sqlite:
            assert [latest[one] for one in first.ids] == [0, 1, 2]
            assert (first.total, first.more) == (6, True)
            some = store.search(storm, Filters(), limit=9, bounds=Bounds(wide=-1, walked=6))
            assert some.next is not None
        assert len(found(store, "ferry", bounds=WALKS)) == 20
        assert len(found(store, "storm", bounds=WALKS)) == 5


def test_phrases_and_rank_are_the_same_on_either_database(database: Database) -> None:
    texts = [
        ("Harbour", "night ferry leaves the harbour"),
        ("Ferry", "the ferry at night"),
        ("Other", "night and day, ferry and boat"),
        ("Night ferry", "nothing else"),
        ("東京", "港の夜 Straße mañana"),
        ("Кот", "на крыше σίγμα ΣΊΓΜΑΣ"),
    ]
    with database.transaction() as store:
        fill(store, texts)
        assert found(store, '"night ferry"')[0] == "3"
        assert set(found(store, '"night ferry"')) == {"0", "3"}
        assert set(found(store, 'night -"night ferry"')) == {"1", "2"}
        assert found(store, "title:ferry harbour") == []
        assert set(found(store, "title:ferry OR title:harbour")) == {"0", "1", "3"}
        for words in ("東京", "港", "夜", "strasse", "STRASSE", "manana", "кот", "КОТ", "крыш*"):
            assert set(found(store, words)) == expected(store, words), words
        assert found(store, "東京") == ["4"]
        assert found(store, "крыш*") == ["5"]
