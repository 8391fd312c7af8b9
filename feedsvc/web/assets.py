"""The few files every page needs, from the package: style, icons, robots.txt."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from feedsvc.web.answers import answer

_FOLDER = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"
_A_DAY = "public, max-age=86400"
# Crawlers may read everything, but need not pull the archive through the wire.
_ROBOTS = b"User-agent: *\nDisallow: /snapshots/*.warc.gz$\nDisallow: /metrics\nAllow: /\n"


class Assets:
    """Endpoints for the package's own files, read once."""

    def __init__(self) -> None:
        self._style = (_FOLDER / "style.css").read_bytes()
        self._script = (_FOLDER / "site.js").read_bytes()
        self._svg = (_FOLDER / "favicon.svg").read_bytes()
        self._ico = (_FOLDER / "favicon.ico").read_bytes()
        self.style_path = f"/static/style-{sha256(self._style).hexdigest()[:16]}.css"
        """Changes with the content, so that it can be kept for ever."""
        self.script_path = f"/static/site-{sha256(self._script).hexdigest()[:16]}.js"
        """As `style_path`."""

    def style(self, request: Request) -> Response:
        """Answer with the style sheet."""
        return answer(request, self._style, media_type="text/css", cache=_FOR_EVER)

    def script(self, request: Request) -> Response:
        """Answer with the script of our pages."""
        return answer(request, self._script, media_type="text/javascript", cache=_FOR_EVER)

    def svg(self, request: Request) -> Response:
        """Answer with the icon as SVG."""
        return answer(request, self._svg, media_type="image/svg+xml", cache=_A_DAY)

    def ico(self, request: Request) -> Response:
        """Answer with the icon for those who ask for /favicon.ico."""
        return answer(request, self._ico, media_type="image/x-icon", cache=_A_DAY)

    def robots(self, request: Request) -> Response:
        """Answer with robots.txt (RFC 9309)."""
        return answer(request, _ROBOTS, media_type="text/plain", cache=_A_DAY)
