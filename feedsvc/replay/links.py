"""References of one archived document, turned into addresses inside the archive. Pure."""

from __future__ import annotations

import re

from feedsvc.references import resolve
from feedsvc.urls import without_dots

PAGE = "mp_"
"""What a person looks at, and everything it loads."""
FRAME = "if_"
"""A document inside another archived one."""
RAW = "id_"
"""The bytes as they were captured."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_EDGES = "".join(map(chr, range(33)))
_INNER = re.compile(r"[\t\r\n]")
_HARMLESS = frozenset({"mailto", "tel"})
_LONGEST_FRAGMENT = 1000
_FRAGMENT = re.compile(r"[^\w!$&'()*+,;=:@/?%.~-]")


class Links:
    """Where the references of a document lead inside one snapshot."""

    def __init__(self, *, root: str, base: str, charset: str = "utf-8") -> None:
        """``root`` is the snapshot's own address, `/snapshots/<id>`; ``base`` the document's URL."""
        self.base = base
        self._root = root
        self._charset = charset
        self._known: dict[tuple[str, str], str | None] = {}

    def within(self) -> Links:
        """Return the links of a document that stands inside this one and has no address."""
        return Links(root=self._root, base=self.base, charset=self._charset)

    def rebase(self, reference: str) -> None:
        """Make references relative to what <base href> names."""
        self.base = resolve(reference, base=self.base, charset=self._charset) or self.base

    def resource(self, reference: str, *, modifier: str = PAGE) -> str | None:
        """Return where to load from: the archive or the document itself; None for nowhere."""
        if _scheme(reference) == "data":
            return reference
        return self._archived(reference, modifier)

    def frame(self, reference: str) -> str | None:
        """Return what a frame shows; None for nothing."""
        return self._archived(reference, FRAME)

    def link(self, reference: str) -> str | None:
        """Return where a click leads; None for nowhere."""
        if _scheme(reference) in _HARMLESS:
            return reference
        return self._archived(reference, PAGE)

    def _archived(self, reference: str, modifier: str) -> str | None:
        key = (reference, modifier)
        if key not in self._known:
            self._known[key] = self._made(reference, modifier)
        return self._known[key]

    def _made(self, reference: str, modifier: str) -> str | None:
        bare, mark, fragment = reference.strip(_EDGES).partition("#")
        fragment = mark + _FRAGMENT.sub("", fragment[:_LONGEST_FRAGMENT]) if mark else ""
        if not bare:
            return fragment or None
        url = resolve(bare, base=self.base, charset=self._charset)
        return None if url is None else f"{self._root}/{modifier}/{without_dots(url)}{fragment}"


def _scheme(reference: str) -> str:
    found = _SCHEME.match(_INNER.sub("", reference[:40].strip(_EDGES)))
    return found[1].lower() if found else ""
