"""What hides text from its reader, in small pages (a tree) and in large ones (tag by tag)."""

from __future__ import annotations

import time

import pytest

from feedsvc.capture.judge import judge
from feedsvc.capture.tame import MAX_OPENED
from feedsvc.capture.visible import visible_text
from feedsvc.model import Likely, Verdict
from tests.capture.shapes import UTF8, story

LARGE = "<p>Nothing" * (MAX_OPENED + 1)
PADDING = pytest.mark.parametrize("padding", ["", LARGE], ids=["tree", "tags"])


def shown(source: str, padding: str) -> bool:
    """Tell whether the word of a page is shown, beside one that always is."""
    text = visible_text((source + "<p>Anyway</p>" + padding).encode(), charset="utf-8")
    assert "Anyway" in text
    return "Marigold" in text


@PADDING
@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "color:red;DISPLAY : none !important",
        "visibility:hidden",
        "visibility: collapse",
        "content-visibility:hidden",
        "opacity:0",
        "opacity: 0.0;",
        "opacity:.0 !important",
        "opacity:0%",
        "height:0;overflow:hidden",
        "overflow: hidden; max-height: 0px",
        "width:1px;height:1px;overflow:hidden;position:absolute",
        "position:absolute;left:-9999px",
        "position:fixed; top: -10000px",
        "text-indent:-9999px",
        "left:-999em",
        "position:absolute;clip:rect(0,0,0,0)",
        "clip-path: inset(50%)",
        "font-size:0",
        "transform:scale(0)",
    ],
)
def test_a_style_of_its_own_hides_an_element(style: str, padding: str) -> None:
    assert not shown(f'<div style="{style}"><p>Marigold</p></div>', padding)
    assert not shown(f"<DIV class='x' STYLE='{style}'><p>Marigold</p></DIV>", padding)


@PADDING
@pytest.mark.parametrize(
    "style",
    [
        "opacity:0.9",
        "opacity:1",
        "fill-opacity:0",
        "display:block",
        "line-height:0;overflow:hidden",
        "min-height:0;overflow:hidden",
        "height:0",
        "overflow:hidden",
        "height:100px;overflow:hidden",
        "left:-9px",
        "margin-left:-15px",
        "font-size:0.9em",
        "transform:scale(0.5)",
        "backface-visibility:hidden",
    ],
)
def test_other_styles_hide_nothing(style: str, padding: str) -> None:
    assert shown(f'<div style="{style}"><p>Marigold</p></div>', padding)


@PADDING
@pytest.mark.parametrize(
    "attributes",
    [
        'data-style="display:none"',
        'class="over hidden flow"',
        'data-note="a hidden b"',
        "data-hidden=1",
    ],
)
def test_what_looks_like_hiding_hides_nothing(attributes: str, padding: str) -> None:
    assert shown(f"<div {attributes}><p>Marigold</p></div>", padding)


@PADDING
@pytest.mark.parametrize(
    "css",
    [
        ".locked{display:none}",
        "#rest { color: red; visibility: hidden }",
        "div.locked{display:none}",
        ".x,\n .locked , p.y{display:none!important}",
        ".locked.soft{display:none}",
        "/* } */ .a{content:'}'} .locked{display:none}",
        "@charset 'utf-8'; .locked{display:none}",
        "@media screen{.a{color:red}.locked{display:none}}",
        "@media print{.locked{display:block}} .locked{display:none}",
        ".locked{display:none !important} .locked{display:block}",
        ".locked{display:block} .locked{display:none}",
    ],
)
def test_a_rule_of_the_page_hides_elements(css: str, padding: str) -> None:
    body = '<div id=rest class="soft locked"><div><p>Marigold</p></div></div>'
    assert not shown(f"<html><head><style>{css}</style></head><body>{body}", padding)
    assert not shown(f"<body><STYLE media=screen>{css}</STYLE>{body}", padding)


@PADDING
@pytest.mark.parametrize(
    "css",
    [
        ".lock{display:none}",
        "p.locked{display:none}",
        ".open .locked{display:none}",
        ".locked:empty{display:none}",
        ".locked{display:none} .locked{display:flex}",
        ".locked{display:none} @media (min-width:600px){.a{} .locked{display:block}}",
        "@media print{.locked{display:none}}",
        "@media (max-width: 600px){.locked{display:none}}",
        "/* .locked{display:none} */",
        ".locked.loud{display:none}",
    ],
)
def test_other_rules_hide_nothing(css: str, padding: str) -> None:
    body = '<div id=rest class="soft locked"><p>Marigold</p></div>'
    assert shown(f"<html><head><style>{css}</style></head><body>{body}", padding)


@PADDING
@pytest.mark.parametrize(
    "style",
    [
        "<style media=print>.locked{display:none}</style>",
        "<!-- <style>.locked{display:none}</style> -->",
        "<script>'<style>.locked{display:none}'</script>",
    ],
)
def test_styles_that_are_not_in_force_hide_nothing(style: str, padding: str) -> None:
    assert shown(f"{style}<div class=locked>Marigold</div>", padding)


@PADDING
@pytest.mark.parametrize(
    "start",
    [
        "<html hidden><body>",
        '<html style="display:none"><body>',
        "<html><html hidden style='opacity:0'><body>",
        "<html><body hidden>",
        "<html><body><body style='visibility:hidden'>",
        "<style>.flicker{display:none}</style><html class=flicker><body class=flicker>",
        "<body><html hidden>",
    ],
)
def test_a_page_that_hides_itself_until_a_script_has_run_is_shown(start: str, padding: str) -> None:
    assert shown(f"<!doctype html>{start}<p>Marigold</p>", padding)
    wanted = story("en")
    body = f"{start}<h1>{wanted.title}</h1><p>{wanted.text}</p>{padding}".encode()
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert judgement.verdict is Verdict.VERIFIED


def test_a_large_page_whose_head_does_not_end_is_read() -> None:
    assert shown("<html><head><title>x</title><body><p>Marigold</p>", LARGE)


def test_the_rest_of_an_article_behind_a_rule_of_the_page_is_not_there() -> None:
    wanted = story("en")
    first, rest = wanted.paragraphs[:3], wanted.paragraphs[3:]
    body = (
        f"<title>{wanted.title}</title><style>.locked{{display:none}}</style><h1>{wanted.title}</h1>"
        f"<p>{'</p><p>'.join(first)}</p><div class=locked><p>{'</p><p>'.join(rest)}</p></div>"
        "<p>Subscribe to continue reading</p>"
    ).encode()
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert (judgement.verdict, judgement.likely) == (Verdict.PARTIAL, Likely.LOGIN)
    assert judgement.share < 0.5


RULES = "<style>" + "".join(f".a{n}{{display:none}}#b.c{n}{{display:none}}" for n in range(300))
USED = "</style>" + "".join(f"<i class=a{n}></i><i class=c{n}></i>" for n in range(300))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("<style>" + ".a{display:none}" * 300_000 + "</style><p class=a>", id="rules"),
        pytest.param("<style>" + "{" * 900_000 + "}display:none" * 90_000, id="blocks"),
        pytest.param("<style>" + "@media x{" * 90_000 + "a{display:none}" * 20_000, id="media"),
        pytest.param("<style>" + ".a," * 300_000 + ".a{display:none}</style><p class=a>", id="a,"),
        pytest.param("<style>.a{display:none}</style>" * 9_000, id="styles"),
        pytest.param(RULES + USED + "<p id=b class='a b c'>" * 200_000, id="elements"),
        pytest.param("<p style='" + "opacity:0" * 500_000 + "'>", id="one-style"),
        pytest.param("<p style='opacity:0000000'>" * 19_000, id="own-styles"),
        pytest.param("<p class=" * 500_000, id="classes"),
    ],
)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_styles_are_read_in_a_bounded_time(page: str) -> None:
    begin = time.thread_time()
    visible_text(page.encode(), charset="utf-8")
    assert time.thread_time() - begin < 5.0
