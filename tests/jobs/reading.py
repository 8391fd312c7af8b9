"""Reading what is published as a feed reader does, from the files."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
TOMB = "{http://purl.org/atompub/tombstones/1.0}"


def document(site: Path, name: str) -> etree._Element:
    """Return the root of an Atom document: `sport`, `sport/0001`."""
    return etree.fromstring((site / "feeds" / f"{name}.atom").read_bytes())


def ids(site: Path, name: str) -> list[str]:
    """Return the ids of a document's entries without their scheme."""
    found = document(site, name).findall(f"{ATOM}entry/{ATOM}id")
    return [(one.text or "").removeprefix("urn:uuid:") for one in found]


def feed_id(site: Path, name: str) -> str:
    """Return the id of the feed a document belongs to, which is the same in all formats."""
    found = str(document(site, name).findtext(f"{ATOM}id"))
    said = json.loads((site / "feeds" / f"{name}.json").read_bytes())["_feedsvc"]["id"]
    assert said == found
    return found


def link(site: Path, name: str, rel: str) -> str | None:
    """Return which document another one links to, by its name."""
    for one in document(site, name).findall(f"{ATOM}link"):
        if one.get("rel") == rel:
            path = urlsplit(str(one.get("href"))).path
            return path.removeprefix("/feeds/").removesuffix(".atom")
    return None


def tombstones(site: Path, name: str) -> list[str]:
    """Return the ids of entries that a document says were taken back."""
    found = document(site, name).findall(f"{TOMB}deleted-entry")
    return [str(one.get("ref")).removeprefix("urn:uuid:") for one in found]


def walk(site: Path, slug: str) -> list[str]:
    """Return the documents of a feed from its head back to the oldest page."""
    names = [slug]
    while (older := link(site, names[-1], "prev-archive")) is not None:
        assert older not in names
        names.append(older)
    return names


def json_ids(site: Path, name: str) -> list[str]:
    """Return the ids of a document's items in JSON Feed."""
    items = json.loads((site / "feeds" / f"{name}.json").read_bytes())["items"]
    return [str(one["id"]).removeprefix("urn:uuid:") for one in items]


def published(site: Path, pattern: str = "*") -> set[str]:
    """Return the names of the files in the folder of feeds."""
    folder = site / "feeds"
    return {one.relative_to(folder).as_posix() for one in folder.rglob(pattern) if one.is_file()}
