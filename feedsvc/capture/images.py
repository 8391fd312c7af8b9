"""What a file that claims to be a picture is: its type and size, from its own first bytes. Pure.

A header may say anything; what a browser makes of an `<img>` is decided by the bytes. Only types
that are pixels and nothing else are known here: a drawing in SVG can hold scripts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

HEAD = 256 << 10
"""Bytes of a file that are looked at: a JPEG tells its size behind its colour profiles."""
_MAX_SEGMENTS = 500
_MAX_BOXES = 200
_MAX_DEPTH = 4
# Frames of JPEG that begin with width and height: all but DHT, JPG and DAC (ITU-T T.81 B.1.1.3).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_AVIF = frozenset((b"avif", b"avis"))

Size = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its bytes tell."""

    media_type: str
    width: int | None = None
    """Pixels; None if the bytes at hand do not tell."""
    height: int | None = None


def picture(head: bytes) -> Picture | None:
    """Return what a file is, from its first bytes; None if it is none of the known pictures."""
    for matches, media_type, measure in _KNOWN:
        if matches(head):
            try:
                size = measure(head)
            except (struct.error, IndexError):
                size = None
            width, height = size or (None, None)
            return Picture(media_type, width, height)
    return None


def _png(head: bytes) -> Size:
    """Read IHDR, which stands first (PNG §11.2.1)."""
    width, height = struct.unpack_from(">II", head, 16)
    return (width, height) if head[12:16] == b"IHDR" else None


def _gif(head: bytes) -> Size:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _jpeg(head: bytes) -> Size:
    """Walk from marker to marker up to the frame header."""
    place = 2
    for _ in range(_MAX_SEGMENTS):
        while head[place] == 0xFF and head[place + 1] == 0xFF:
            place += 1  # markers may be padded
        if head[place] != 0xFF:
            return None
        marker = head[place + 1]
        if marker in _ALONE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", head, place + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, place + 5)
            return width, height
        place += 2 + length
    return None


def _webp(head: bytes) -> Size:
    """Read the first chunk: lossy, lossless or extended (RFC 9649 §2.5 to 2.7)."""
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return (width & 0x3FFF, height & 0x3FFF) if head[23:26] == b"\x9d\x01\x2a" else None
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        _ = head[29]
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    return None


def _avif(head: bytes) -> Size:
    """Return the largest size among the image's properties: meta/iprp/ipco/ispe (HEIF §6.5.3)."""
    sizes: list[tuple[int, int]] = []
    _find_sizes(head, 0, len(head), sizes, depth=0)
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _find_sizes(
    head: bytes, place: int, end: int, sizes: list[tuple[int, int]], *, depth: int
) -> None:
    for _ in range(_MAX_BOXES):
        if place + 8 > end:
            return
        (length,) = struct.unpack_from(">I", head, place)
        kind, inside = head[place + 4 : place + 8], place + 8
        if kind == b"ispe" and inside + 12 <= end:
            width, height = struct.unpack_from(">II", head, inside + 4)
            sizes.append((width, height))
        elif kind in {b"meta", b"iprp", b"ipco"} and depth < _MAX_DEPTH:
            inside += 4 if kind == b"meta" else 0
            _find_sizes(head, inside, min(place + length, end), sizes, depth=depth + 1)
        if length < 8:
            return
        place += length


_KNOWN: tuple[tuple[Callable[[bytes], bool], str, Callable[[bytes], Size]], ...] = (
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), "image/png", _png),
    (lambda head: head.startswith(b"\xff\xd8\xff"), "image/jpeg", _jpeg),
    (lambda head: head.startswith((b"GIF87a", b"GIF89a")), "image/gif", _gif),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", "image/webp", _webp),
    (lambda head: head[4:8] == b"ftyp" and head[8:12] in _AVIF, "image/avif", _avif),
)
TYPES = frozenset(media_type for _, media_type, _ in _KNOWN)
"""Types a picture of an article may have."""
