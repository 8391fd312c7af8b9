"""The process a browser runs in: started without a network, and ended with all that came of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from feedsvc.capture.browser_found import Chromium
from feedsvc.capture.browser_processes import Family
from feedsvc.capture.browser_protocol import Broken, Line, Ready

PROCESS_MEMORY = 2 << 30
"""Bytes of data of one process; the kernel gives no more."""
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "PLAYWRIGHT_NODEJS_PATH")


class Child:
    """The browser's process."""

    def __init__(self, chromium: Chromium, memory: int) -> None:
        self.home = tempfile.mkdtemp(prefix="feedsvc-browser-")
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        arguments = [theirs.fileno(), lifeline, chromium.path, PROCESS_MEMORY]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    *chromium.prefix,
                    *(sys.executable, "-m", "feedsvc.capture.browser_worker"),
                    *map(str, arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), lifeline],
                env={**environment, "HOME": self.home, "TMPDIR": self.home},
                # Ctrl-C is for us; we end it, or it ends with us.
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(self._lifeline)
            shutil.rmtree(self.home, ignore_errors=True)
            raise Broken(f"the browser could not be started: {error.strerror}") from error
        finally:
            theirs.close()
            os.close(lifeline)
        self.pid = self._process.pid
        self.line = Line(ours)
        self.family = Family(self.pid)
        self.memory = memory
        self.ready: Ready | None = None
        self._ending = threading.Lock()
        self._ended = False

    def end(self) -> None:
        """Kill it with all that came of it, and remove what it left."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            self.family.end()
            self._process.wait()
            self.line.close()
            os.close(self._lifeline)
            shutil.rmtree(self.home, ignore_errors=True)
