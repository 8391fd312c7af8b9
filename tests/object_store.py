"""Object stores to test against: other programs, each in a process of its own, over HTTP.

`FEEDSVC_TEST_S3` is the folder of the Python environment that `tests/s3.lock` describes. Swift is
a store for production, which checks signatures and rights; moto is a stand-in for Amazon's.
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from feedsvc.storage.s3 import Bucket
from feedsvc.storage.s3_access import S3Access
from feedsvc.storage.s3_blobs import S3Blobs
from tests.swift_server import KEY_ID, SECRET_KEY

ENVIRONMENT = "FEEDSVC_TEST_S3"
REGION = "us-east-1"
_STALL = 60.0
_ANY = "any will do"
_MOTO = """
import os, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
print(server.get_host_and_port()[1], flush=True)
starter = os.getppid()
while os.getppid() == starter:
    time.sleep(1)
"""


def environment() -> Path:
    """Return the interpreter of the object stores' environment; skip where there is none."""
    place = os.environ.get(ENVIRONMENT)
    if not place:
        pytest.skip(f"no object store: {ENVIRONMENT} is not set")  # .ci/run always has one
    return Path(place) / "bin" / "python"


@dataclass
class ObjectStore:
    """A server that speaks S3 on loopback."""

    port: int
    key_id: str
    secret_key: str
    process: subprocess.Popen[str] = field(repr=False)

    def bucket(self) -> str:
        """Make a new bucket; return its name."""
        name = f"tests-{uuid.uuid4().hex[:16]}"
        store = S3Store(
            name,
            endpoint=self.endpoint(),
            region=REGION,
            access_key_id=self.key_id,
            secret_access_key=self.secret_key,
            client_options={"allow_http": True},
        )
        address = obstore.sign(store, "PUT", "/", timedelta(minutes=5))
        request = urllib.request.Request(address, method="PUT")  # noqa: S310 - on loopback
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - on loopback
            return name

    def endpoint(self, port: int | None = None) -> str:
        """Return where it answers, or where ``port`` of a proxy in front of it does."""
        return f"http://127.0.0.1:{port or self.port}"

    def access(self, *, port: int | None = None, timeout: float = 30.0) -> S3Access:
        """Return how it is reached."""
        return S3Access(
            endpoint=self.endpoint(port),
            region=REGION,
            timeout=timeout,
            key_id=self.key_id,
            secret_key=self.secret_key,
        )

    def settings(self, *, port: int | None = None) -> dict[str, str]:
        """Return the variables that make a site use it."""
        return {
            "FEEDSVC_S3__ENDPOINT": self.endpoint(port),
            "FEEDSVC_S3__REGION": REGION,
            "FEEDSVC_S3__KEY_ID": self.key_id,
            "FEEDSVC_S3__SECRET_KEY": self.secret_key,
        }

    def blobs(self, *, prefix: str = "some/where", access: S3Access | None = None) -> S3Blobs:
        """Return a new, empty place for blobs in it."""
        return S3Blobs(Bucket(self.bucket(), prefix, access or self.access()))


@contextmanager
def serving(*command: str, key_id: str, secret_key: str) -> Iterator[ObjectStore]:
    """Run a server that prints its port, and end it."""
    process = subprocess.Popen(
        [str(environment()), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = next((line for line in process.stdout if line.strip().isdigit()), "")
        assert said, f"{command[0]} does not start; make its environment anew"
        yield ObjectStore(int(said), key_id, secret_key, process)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def swift(folder: Path) -> Iterator[ObjectStore]:
    """Run OpenStack Swift with its S3 interface; its data lies in an empty folder."""
    script = str(Path(__file__).with_name("swift_server.py"))
    with serving(script, str(folder), key_id=KEY_ID, secret_key=SECRET_KEY) as server:
        yield server


@contextmanager
def moto() -> Iterator[ObjectStore]:
    """Run moto's stand-in for Amazon S3; all is in memory, and every signature is right."""
    with serving("-c", _MOTO, key_id="test", secret_key=_ANY) as server:
        yield server


# --- what may befall a request ----------------------------------------------------------------


class Fault(Enum):
    """What becomes of a request."""

    BUSY = "answered with 503, and not passed on"
    FORBIDDEN = "answered as to somebody without that right, and not passed on"
    STALLED = "not answered at all, and not passed on"
    REFUSED = "its connection is cut before it is passed on"
    LOST = "passed on, and its connection cut in place of an answer"
    DENIED = "passed on, and answered as if there were no such thing"
    HALVED = "passed on, and its connection cut in the middle of the answer"


@dataclass
class _Rule:
    fault: Fault
    method: str
    path: re.Pattern[str]
    left: int | None


class FaultyProxy:
    """Stands in front of an object store and passes requests on, but for those that are to fail."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.requests: list[tuple[str, str]] = []
        """Method and target of every request, in the order of their arrival."""
        self.drop_headers: set[str] = set()
        """Names, in lower case, of headers that are not passed on."""
        self.outwaited = False
        """Set when whoever asked waited longer for an answer than anybody should."""
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.ending = threading.Event()
        handler = type("_Bound", (_Passing,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def fail(
        self, fault: Fault, *, method: str = "", path: str = "", times: int | None = None
    ) -> None:
        """Let requests fail: of that method, whose target matches, so many times (None: always)."""
        with self._lock:
            self._rules.append(_Rule(fault, method, re.compile(path), times))

    def mend(self) -> None:
        """Let every request succeed again; those that stall are cut."""
        with self._lock:
            self._rules.clear()
            self.ending.set()
            self.ending = threading.Event()

    def close(self) -> None:
        """End."""
        self.mend()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fate(self, method: str, path: str) -> tuple[Fault | None, threading.Event]:
        """Return what is to become of a request, and what ends its waiting."""
        with self._lock:
            self.requests.append((method, path))
            for rule in self._rules:
                if rule.left != 0 and rule.method in {"", method} and rule.path.search(path):
                    rule.left = None if rule.left is None else rule.left - 1
                    return rule.fault, self.ending
        return None, self.ending


class _Passing(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        fault, ending = self.proxy.fate(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if fault is Fault.BUSY:
            self._answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
            return
        if fault is Fault.FORBIDDEN:
            self._answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")
            return
        if fault is Fault.STALLED:
            self.proxy.outwaited |= not ending.wait(_STALL)
        if fault in {Fault.STALLED, Fault.REFUSED}:
            self.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        try:
            # As they are: what is signed includes the name that was asked.
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in self.proxy.drop_headers:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if fault is Fault.DENIED:
            self._answer(404, [], b"<Error><Code>NoSuchUpload</Code></Error>")
            return
        if fault is Fault.LOST:
            self.close_connection = True
            return
        headers = [
            (name, value)
            for name, value in answer.getheaders()
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}
        ]
        length = answer.headers.get("content-length")
        cut = fault is Fault.HALVED
        self._answer(answer.status, headers, data, length=length, cut=cut)

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        length: str | None = None,
        cut: bool = False,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def handle(self) -> None:
        with suppress(OSError):
            super().handle()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def faulty_proxy(target: int) -> Iterator[FaultyProxy]:
    """Run a proxy in front of a port."""
    proxy = FaultyProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
