"""Files that stand beside the feeds: their stylesheet, and what they say in words of our own."""

from __future__ import annotations

from functools import cache
from importlib import resources

from feedsvc.publish.channels import ABOUT, STYLE


@cache
def assets() -> dict[str, bytes]:
    """Return the files to be written under `feeds/` once: name → bytes."""
    folder = resources.files("feedsvc.publish")
    return {name: folder.joinpath(name).read_bytes() for name in (STYLE, ABOUT)}
