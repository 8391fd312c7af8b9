"""Laws of the running service, as a process: signals, reload, systemd, and its way to the feeds."""

from __future__ import annotations

import fcntl
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from feedsvc.daemon.signals import AGAIN_SECONDS

Start = Callable[..., Any]
UNIT = Path(__file__).parents[2] / "docs" / "feedsvc.service"


@pytest.fixture
def manager(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A service manager: its socket's address, and a function that waits for a state."""
    path = tmp_path_factory.mktemp("manager") / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        channel.settimeout(30)

        def heard(state: str) -> None:
            while state not in channel.recv(1000).decode().splitlines():
                pass

        yield str(path), heard


def command_of_the_unit(site: Path) -> list[str]:
    """Return ExecStart of docs/feedsvc.service with this machine's paths."""
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    program, *arguments = shlex.split(line.removeprefix("ExecStart="))
    assert program.endswith("/feedsvc")
    return [
        sys.executable,
        "-m",
        "feedsvc",
        *(str(site) if one == "/var/lib/feedsvc" else one for one in arguments),
    ]


def test_the_unit_of_the_docs_starts_reloads_and_stops(
    start: Start, site: Path, port: int, manager: tuple[str, Callable[[str], None]], helpers: Any
) -> None:
    address, heard = manager
    service = start(
        command=command_of_the_unit(site), NOTIFY_SOCKET=address, WATCHDOG_USEC="3000000"
    )

    def feed_has(words: str) -> bool:
        return words in helpers.fetch(port, "/feeds/all.atom")

    heard("READY=1")
    heard("WATCHDOG=1")
    helpers.eventually(lambda: feed_has("The first article"))

    helpers.write_seed(site, "second", "The second article")
    helpers.eventually(lambda: feed_has("The second article"), seconds=10)

    helpers.write_settings(site, port, '[site]\ntitle = "Renamed"\n')
    service.signal(signal.SIGHUP)
    heard("RELOADING=1")
    heard("READY=1")
    helpers.eventually(lambda: feed_has("Renamed"))

    helpers.write_settings(site, port, '[site]\ntitel = "Wrong"\n')
    service.signal(signal.SIGHUP)
    assert "did you mean site.title?" in service.logged("settings.refused")
    heard("WATCHDOG=1")
    assert feed_has("Renamed")

    began = time.monotonic()
    service.signal(signal.SIGTERM)
    heard("STOPPING=1")
    assert service.ended() == 0
    assert time.monotonic() - began < 10
    assert (site / "data" / "feedsvc.lock").read_text() == ""


def test_one_daemon_for_each_site_and_commands_beside_it(start: Start) -> None:
    first = start("daemon")
    first.logged("service.ready")
    second, beside = start("run"), start("rebuild")
    assert second.ended() == 5
    assert f"process {first.process.pid} " in "".join(second.log)
    assert beside.ended() == 0
    first.signal(signal.SIGKILL)
    first.ended()
    again = start("daemon")
    again.logged("service.ready")
    again.signal(signal.SIGINT)
    assert again.ended() == 0


def test_a_port_in_use_exits_4_and_names_the_setting(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        service = start("run")
        assert service.ended() == 4
    assert "web.port" in "".join(service.log)


@pytest.fixture
def held_up(site: Path) -> Iterator[None]:
    """Keep the service's first job waiting, for as long as the test wants."""
    (site / "data").mkdir(exist_ok=True)
    with (site / "data" / "ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def waits_for_its_turn(pid: int) -> bool:
    """Tell whether a process has come to the lock that is held up."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if path.readlink().name == "ingest.lock":
                return True
    return False


@pytest.mark.usefixtures("held_up")
def test_a_second_signal_ends_it_at_once(start: Start, helpers: Any) -> None:
    service = start("daemon")
    service.logged("service.ready")
    helpers.eventually(lambda: waits_for_its_turn(service.process.pid), seconds=10)
    service.signal(signal.SIGTERM)
    service.logged("service.stopping")
    # What a shell or make passes on comes at once and is no second wish.
    service.signal(signal.SIGTERM)
    time.sleep(AGAIN_SECONDS + 0.1)
    assert service.process.poll() is None
    service.signal(signal.SIGINT)
    assert service.ended() == 130


@pytest.mark.usefixtures("held_up")
def test_a_job_that_does_not_end_is_cut_off_within_ten_seconds(start: Start, helpers: Any) -> None:
    service = start("daemon")
    service.logged("service.ready")
    helpers.eventually(lambda: waits_for_its_turn(service.process.pid), seconds=10)
    began = time.monotonic()
    service.signal(signal.SIGTERM)
    assert service.ended() == 0
    assert time.monotonic() - began < 10
    assert "service.cut_off" in "".join(service.log)


def test_the_address_may_change_while_it_runs(
    start: Start, site: Path, port: int, helpers: Any
) -> None:
    service = start("serve")
    service.logged("service.ready")
    assert helpers.fetch(port, "/healthz")
    with socket.create_server(("127.0.0.1", 0)) as free:
        other = free.getsockname()[1]
        helpers.write_settings(site, other)
        service.signal(signal.SIGHUP)
        assert "web.port" in service.logged("settings.refused")
        assert helpers.fetch(port, "/healthz")
    service.signal(signal.SIGHUP)
    service.logged("settings.reloaded")
    assert helpers.fetch(other, "/healthz")
    assert not helpers.fetch(port, "/healthz")
