"""The judge before texts that stand on many pages, and pages that are almost the right one."""

from __future__ import annotations

import html

import pytest

from feedsvc.capture.judge import judge
from feedsvc.model import Judgement, Likely, Verdict
from tests.capture.shapes import PAGES, UTF8, story

VERIFIED, PARTIAL, MISMATCH = Verdict.VERIFIED, Verdict.PARTIAL, Verdict.MISMATCH
TITLE = "Harbour town votes to keep its night ferry"
LEAD = (
    "Voters in the harbour town of Lindmouth have decided, by a margin of 214 ballots, to keep "
    "the night ferry that has crossed the estuary since 1931."
)
FILLER = (PAGES / "filler.html").read_text("utf-8")


def judged(head: str, body: str, *, text: str = LEAD, **addresses: str) -> Judgement:
    source = f"<!doctype html><html><head>{head}</head><body>{body}</body></html>"
    return judge(TITLE, text, source.encode(), content_type=UTF8, status=200, **addresses)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(f"<title>{TITLE}</title>", f"<p>{LEAD}</p>{FILLER}", id="title"),
        pytest.param(
            f"<title>{TITLE} | Local news | The Estuary Post</title>", f"<p>{LEAD}</p>", id="site"
        ),
        pytest.param(
            f"<title>The Estuary Post \u2013 {TITLE}</title>", f"<p>{LEAD}</p>", id="site-first"
        ),
        pytest.param(
            "<title>The Estuary Post</title>", f"<h1>{TITLE}</h1><p>{LEAD}</p>", id="heading"
        ),
        pytest.param(
            f'<title>The Post</title><meta property="og:title" content="{TITLE}">',
            f"<h1>The Post</h1><p>{LEAD}</p>",
            id="og-title",
        ),
        pytest.param(
            f"<title>The Post</title><meta content='{TITLE}' property='og:title'>",
            f"<p>{LEAD}</p>",
            id="og-title-turned-round",
        ),
        pytest.param(
            "<title>Harbour town votes to keep its night\u2026 - Post</title>",
            f"<p>{LEAD}</p>",
            id="cut-short",
        ),
        pytest.param(
            f"<title>{TITLE}</title>",
            f"<h1>{TITLE}</h1><p>{LEAD}</p>{FILLER}<h2>Log in</h2><input type=password>",
            id="login-form-in-the-footer",
        ),
        pytest.param("", f"{TITLE}\n<p>{LEAD}</p>", id="no-title-but-first-line"),
    ],
)
def test_a_short_text_is_verified_on_a_page_called_like_the_article(head: str, body: str) -> None:
    judgement = judged(head, body)
    assert (judgement.verdict, judgement.likely) == (VERIFIED, None), judgement


@pytest.mark.parametrize(
    ("head", "body", "verdict", "likely"),
    [
        pytest.param(
            "<title>Page not found | The Estuary Post</title>",
            f"<h1>Page not found</h1>{FILLER}<h2>Latest</h2><h3>{TITLE}</h3><p>{LEAD}</p>",
            MISMATCH,
            Likely.NOT_FOUND,
            id="not-found-with-the-latest",
        ),
        pytest.param(
            "<title>The Estuary Post</title>",
            f"<h1>Page not found</h1>{FILLER}<h2>{TITLE}</h2><p>{LEAD}</p>",
            MISMATCH,
            Likely.NOT_FOUND,
            id="not-found-by-its-heading",
        ),
        pytest.param(
            f"<title>{TITLE}</title>",
            f"<h1>Page not found</h1><p>{LEAD}</p>{FILLER}",
            PARTIAL,
            Likely.NOT_FOUND,
            id="not-found-under-the-title",
        ),
        pytest.param(
            "<title>The Estuary Post: news from the coast</title>",
            f"<h2>{TITLE}</h2><p>{LEAD}</p>{FILLER}",
            PARTIAL,
            None,
            id="home-page",
        ),
        pytest.param(
            "<title>The Estuary Post</title>",
            f"<h1>{TITLE}</h1><p>{LEAD}</p><h1>Fog</h1><h1>Bees</h1>{FILLER}",
            PARTIAL,
            None,
            id="home-page-of-headings",
        ),
        pytest.param(
            '<title>The Estuary Post</title><link rel=canonical href="https://post.example/">',
            f"<h1>{TITLE}</h1><p>{LEAD}</p>{FILLER}",
            PARTIAL,
            Likely.NOT_FOUND,
            id="home-page-by-its-own-word",
        ),
        pytest.param(
            "<title>Search results for ferry - The Estuary Post</title>",
            f"<h1>Search</h1><h2>{TITLE}</h2><p>{LEAD}</p>",
            PARTIAL,
            None,
            id="search-results",
        ),
        pytest.param(
            f"<title>You searched for {TITLE} - The Estuary Post</title>",
            f"<p>{LEAD}</p>",
            PARTIAL,
            None,
            id="search-for-the-title",
        ),
        pytest.param(
            f"<title>Search: {TITLE}</title>",
            f"<p>{LEAD}</p>{FILLER}",
            PARTIAL,
            None,
            id="search-and-the-title",
        ),
        pytest.param(
            f"<title>{TITLE} | The Estuary Post</title>",
            f"<h1>{TITLE}</h1><p>{LEAD}</p><p>Subscribe to continue reading</p>",
            PARTIAL,
            Likely.LOGIN,
            id="lead-before-a-paywall",
        ),
    ],
)
def test_a_short_text_elsewhere_is_never_verified(
    head: str, body: str, verdict: Verdict, likely: Likely | None
) -> None:
    judgement = judged(head, body)
    assert (judgement.verdict, judgement.likely) == (verdict, likely), judgement


def test_a_sentence_in_another_newsletter_is_not_the_article() -> None:
    text = "Seven swans came back to the mill pond on Tuesday, again."
    body = f"<title>What we read this week</title><h1>Letter 12</h1>{FILLER}<p>{text}</p>"
    judgement = judge("Swans return to mill pond", text, body.encode(), content_type="", status=200)
    assert judgement.verdict is not VERIFIED
    judgement = judge(
        "Swans return to mill pond", text, body.encode(), content_type=UTF8, status=200
    )
    assert (judgement.verdict, judgement.share) == (PARTIAL, 1.0)


def test_a_few_words_under_a_headline_among_others_are_only_partial() -> None:
    tiny = story("tiny")
    body = f"<title>Nature diary</title><h2>{tiny.title}</h2><p>{tiny.text}</p>{FILLER}"
    judgement = judge(tiny.title, tiny.text, body.encode(), content_type=UTF8, status=200)
    assert judgement.verdict is PARTIAL, judgement


@pytest.mark.parametrize(
    ("final_url", "verdict"),
    [
        ("https://post.example/", MISMATCH),
        ("https://post.example", MISMATCH),
        ("https://post.example/en/", MISMATCH),
        ("https://post.example/index.html", MISMATCH),
        ("https://post.example/?p=1", PARTIAL),
        ("https://post.example/news/night-ferry", PARTIAL),
        ("", PARTIAL),
        ("http://[", PARTIAL),
    ],
)
def test_an_address_that_leads_to_the_front_page_has_lost_its_article(
    final_url: str, verdict: Verdict
) -> None:
    judgement = judged(
        "<title>The Estuary Post</title>",
        f"<h2>{TITLE}</h2><p>{LEAD}</p>{FILLER}",
        url="https://post.example/news/2021/night-ferry",
        final_url=final_url,
    )
    assert judgement.verdict is verdict, judgement
    assert judgement.likely is (Likely.NOT_FOUND if verdict is MISMATCH else None)


def test_an_article_that_lives_on_the_front_page_is_at_home_there() -> None:
    address = "https://ferry.example/"
    body = f"<h1>{TITLE}</h1><p>{LEAD}</p>"
    assert judged("", body, url=address, final_url=address).verdict is VERIFIED


def test_a_redirect_to_a_front_page_without_the_article_is_a_soft_404() -> None:
    judgement = judged(
        "<title>The Estuary Post</title>",
        FILLER,
        text=story("en").text,
        url="https://post.example/a",
        final_url="https://post.example/",
    )
    assert (judgement.verdict, judgement.likely) == (MISMATCH, Likely.NOT_FOUND)


BULLETIN = (
    "The automatic station reports an earthquake of magnitude {m} at {t} local time.\n\n"
    "The epicentre lay {d} kilometres {w} of the harbour at a depth of {k} kilometres, according "
    "to the first reading of the instruments, which may be corrected within the next hours.\n\n"
    "No damage has been reported to the observatory so far, and no warning of high waves has been "
    "issued for the coast between the two lighthouses.\n\n"
    "Residents who felt the shock are asked to describe it on the observatory's form, which helps "
    "to draw the map of intensities for the archive.\n\n"
    "This message was composed by a machine from the readings of eleven stations and has been "
    "looked at by nobody. A seismologist on duty will check it in the morning and, if need be, "
    "publish another one with the corrected figures in its place.\n\n"
    "The observatory has recorded earthquakes in this region without interruption since the year "
    "in which its first pendulum was hung in the cellar of the old customs house."
)


def test_a_report_by_template_with_other_figures_is_not_the_article() -> None:
    wanted = BULLETIN.format(m="4.6", t="03:12", d="12", w="north-east", k="10")
    other = BULLETIN.format(m="5.1", t="17:40", d="95", w="south", k="33")
    title, another = "M 4.6 quake 12 km north-east of harbour", "M 5.1 quake 95 km south of harbour"

    def verdict(called: str, text: str) -> Verdict:
        body = f"<title>{called}</title><h1>{called}</h1><p>{html.escape(text)}</p>"
        return judge(title, wanted, body.encode(), content_type=UTF8, status=200).verdict

    assert verdict(title, wanted) is VERIFIED
    assert verdict(title, other) is VERIFIED  # corrected under its own title
    assert verdict(another, wanted) is VERIFIED  # another headline over all of the text
    assert verdict(another, other) is PARTIAL


@pytest.mark.parametrize(
    ("kept", "ending", "verdict", "likely"),
    [
        (8, "<h2>Subscribe to continue reading</h2>", PARTIAL, Likely.LOGIN),
        (8, "<p>This article is for subscribers only.</p>", PARTIAL, Likely.LOGIN),
        (8, "<p>More from the coast</p>", VERIFIED, None),
        (9, "<h2>Subscribe to continue reading</h2>", VERIFIED, None),
    ],
)
def test_an_end_that_gave_way_to_a_paywall_is_missed(
    kept: int, ending: str, verdict: Verdict, likely: Likely | None
) -> None:
    wanted = story("en")
    text = "".join(f"<p>{paragraph}</p>" for paragraph in wanted.paragraphs[:kept])
    body = f"<title>{wanted.title}</title><h1>{wanted.title}</h1>{text}{ending}{FILLER}".encode()
    judgement = judge(wanted.title, wanted.text, body, content_type=UTF8, status=200)
    assert judgement.share >= 0.8
    assert (judgement.verdict, judgement.likely) == (verdict, likely), judgement


@pytest.mark.parametrize(
    "body",
    [
        "<title>Cookies required</title><h1>Cookies required</h1><p>Please enable cookies to go on.</p>",
        "<title>The Post</title><h1>Please enable cookies</h1><p>This site needs them.</p>",
        "<title>Journal</title><p>Cookies are disabled in your browser. Your browser does not "
        "accept cookies from us.</p>",
        "<title>Zeitung</title><h1>Cookies aktivieren</h1><p>Bitte aktivieren Sie Cookies.</p>",
    ],
)
def test_a_page_that_asks_for_cookies_is_a_challenge(body: str) -> None:
    wanted = story("en")
    judgement = judge(wanted.title, wanted.text, body.encode(), content_type=UTF8, status=200)
    assert (judgement.verdict, judgement.likely) == (MISMATCH, Likely.CHALLENGE), judgement


def test_references_in_a_title_are_characters() -> None:
    title = "Smith & Sons' \u201cnight\u201d ferry"
    body = f"<title>{html.escape(title)}</title><p>{LEAD}</p>"
    assert judge(title, LEAD, body.encode(), content_type=UTF8, status=200).verdict is VERIFIED


def test_a_short_article_on_walls_may_be_called_like_one() -> None:
    title = "Page not found"
    body = f"<title>{title} | Essays</title><h1>{title}</h1><p>{LEAD}</p>{FILLER}"
    assert judge(title, LEAD, body.encode(), content_type=UTF8, status=200).verdict is VERIFIED
