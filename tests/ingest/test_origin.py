"""The line that names the original."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.model import ParsedArticle

Parse = Callable[..., ParsedArticle]
Reject = Callable[..., SeedRejected]

TEXT = "The first paragraph is long enough to be one."


@pytest.mark.parametrize(
    "line",
    [
        "Original url:\n\n<https://e.example/x>",
        "Original url: https://e.example/x",
        "Original URL: <https://e.example/x>",
        "original url:https://e.example/x",
        "**Original url:** https://e.example/x",
        "**Original url**: <https://e.example/x>",
        "*Original url:*\nhttps://e.example/x",
        "Original url: [the original](https://e.example/x)",
        "[Original url](https://e.example/x)",
        "### Original url\n\nhttps://e.example/x",
        "> Original url: https://e.example/x",
        "- Original url: https://e.example/x",
        "Source: https://e.example/x",
        "Source URL: https://e.example/x",
        "Read more: https://e.example/x",
        "Original article: https://e.example/x",
        "original url\uff1a https://e.example/x",
        "Original url: <https://e.example/x>.",
        "---\n\nOriginal url: https://e.example/x\n",
    ],
)
def test_address_is_found_and_is_no_text(line: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{TEXT}\n\n{line}")
    assert (article.url, article.html) == ("https://e.example/x", f"<p>{TEXT}</p>")


def test_text_may_follow_the_address(parse: Parse) -> None:
    article = parse(f"# T\n\n{TEXT}\n\nOriginal url: https://e.example/x\n\nAll rights kept.")
    assert article.url == "https://e.example/x"
    assert article.text == f"{TEXT}\n\nAll rights kept."


@pytest.mark.parametrize(
    "address",
    [
        "ftp://e.example/x",
        "https://u:p@e.example/",
        "/relative",
        "www.e.example/x",
        "<>",
        "https://e.example/a b",
        "https://",
        "javascript:alert(1)",
        "https://e.example:x/",
    ],
)
def test_address_that_cannot_be_used_is_rejected_with_its_line(
    address: str, reject: Reject
) -> None:
    rejected = reject(f"# T\n\n{TEXT}\n\nOriginal url:\n\n{address}\n")
    assert rejected.line == 7
    assert "https://" in rejected.remedy


@pytest.mark.parametrize(
    "before",
    ["Original url: ", "Original url:\n<", "Original url: [x](", "Source: ", "[Original]("],
)
@pytest.mark.parametrize("length", [5_000, 9_000, 1_000_000])
def test_address_that_is_too_long_is_rejected_with_its_line(
    length: int, before: str, reject: Reject
) -> None:
    end = {"<": ">", "(": ")"}.get(before[-1], "")
    address = f"https://e.example/{'a)' * (length // 2)}{end}"
    rejected = reject(f"# T\n\n{TEXT}\n\n{before}{address}\n")
    assert rejected.line == 5 + before.count("\n")
    assert "longer than 4096" in rejected.reason
    assert len(rejected.reason) < 500


def test_long_paragraph_that_begins_like_a_label_is_text(parse: Parse) -> None:
    article = parse(f"# T\n\nSource: https://e.example/x {'word ' * 3000}")
    assert article.url is None


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_label_without_an_address_is_rejected(end: str, reject: Reject) -> None:
    assert reject(f"# T\n\n{TEXT}\n\nOriginal url:{end}").line == 5


def test_other_alphabets_become_ascii(parse: Parse) -> None:
    article = parse(f"# T\n\n{TEXT}\n\nOriginal url: https://пример.example/путь")
    assert article.url == "https://xn--e1afmkfd.example/%D0%BF%D1%83%D1%82%D1%8C"


def test_last_of_several_addresses_counts_with_a_warning(parse: Parse) -> None:
    article = parse(
        f"# T\n\n{TEXT}\n\nOriginal url: https://e.example/x\n\nOriginal url: https://e.example/y"
    )
    assert article.url == "https://e.example/y"
    assert "https://e.example/x" in article.warnings[0]


def test_front_matter_wins_with_a_warning(parse: Parse) -> None:
    article = parse(
        f"---\ntitle: T\nurl: https://e.example/x\n---\n{TEXT}\n\nOriginal url: https://e.example/y"
    )
    assert article.url == "https://e.example/x"
    assert article.text == TEXT
    assert "https://e.example/y" in article.warnings[0]


def test_same_address_twice_is_no_conflict(parse: Parse) -> None:
    article = parse(
        f"---\ntitle: T\nurl: http://e.example/x\n---\n{TEXT}\n\nOriginal url: https://e.example/x"
    )
    assert article.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "```\nOriginal url: https://e.example/code\n```",
        "    Original url: https://e.example/code",
        "Source: nobody knows",
        "Link: see below",
        "The original url: a thing of beauty",
    ],
)
def test_what_only_looks_like_a_label_is_text(text: str, parse: Parse) -> None:
    article = parse(f"# T\n\n{TEXT}\n\n{text}\n\n{TEXT}")
    assert article.url is None
    assert text.strip("` \n") in article.text


def test_common_word_is_a_label_only_at_the_end(parse: Parse) -> None:
    more = "\n\n".join([TEXT] * 12)
    assert parse(f"# T\n\nSource: https://e.example/x\n\n{more}").url is None
