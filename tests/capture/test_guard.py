"""Laws of the guard: nothing but public addresses, whatever the URL, the name or the redirect."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.capture.addresses import is_public
from feedsvc.capture.guard import (
    GuardedBackend,
    RequestClock,
    fetchable,
    system_resolver,
    trusted_hosts,
)
from feedsvc.capture.http import Fetcher
from feedsvc.errors import CaptureFailed, CaptureRefused, ConfigurationError
from tests.capture.fetching import MakeFetcher
from tests.origin import Origin

PRIVATE = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254
    168.63.129.16 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1
    192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
    239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 64:ff9b::7f00:1
    64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1:: 2001:10::1 2001:db8::1
    2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0
    fec0::1 ff02::1 2606:4700::1%eth0
    localhost 2130706433 0x7f.1 127.1 017700000001 1 256.1.1.1
"""
PUBLIC = """
    1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 126.255.255.255 172.15.255.255
    172.32.0.1 192.0.1.1 223.255.255.255 2606:4700::1111 2a00:1450:4001:81b::200e
    ::ffff:8.8.8.8 64:ff9b::808:808
"""


@pytest.mark.parametrize("address", [*PRIVATE.split(), "", " ", "8.8.8.8 ", "8.8.8.8\n"])
def test_no_address_outside_the_public_internet_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_addresses_of_the_public_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_counts_as_itself(address: ipaddress.IPv4Address) -> None:
    plain = is_public(str(address))
    assert is_public(f"::ffff:{address}") == plain
    assert is_public(f"64:ff9b::{address}") == plain


@given(st.ip_addresses())
def test_nothing_that_the_standard_library_calls_private_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private and not getattr(address, "ipv4_mapped", None):
        assert not is_public(str(address))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("ftp://example.org/", id="ftp"),
        pytest.param("gopher://example.org/", id="gopher"),
        pytest.param("data:text/html,x", id="data"),
        pytest.param("//example.org/", id="no-scheme"),
        pytest.param("http://", id="no-host"),
        pytest.param("http:///x", id="empty-host"),
        pytest.param("http://user@example.org/", id="user"),
        pytest.param("http://user:secret@example.org/", id="password"),
        pytest.param("http://example.org\\@127.0.0.1/", id="backslash"),
        pytest.param("http://example.org/a\r\nHost: evil", id="line-break"),
        pytest.param("http://exa\tmple.org/", id="tab-in-host"),
        pytest.param("http://example.org/\x00", id="nul"),
        pytest.param("http://example.org:22/", id="ssh"),
        pytest.param("http://example.org:6379/", id="redis"),
        pytest.param("http://example.org:0/", id="port-0"),
        pytest.param("http://example.org:99999/", id="no-such-port"),
        pytest.param("http://example.org:x/", id="port-in-letters"),
        pytest.param("http://①②⑦.example:25/", id="odd-digits"),
        pytest.param("http://[::1/", id="half-a-bracket"),
        pytest.param("http://exa mple.org/", id="space-in-host"),
        pytest.param("http://%31%32%37.0.0.1/", id="escaped-host"),
        pytest.param("http://" + "a" * 5000, id="too-long"),
    ],
)
def test_addresses_that_are_no_plain_web_address_are_refused(url: str) -> None:
    with pytest.raises(CaptureRefused):
        fetchable(url, trusted=())


@pytest.mark.parametrize(
    ("url", "wire"),
    [
        ("http://Example.ORG", "http://example.org/"),
        ("https://example.org:8443/a?b=c#part", "https://example.org:8443/a?b=c"),
        ("https://bücher.example/ä?ö=|", "https://xn--bcher-kva.example/%C3%A4?%C3%B6=%7C"),
        ("http://example.org/a b{c}", "http://example.org/a%20b%7Bc%7D"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://intranet:9000/x", "http://intranet:9000/x"),
    ],
)
def test_an_address_is_written_as_it_goes_over_the_wire(url: str, wire: str) -> None:
    assert fetchable(url, trusted={"intranet:9000"}) == wire


@pytest.mark.parametrize("entry", ["localhost", "http://localhost:80", ":80", "a:b", "", "u@h:1"])
def test_a_trusted_host_needs_its_port(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="allow_hosts"):
        trusted_hosts([entry])


def test_trusted_hosts_are_compared_without_case_and_with_brackets() -> None:
    assert trusted_hosts([" LocalHost:80", "[::1]:8000"]) == {"localhost:80", "[::1]:8000"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "localhost",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ],
)
def test_no_spelling_of_a_private_address_is_fetched(host: str, fetcher: Fetcher) -> None:
    with pytest.raises(CaptureRefused):
        fetcher.fetch(f"http://{host}:8080/")


class Resolver:
    """Answers look-ups one after the other from a list, and counts them."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(["127.0.0.1"], id="private"),
        pytest.param(["93.184.216.34", "10.0.0.1"], id="mixed"),
        pytest.param(["2606:4700::1111", "::1"], id="mixed-v6"),
        pytest.param(["93.184.216.34"] * 10 + ["127.0.0.1"], id="private-at-the-end"),
        pytest.param(["not an address"], id="nonsense"),
    ],
)
def test_one_private_address_in_an_answer_refuses_all_of_it(
    answer: list[str], make_fetcher: MakeFetcher
) -> None:
    resolver = Resolver(answer)
    with pytest.raises(CaptureRefused, match="public Internet"):
        make_fetcher(resolve=resolver).fetch("http://rebind.example/")
    assert resolver.asked == [("rebind.example", 80)]


def test_a_name_is_looked_up_once_and_the_checked_answer_is_connected_to(
    origin: Origin, make_fetcher: MakeFetcher
) -> None:
    origin.page("/", b"right")
    port = int(origin.host.rpartition(":")[2])
    resolver = Resolver(["127.0.0.1"], ["169.254.169.254"])
    fetcher = make_fetcher(resolve=resolver, allow_hosts=[f"rebind.example:{port}"])
    answer = fetcher.fetch(f"http://rebind.example:{port}/")
    answer.close()
    assert (answer.status, answer.ip, len(resolver.asked)) == (200, "127.0.0.1", 1)


def test_a_redirect_to_a_private_address_is_an_answer_whose_target_is_refused(
    origin: Origin, other_origin: Origin, fetcher: Fetcher
) -> None:
    first = fetcher.fetch(origin.redirect("/go", other_origin.url("/secret")))
    first.close()
    assert first.status == 302
    for target in (first.header("location") or "", "http://127.0.0.1:8080/", "file:///etc/passwd"):
        with pytest.raises(CaptureRefused):
            fetcher.fetch(target)
    assert other_origin.connections == 0


def test_trust_is_for_one_host_and_one_port(
    origin: Origin, other_origin: Origin, fetcher: Fetcher
) -> None:
    for url in (other_origin.url(), origin.url().replace("127.0.0.1", "127.0.0.2")):
        with pytest.raises(CaptureRefused):
            fetcher.fetch(url)
    assert origin.connections == other_origin.connections == 0


def test_proxies_from_the_environment_are_not_used(
    origin: Origin,
    other_origin: Origin,
    make_fetcher: MakeFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{other_origin.host}")
    answer = make_fetcher().fetch(origin.page("/", b"direct"))
    answer.close()
    assert (answer.status, other_origin.connections) == (200, 0)


def test_unix_sockets_are_refused() -> None:
    backend = GuardedBackend(trusted=(), resolve=system_resolver, clock=RequestClock())
    with pytest.raises(CaptureRefused, match="Unix"):
        backend.connect_unix_socket("/var/run/docker.sock")


def test_a_name_without_any_address_fails(make_fetcher: MakeFetcher) -> None:
    with pytest.raises(CaptureFailed, match=r"DNS has no address for empty\.example"):
        make_fetcher(resolve=Resolver([])).fetch("http://empty.example/")


def test_a_dead_address_does_not_keep_from_trying_the_next(
    origin: Origin, make_fetcher: MakeFetcher
) -> None:
    origin.page("/", b"alive")
    port = int(origin.host.rpartition(":")[2])
    fetcher = make_fetcher(
        resolve=Resolver(["127.0.0.9", "127.0.0.1"]), allow_hosts=[f"two.example:{port}"]
    )
    answer = fetcher.fetch(f"http://two.example:{port}/")
    answer.close()
    assert answer.ip == "127.0.0.1"


# --- TLS ------------------------------------------------------------------------------------


def _secure_fetcher(
    make_fetcher: MakeFetcher, origin: Origin, *names: str, trust: Path | None
) -> tuple[Fetcher, int]:
    port = int(origin.host.rpartition(":")[2])
    fetcher = make_fetcher(
        resolve=Resolver(["127.0.0.1"]),
        allow_hosts=[f"{name}:{port}" for name in names],
        ssl_context=ssl.create_default_context(cafile=trust) if trust else None,
    )
    return fetcher, port


def test_a_certificate_is_checked_for_the_name_although_a_number_is_connected_to(
    secure_origin: Origin, make_fetcher: MakeFetcher, certificate: Path
) -> None:
    secure_origin.page("/", b"private talk")
    fetcher, port = _secure_fetcher(
        make_fetcher, secure_origin, "archive.test", "other.test", trust=certificate
    )
    answer = fetcher.fetch(f"https://archive.test:{port}/")
    answer.close()
    assert (answer.status, answer.ip, answer.protocol) == (200, "127.0.0.1", "http/1.1")
    with pytest.raises(CaptureFailed, match=r"TLS certificate problem: [Hh]ostname mismatch"):
        fetcher.fetch(f"https://other.test:{port}/")


def test_an_unknown_authority_is_not_believed(
    secure_origin: Origin, make_fetcher: MakeFetcher
) -> None:
    fetcher, port = _secure_fetcher(make_fetcher, secure_origin, "archive.test", trust=None)
    with pytest.raises(CaptureFailed, match="TLS certificate problem: self"):
        fetcher.fetch(f"https://archive.test:{port}/")


def test_a_server_that_speaks_no_tls_is_named_so(make_fetcher: MakeFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        pool.submit(lambda: _answer_plainly(server))
        with pytest.raises(CaptureFailed, match="TLS problem: "):
            make_fetcher(allow_hosts=[host]).fetch(f"https://{host}/")


def _answer_plainly(server: socket.socket) -> None:
    peer, _ = server.accept()
    with peer:
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.recv(10_000)


def test_a_handshake_that_is_not_answered_times_out(make_fetcher: MakeFetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        fetcher = make_fetcher(allow_hosts=[host], timeout=0.2)
        with pytest.raises(CaptureFailed, match=r"timed out after 0\.2 s while connecting"):
            fetcher.fetch(f"https://{host}/")


# --- self-test ------------------------------------------------------------------------------


def test_the_self_test_passes_with_the_guard_on(fetcher: Fetcher) -> None:
    fetcher.self_test()


def test_the_self_test_is_not_fooled_by_trusted_ports(make_fetcher: MakeFetcher) -> None:
    # In pairs: Linux gives out even ports or odd ones.
    half = [f"127.0.0.1:{port}" for port in range(1024, 65536) if port // 2 % 2]
    fetcher = make_fetcher(allow_hosts=half)
    for _ in range(20):
        fetcher.self_test()


def test_the_self_test_fails_if_connections_do_not_go_through_the_guard(
    fetcher: Fetcher,
) -> None:
    # What an upgrade of httpcore that renames an argument would amount to.
    fetcher._transport.pool._network_backend = httpcore.SyncBackend()
    with pytest.raises(ConfigurationError, match="guard against private addresses is off"):
        fetcher.self_test()


def test_the_self_test_fails_if_the_address_check_is_gone(
    make_fetcher: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher = make_fetcher()

    def connect(host: str, port: int, *_: object, **__: object) -> httpcore.NetworkStream:
        socket.create_connection((host, port), 1).close()
        raise CaptureRefused("refused, but after connecting")

    monkeypatch.setattr(fetcher._transport.pool, "_network_backend", _Backend(connect))
    with pytest.raises(ConfigurationError, match="was connected to"):
        fetcher.self_test()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, connect: Callable[..., httpcore.NetworkStream]) -> None:
        self.connect_tcp = connect  # type: ignore[method-assign]  # what this stand-in is for
