"""What test_namespace.py runs inside a network namespace of its own.

There, public-looking and metadata addresses belong to the loopback device, so that a hostile
public server can be met without the Internet.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from fcntl import ioctl

from feedsvc.capture.guard import system_resolver
from feedsvc.capture.http import Fetcher
from feedsvc.errors import CaptureError

PUBLIC = ("93.184.216.34", "2606:4700::1111")
METADATA = "169.254.169.254"
TARGETS = {
    "/to-metadata": f"http://{METADATA}/latest/meta-data/",
    "/to-loopback": "http://127.0.0.1/",
    "/to-loopback-6": "http://[::1]/",
    "/to-mapped": "http://[::ffff:127.0.0.1]/",
    "/to-number": "http://2130706433/",
    "/to-private-name": "http://private.example/",
    "/to-mixed-name": "http://mixed.example/",
    "/to-name": "http://rebound.example/",
    "/to-rebound-name": "http://rebound.example/",
    "/to-file": "file:///etc/passwd",
    "/to-public": f"http://[{PUBLIC[1]}]/fine",
}


_SIOCSIFFLAGS, _SIOCSIFADDR, _UP = 0x8914, 0x8916, 0x1


def set_up() -> None:
    """Give the namespace's loopback device its addresses (netdevice(7); no iproute2 needed)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP))
        for number, address in enumerate((PUBLIC[0], METADATA)):
            alias = f"lo:{number}".encode()
            packed = socket.inet_aton(address)
            ioctl(
                control, _SIOCSIFADDR, struct.pack("16sHH4s16x", alias, socket.AF_INET, 0, packed)
            )
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        packed = socket.inet_pton(socket.AF_INET6, PUBLIC[1])
        index = socket.if_nametoindex("lo")
        ioctl(control, _SIOCSIFADDR, struct.pack("16sIi", packed, 128, index))


class Counter:
    """A server on port 80 of one address that counts connections and redirects."""

    def __init__(self, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.connections = 0
        self._server = socket.create_server((address, 80), family=family)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            self.connections += 1
            target = TARGETS.get(connection.recv(4096).split(b" ")[1].decode())
            head = f"HTTP/1.1 302 Found\r\nLocation: {target}" if target else "HTTP/1.1 200 OK"
            connection.sendall(f"{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            connection.close()


class Resolver:
    """Names under a hostile owner's control; one of them changes its answer."""

    def __init__(self) -> None:
        self._rebound = [METADATA, PUBLIC[0]]

    def __call__(self, host: str, port: int) -> Sequence[str]:
        if host == "private.example":
            return [METADATA]
        if host == "mixed.example":
            return [PUBLIC[0], "127.0.0.1"]
        if host == "rebound.example":
            return [self._rebound.pop()]
        return system_resolver(host, port)


def main() -> None:
    """Follow each redirect by hand; write what came of it as JSON."""
    set_up()
    public = [Counter(address) for address in PUBLIC]
    private = [Counter(address) for address in (METADATA, "127.0.0.1", "::1")]
    fetcher = Fetcher(user_agent="feedsvc-test/1.0", timeout=5.0, resolve=Resolver())
    fetcher.self_test()
    outcomes: dict[str, str] = {}
    for path in TARGETS:
        hop = fetcher.fetch(f"http://{PUBLIC[0]}{path}")
        hop.close()
        try:
            end = fetcher.fetch(hop.header("location") or "")
        except CaptureError as error:
            outcomes[path] = type(error).__name__
        else:
            end.close()
            outcomes[path] = f"{end.status} from {end.ip}"
    reached = [sum(server.connections for server in servers) for servers in (public, private)]
    json.dump({"outcomes": outcomes, "public": reached[0], "private": reached[1]}, sys.stdout)


if __name__ == "__main__":
    main()
