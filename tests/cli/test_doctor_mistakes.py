"""Laws of the doctor: each of the likeliest mistakes, made for real, is found and has its remedy."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedsvc.cli.finding import Finding
from feedsvc.cli.mistakes import backups, file_system, mounts, parse_mountinfo
from tests.powerless import run_powerless

Command = Callable[..., Any]
Doctor = Callable[[], dict[str, tuple[str, str, str]]]

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    monkeypatch.setenv("FEEDSVC_WEB__PORT", str(port))
    return port


@pytest.fixture
def doctor(command: Command, site: Path, free_port: int) -> Doctor:
    """Ask the doctor; return finding, detail and remedy of each check."""

    def ask() -> dict[str, tuple[str, str, str]]:
        answer = command("doctor", "--root", site, "--json")
        checks = answer.json["checks"]
        assert answer.code == (4 if any(one["finding"] == "problem" for one in checks) else 0)
        return {one["name"]: (one["finding"], one["detail"], one["remedy"]) for one in checks}

    return ask


def configure(site: Path, text: str) -> None:
    (site / "config" / "feedsvc.toml").write_text(text)


def test_a_new_site_has_none_of_them(doctor: Doctor) -> None:
    found = doctor()
    assert {name: one for name, one in found.items() if one[0] == "problem"} == {}
    for name in ("owner", "file system", "port", "address", "robots", "database", "seeds"):
        assert found[name][0] == "ok", found[name]


def test_a_port_that_another_program_has(doctor: Doctor, free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        finding, _, remedy = doctor()["port"]
    assert finding == "problem"
    assert "web.port" in remedy


def test_a_misspelt_setting(doctor: Doctor, site: Path) -> None:
    configure(site, "[web]\nprot = 80\n")
    finding, detail, _ = doctor()["config"]
    assert finding == "problem"
    assert detail == "config/feedsvc.toml:2: unknown key web.prot; did you mean web.port?"


def test_a_folder_of_seeds_that_is_not_there(doctor: Doctor, site: Path) -> None:
    shutil.rmtree(site / "seeds")
    finding, _, remedy = doctor()["seeds"]
    assert finding == "warning"
    assert "correct seeds.paths" in remedy


def test_a_public_site_whose_feeds_name_this_machine(doctor: Doctor, site: Path) -> None:
    for wrong in ('host = "0.0.0.0"', 'trusted_proxies = ["127.0.0.1"]'):
        configure(site, f"[web]\n{wrong}\n")
        finding, detail, remedy = doctor()["address"]
        assert finding == "warning"
        assert "links in feeds lead nowhere" in detail
        assert "site.base_url" in remedy
        configure(site, f'[site]\nbase_url = "https://feeds.example.org"\n[web]\n{wrong}\n')
        assert doctor()["address"][0] == "ok"


def test_a_clock_that_went_back(command: Command, doctor: Doctor, site: Path) -> None:
    assert command("ingest", "--root", site).code == 0
    later = datetime.now(UTC).timestamp() + 86400
    os.utime(site / "data" / "feedsvc.db", (later, later))
    finding, detail, _ = doctor()["clock"]
    assert finding == "warning"
    assert "before the database was last written" in detail


def test_a_disk_with_less_than_is_to_stay_free(doctor: Doctor, site: Path) -> None:
    configure(site, '[archive]\nmin_free = "9000000 GiB"\n')
    finding, _, remedy = doctor()["disk"]
    assert finding == "problem"
    assert "captures have stopped" in remedy


def test_the_database_of_another_program(doctor: Doctor, site: Path) -> None:
    (site / "data" / "feedsvc.db").unlink()
    with sqlite3.connect(site / "data" / "feedsvc.db") as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    finding, detail, _ = doctor()["database"]
    assert finding == "problem"
    assert "give feedsvc one of its own" in detail


def test_a_browser_that_is_asked_for_and_absent(doctor: Doctor, site: Path) -> None:
    configure(site, '[archive]\nbrowser = "always"\nbrowser_path = "/nowhere/chromium"\n')
    finding, _, remedy = doctor()["browser"]
    assert finding == "problem"
    assert 'archive.browser = "never"' in remedy


def test_robots_that_are_ignored(doctor: Doctor, site: Path) -> None:
    configure(site, '[archive]\nrobots = "ignore"\n')
    finding, _, remedy = doctor()["robots"]
    assert finding == "warning"
    assert '"respect"' in remedy


@pytest.fixture
def closed(command: Command, site: Path) -> Iterator[Path]:
    """A database that this user may not write."""
    assert command("ingest", "--root", site).code == 0
    file = site / "data" / "feedsvc.db"
    file.chmod(0o444)
    yield file
    file.chmod(0o644)


def test_files_that_another_user_left(site: Path, closed: Path, free_port: int) -> None:
    words = ("-m", "feedsvc", "--root", str(site), "doctor")
    done = run_powerless(*words)
    assert done.returncode == 4
    assert f"{closed} belongs to" in done.stdout
    assert "chown -R" in done.stdout


def test_nothing_was_ever_backed_up() -> None:
    assert backups(None, snapshots=0, now=NOW).finding is Finding.OK
    never = backups(None, snapshots=1, now=NOW)
    assert (never.finding, never.detail) == (Finding.WARNING, "never made")
    old = backups(NOW - timedelta(days=31), snapshots=1, now=NOW)
    assert (old.finding, old.detail) == (Finding.WARNING, "the last one is 31 days old")
    assert backups(NOW - timedelta(days=29), snapshots=1, now=NOW).finding is Finding.OK


def test_a_backup_that_was_made_is_seen(
    command: Command, doctor: Doctor, site: Path, tmp_path: Path
) -> None:
    assert command("ingest", "--root", site).code == 0
    with sqlite3.connect(site / "data" / "feedsvc.db") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        columns = [
            (row[1], row[2], row[3]) for row in database.execute("PRAGMA table_info(snapshots)")
        ]
        values = {
            name: "1970-01-01 00:00:00.000000" if "DATE" in kind.upper() else 0
            for name, kind, needed in columns
            if needed
        }
        database.execute(
            f"INSERT INTO snapshots ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608 - columns of the test itself
            tuple(values.values()),
        )
    database.close()
    assert doctor()["backup"][:2] == ("warning", "never made")
    command("backup", tmp_path / "all.tar", "--without-snapshots", "--root", site)
    assert doctor()["backup"][0] == "ok"


MOUNTINFO = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
40 22 0:35 / /srv rw shared:2 - nfs4 server:/srv rw
41 40 8:1 / /srv/my\\040disk rw shared:3 - xfs /dev/sda1 rw
42 22 0:36 / /over rw shared:4 - ext4 /dev/sdb1 rw
43 42 0:37 / /over rw shared:5 - cifs //server/share rw
nonsense
"""


@pytest.mark.parametrize(
    ("folder", "finding"),
    [
        ("/", Finding.OK),
        ("/srv/site/data", Finding.PROBLEM),
        ("/srv/my disk/data", Finding.OK),
        ("/srvother/data", Finding.OK),
        ("/over/data", Finding.PROBLEM),
    ],
)
def test_a_database_on_a_network_file_system(folder: str, finding: Finding) -> None:
    check = file_system(Path(folder), parse_mountinfo(MOUNTINFO), look=lambda path: path)
    assert check.finding is finding
    assert ("PostgreSQL" in check.remedy) is (finding is Finding.PROBLEM)


def test_this_machine_tells_what_is_mounted(tmp_path: Path) -> None:
    assert ("/", next(kind for place, kind in mounts() if place == "/")) in mounts()
    assert file_system(tmp_path / "not" / "yet", mounts()).finding is Finding.OK
