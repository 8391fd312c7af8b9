from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import anyio
import httpx
import pytest

from feedsvc.errors import ConfigurationError
from feedsvc.web.server import listen, serve


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Running:
    """An application served from a thread, as the daemon does it."""

    def __init__(self, app: Any, host: str = "127.0.0.1") -> None:
        self.stop, ready = threading.Event(), threading.Event()
        ports: list[int] = []
        self.thread = threading.Thread(
            target=serve,
            args=(app,),
            kwargs={
                "host": host,
                "port": 0,
                "ready": ready.set,
                "stop": self.stop,
                "listening": ports.append,
            },
        )
        self.thread.start()
        assert ready.wait(10)
        self.port = ports[0]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def test_it_answers_once_it_says_it_is_ready_and_stops_when_told() -> None:
    running = Running(hello)
    url = f"http://127.0.0.1:{running.port}/"
    assert httpx.get(url, trust_env=False).text == "hello"
    running.end()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_a_request_in_flight_is_finished_before_it_stops() -> None:
    began, go_on = threading.Event(), threading.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        began.set()
        await anyio.to_thread.run_sync(go_on.wait, 10)
        await hello(scope, receive, send)

    running = Running(slow)
    answers: list[str] = []
    url = f"http://127.0.0.1:{running.port}/"
    asking = threading.Thread(target=lambda: answers.append(httpx.get(url, trust_env=False).text))
    asking.start()
    assert began.wait(10)
    running.stop.set()
    go_on.set()
    asking.join(10)
    running.end()
    assert answers == ["hello"]


def test_a_port_in_use_names_port_setting_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} .* in use .*web\.port"):
            serve(hello, host="127.0.0.1", port=port, stop=threading.Event())


def test_what_keeps_it_from_starting_reaches_the_caller() -> None:
    def fail() -> None:
        raise RuntimeError("no supervisor to tell")

    ports: list[int] = []
    with pytest.raises(RuntimeError, match="no supervisor"):
        serve(
            hello,
            host="127.0.0.1",
            port=0,
            ready=fail,
            stop=threading.Event(),
            listening=ports.append,
        )
    socket.create_server(("127.0.0.1", ports[0])).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host.invalid"])
def test_a_host_that_is_not_ours_names_setting_and_remedy(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"web\.host .* is not an address of this machine"):
        listen(host, 0)


def test_all_addresses_of_a_name_share_one_port() -> None:
    sockets = listen("localhost", 0)
    ports = {each.getsockname()[1] for each in sockets}
    for each in sockets:
        each.close()
    assert len(ports) == 1


def test_signals_stay_the_callers() -> None:
    program = """
        import signal, sys, threading
        from feedsvc.web.server import serve

        async def app(scope, receive, send):
            pass

        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        serve(app, host="127.0.0.1", port=0, ready=lambda: print("ready", flush=True), stop=stop)
        print("stopped", flush=True)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(10) == 0
    assert time.monotonic() - began < 15
