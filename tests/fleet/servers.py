"""A PostgreSQL of a test's own, which it may stop, restart and cut off."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg

_PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql*/bin")
_USER = "feedsvc"
_PATIENCE = 60.0


def postgresql_programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, of the newest release; None if there is none."""
    found = [place for pattern in _PLACES for place in Path("/").glob(pattern)]
    if config := shutil.which("pg_config"):
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        found.append(Path(asked.stdout.strip()))
    return max((one for one in found if (one / "initdb").is_file()), key=str, default=None)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Postgresql:
    """A server with its data in one folder, on one port as long as it lives.

    PostgreSQL refuses to run as root, so that root runs it as somebody without rights.
    """

    def __init__(self, programs: Path, folder: Path, *, port: int | None = None) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._account = _powerless() if os.geteuid() == 0 else None
        self.port = port or free_port()
        folder.mkdir(parents=True)
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
            _let_through(folder)
        # Its data lives as long as the test: what a restart needs is in the kernel's hands.
        self._run("initdb", "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{folder}'\nmax_connections = 200\nfsync = off\n"
            )

    def address(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Return a database's address, as `database.url` wants it; ``port`` of a proxy in front."""
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{port or self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect; every statement on its own."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=_USER, dbname=database, autocommit=True
        )

    def create(self, database: str) -> str:
        """Make an empty database and return its address."""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.address(database)

    def start(self) -> None:
        """Return once it answers."""
        self._run("pg_ctl", "-s", "-w", "-l", str(self._data / "log"), "start")

    def stop(self, *, mode: str = "immediate") -> None:
        """Stop it; `immediate` is what a crash does, `fast` what an administrator does."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-s", "-w", "-m", mode, "stop")

    def restart(self, *, mode: str = "immediate") -> None:
        """Stop and start it again."""
        self.stop(mode=mode)
        self.start()

    def cpu(self) -> float:
        """Return the CPU seconds of the server: of all its processes, those that ended included."""
        pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        seconds = _ticks(pid, 11, 15)
        for child in children:
            with suppress(OSError):
                seconds += _ticks(int(child), 11, 13)
        return seconds / os.sysconf("SC_CLK_TCK")

    def _run(self, program: str, *arguments: str) -> None:
        account = self._account
        subprocess.run(
            [str(self._programs / program), "-D", str(self._data), *arguments],
            cwd="/",
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=True,
        )


def _powerless() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL needs an account that is not root's: postgres or nobody")


def _let_through(folder: Path) -> None:
    """Let others enter the folders above, which pytest makes its own."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.owner() == pwd.getpwuid(os.geteuid()).pw_name:
            parent.chmod(mode | 0o011)


def _ticks(pid: int, first: int, last: int) -> float:
    """Return the sum of some fields of proc_pid_stat(5), counted after the program's name."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return float(sum(map(int, fields[first:last])))
