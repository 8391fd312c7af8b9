"""Laws of robots.txt (RFC 9309)."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from feedsvc.capture.http import Fetcher
from feedsvc.capture.polite import Busy, Politeness
from feedsvc.capture.robots import Robots, ours
from feedsvc.errors import CaptureFailed, CaptureRefused
from tests.origin import Origin


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def robots(fetcher: Fetcher, clock: Clock) -> Robots:
    agent = "feedsvc/1.0 (+https://example.org; like Mozilla)"
    return Robots(fetcher, user_agent=agent, policy="respect", clock=clock)


RULES = b"""
User-agent: mozilla
Disallow: /

User-agent: *
Disallow: /private
Disallow: /*.pdf$
Allow: /private/but-this
Crawl-delay: 7
"""


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", True),
        ("/news/1", True),
        ("/private", False),
        ("/private/x", False),
        ("/private/but-this", True),
        ("/a/b.pdf", False),
        ("/a/b.pdf?x", True),
        ("/robots.txt", True),
    ],
)
def test_rules_for_all_agents_are_followed(
    path: str, allowed: bool, origin: Origin, robots: Robots
) -> None:
    origin.page("/robots.txt", RULES)
    assert robots.allowed(origin.url(path)) is allowed


def test_rules_for_us_come_before_rules_for_all(origin: Origin, robots: Robots) -> None:
    origin.page("/robots.txt", RULES + b"\nUser-Agent: FeedSvc/2\nDisallow: /news\n")
    assert robots.allowed(origin.url("/private"))
    assert not robots.allowed(origin.url("/news/1"))


@pytest.mark.parametrize(
    ("asked", "delay"), [("7", 7.0), ("0.5", 0.5), ("3600", 60.0), ("-1", None), ("nan", None)]
)
def test_a_crawl_delay_is_known_and_at_most_a_minute(
    asked: str, delay: float | None, origin: Origin, robots: Robots
) -> None:
    origin.page("/robots.txt", f"User-agent: *\nCrawl-delay: {asked}\n".encode())
    assert robots.delay(origin.url("/x")) == delay


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_without_a_robots_txt_everything_is_allowed(
    status: int, origin: Origin, robots: Robots
) -> None:
    origin.page("/robots.txt", b"User-agent: *\nDisallow: /\n", status=status)
    assert robots.allowed(origin.url("/private"))
    assert robots.delay(origin.url("/private")) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_while_robots_txt_is_unreachable_nothing_is_fetched(
    status: int, origin: Origin, robots: Robots, clock: Clock
) -> None:
    origin.page("/robots.txt", status=status, headers=(("Retry-After", "300"),))
    for _ in range(2):
        with pytest.raises(CaptureFailed, match="unreachable") as failure:
            robots.allowed(origin.url("/x"))
        assert failure.value.retry_after == 300
    assert robots.delay(origin.url("/x")) is None
    assert origin.count("/robots.txt") == 1
    origin.page("/robots.txt", RULES)
    clock.now += 61
    assert robots.allowed(origin.url("/x"))


def test_a_connection_that_fails_counts_as_unreachable(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    fetcher = Fetcher(user_agent="x", allow_hosts=[host])
    robots = Robots(fetcher, user_agent="x", policy="respect")
    with pytest.raises(CaptureFailed, match=r"unreachable.*connection refused"):
        robots.allowed(f"http://{host}/")
    fetcher.close()


def test_a_robots_txt_that_breaks_off_counts_as_unreachable(origin: Origin, robots: Robots) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nUser-agent: *\n"
    origin.raw("/robots.txt", lambda peer, _: peer.sendall(head))
    with pytest.raises(CaptureFailed, match="broke off"):
        robots.allowed(origin.url("/"))


def test_what_the_guard_refuses_is_refused_here_too(other_origin: Origin, robots: Robots) -> None:
    with pytest.raises(CaptureRefused):
        robots.allowed(other_origin.url("/"))
    with pytest.raises(CaptureRefused):  # from what is remembered
        robots.allowed(other_origin.url("/"))
    assert other_origin.connections == 0


def test_redirects_are_followed_five_times(origin: Origin, robots: Robots) -> None:
    origin.redirect("/robots.txt", "/1")
    for hop in range(1, 5):
        origin.redirect(f"/{hop}", f"/{hop + 1}")
    origin.page("/5", RULES)
    assert not robots.allowed(origin.url("/private"))
    assert origin.count("/5") == 1


def test_endless_redirects_are_as_good_as_no_rules(origin: Origin, robots: Robots) -> None:
    origin.redirect("/robots.txt", "/robots.txt")
    assert robots.allowed(origin.url("/private"))
    assert origin.count("/robots.txt") == 6


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "file:///etc/passwd", "http://[broken"]
)
def test_a_redirect_to_a_private_address_is_not_followed(
    target: str, origin: Origin, robots: Robots
) -> None:
    origin.redirect("/robots.txt", target)
    with pytest.raises(CaptureFailed):
        robots.allowed(origin.url("/"))


def test_a_robots_txt_is_fetched_once_an_hour(origin: Origin, robots: Robots, clock: Clock) -> None:
    origin.page("/robots.txt", RULES)
    for _ in range(3):
        robots.allowed(origin.url("/a"))
        robots.delay(origin.url("/b"))
    assert origin.count("/robots.txt") == 1
    clock.now += 3601
    robots.allowed(origin.url("/a"))
    assert origin.count("/robots.txt") == 2


def test_many_threads_make_one_request(origin: Origin, robots: Robots) -> None:
    def slow(peer: socket.socket, _: object) -> None:
        origin.pause(0.1)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(RULES) + RULES)

    origin.raw("/robots.txt", slow)
    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(robots.allowed, [origin.url("/private")] * 64))
    assert answers == {False}
    assert origin.count("/robots.txt") == 1


def test_ignoring_never_asks(origin: Origin, fetcher: Fetcher) -> None:
    origin.page("/robots.txt", RULES)
    robots = Robots(fetcher, user_agent="feedsvc/1.0", policy="ignore")
    assert robots.allowed(origin.url("/private"))
    assert robots.delay(origin.url("/private")) is None
    assert origin.connections == 0


def test_there_are_two_policies(fetcher: Fetcher) -> None:
    with pytest.raises(ValueError, match="policy"):
        Robots(fetcher, user_agent="x", policy="maybe")


def test_a_packed_robots_txt_with_a_bom_is_read(origin: Origin, robots: Robots) -> None:
    packed = gzip.compress(b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /\r\n")
    origin.page("/robots.txt", packed, headers=(("Content-Encoding", "gzip"),))
    assert not robots.allowed(origin.url("/"))


def test_of_a_huge_robots_txt_the_beginning_counts(origin: Origin, robots: Robots) -> None:
    filler = b"# nothing\n" * 60_000
    rules = b"User-agent: *\nDisallow: /early\n" + filler + b"Disallow: /late\n"
    origin.page("/robots.txt", rules)
    assert not robots.allowed(origin.url("/early"))
    assert robots.allowed(origin.url("/late"))


def test_a_page_of_html_holds_no_rules(origin: Origin, robots: Robots) -> None:
    origin.page("/robots.txt", b"<!doctype html><title>Not here</title><p>disallow: /</p>")
    assert robots.allowed(origin.url("/"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("User-agent: a\n" * 20_000 + "Disallow: /x\n" * 18_000, id="same"),
        pytest.param(
            "".join(f"User-agent: a{n}\n" for n in range(14_000)) + "Disallow: /x\n" * 18_000,
            id="agents-times-rules",
        ),
        pytest.param("User-agent: *\nDisallow: /" + "*a" * 200_000, id="stars"),
        pytest.param("User-agent: *\n" + "Disallow: /*a*b*c*d*e*f\n" * 15_000, id="many-stars"),
    ],
)
def test_no_robots_txt_takes_long(text: str, origin: Origin, robots: Robots) -> None:
    origin.page("/robots.txt", text.encode())
    began = time.process_time()
    robots.allowed(origin.url("/" + "a" * 3000))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("User-agent: other\nDisallow: /", []),
        ("User-agent: other\nUser-agent: us\nDisallow: /a", ["User-agent: us", "Disallow: /a"]),
        ("User-agent: US/3\nUser-agent: x\nAllow: /", ["User-agent: us", "Allow: /"]),
        (
            "User-agent: *\nDisallow: /a\nUser-agent: x\nDisallow: /",
            ["User-agent: *", "Disallow: /a"],
        ),
        (
            "User-agent: *\nSitemap: https://e.org/s\nDisallow: /a",
            ["User-agent: *", "Disallow: /a"],
        ),
        ("User-agent: us # we\n\n# note\nDisallow: /a#b", ["User-agent: us", "Disallow: /a"]),
        ("Disallow: /\nuser agent *\nDisallow: /b", ["User-agent: *", "Disallow: /b"]),
        ("User-agent: usual\nDisallow: /", []),
    ],
)
def test_only_groups_for_us_or_all_are_parsed(text: str, kept: list[str]) -> None:
    assert ours(text, agent="us").splitlines() == kept


def test_origins_are_remembered_up_to_a_number(robots: Robots) -> None:
    for number in range(1100):
        with pytest.raises(CaptureRefused):
            robots.allowed(f"http://host{number}.example:22/")
    assert len(robots._origins) == 1000


def test_a_robots_txt_waits_for_its_hosts_turn(fetcher: Fetcher, origin: Origin) -> None:
    politeness = Politeness(per_host=1, delay=0.0)
    robots = Robots(fetcher, user_agent="x", policy="respect", politeness=politeness)
    politeness.hold(origin.url("/"), 60)
    with pytest.raises(Busy):
        robots.allowed(origin.url("/page"))
    assert origin.count("/robots.txt") == 0


def test_a_host_that_is_busy_says_nothing_about_its_robots_txt(
    fetcher: Fetcher, origin: Origin
) -> None:
    politeness = Politeness(per_host=1, delay=0.0)
    robots = Robots(fetcher, user_agent="x", policy="respect", politeness=politeness)
    with politeness.slot(origin.url("/")):
        held = threading.Thread(target=robots.allowed, args=(origin.url("/page"),))
        held.start()
    held.join(10)
    assert robots.allowed(origin.url("/page"))
    assert origin.count("/robots.txt") == 1
