"""A document whose references lead into the archive, and in which nothing acts. Pure.

The Content-Security-Policy it is served with is what keeps it harmless. Here it is made to work
under that policy: addresses lead to the archive, and what could only fail there is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from feedsvc.charset import declared_charset, likely_charsets
from feedsvc.references import srcset_candidates
from feedsvc.replay.css import rewritten_css, rewritten_style
from feedsvc.replay.links import Links
from feedsvc.replay.markup import HTML, SPACE, VOID, XML, attributes, escaped, first_attributes

_LONGEST_TAG = 1 << 20
_MAX_NESTED = 3
"""Documents within documents (srcdoc)."""
_REFRESH = re.compile(
    r"\s*+(\d{1,9})[\d.]*+\s*+(?:[;,]\s*+)?(?:url\s*+=\s*+)?[\"']?([^\"']*+)", re.IGNORECASE
)
_IMAGE = re.compile(r"\.(?:svg|png|jpe?g|gif|webp|avif|bmp|ico)(?:[?#]|$)", re.IGNORECASE)
_HINTS = frozenset(
    (
        *("dns-prefetch", "preconnect", "prefetch", "preload", "modulepreload", "prerender"),
        *("manifest", "import", "serviceworker", "expect", "compression-dictionary", "pingback"),
    )
)
_LOADED = frozenset(
    (
        *("stylesheet", "icon", "apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon"),
        *("image_src", "fluid-icon"),
    )
)
_META = frozenset(("content-type", "content-language", "default-style", "x-ua-compatible"))
# SVG elements whose href is loaded rather than clicked.
_DRAWN = frozenset(
    (
        *("image", "use", "feimage", "lineargradient", "radialgradient", "pattern", "filter"),
        *("textpath", "mpath", "tref", "cursor", "marker", "mask", "clippath", "symbol"),
    )
)
_ANIMATIONS = frozenset(("animate", "set", "animatemotion", "animatetransform", "animatecolor"))
_DROPPED_TAGS = frozenset(("script", "base", "bgsound", "portal", "fencedframe", "param"))
# Nothing acts in the archive; what these ask for would fail, or point outside.
_DROPPED = frozenset(
    (
        *("action", "formaction", "ping", "target", "formtarget", "download", "manifest"),
        *(
            "integrity",
            "crossorigin",
            "nonce",
            "referrerpolicy",
            "csp",
            "xml:base",
            "attributionsrc",
        ),
        *("codebase", "classid", "code", "archive", "object", "allow", "sandbox", "srcdoc"),
        *("loading", "fetchpriority", "profile"),
    )
)
# Attributes of SVG that may refer to something with url().
_PAINTED = (
    *("clip-path", "cursor", "fill", "filter", "mask", "stroke"),
    *("marker-start", "marker-mid", "marker-end"),
)
_LAZY = ("data-src", "data-original", "data-lazy-src", "data-lazy")
_LAZY_SETS = ("data-srcset", "data-lazy-srcset")

Rule = Callable[["_Rewriter", str, str], "str | None"]


def rewritten_html(page: bytes, *, content_type: str, links: Links, notice: str = "") -> bytes:
    """Return an HTML page for the archive, in UTF-8; a ``notice`` ends one that was cut off."""
    text = _text(page, content_type)
    if notice:
        # Before a tag, where there is one near, and not within it.
        place = text.rfind("<", max(len(text) - _LONGEST_TAG, 0))
        text = text[:place] if place >= 0 else text
    rewriter = _Rewriter(links, xml="xhtml" in content_type.lower())
    return (rewriter.document(text) + notice).encode("utf-8", "replace")


def rewritten_svg(page: bytes, *, content_type: str, links: Links) -> bytes:
    """Return an SVG document for the archive, in UTF-8 and as well-formed as it was."""
    text = _text(page, content_type).removeprefix("\ufeff").lstrip()
    return _Rewriter(links, xml=True, expand=False).document(text).encode("utf-8", "replace")


def _text(page: bytes, content_type: str) -> str:
    charset = next(likely_charsets(page, declared=declared_charset(content_type)))
    return page.decode(charset, "replace")


class _Rewriter:
    """Rewrites one document; ``expand`` turns XML's empty tags into what HTML needs."""

    def __init__(
        self, links: Links, *, xml: bool = False, expand: bool = True, depth: int = 0
    ) -> None:
        self.links = links
        self._tokens = XML if xml else HTML
        self._xml = xml
        self._expand = xml and expand
        self._depth = depth

    def document(self, text: str) -> str:
        """Return the whole document rewritten."""
        if "<base" in text or "<BASE" in text:
            self._rebase(text)
        out: list[str] = []
        end = 0
        for found in self._tokens.finditer(text):
            before = text[end : found.start()]
            # What begins no tag here must begin none once this token is gone.
            out += (before[:-2], before[-2:].replace("<", "&lt;"), self._token(found))
            end = found.end()
        out.append(text[end:])
        return "".join(out)

    def _rebase(self, text: str) -> None:
        for found in self._tokens.finditer(text):
            if (found["tag"] or "").lower() == "base":
                href = first_attributes(found["attributes"]).get("href")
                if href is not None:
                    self.links.rebase(href)
                    return

    def _token(self, found: re.Match[str]) -> str:
        if tag := found["tag"]:
            # A tag without its > is the end of the document, and no tag.
            slash = ("/" if self._xml else " /") if "/" in found["slash"] else ""
            return self._tag(tag, found["attributes"], slash) if found["close"] else ""
        if end := found["end"]:
            return "" if self._local(end) in _DROPPED_TAGS and not self._xml else f"</{end}>"
        if raw := found["raw"]:
            return self._raw(raw, found["given"], found["content"])
        if found["doctype"]:
            return found[0]
        if self._xml and found["cdata"]:
            return found[0] if not self._expand else _as_text(found[0][9:].removesuffix("]]>"))
        return ""

    def _raw(self, name: str, given: str, content: str) -> str:
        """Return an element whose content is no markup; nothing in it can become a tag."""
        kind = self._local(name)
        if kind == "style":
            css = rewritten_style(content, self.links)
            if self._xml and not self._expand and "<![CDATA[" in content:
                css = _as_text(css)
            return f"<{name}{self._attributes(kind, given)}>{css}</{name}>"
        if kind == "iframe":
            return f"<{name}{self._frame(given)}></{name}>"
        if kind in {"title", "textarea"}:
            return f"<{name}{self._attributes(kind, given)}>{content.replace('<', '&lt;')}</{name}>"
        if kind in {"xmp", "plaintext"}:
            return f"<pre{self._attributes(kind, given)}>{_as_text(content)}</pre>"
        return ""

    def _tag(self, name: str, given: str, slash: str) -> str:
        kind = self._local(name)
        if kind in _DROPPED_TAGS:
            return f"<{name}{slash}>" if self._xml and not self._expand else ""
        if not given:
            return self._written(name, "", slash)
        special = _SPECIAL.get(kind)
        made = special(self, given) if special else self._attributes(kind, given)
        if made is None:
            return "" if not self._xml or kind in VOID else self._written(name, "", slash)
        if made.startswith("<"):
            return made
        return self._written(name, made, slash)

    def _written(self, name: str, attributes: str, slash: str) -> str:
        if slash and self._expand:
            slash = "" if name.lower() in VOID else f"></{name}"
        return f"<{name}{attributes}{slash}>"

    def _local(self, name: str) -> str:
        lowered = name.lower()
        return lowered.rpartition(":")[2] if self._xml else lowered

    def _attributes(self, kind: str, given: str, without: Iterable[str] = ()) -> str:
        """Return the attributes of a tag, each with a space before it."""
        out: list[str] = []
        for name, value, source in attributes(given):
            rule = _RULES.get(name)
            if name in _DROPPED or name[:2] == "on" or name in without:
                continue
            if rule is None:
                out.append(" " + source.lstrip(f"{SPACE}/"))
            elif value is not None and (made := rule(self, kind, value)) is not None:
                out.append(_attribute(name, made))
        return "".join(out)

    # --- attributes ---------------------------------------------------------------------

    def href(self, kind: str, value: str) -> str | None:
        """Rewrite what a click leads to, or what a drawing loads."""
        return self.links.resource(value) if kind in _DRAWN else self.links.link(value)

    def src(self, kind: str, value: str) -> str | None:
        """Rewrite what is loaded."""
        return self.links.frame(value) if kind == "frame" else self.links.resource(value)

    def link(self, kind: str, value: str) -> str | None:
        """Rewrite what is only named."""
        return self.links.link(value)

    def srcset(self, kind: str, value: str) -> str | None:
        """Rewrite the candidates of an image, descriptors kept (HTML §4.8.4.2)."""
        made = (
            (self.links.resource(reference), descriptors)
            for reference, descriptors in srcset_candidates(value)
        )
        # A comma at an end of an address would part it from what follows.
        return ", ".join(
            f"{address.replace(',', '%2C')}{descriptors}"
            for address, descriptors in made
            if address
        )

    def style(self, kind: str, value: str) -> str | None:
        """Rewrite declarations."""
        return rewritten_css(value, self.links)

    # --- elements -----------------------------------------------------------------------

    def linked(self, given: str) -> str | None:
        """Keep a <link> that is loaded or clicked; what only hastens loading is left out."""
        found = first_attributes(given)
        rel = found.get("rel", "").lower().split()
        without: tuple[str, ...] = ("href", "rel")
        # Two ways in which scripts apply a stylesheet late; here no script will.
        late = "preload" in rel and found.get("as", "").lower() == "style" and "onload" in found
        if "stylesheet" in rel and "media" in found.get("onload", ""):
            without = (*without, "media")
        if late:
            rel = ["stylesheet"]
        elif _HINTS & set(rel):
            return None
        href = found.get("href", "")
        target = self.links.resource(href) if _LOADED & set(rel) else self.links.link(href)
        if target is None:
            return None
        made = _attribute("rel", " ".join(rel)) if rel else ""
        return made + _attribute("href", target) + self._attributes("link", given, without)

    def meta(self, given: str) -> str | None:
        """Keep what describes a page, rewrite a refresh, drop policies and cookies."""
        found = first_attributes(given)
        kind = found.get("http-equiv", "").strip().lower()
        if kind == "refresh":
            target = _REFRESH.match(found.get("content", ""))
            address = self.links.link(target[2].strip()) if target else None
            if target is None or address is None:
                return None
            return ' http-equiv="refresh"' + _attribute("content", f"{target[1]}; url={address}")
        if (kind and kind not in _META) or found.get("name", "").strip().lower() == "referrer":
            return None
        return self._attributes("meta", given)

    def img(self, given: str) -> str | None:
        """Show at once what a script would have shown later."""
        made = self._attributes("img", given)
        if "data-" not in given.lower():
            return made
        found = first_attributes(given)
        lazy = next((found[name] for name in _LAZY if found.get(name)), "")
        lazy_set = next((found[name] for name in _LAZY_SETS if found.get(name)), "")
        present = found.get("src", "").strip().lower()
        if not (lazy or lazy_set) or (present and not present.startswith(("data:", "about:"))):
            return made
        made = self._attributes("img", given, ("src", "srcset") if lazy_set else ("src",))
        if lazy and (address := self.links.resource(lazy)):
            made += _attribute("src", address)
        return made + (_attribute("srcset", self.srcset("img", lazy_set) or "") if lazy_set else "")

    def source(self, given: str) -> str | None:
        """The same for the images of a <picture>."""
        found = first_attributes(given)
        made = self._attributes("source", given)
        lazy = next((found[name] for name in _LAZY_SETS if found.get(name)), "")
        if not lazy or found.get("srcset"):
            return made
        return made + _attribute("srcset", self.srcset("source", lazy) or "")

    def _frame(self, given: str) -> str:
        found = first_attributes(given)
        if "srcdoc" in found and self._depth < _MAX_NESTED:
            links = self.links.within()
            inner = _Rewriter(links, depth=self._depth + 1).document(found["srcdoc"])
            return self._attributes("iframe", given, ("src",)) + _attribute("srcdoc", inner)
        address = self.links.frame(found.get("src", "")) if "srcdoc" not in found else None
        made = self._attributes("iframe", given, ("src",))
        return made + (_attribute("src", address) if address else "")

    def iframe(self, given: str) -> str | None:
        """Show a framed document from the archive, or the one that stands in the attribute."""
        return self._frame(given)

    def object(self, given: str) -> str | None:
        """Show an image as one; of anything else what its author put there in its stead."""
        found = first_attributes(given)
        image = self._image(found, found.get("data", ""))
        kept = self._attributes("object", given, ("data", "type", "usemap"))
        return f"<img{image}><object hidden>" if image else kept

    def embed(self, given: str) -> str | None:
        """Show an image as one, and nothing else."""
        found = first_attributes(given)
        image = self._image(found, found.get("src", ""))
        return f"<img{image}>" if image else None

    def _image(self, found: dict[str, str], reference: str) -> str:
        kind = found.get("type", "").lower()
        if not (kind.startswith("image/") or (not kind and _IMAGE.search(reference))):
            return ""
        if (address := self.links.resource(reference)) is None:
            return ""
        kept = ("alt", "class", "height", "id", "width")
        return _attribute("src", address) + "".join(
            _attribute(name, found[name]) for name in kept if name in found
        )

    def animation(self, given: str) -> str | None:
        """Keep what moves a drawing, but not its addresses."""
        target = first_attributes(given).get("attributename", "").lower()
        return "" if target.endswith("href") else self._attributes("animate", given)


Element = Callable[[_Rewriter, str], "str | None"]
_SPECIAL: Mapping[str, Element] = {
    "embed": _Rewriter.embed,
    "iframe": _Rewriter.iframe,
    "img": _Rewriter.img,
    "link": _Rewriter.linked,
    "meta": _Rewriter.meta,
    "object": _Rewriter.object,
    "source": _Rewriter.source,
} | dict.fromkeys(_ANIMATIONS, _Rewriter.animation)
_RULES: Mapping[str, Rule] = {
    "background": _Rewriter.src,
    "cite": _Rewriter.link,
    "data": _Rewriter.src,
    "dynsrc": _Rewriter.src,
    "href": _Rewriter.href,
    "imagesrcset": _Rewriter.srcset,
    "longdesc": _Rewriter.link,
    "lowsrc": _Rewriter.src,
    "poster": _Rewriter.src,
    "src": _Rewriter.src,
    "srcset": _Rewriter.srcset,
    "style": _Rewriter.style,
    "xlink:href": _Rewriter.href,
} | dict.fromkeys(_PAINTED, _Rewriter.style)


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escaped(value)}"'


def _as_text(content: str) -> str:
    return content.replace("&", "&amp;").replace("<", "&lt;")
