"""Pages that need scripts, from the queue to the web: asked of a browser only where that helps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.capture.browser_found import Absent, find_browser
from feedsvc.capture.browser_view import is_better, is_worth_a_browser
from feedsvc.jobs.contents import contents_of, look_in
from feedsvc.model import Judgement, Likely, Outcome, Verdict
from feedsvc.replay.content import VIEW, Found
from feedsvc.runtime import Runtime
from tests.jobs.originals import load, records, snapshots, trusting
from tests.jobs.site import BODY, Clock, Seeds, open_site
from tests.origin import Origin

APP = b"""<!doctype html><title>A ferry for the harbour</title><div id=app></div>
<img srcset="/app/other.png 2x" src="data:,"><script src=/app/main.js></script>"""
MAIN = b"""fetch('/app/data').then(r => r.json()).then(d => {
  app.innerHTML = '<h1>A ferry for the harbour</h1>' + d.map(t => `<p>${t}</p>`).join('') })"""

Open = Callable[[str], Runtime]


@pytest.fixture
def app(origin: Origin) -> str:
    """A page whose article comes by script; return its URL."""
    origin.page("/app/main.js", MAIN, headers=(("Content-Type", "text/javascript"),))
    data = json.dumps(BODY.strip().split("\n\n")).encode()
    origin.page("/app/data", data, headers=(("Content-Type", "application/json"),))
    return origin.page("/app/", APP)


@pytest.fixture
def browsing(site: Path, clock: Clock, origin: Origin) -> Iterator[Open]:
    """Open the site with a policy for browsers."""
    found = find_browser("")
    if isinstance(found, Absent):
        pytest.skip(f"no browser: {found.reason}")  # .ci/run always has one
    opened = []

    def start(policy: str) -> Runtime:
        settings = trusting(origin, browser=policy, per_host_delay=0.0, per_host=8)
        context = open_site(site, now=clock, archive=settings)
        opened.append(context)
        return context.__enter__()

    yield start
    for one in opened:
        one.__exit__(None, None, None)


def test_an_article_that_scripts_build_is_verified_by_a_browser(
    browsing: Open, seeds: Seeds, app: str
) -> None:
    online = browsing("when-needed")
    article = load(online, seeds, app)
    report = jobs.capture_due(online)
    assert [one.outcome for one in report.attempts] == [Outcome.VERIFIED]
    (snapshot,) = snapshots(online, article)
    assert snapshot.thumbnail is not None
    assert (snapshot.thumbnail.media_type, snapshot.thumbnail.width) == ("image/jpeg", 320)
    kinds = records(online, snapshot)
    assert {one for kind, one in kinds if kind == "resource"} == {
        f"urn:{name}:{app}" for name in ("text", "dom", "view", "thumbnail")
    }
    assert [one for kind, one in kinds if kind == "response"].count(app) == 1
    contents = contents_of(online)
    page = look_in(online, contents, snapshot, app, follow=True)
    assert isinstance(page, Found)
    assert page.url == app
    assert b"new ferry" in contents.content(page, limit=1 << 20)[0]
    raw = look_in(online, contents, snapshot, app, follow=False)
    assert isinstance(raw, Found)
    assert contents.content(raw, limit=1 << 20)[0] == APP
    view = look_in(online, contents, snapshot, VIEW + app, follow=False)
    assert isinstance(view, Found)
    assert view.media_type == "image/png"


def test_never_leaves_it_a_mismatch(browsing: Open, seeds: Seeds, app: str) -> None:
    online = browsing("never")
    assert online.capture_tools.browsers is None
    article = load(online, seeds, app)
    jobs.capture_due(online)
    (snapshot,) = snapshots(online, article)
    assert snapshot.judgement.likely is Likely.EMPTY


def test_a_page_that_shows_its_article_is_asked_of_no_browser(
    browsing: Open, seeds: Seeds, origin: Origin
) -> None:
    online = browsing("when-needed")
    url = origin.page(
        "/plain", f"<title>A ferry for the harbour</title>{BODY}<script></script>".encode()
    )
    load(online, seeds, url)
    assert jobs.capture_due(online).archived == 1
    assert online.capture_tools.browsers is not None
    assert online.capture_tools.browsers.processes() == []


def test_always_gives_every_page_its_screenshot(
    browsing: Open, seeds: Seeds, origin: Origin
) -> None:
    online = browsing("always")
    url = origin.page("/plain", f"<title>A ferry for the harbour</title>{BODY}".encode())
    article = load(online, seeds, url)
    assert jobs.capture_due(online).archived == 1
    (snapshot,) = snapshots(online, article)
    assert f"urn:view:{url}" in {one for _, one in records(online, snapshot)}


def test_where_the_browser_fails_the_first_capture_is_kept(
    site: Path, seeds: Seeds, clock: Clock, origin: Origin, app: str
) -> None:
    settings = trusting(origin, browser="always", browser_path="/bin/false")
    with open_site(site, now=clock, archive=settings) as online:
        article = load(online, seeds, app)
        (attempt,) = jobs.capture_due(online).attempts
        assert attempt.outcome is Outcome.MISMATCH
        assert len(snapshots(online, article)) == 1


def _judged(verdict: Verdict, share: float, likely: Likely | None = None) -> Judgement:
    return Judgement(verdict, share, likely)


_EMPTY = _judged(Verdict.MISMATCH, 0.0, Likely.EMPTY)
_SCRIPT = b"<SCRIPT src=x></script>"


@pytest.mark.parametrize(
    ("policy", "judgement", "page", "status", "worth"),
    [
        pytest.param("when-needed", _EMPTY, _SCRIPT, 200, True, id="empty"),
        pytest.param("when-needed", _EMPTY, b"<p>", 200, False, id="no-scripts"),
        pytest.param("when-needed", _EMPTY, _SCRIPT, 404, False, id="error"),
        pytest.param("never", _EMPTY, _SCRIPT, 200, False, id="never"),
        pytest.param("when-needed", _judged(Verdict.VERIFIED, 1.0), _SCRIPT, 200, False, id="verified"),
        pytest.param("always", _judged(Verdict.VERIFIED, 1.0), b"<p>", 200, True, id="always"),
        pytest.param("always", _judged(Verdict.MISMATCH, 0.0, Likely.NOT_HTML), b"", 200, False, id="pdf"),
        pytest.param("when-needed", _judged(Verdict.PARTIAL, 0.5), _SCRIPT, 200, True, id="partial"),
        pytest.param("when-needed", _judged(Verdict.PARTIAL, 1.0), _SCRIPT, 200, False, id="no-text-sought"),
        pytest.param("when-needed", _judged(Verdict.MISMATCH, 0.1, Likely.OTHER), _SCRIPT, 200, True, id="other"),
        *(
            pytest.param("when-needed", _judged(Verdict.MISMATCH, 0.0, wall), _SCRIPT, 200, False, id=wall.name)
            for wall in (Likely.CHALLENGE, Likely.LOGIN, Likely.CONSENT, Likely.NOT_FOUND, Likely.ERROR)
        ),
    ],
)  # fmt: skip
def test_a_browser_is_asked_where_text_is_missing_and_no_wall_is_in_the_way(
    policy: str, judgement: Judgement, page: bytes, status: int, worth: bool
) -> None:
    assert is_worth_a_browser(policy, judgement, page, status=status) is worth


def test_only_what_is_better_is_kept() -> None:
    partial, verified = _judged(Verdict.PARTIAL, 0.4), _judged(Verdict.VERIFIED, 0.9)
    assert is_better(verified, partial, policy="when-needed")
    assert not is_better(partial, partial, policy="when-needed")
    assert is_better(partial, partial, policy="always")
    assert not is_better(partial, verified, policy="always")
