"""Checks of `feedsvc doctor` for what is set up wrong most often, though every value is allowed."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from feedsvc.cli.finding import Check, Finding

if TYPE_CHECKING:
    from feedsvc.settings import Settings

_OLD = timedelta(days=30)
_NETWORKS = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "afpfs",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "davfs",
        "webdav",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.ceph",
    ]
)
"""File systems that live on another machine: SQLite's locks and shared memory do not hold there."""
_MOUNT = re.compile(r".* on (/.*?)(?: type)? \(?([\w.]+)")


def address(settings: Settings) -> Check:
    """Is the site's address one that its readers can reach?"""
    host = urlsplit(settings.site.base_url).hostname or ""
    shown = f"readers reach it at {settings.site.base_url}"
    is_public = not _is_local(settings.web.host) or bool(settings.web.trusted_proxies)
    if is_public and _is_local(host):
        why = "a proxy is trusted" if settings.web.trusted_proxies else "others can reach it"
        return Check(
            "address",
            Finding.WARNING,
            f"site.base_url is {settings.site.base_url}, yet {why}: links in feeds lead nowhere",
            'set site.base_url to the public address, such as "https://feeds.example.org"',
        )
    return Check("address", Finding.OK, shown)


def _is_local(host: str) -> bool:
    """Tell whether a host is this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback


def robots(settings: Settings) -> Check:
    """Are the wishes of other people's servers kept?"""
    if settings.archive.robots == "ignore":
        return Check(
            "robots",
            Finding.WARNING,
            "archive.robots is ignore: captures go where sites ask robots not to go",
            'set archive.robots = "respect", unless the sites are yours or agreed to it',
        )
    return Check("robots", Finding.OK, "robots.txt is kept to")


def ownership(settings: Settings, *, user: int) -> Iterator[Check]:
    """Can this user write what is there already, and will the site's own user be able to?"""
    foreign: dict[int, Path] = {}
    for path in _written(settings):
        try:
            owner = path.stat().st_uid
        except OSError:
            continue
        if not os.access(path, os.W_OK):
            yield Check(
                "owner",
                Finding.PROBLEM,
                f"{path} belongs to {_name(owner)} and {_name(user)} may not write it",
                f"run feedsvc as {_name(owner)}, or give the site to {_name(user)}: "
                f"chown -R {_name(user)} {settings.root}",
            )
            return
        if owner != user:
            foreign.setdefault(owner, path)
    for owner, path in foreign.items():
        yield Check(
            "owner",
            Finding.WARNING,
            f"{path} belongs to {_name(owner)}, this is {_name(user)}: what is written now "
            f"may be closed to {_name(owner)}",
            f"run commands as {_name(owner)}, for example with sudo -u {_name(owner)}",
        )
        return
    yield Check("owner", Finding.OK, f"all is {_name(user)}'s")


def _written(settings: Settings) -> Iterator[Path]:
    """Yield what feedsvc writes to, where it is there."""
    root = settings.root
    state = root / "data"
    yield state
    yield from sorted(state.glob("*.db")) + sorted(state.glob("*.db-*"))
    yield from sorted(state.glob("*.lock"))
    if "://" not in settings.archive.store:
        yield root / settings.archive.store
    if "://" not in settings.feeds.dir:
        feeds = root / settings.feeds.dir
        yield from (feeds, *sorted(feeds.glob("all.*")))


def _name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def file_system(
    folder: Path, mounted: Iterable[tuple[str, str]], *, look: Callable[[Path], Path] = Path.resolve
) -> Check:
    """Is SQLite's file on a disk of this machine? ``mounted`` are places and their kinds."""
    place = look(folder)
    holding = [(point, kind) for point, kind in mounted if place.is_relative_to(point)]
    # The last of those mounted on one place covers the others.
    point, kind = max(reversed(holding), key=lambda one: len(one[0]), default=("/", ""))
    if kind in _NETWORKS:
        return Check(
            "file system",
            Finding.PROBLEM,
            f"{folder} is on {point}, a network file system ({kind}): SQLite's locks do not hold there",
            "keep database.url on a disk of this machine, or use PostgreSQL; "
            "archive.store and feeds.dir may stay there",
        )
    return Check("file system", Finding.OK, kind or "local")


def mounts() -> list[tuple[str, str]]:
    """Return what is mounted where: place and kind of file system, in the order of mounting."""
    try:
        return parse_mountinfo(
            Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        )
    except OSError:
        done = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=False)
        return [(one[1], one[2]) for one in map(_MOUNT.match, done.stdout.splitlines()) if one]


def parse_mountinfo(text: str) -> list[tuple[str, str]]:
    """Return place and kind of every mount of Linux's /proc/self/mountinfo (proc(5))."""
    found = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        if dash and len(fields := before.split(" ")) > 4:
            place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
            found.append((place, after.partition(" ")[0]))
    return found


def backups(last: datetime | None, *, snapshots: int, now: datetime) -> Check:
    """Is there a backup, and is it young enough?"""
    remedy = "`feedsvc backup FILE`, onto another disk, and let a timer do it every week"
    if not snapshots:
        return Check("backup", Finding.OK, "there is no snapshot yet that could be lost")
    if last is None:
        return Check("backup", Finding.WARNING, "never made", remedy)
    days = (now - last).days
    if now - last > _OLD:
        return Check("backup", Finding.WARNING, f"the last one is {days} days old", remedy)
    return Check("backup", Finding.OK, f"made on {last:%Y-%m-%d}")
