"""Pictures inside an article's text: from its own snapshot, or as a link; never from elsewhere."""

from __future__ import annotations

import html
import re

from markupsafe import Markup

from feedsvc.jobs.contents import look_in
from feedsvc.model import Article, Snapshot
from feedsvc.replay.content import Contents, Found
from feedsvc.replay.links import PAGE
from feedsvc.runtime import Runtime
from feedsvc.web.addresses import archived

MOST = 20
"""Pictures of one article that are looked for in its snapshot."""

# What the sanitiser writes: lower case, every value in quotation marks.
_TAG = re.compile(r'<(?P<name>/?a|img)(?P<attributes>(?:\s[a-z-]+="[^"]*")*)\s*/?>')
_ATTRIBUTE = re.compile(r'\s([a-z-]+)="([^"]*)"')


class Pictures:
    """Makes of a stored body what a page shows."""

    def __init__(self, runtime: Runtime, contents: Contents, *, prefix: str) -> None:
        self._runtime = runtime
        self._contents = contents
        self._prefix = prefix

    def shown(self, article: Article, snapshot: Snapshot | None) -> Markup:
        """Return an article's body with its pictures as they can be shown."""
        body = article.html
        if "<img" in body:
            body = self._replaced(body, snapshot)
        # The stored body went through the sanitiser when it was loaded; nothing else may do this.
        return Markup(body)  # noqa: S704 - cleaned when it was loaded

    def _replaced(self, body: str, snapshot: Snapshot | None) -> str:
        linked = False
        left = MOST

        def element(match: re.Match[str]) -> str:
            nonlocal linked, left
            if match["name"] != "img":
                linked = match["name"] == "a"
                return match[0]
            left -= 1
            given = dict(_ATTRIBUTE.findall(match["attributes"]))
            url = html.unescape(given.get("src", ""))
            local = self._captured(snapshot, url) if snapshot and left >= 0 else None
            return _shown(given, local) if local else _told(given, linked=linked)

        return _TAG.sub(element, body)

    def _captured(self, snapshot: Snapshot, url: str) -> str | None:
        found = look_in(self._runtime, self._contents, snapshot, url, follow=True)
        if not isinstance(found, Found) or not found.media_type.lower().startswith("image/"):
            return None
        return archived(self._prefix, snapshot.id, PAGE, url)


def _shown(given: dict[str, str], local: str) -> str:
    sizes = "".join(
        f' {name}="{given[name]}"'
        for name in ("width", "height")
        if given.get(name, "").isascii() and given.get(name, "").isdigit()
    )
    return f'<img src="{html.escape(local)}" alt="{given.get("alt", "")}"{sizes} loading="lazy">'


def _told(given: dict[str, str], *, linked: bool) -> str:
    """Return a link to a picture that was not captured; inside a link, its words alone."""
    words = f"Picture: {given['alt']}" if given.get("alt") else "Picture"
    if linked or not given.get("src"):
        return words
    return (
        f'<a class="picture" href="{given["src"]}" rel="noopener noreferrer nofollow">{words}</a>'
    )
