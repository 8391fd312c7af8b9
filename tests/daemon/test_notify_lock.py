"""Laws of living with the system: one daemon for each site, and what systemd hears."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from feedsvc.daemon.lock import single_instance
from feedsvc.daemon.notify import notify, reloading, watchdog_seconds
from feedsvc.errors import AlreadyRunning


def test_a_second_holder_learns_who_is_first(tmp_path: Path) -> None:
    path = tmp_path / "data" / "feedsvc.lock"
    with (
        single_instance(path),
        pytest.raises(AlreadyRunning, match=f"process {os.getpid()} "),
        single_instance(path),
    ):
        pass
    with single_instance(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert path.read_text() == ""


def test_a_state_reaches_the_manager(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        assert notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"


def test_a_manager_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert not notify("READY=1", environ={})
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": "@feedsvc-test-nobody"})
    assert not notify("READY=1", environ={"NOTIFY_SOCKET": "relative"})


def test_a_reload_tells_when_it_began() -> None:
    first, second = reloading().split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_only_if_it_is_ours(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_seconds(environ) == seconds
