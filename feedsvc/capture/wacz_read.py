"""The WARC files inside a WACZ that somebody else made, each copied out with limits.

Names inside are only names: nothing is ever written under them.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO

MAX_RATIO = 200
FREE = 64 << 20
MAX_PACKAGE = 64 << 20
MAX_ENTRIES = 1_000_000
_STEP = 1 << 18
_WARC = re.compile(r"archive/[^/]+\.warc(?:\.gz)?", re.IGNORECASE)
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
)

Tell = Callable[[str], None]


def warc_files(file: IO[bytes], *, room: int, tell: Tell) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and bytes of every WARC file in a WACZ, as temporary files to be closed.

    ``room`` is how many bytes may be copied out in all; ``tell`` takes what is wrong, in words.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (*_UNREADABLE, OSError) as error:
        tell(f"not a ZIP file that can be read: {error}")
        return
    with archive:
        hashes = _hashes(archive, tell)
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            tell(f"it has more than {MAX_ENTRIES} entries")
            return
        for entry in entries:
            if _leads_outside(entry.filename):
                tell(f"{entry.filename[:200]!r}: the name leads outside, the entry is not read")
            elif _WARC.fullmatch(entry.filename):
                if entry.file_size > room:
                    tell(
                        f"{entry.filename}: {entry.file_size} bytes are more than there is room for"
                    )
                    continue
                copy = _copied(archive, entry, hashes.get(entry.filename), tell)
                room -= copy.seek(0, 2)
                yield entry.filename, copy


def _leads_outside(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or ":" in name[:2]


def _hashes(archive: zipfile.ZipFile, tell: Tell) -> dict[str, str]:
    """Return what the package says of its files."""
    try:
        entry = archive.getinfo("datapackage.json")
        if entry.file_size > MAX_PACKAGE:
            raise ValueError(f"it is larger than {MAX_PACKAGE >> 20} MiB")
        with archive.open(entry) as file:
            package = json.loads(file.read(MAX_PACKAGE))
        return {one["path"]: one["hash"] for one in package["resources"]}
    except KeyError:
        tell("datapackage.json is missing or incomplete")
    except (*_UNREADABLE, TypeError, AttributeError, OSError, RecursionError) as error:
        tell(f"datapackage.json cannot be read: {error}")
    return {}


def _copied(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, given: str | None, tell: Tell
) -> IO[bytes]:
    """Copy an entry out as far as it can be read."""
    copy: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    sha256, size = hashlib.sha256(), 0
    try:
        with archive.open(entry) as source:
            while chunk := source.read(_STEP):
                size += len(chunk)
                if size > FREE and size > MAX_RATIO * max(entry.compress_size, 1):
                    tell(f"{entry.filename}: it unpacks to more than {MAX_RATIO} times its size")
                    break
                sha256.update(chunk)
                copy.write(chunk)
    except (*_UNREADABLE, OSError) as error:
        tell(f"{entry.filename}: damaged after {size} bytes: {error}")
    else:
        if given is not None and given != f"sha256:{sha256.hexdigest()}" and "sha256" in given:
            tell(f"{entry.filename}: its SHA-256 is not the one that datapackage.json names")
    copy.seek(0)
    return copy
