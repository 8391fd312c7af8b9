"""What an archived response may call itself when it is sent again. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from feedsvc.charset import codec, declared_charset


class Handling(Enum):
    """What has to be done with a body before a browser gets it."""

    HTML = "html"
    SVG = "svg"
    CSS = "css"
    AS_IS = "as it is"
    """Sent as it is: an image, a font, a sound, plain text."""
    DOWNLOAD = "download"
    """Nothing a browser shows safely; to be saved as a file."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How a response is sent."""

    media_type: str
    """Without parameters."""
    handling: Handling
    charset: str | None = None
    """As it was declared, where the body is sent as it was captured."""

    @property
    def raw(self) -> str:
        """The Content-Type of the body as it was captured."""
        return f"{self.media_type}; charset={self.charset}" if self.charset else self.media_type

    @property
    def is_document(self) -> bool:
        """True for what a person can look at in a frame."""
        return self.handling in {Handling.HTML, Handling.SVG} or (
            self.handling is Handling.AS_IS
            and self.media_type.partition("/")[0] in {"image", "text", "audio", "video"}
        )

    @property
    def crosses_origins(self) -> bool:
        """True for what a document of no origin, as archived ones are, loads with CORS only."""
        return (
            self.media_type.partition("/")[0] in {"font", "image"} or self.handling is Handling.CSS
        )


_HTML = frozenset(("text/html", "application/xhtml+xml"))
_IMAGES = frozenset(
    f"image/{name}"
    for name in (
        *("apng", "avif", "bmp", "gif", "jpeg", "jxl", "png", "webp"),
        *("vnd.microsoft.icon", "x-icon", "heic", "heif", "tiff"),
    )
)
_RENAMED = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-ms-bmp": "image/bmp",
    "image/ico": "image/x-icon",
    "image/svg": "image/svg+xml",
    "font/x-woff": "font/woff",
    "application/font-woff": "font/woff",
    "application/x-font-woff": "font/woff",
    "application/font-woff2": "font/woff2",
    "application/x-font-ttf": "font/ttf",
    "application/x-font-truetype": "font/ttf",
    "application/x-font-opentype": "font/otf",
    "application/vnd.ms-fontobject": "font/collection",
}
_MEDIA = re.compile(r"(?:font|audio|video)/[a-z0-9][a-z0-9.+-]{0,60}")
# Scripts, data and the like: to be read by a person, run by nothing (nosniff sees to that).
_READ = re.compile(
    r"text/(?!html|css|xsl)[a-z0-9][a-z0-9.+-]{0,60}"
    r"|application/(?:(?:x-)?(?:java|ecma)script|json|xml|[a-z0-9.-]{1,60}\+(?:json|xml))"
)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
)
_TAGGED = re.compile(
    rb"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype html|html|head|body|title)\b",
    re.IGNORECASE | re.DOTALL,
)


def sent_as(content_type: str, start: bytes = b"") -> Sent:
    """Return how a response of that Content-Type is sent; without one, as its first bytes tell."""
    kind = content_type.partition(";")[0].partition(",")[0].strip().lower()
    kind = _RENAMED.get(kind, kind) or _sniffed(start)
    label = declared_charset(content_type)
    charset = label if label and codec(label) else None
    if kind in _HTML:
        return Sent("text/html", Handling.HTML, charset)
    if kind == "image/svg+xml":
        return Sent(kind, Handling.SVG, charset)
    if kind == "text/css":
        return Sent(kind, Handling.CSS, charset)
    if kind in _IMAGES or _MEDIA.fullmatch(kind):
        return Sent(kind, Handling.AS_IS)
    if _READ.fullmatch(kind):
        return Sent("text/plain", Handling.AS_IS, charset)
    return Sent("application/octet-stream", Handling.DOWNLOAD)


def _sniffed(start: bytes) -> str:
    """Tell a type from the first bytes, empty for none: only of what came without one."""
    if _TAGGED.match(start):
        return "text/html"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), "")
