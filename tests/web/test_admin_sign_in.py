"""Laws of who may change things: the token, sessions, our own pages only, few guesses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedsvc.errors import ConfigurationError
from feedsvc.settings import Settings, load_settings
from feedsvc.web.admin_throttle import FORGIVEN_SECONDS, OF_A_CLIENT, OF_ALL, Throttle
from feedsvc.web.sessions import LIFETIME, MOST_SESSIONS, Sessions, Token, configured_token
from tests.web.admin_rig import (
    BEARER,
    TOKEN,
    OpenSite,
    open_admin_site,
    ours,
    problem,
    send,
    sign_in,
)
from tests.web.conftest import Served

COOKIE = "feedsvc-admin"


@pytest.fixture
def site(open_site: OpenSite) -> Served:
    return open_admin_site(open_site)[1]


def token(text: str = TOKEN) -> Token:
    found = configured_token(
        Settings.model_validate({"root": "/", "origins": {}, "admin": {"token": text}})
    )
    assert found is not None
    return found


def test_without_a_token_nothing_below_admin_exists(web: Served) -> None:
    for path in ("/admin", "/admin/sign-in", "/admin/add", "/admin/api/tasks"):
        assert web.get(path).status_code == 404
        assert web.client.post(path, headers=ours(web)).status_code in {404, 405}


def test_signing_in_begins_a_session_that_signing_out_ends(site: Served) -> None:
    assert site.get("/admin").status_code == 401
    answer = sign_in(site)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    line = answer.headers["set-cookie"]
    assert line.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={12 * 3600}"):
        assert part in line
    cookie = site.client.cookies[COOKIE]
    assert site.get("/admin").status_code == 200
    assert send(site, "/admin/sign-out").headers["location"] == "/admin/sign-in"
    assert site.get("/admin").status_code == 401
    # Not only the browser has forgotten it.
    site.client.cookies.set(COOKIE, cookie)
    assert site.get("/admin").status_code == 401


def test_what_a_client_brings_along_never_becomes_a_session(site: Served) -> None:
    planted = "A" * 43
    site.client.cookies.set(COOKIE, planted, domain="127.0.0.1", path="/")
    sign_in(site)
    assert site.get("/admin", headers={"cookie": f"{COOKIE}={planted}"}).status_code == 401


def test_signing_in_again_ends_the_session_before(site: Served) -> None:
    sign_in(site)
    before = {"cookie": f"{COOKIE}={site.client.cookies[COOKIE]}"}
    sign_in(site)
    assert site.get("/admin").status_code == 200
    site.client.cookies.clear()
    assert site.get("/admin", headers=before).status_code == 401


@pytest.mark.parametrize("cookie", ["", "../../../etc/passwd", "x" * 5000, "%00", '"'])
def test_an_odd_cookie_is_no_session(site: Served, cookie: str) -> None:
    assert site.get("/admin", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_nothing_below_admin_is_kept_framed_or_readable_by_other_sites(site: Served) -> None:
    sign_in(site)
    for path in ("/admin", "/admin/sign-in", "/admin/api/tasks", "/admin/tasks/none"):
        answer = site.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "etag" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="another-site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="a-sister"),
        pytest.param({"sec-fetch-site": "none"}, id="from-nowhere"),
        pytest.param({}, id="nothing-said"),
        pytest.param({"origin": "https://evil.example"}, id="forged-origin"),
        pytest.param({"origin": "null"}, id="hidden-origin"),
        pytest.param(
            {"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, id="contradiction"
        ),
        pytest.param({"origin": "http://[", "sec-fetch-site": "same-origin"}, id="garbage"),
    ],
)
def test_a_cookie_is_good_for_our_own_pages_only(site: Served, headers: dict[str, str]) -> None:
    sign_in(site)
    before = site.get("/admin/api/tasks").json()
    for path in ("/admin/rebuild", "/admin/sign-out", "/admin/sign-in"):
        answer = site.client.post(path, data={"token": TOKEN}, headers=headers)
        assert answer.status_code == 403, path
    assert "did not come from here" in problem(
        site.client.post("/admin/api/rebuild", headers=headers), 403
    )
    assert site.get("/admin/api/tasks").json() == before


def test_a_browser_that_says_only_where_from_is_believed(site: Served) -> None:
    origin = {"origin": f"http://127.0.0.1:{site.port}"}
    answer = site.client.post("/admin/sign-in", data={"token": TOKEN}, headers=origin)
    assert answer.status_code == 303


def test_a_program_needs_the_token_and_nothing_else(site: Served) -> None:
    assert site.get("/admin/api/tasks", headers=BEARER).json() == {"tasks": []}
    wrong = site.get("/admin/api/tasks", headers={"authorization": "Bearer wrong"})
    assert "not the token" in problem(wrong, 401)
    assert wrong.headers["www-authenticate"].startswith("Bearer")
    assert problem(site.get("/admin/api/tasks"), 401)


def test_guessing_is_slowed_down_and_told_so(site: Served) -> None:
    answers = [sign_in(site, f"wrong-token-number-{n}") for n in range(6)]
    assert [one.status_code for one in answers[:2]] == [401, 401]
    assert {one.status_code for one in answers[3:]} == {429}
    assert int(answers[-1].headers["retry-after"]) >= 1
    # While one has to wait, not even the right one is looked at.
    assert sign_in(site).status_code == 429
    assert problem(site.get("/admin/api/tasks", headers=BEARER), 429)


def test_each_further_guess_waits_longer_up_to_a_limit() -> None:
    now = [0.0]
    throttle = Throttle(clock=lambda: now[0])
    waits = []
    for _ in range(40):
        wait = throttle.guess("192.0.2.1", lambda: False)
        assert wait is not None
        waits.append(wait)
        now[0] += wait
    assert waits[: OF_A_CLIENT.free - 1] == [0.0] * (OF_A_CLIENT.free - 1)
    assert waits == sorted(waits)
    assert max(waits) == OF_A_CLIENT.longest
    now[0] += FORGIVEN_SECONDS + 1
    assert throttle.guess("192.0.2.1", lambda: False) == 0.0


def test_guesses_from_everywhere_are_slowed_too_but_not_who_was_right_before() -> None:
    throttle = Throttle(clock=lambda: 5.0)
    assert throttle.guess("198.51.100.1", lambda: True) is None
    for number in range(OF_ALL.free):
        throttle.guess(f"192.0.2.{number}", lambda: False)
    looked_at: list[str] = []

    def look() -> bool:
        looked_at.append("once")
        return True

    wait = throttle.guess("203.0.113.9", look)
    assert wait
    assert looked_at == []
    assert throttle.guess("198.51.100.1", lambda: True) is None


@pytest.mark.parametrize("base", ["https://feeds.example.org", "https://feeds.example.org/news"])
def test_over_https_the_cookie_is_bound_to_this_very_host(open_site: OpenSite, base: str) -> None:
    _, site = open_admin_site(open_site, site={"base_url": base})
    headers = {"host": "feeds.example.org", "origin": "https://feeds.example.org"}
    answer = site.client.post("/admin/sign-in", data={"token": TOKEN}, headers=headers)
    line = answer.headers["set-cookie"]
    assert re.match(r"__Host-feedsvc=[\w-]{43};", line)
    assert "Secure" in line
    assert "Path=/;" in line
    assert "domain" not in line.lower()
    cookie = line.partition(";")[0]
    assert site.get("/admin", headers=headers | {"cookie": cookie}).status_code == 200


def test_the_token_is_not_taken_over_a_wire_that_others_can_read(site: Served) -> None:
    open_wire = {"host": "192.0.2.1", "origin": "http://192.0.2.1"}
    answer = site.client.post("/admin/sign-in", data={"token": TOKEN}, headers=open_wire)
    assert answer.status_code == 403
    assert "not encrypted" in answer.text
    assert "set-cookie" not in answer.headers
    assert problem(site.get("/admin/api/tasks", headers=BEARER | {"host": "192.0.2.1"}), 403)
    # A proxy that nobody trusts cannot say that it is.
    claimed = BEARER | {"host": "192.0.2.1", "x-forwarded-proto": "https"}
    assert problem(site.get("/admin/api/tasks", headers=claimed), 403)


def test_a_trusted_proxy_may_say_that_the_wire_is_encrypted(open_site: OpenSite) -> None:
    _, site = open_admin_site(open_site, web={"trusted_proxies": ["127.0.0.1"]})
    claimed = BEARER | {"host": "192.0.2.1", "x-forwarded-proto": "https"}
    assert site.get("/admin/api/tasks", headers=claimed).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1@evil.example", "a b", ""])
def test_other_hosts_are_not_answered(site: Served, host: str) -> None:
    asked = b"/admin/sign-in"
    status = site.ask(asked, host=host.encode()).split(b" ", 2)[1]
    assert status in {b"400", b"421"}


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        (
            "/admin/add?url=https%3A%2F%2Fexample.org%2Fa",
            "/admin/add?url=https%3A%2F%2Fexample.org%2Fa",
        ),
        ("/status", "/status"),
        ("https://evil.example/admin", "/admin"),
        ("//evil.example/admin", "/admin"),
        ("/admin/\\evil.example", "/admin"),
        ("/admin\r\nset-cookie: a=b", "/admin"),
        ("", "/admin"),
    ],
)
def test_signing_in_leads_nowhere_else(site: Served, wanted: str, led: str) -> None:
    assert sign_in(site, next=wanted).headers["location"] == led


def test_whoever_comes_from_a_bookmark_is_asked_again_from_here(site: Served) -> None:
    afar = {"sec-fetch-site": "cross-site"}
    path = "/admin/add?url=https%3A%2F%2Fexample.org%2Fa%3Fb%3D%22c"
    first = site.get(path, headers=afar)
    assert '<meta http-equiv="refresh" content="0; url=/admin/add?url=https%3A' in first.text
    second = site.get(path, headers={"sec-fetch-site": "same-origin"})
    assert second.status_code == 401
    assert 'name="next" value="/admin/add?url=https%3A' in second.text


def test_sessions_are_kept_as_digests_and_end_by_time_and_with_the_token(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    sessions = Sessions(tmp_path / "s", token=token(), now=lambda: now[0])
    cookie = sessions.begin()
    (file,) = (tmp_path / "s").iterdir()
    assert cookie not in file.name + file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert sessions.holds(cookie)
    # Another process of the same site knows it; one with another token does not.
    assert Sessions(tmp_path / "s", token=token(), now=lambda: now[0]).holds(cookie)
    other = Sessions(tmp_path / "s", token=token("another-token-altogether"), now=lambda: now[0])
    assert not other.holds(cookie)
    now[0] += LIFETIME + timedelta(seconds=1)
    assert not sessions.holds(cookie)
    file.write_text("not JSON")
    assert not sessions.holds(cookie)


def test_sessions_do_not_pile_up(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, token=token(), now=lambda: datetime.now(UTC))
    cookies = [sessions.begin() for _ in range(MOST_SESSIONS + 5)]
    assert len(list(tmp_path.iterdir())) == MOST_SESSIONS
    assert sessions.holds(cookies[-1])


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    def settings() -> Settings:
        return load_settings(tmp_path, environ={"FEEDSVC_ADMIN__TOKEN_FILE": "secret"})

    for content in (None, b"short\n", b"with spaces in between it\n", b"\xff" * 30):
        if content is not None:
            (tmp_path / "secret").write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"admin\.token_file secret"):
            configured_token(settings())
    (tmp_path / "secret").write_text(f"{TOKEN}\n")
    found = configured_token(settings())
    assert found is not None
    assert found.fits(TOKEN)
    assert not found.fits(f"{TOKEN}\n")
    assert not found.fits("")


def test_the_token_is_shown_nowhere(
    tmp_path: Path, site: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(tmp_path, environ={"FEEDSVC_ADMIN__TOKEN": TOKEN})
    assert settings.effective()["admin.token"] == "***"
    assert TOKEN not in repr(settings)
    with pytest.raises(ConfigurationError) as refused:
        load_settings(tmp_path, environ={"FEEDSVC_ADMIN__TOKEN": "too short 1"})
    assert "too short 1" not in str(refused.value)
    sign_in(site)
    sign_in(site, f"{TOKEN}x")
    pages = site.get("/admin").text + site.get("/admin/sign-in").text
    written = "".join(
        one.read_text(errors="replace")
        for one in tmp_path.rglob("data/admin/**/*")
        if one.is_file()
    )
    printed = "".join(capfd.readouterr())
    assert TOKEN not in pages + written + printed
    assert site.client.cookies[COOKIE] not in written + printed
