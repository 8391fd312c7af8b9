"""Laws of written seeds: they read back as the article they were written from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedsvc.ingest import parse_seed
from feedsvc.ingest.write import write_seed
from feedsvc.model import Part, PartKind, SeedDraft
from feedsvc.text import single_line

LINE = (
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co", "Cn")),
        min_size=1,
        max_size=80,
    )
    .map(single_line)
    .filter(lambda line: any(map(str.isalnum, line)))
)
AWKWARD = st.sampled_from(
    [
        "By Jane Roe",
        "May 31, 2024",
        "Photo: Jane Roe",
        "Jane Roe / Reuters",
        "03/04/2024",
        "Original url: https://example.org/elsewhere",
        "Original url",
        "https://example.org/bare",
        "Source: the council",
        "1. The first",
        "31. Mai 2024",
        "- dash",
        "+ plus",
        "# hash",
        "> greater",
        "---",
        "===",
        "***",
        "a | b",
        "*star* _under_ `tick` [link](x) ![img](y) <b>bold</b> &amp; ~~gone~~ \\",
        "A title of its own",
        "and it goes on without an end that sentences have, which is so long that it could be cut",
        "small letters begin this sentence, which another one may seem to lead up to.",
        "snake_case_name and 2 * 3 * 4 < 5 & 6 > 1",
        "[ ] a task",
        "```",
        "~~~",
        "+++",
        "[^1] a note",
        "<!-- no comment -->",
        "<script>alert(1)</script>",
    ]
)
PARTS = st.lists(
    st.builds(Part, st.sampled_from([PartKind.PARAGRAPH, PartKind.HEADING]), LINE | AWKWARD),
    min_size=1,
    max_size=6,
).map(tuple)
UNCUT = (
    Part(
        PartKind.PARAGRAPH, "and it goes on without an end, which is so long that it could be cut"
    ),
    Part(PartKind.PARAGRAPH, "small letters begin this sentence, which ends as one."),
)
MOMENT = st.datetimes(datetime(1980, 1, 1), datetime(2037, 1, 1)).map(  # noqa: DTZ001 - made aware
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
DRAFT = st.builds(
    SeedDraft,
    title=LINE | AWKWARD,
    parts=PARTS,
    url=st.sampled_from([None, "https://example.org/a", "https://example.org/a#b:?c=d'e"]),
    author=st.none() | LINE | AWKWARD,
    published=st.none() | MOMENT,
    language=st.sampled_from([None, "en", "pt-BR", "no", "zh-Hant"]),
    image=st.sampled_from([None, "https://example.org/i.jpg?x=1&y=[2]"]),
    topics=st.sampled_from([(), ("conflict", "no, really: politics")]),
)


@settings(max_examples=400, deadline=None)
@given(DRAFT)
@example(SeedDraft(title="A cut that is none", parts=UNCUT))
def test_what_is_written_reads_back_as_the_same_article(draft: SeedDraft) -> None:
    article = parse_seed("x.md", write_seed(draft).encode())
    assert article.title == draft.title
    assert article.text == draft.text
    assert (article.url, article.author, article.language, article.image) == (
        draft.url,
        draft.author,
        draft.language,
        None if draft.image is None else article.image,
    )
    assert (article.image is None) == (draft.image is None)
    assert article.published == draft.published
    assert article.topics == draft.topics
    assert article.warnings == ()


def test_a_written_seed_is_one_that_people_write() -> None:
    draft = SeedDraft(
        title='The "new" ferry: who pays?',
        author="Ada Moor, Jane Roe",
        published=datetime(2026, 3, 1, 12, tzinfo=UTC),
        language="en",
        url="https://example.org/ferry",
        parts=(
            Part(PartKind.PARAGRAPH, "Nobody had an answer ready."),
            Part(PartKind.HEADING, "What it costs"),
            Part(PartKind.ITEM, "The hull"),
            Part(PartKind.ITEM, "The engine"),
            Part(PartKind.QUOTE, "It is too much."),
            Part(PartKind.QUOTE, "Far too much."),
            Part(PartKind.CODE, "ferry = hull + engine\n\nprint(ferry)"),
        ),
    )
    assert write_seed(draft) == (
        "---\n"
        'title: "The \\"new\\" ferry: who pays?"\n'
        'author: ["Ada Moor, Jane Roe"]\n'
        "date: 2026-03-01\n"
        'language: "en"\n'
        'url: "https://example.org/ferry"\n'
        "---\n"
        "\n"
        "Nobody had an answer ready.\n\n"
        "## What it costs\n\n"
        "- The hull\n- The engine\n\n"
        "> It is too much.\n>\n> Far too much.\n\n"
        "```\nferry = hull + engine\n\nprint(ferry)\n```\n"
    )
    article = parse_seed("x.md", write_seed(draft).encode())
    assert "<blockquote>" in article.html
    assert "<li>The engine</li>" in article.html
    assert "ferry = hull + engine\n\nprint(ferry)" in article.text


@pytest.mark.parametrize("code", ["```\nfence\n```", "~~~~\nx", "    indented", "<b>"])
def test_code_is_kept_as_it_is(code: str) -> None:
    parts = (Part(PartKind.PARAGRAPH, "See:"), Part(PartKind.CODE, code))
    article = parse_seed("x.md", write_seed(SeedDraft(title="Code", parts=parts)).encode())
    assert [line.strip() for line in article.text.splitlines()[2:]] == [
        line.strip() for line in code.splitlines()
    ]
