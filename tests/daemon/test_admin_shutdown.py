"""Laws of tasks of the web when the service ends or reads its settings anew."""

from __future__ import annotations

import threading
from typing import Any

from feedsvc.daemon.web import SwitchableApp, WebServer


class App:
    """An application that notes how it was ended."""

    def __init__(self, *, fine: bool = True) -> None:
        self.ended: list[float] = []
        self._fine = fine

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def largest(self, target: bytes) -> int:
        return len(target)

    def end(self, seconds: float) -> bool:
        self.ended.append(seconds)
        return self._fine


def test_what_goes_on_behind_ends_with_the_server() -> None:
    app, over = App(), threading.Event()
    server = WebServer(app, host="127.0.0.1", port=0, ended=over.set)
    server.start()
    server.stop(seconds=5.0)
    assert app.ended == [5.0]
    assert over.is_set()


def test_what_goes_on_behind_ends_with_the_settings_it_began_under() -> None:
    old, new = App(fine=False), App()
    switch = SwitchableApp(old)
    assert switch.largest(b"/1234") == 5
    switch.replace(new, seconds=1.0)
    assert (old.ended, new.ended) == ([1.0], [])


def test_an_app_without_background_work_may_end_too() -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        return

    switch = SwitchableApp(plain)
    assert switch.largest(b"/") == 0
    switch.end(seconds=1.0)
