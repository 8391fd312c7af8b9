"""The judge: what it says of pages that hold their article, part of it, or something else."""

from __future__ import annotations

import pytest

from feedsvc.capture.judge import judge
from feedsvc.model import Likely, Verdict
from tests.capture.shapes import UTF8, page, story, verdict_on

VERIFIED, PARTIAL, MISMATCH = Verdict.VERIFIED, Verdict.PARTIAL, Verdict.MISMATCH


@pytest.mark.parametrize(
    ("shape", "article"),
    [
        ("plain.html", "en"),
        ("plain.html", "ru"),
        ("plain.html", "zh"),
        ("plain.html", "fr"),
        ("plain.html", "de"),
        ("plain.html", "th"),
        ("news_site.html", "en"),
        ("ads_between.html", "en"),
        ("split_words.html", "en"),
        ("no_spaces_between_blocks.html", "en"),
        ("reordered.html", "en"),
        ("edited.html", "en"),
        ("cookie_banner.html", "en"),
        ("cookie_banner.html", "ru"),
        ("details.html", "en"),
        ("noscript_article.html", "en"),
        ("broken_markup.html", "en"),
        ("amp_entities.html", "en"),
        ("amp_entities.html", "fr"),
        ("uppercase.html", "en"),
        ("uppercase.html", "ru"),
        ("uppercase.html", "de"),
        ("news_site.html", "captcha"),
        ("cookie_banner.html", "captcha"),
        ("swans.html", "tiny"),
    ],
)
def test_a_page_that_shows_the_article_is_verified(shape: str, article: str) -> None:
    judgement = verdict_on(shape, article)
    assert (judgement.verdict, judgement.likely) == (VERIFIED, None), judgement
    assert judgement.share >= 0.8


@pytest.mark.parametrize(
    ("shape", "article", "likely"),
    [
        ("teaser.html", "en", Likely.LOGIN),
        ("teaser_fr.html", "fr", Likely.LOGIN),
        ("teaser_de.html", "de", Likely.LOGIN),
        ("first_of_three.html", "en", None),
        ("excerpts.html", "en", None),
        ("plain.html", "title_only", None),
    ],
)
def test_a_page_with_a_part_of_the_article_is_partial(
    shape: str, article: str, likely: Likely | None
) -> None:
    judgement = verdict_on(shape, article)
    assert (judgement.verdict, judgement.likely) == (PARTIAL, likely), judgement


@pytest.mark.parametrize(
    ("shape", "likely"),
    [
        ("short_teaser.html", Likely.LOGIN),
        ("login.html", Likely.LOGIN),
        ("login_ru.html", Likely.LOGIN),
        ("challenge_interstitial.html", Likely.CHALLENGE),
        ("challenge_checkbox.html", Likely.CHALLENGE),
        ("challenge_press_and_hold.html", Likely.CHALLENGE),
        ("challenge_frame.html", Likely.CHALLENGE),
        ("challenge_traffic.html", Likely.CHALLENGE),
        ("challenge_zh.html", Likely.CHALLENGE),
        ("challenge_ru.html", Likely.CHALLENGE),
        ("challenge_empty_incident.html", Likely.CHALLENGE),
        ("consent_wall.html", Likely.CONSENT),
        ("consent_wall_de.html", Likely.CONSENT),
        ("soft_404.html", Likely.NOT_FOUND),
        ("soft_404_stories.html", Likely.NOT_FOUND),
        ("soft_404_es.html", Likely.NOT_FOUND),
        ("front_page.html", Likely.NOT_FOUND),
        ("app_shell.html", Likely.EMPTY),
        ("app_shell_data.html", Likely.EMPTY),
        ("json_ld_only.html", Likely.EMPTY),
        ("hidden_article.html", Likely.EMPTY),
        ("forward.html", Likely.EMPTY),
        ("frameset.html", Likely.EMPTY),
        ("other_article.html", Likely.OTHER),
        ("same_subject.html", Likely.OTHER),
        ("server_error.html", Likely.ERROR),
        ("maintenance.html", Likely.ERROR),
        ("region_block.html", Likely.ERROR),
    ],
)
def test_a_page_without_the_article_is_a_mismatch_with_its_likely_reason(
    shape: str, likely: Likely
) -> None:
    judgement = verdict_on(shape)
    assert (judgement.verdict, judgement.likely) == (MISMATCH, likely), judgement
    assert judgement.share < 0.3
    assert judgement.evidence


@pytest.mark.parametrize(
    ("status", "shape", "likely"),
    [
        (404, "other_article.html", Likely.NOT_FOUND),
        (410, "plain.html", None),
        (403, "challenge_frame.html", Likely.CHALLENGE),
        (429, "challenge_checkbox.html", Likely.CHALLENGE),
        (503, "challenge_interstitial.html", Likely.CHALLENGE),
        (401, "login.html", Likely.LOGIN),
        (402, "short_teaser.html", Likely.LOGIN),
        (403, "other_article.html", Likely.ERROR),
        (451, "region_block.html", Likely.ERROR),
        (500, "app_shell.html", Likely.EMPTY),
        (502, "server_error.html", Likely.ERROR),
    ],
)
def test_an_error_status_is_never_verified(status: int, shape: str, likely: Likely | None) -> None:
    judgement = verdict_on(shape, status=status)
    assert judgement.verdict is (PARTIAL if shape == "plain.html" else MISMATCH), judgement
    assert judgement.likely is likely, judgement


@pytest.mark.parametrize(
    ("article", "encoding", "declared", "meta"),
    [
        pytest.param("ru", "cp1251", "windows-1251", "", id="server"),
        pytest.param("ru", "cp1251", "", "windows-1251", id="meta"),
        pytest.param("ru", "koi8-r", "", "koi8-r", id="meta-koi8"),
        pytest.param("ru", "cp1251", "utf-8", "windows-1251", id="server-wrong-meta-right"),
        pytest.param("ru", "cp1251", "", "", id="nothing-declared"),
        pytest.param("ru", "cp1251", "iso-8859-1", "", id="all-wrong"),
        pytest.param("ru", "utf-8", "windows-1251", "windows-1251", id="utf-8-declared-as-cp1251"),
        pytest.param("ru", "utf-16", "", "", id="utf-16-by-its-mark"),
        pytest.param("ru", "utf-16-le", "utf-16", "", id="utf-16-by-the-server"),
        pytest.param("ru", "utf-8-sig", "koi8-r", "", id="utf-8-by-its-mark"),
        pytest.param("fr", "cp1252", "", "", id="latin"),
        pytest.param("fr", "cp1252", "us-ascii", "", id="latin-as-ascii"),
        pytest.param("fr", "cp1252", "zlib_codec", "unicode_escape", id="codecs-no-page-may-name"),
        pytest.param("de", "cp1252", "no-such-charset", "", id="unknown-charset"),
        pytest.param("zh", "gb18030", "gb2312", "", id="chinese-server"),
        pytest.param("zh", "gb18030", "", "", id="chinese-undeclared"),
        pytest.param("th", "cp874", "tis-620", "", id="thai"),
    ],
)
def test_a_wrong_charset_hides_no_article(
    article: str, encoding: str, declared: str, meta: str
) -> None:
    shape = "meta_charset.html" if meta else "no_charset.html"
    content_type = f"text/html; charset={declared}" if declared else "text/html"
    judgement = verdict_on(
        shape,
        article,
        encoding=encoding,
        charset=meta,
        padding="x" * 3000,
        content_type=content_type,
    )
    assert judgement.verdict is VERIFIED, judgement


@pytest.mark.parametrize(
    ("content_type", "body", "verdict", "likely"),
    [
        pytest.param("application/pdf", b"%PDF-1.7 x", MISMATCH, Likely.NOT_HTML, id="pdf"),
        pytest.param("text/html", b"%PDF-1.7 x", MISMATCH, Likely.NOT_HTML, id="pdf-as-html"),
        pytest.param("image/png", b"\x89PNG\r\n", MISMATCH, Likely.NOT_HTML, id="image"),
        pytest.param("application/json", b"{}", MISMATCH, Likely.NOT_HTML, id="json"),
        pytest.param("", b"\0\1\2\3", MISMATCH, Likely.NOT_HTML, id="unlabelled-bytes"),
        pytest.param("text/html", b"", MISMATCH, Likely.ERROR, id="nothing"),
        pytest.param("text/html", b" \n\t", MISMATCH, Likely.ERROR, id="white-space"),
    ],
)
def test_what_is_not_text_is_named(
    content_type: str, body: bytes, verdict: Verdict, likely: Likely
) -> None:
    wanted = story("en")
    judgement = judge(wanted.title, wanted.text, body, content_type=content_type, status=200)
    assert (judgement.verdict, judgement.likely) == (verdict, likely), judgement
    missing = judge(wanted.title, wanted.text, body, content_type=content_type, status=404)
    assert missing.likely is Likely.NOT_FOUND


def test_a_page_that_asks_for_fewer_requests_is_an_error_page() -> None:
    wanted = story("en")
    body = b"<title>Error</title><h1>Too many requests</h1><p>Please slow down.</p>"
    found = judge(wanted.title, wanted.text, body, content_type="text/html", status=200)
    assert (found.verdict, found.likely) == (MISMATCH, Likely.ERROR)


@pytest.mark.parametrize(
    "content_type", ["application/xhtml+xml", "application/xml", "text/xml", ""]
)
def test_xhtml_is_a_page_whatever_it_is_sent_as(content_type: str) -> None:
    assert verdict_on("xhtml.xml", content_type=content_type).verdict is VERIFIED


def test_a_feed_is_not_a_page() -> None:
    judgement = verdict_on("feed.xml", content_type="application/xml")
    assert (judgement.verdict, judgement.likely) == (MISMATCH, Likely.NOT_HTML)


def test_plain_text_is_judged_as_it_stands() -> None:
    wanted = story("en")
    wrapped = "\n".join(wanted.text[at : at + 60] for at in range(0, len(wanted.text), 60)).encode()
    found = judge(wanted.title, wanted.text, wrapped, content_type="text/plain", status=200)
    assert found.verdict is VERIFIED
    other = judge(
        wanted.title, wanted.text, b"Nothing of it.", content_type="text/plain", status=200
    )
    assert (other.verdict, other.likely) == (MISMATCH, Likely.OTHER)


@pytest.mark.parametrize(
    ("shape", "article", "verdict"),
    [
        pytest.param("swans.html", "tiny", VERIFIED, id="few-words-and-title"),
        pytest.param("swans_elsewhere.html", "tiny", PARTIAL, id="few-words-without-title"),
        pytest.param("other_article.html", "tiny", MISMATCH, id="neither"),
        pytest.param("plain.html", "title_only", PARTIAL, id="title-only"),
        pytest.param("other_article.html", "title_only", MISMATCH, id="another-title"),
        pytest.param("teaser.html", "title_only", MISMATCH, id="title-on-a-paywall"),
    ],
)
def test_few_words_prove_little_without_the_title(
    shape: str, article: str, verdict: Verdict
) -> None:
    assert verdict_on(shape, article).verdict is verdict


def test_a_curators_note_goes_by_the_title_and_is_only_partial() -> None:
    original = story("en")
    note = story("note")
    body = page("news_site.html", original).encode()
    judgement = judge(note.title, note.text, body, content_type=UTF8, status=200)
    assert (judgement.verdict, judgement.likely) == (PARTIAL, None)
    assert "title" in judgement.evidence
    walled = judge(
        note.title,
        note.text,
        page("short_teaser.html", original).encode(),
        content_type=UTF8,
        status=200,
    )
    assert (walled.verdict, walled.likely) == (MISMATCH, Likely.LOGIN)


@pytest.mark.parametrize(
    "shape", ["app_shell_data.html", "json_ld_only.html", "hidden_article.html"]
)
@pytest.mark.parametrize("article", ["en", "ru"])
def test_text_that_only_a_script_would_show_is_named_but_proves_nothing(
    shape: str, article: str
) -> None:
    judgement = verdict_on(shape, article)
    assert judgement.verdict is MISMATCH
    assert "source" in judgement.evidence
