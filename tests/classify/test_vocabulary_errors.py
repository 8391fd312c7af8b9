"""Mistakes in topics.toml: each names file, line and remedy."""

from __future__ import annotations

import pytest

from feedsvc.classify import Classifier, vocabulary_text
from feedsvc.errors import ConfigurationError

HEAD = '[[topic]]\nslug = "trees"\nlabel = "Trees"\nkeywords = ["oak"]\n'
RULE = '[[rule]]\nagency = "AFP"\n'


@pytest.mark.parametrize(
    ("toml", "line", "problem", "remedy"),
    [
        pytest.param('x = "1', 1, "not TOML", "missing quote", id="syntax"),
        pytest.param("version = '1'\nscheme = = 2\n", 2, "not TOML", "missing quote", id="syntax in the middle"),
        pytest.param('a = 1\n\nb = [1,\n', 4, "not TOML", "bracket", id="syntax at the end"),
        pytest.param("version = '1'\nvocabluary = 'x'", 2, "unknown key 'vocabluary'", "'vocabulary'?", id="root key"),
        pytest.param(HEAD + "keyword = []", 5, "unknown key 'keyword'", "'keywords'?", id="topic key"),
        pytest.param(HEAD + "zzz = 1", 5, "unknown key 'zzz'", "Known are: aliases", id="key like no other"),
        pytest.param('\n[[topic]]\nlabel = "x"', 2, "has no slug", 'slug = "', id="no slug"),
        pytest.param('[[topic]]\nslug = "x"', 1, "has no label", 'label = "', id="no label"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = " "', 3, "label is empty", "value", id="blank label"),
        pytest.param('[[topic]]\nslug = "all"\nlabel = "x"', 2, "'all' is reserved", "another", id="all"),
        pytest.param('[[topic]]\nslug = "index"\nlabel = "x"', 2, "'index' is reserved", "another", id="index"),
        pytest.param('[[topic]]\nslug = "uncategorised"\nlabel = "x"', 2, "is reserved", "another", id="uncategorised"),
        pytest.param('[[topic]]\nslug = "A B"\nlabel = "x"', 2, "cannot be a slug", "'a-b'", id="bad slug"),
        pytest.param('[[topic]]\nslug = "../x"\nlabel = "x"', 2, "cannot be a slug", "'x'", id="slug with a path"),
        pytest.param(HEAD + HEAD, 6, "slug 'trees' already names", "its own", id="duplicate slug"),
        pytest.param(HEAD + '[[topic]]\nslug = "b"\nlabel = "TREES"', 7, "label 'TREES' already", "its own", id="duplicate label"),
        pytest.param(HEAD + '[[topic]]\nslug = "b"\nlabel = "B"\naliases = [\n"c",\n"trees"]', 10, "alias 'trees' already", "Remove", id="alias taken"),
        pytest.param('[[topic]]\nslug = 3\nlabel = "x"', 2, "slug is a number", "text in quotes", id="slug type"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = "oak"', 4, "keywords is text", "a list", id="keywords type"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = [\n  "oak", # "a"\n\n  7,\n]', 7, "holds 7", "text in quotes", id="element type"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["a",\n"oak^heavy"]', 5, "weight in 'oak^heavy'", "'oak^2'", id="weight"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["oak^11"]', 4, "weight in", "'oak^2'", id="weight too big"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["oak^nan"]', 4, "weight in", "'oak^2'", id="weight nan"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["?!"]', 4, "is not a keyword", "a word", id="no word"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["=a b"]', 4, "is not a keyword", "=word", id="exact phrase"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["a b c d e f g h i"]', 4, "is not a keyword", "eight", id="long phrase"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nkeywords = ["oak", """oak^2"""]', 4, "'oak' stands here twice", "Remove", id="keyword twice"),
        pytest.param('[[topic]]\nslug = "x"\nlabel = "x"\nqcode = "16000000"', 4, "not a qcode", "medtop", id="qcode"),
        pytest.param("topic = 3", 1, "topic is a number", "[[topic]]", id="topic type"),
        pytest.param('\ntopic = [\n{ slug = "all", label = "x" }]', 2, "reserved", "another", id="inline table"),
        pytest.param(HEAD + RULE, 5, "no topics", "topics = ", id="rule without topics"),
        pytest.param(HEAD + '[[rule]]\ntopics = ["trees"]', 5, "no condition", "host, path", id="rule without condition"),
        pytest.param(HEAD + RULE + 'topics = [\n"trees",\n"tree"]', 9, "no topic is called 'tree'", "'trees'?", id="unknown topic"),
        pytest.param(HEAD + RULE + 'topics = ["trees"]\nauthors = "x"', 8, "unknown key 'authors'", "'author'?", id="rule key"),
        pytest.param(HEAD + "[[rule]]\ntopics = ['trees']\npath = '('", 7, "path is not a pattern: missing )", "RE2", id="bad pattern"),
        pytest.param(HEAD + "[[rule]]\ntopics = ['trees']\ntitle = '(?=a)'", 7, "invalid perl operator", "look-around", id="look-around"),
        pytest.param(HEAD + "[[rule]]\ntopics = ['trees']\nhost = 'https://x.org/'", 7, "cannot be a host", "without https", id="host"),
        pytest.param(HEAD + "[[rule]]\ntopics = ['trees']\nwords = ['!']", 7, "holds no word", "phrases", id="rule word"),
        pytest.param(HEAD + RULE + "topics = ['trees']\nadds = 'yes'", 8, "adds is text", "true or false", id="flag"),
        pytest.param("# x\n[scoring]\nsecnd = 1", 3, "unknown key 'secnd'", "'second'?", id="scoring key"),
        pytest.param("[scoring]\nsecond = 2", 2, "second is 2", "0.1 to 1", id="scoring range"),
        pytest.param("[scoring]\nsecond = nan", 2, "second is nan", "0.1 to 1", id="scoring nan"),
        pytest.param("[scoring]\nsecond = true", 2, "true or false", "a number", id="scoring type"),
        pytest.param("[scoring]\nmost = 1.5", 2, "most is 1.5", "whole", id="scoring fraction"),
        pytest.param("scoring = 1", 1, "scoring is a number", "[scoring]", id="scoring not a table"),
    ],
)  # fmt: skip
def test_mistake_names_line_and_remedy(toml: str, line: int, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Classifier(toml, source="config/topics.toml")
    message = str(caught.value)
    assert message.startswith(f"config/topics.toml:{line}: ")
    assert problem in message
    assert remedy in message


@pytest.mark.parametrize("toml", ["", "# later\n", "[scoring]\nmost = 1\n", "topic = []"])
def test_a_file_without_topics_sorts_nothing(toml: str) -> None:
    with pytest.raises(ConfigurationError, match=r"t:1: this file names no topic\. Write"):
        Classifier(toml, source="t")


def test_a_file_that_is_not_utf_8_is_told_with_its_line() -> None:
    assert vocabulary_text("\ufeffé\n".encode(), source="t") == "é\n"
    with pytest.raises(ConfigurationError, match=r"t:3: this is not UTF-8 text.*Save"):
        vocabulary_text(b"\n\nlabel = 'Caf\xe9'\n", source="t")


def test_multi_line_strings_do_not_shift_lines() -> None:
    toml = '[[topic]]\nslug = "x"\ndefinition = """\n[[topic]]\nslug = "y"\n"""\nlabel = 1\n'
    with pytest.raises(ConfigurationError, match="t:7: label is a number"):
        Classifier(toml, source="t")


@pytest.mark.parametrize(
    "change",
    [
        ('"oak"', '"oak^2"'),
        ('label = "Trees"', 'label = "The trees"'),
        ("[[topic]]", "[scoring]\nsecond = 0.8\n[[topic]]"),
    ],
)
def test_version_follows_the_meaning(change: tuple[str, str]) -> None:
    assert (
        Classifier(HEAD, source="t").version
        != Classifier(HEAD.replace(*change), source="t").version
    )


def test_version_ignores_comments_and_layout() -> None:
    other = "# a comment\n\n" + HEAD.replace('["oak"]', "[\n  'oak', # and more\n]")
    assert Classifier(HEAD, source="t").version == Classifier(other, source="u").version


def test_a_rule_changes_the_version() -> None:
    one = HEAD + RULE + 'topics = ["trees"]\n'
    two = HEAD + RULE.replace("AFP", "dpa") + 'topics = ["trees"]\n'
    assert len({Classifier(toml, source="t").version for toml in (HEAD, one, two)}) == 3


def test_bottomless_nesting_is_a_mistake_too() -> None:
    with pytest.raises(ConfigurationError, match=r"^t:1: "):
        Classifier("x = " + "[" * 50_000, source="t")
