"""The judge before bytes that do not say which characters they are."""

from __future__ import annotations

import time

import pytest

from feedsvc.capture.judge import judge
from feedsvc.model import Likely, Verdict
from tests.capture.shapes import Story, page, story

JAPANESE = Story(
    "山の図書館に灯がともる",
    (
        "雪に閉ざされた峠の村で、古い製糸工場が小さな図書館として生まれ変わった。",
        "棚を作ったのは引退した大工たちで、子どもたちは背表紙に一冊ずつ番号を書き入れた。",
        "冬のあいだ、郵便の車が週に二度、頼まれた本を隣の谷まで届けている。",
        "「雪が深いほど、本はよく読まれます」と、司書のたちばなさんは笑って話した。",
    ),
)


@pytest.mark.parametrize(
    ("wanted", "encoding"),
    [
        pytest.param(story("ru"), "koi8-r", id="koi8-r"),
        pytest.param(story("ru"), "cp1251", id="cp1251"),
        pytest.param(JAPANESE, "euc_jp", id="euc-jp"),
        pytest.param(JAPANESE, "cp932", id="shift-jis"),
        pytest.param(story("zh"), "gb18030", id="gb18030"),
    ],
)
@pytest.mark.parametrize("declared", ["", "; charset=utf-8"], ids=["nothing", "wrong"])
def test_an_article_in_characters_that_nobody_declares_is_found(
    wanted: Story, encoding: str, declared: str
) -> None:
    body = page("no_charset.html", wanted, padding="").encode(encoding, "xmlcharrefreplace")
    judgement = judge(
        wanted.title, wanted.text, body, content_type=f"text/html{declared}", status=200
    )
    assert judgement.verdict is Verdict.VERIFIED, judgement


@pytest.mark.parametrize(
    ("encoding", "declared", "heading", "text", "likely"),
    [
        ("koi8-r", "", "Страница не найдена", "Такой страницы здесь нет.", Likely.NOT_FOUND),
        ("cp1251", "", "Страница не найдена", "Такой страницы здесь нет.", Likely.NOT_FOUND),
        ("cp866", "ibm866", "Проверка безопасности", "Мы скоро закончим.", Likely.CHALLENGE),
        ("gb18030", "", "请稍候", "我们正在检查，马上就好。", Likely.CHALLENGE),
        ("cp1252", "", "Página no encontrada", "Ya no está aquí.", Likely.NOT_FOUND),
        ("cp1252", "utf-8", "Página no encontrada", "Ya no está aquí.", Likely.NOT_FOUND),
    ],
)
def test_a_wall_is_told_by_the_reading_that_makes_most_letters(
    encoding: str, declared: str, heading: str, text: str, likely: Likely
) -> None:
    wanted = story("de")
    body = f"<title>{heading}</title><h1>{heading}</h1><p>{text}</p>".encode(encoding)
    content_type = f"text/html; charset={declared}"
    judgement = judge(wanted.title, wanted.text, body, content_type=content_type, status=200)
    assert (judgement.verdict, judgement.likely) == (Verdict.MISMATCH, likely), judgement


EIGHT = 8 << 20


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xff" + b"<div>" * 26_000, id="126 kB of depth"),
        pytest.param(b"\xff" + b"<div>" * (EIGHT // 5), id="8 MB of depth"),
        pytest.param(b"\xff" * EIGHT, id="8 MB of no characters"),
        pytest.param(b"\xff" + b"word and " * 220_000, id="2 MB of words"),
        pytest.param(bytes(range(32, 256)) * 9_000, id="2 MB of all bytes"),
        pytest.param(b"\xff" + b" " * EIGHT, id="8 MB of white space"),
        pytest.param(b"\xff\xfe" + b"<\0p\0>\0" * 350_000, id="2 MB of UTF-16"),
    ],
)
@pytest.mark.no_cover  # tracing makes the time two or three times what it is
def test_codecs_are_told_apart_before_a_page_is_read(body: bytes) -> None:
    wanted = story("ru")
    begin = time.thread_time()
    judgement = judge(wanted.title, wanted.text, body, content_type="text/html", status=200)
    assert judgement.verdict is Verdict.MISMATCH
    assert time.thread_time() - begin < 6.0  # 2 s; times the number of codecs it was 25 s
