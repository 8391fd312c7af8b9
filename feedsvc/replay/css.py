"""Stylesheets whose references lead into the archive. Pure, and linear in the input.

What is not recognised stays as it is and is stopped by the Content-Security-Policy it is served
with: a mistake here costs an image, and lets nothing out.
"""

from __future__ import annotations

import re

from feedsvc.replay.links import Links

_STRING = r""""(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?"""
_URL = rf"url\([\t\n\f\r ]*+(?:{_STRING}|(?:[^\\)\"'\t\n\f\r ]|\\[0-9A-Fa-f]{{1,6}}[\t\n\f\r ]?|\\.)*+)[\t\n\f\r ]*+\)?"
_MARKS = re.compile(r"url\(|@import|image-set\(", re.IGNORECASE)
_PLACES = re.compile(
    r"/\*.*?(?:\*/|\Z)"
    r"|@namespace\b[^;{}]*+"
    rf"|@import[\t\n\f\r ]*+(?P<imported>{_STRING})"
    rf"|(?P<url>{_URL})"
    rf"|(?P<set>image-set\((?:{_STRING}|{_URL}|\([^()]*+\)|[^()\"'])*+\)?)"
    rf"|{_STRING}",
    re.IGNORECASE | re.DOTALL,
)
_IN_SET = re.compile(
    rf"(?P<url>{_URL})|type\({_STRING}\)|(?P<string>{_STRING})", re.IGNORECASE | re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{1,6})[\t\n\f\r ]?|\r?\n|(.))", re.DOTALL)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_MARKUP = re.compile(r"<!--|-->|<!\[CDATA\[|\]\]>")


def rewritten_css(css: str, links: Links) -> str:
    """Return a stylesheet, or the value of a style attribute, with its references rewritten."""
    if not _MARKS.search(css):
        return css
    return _PLACES.sub(lambda found: _replaced(found, links), css)


def rewritten_style(css: str, links: Links) -> str:
    """Return the content of a <style> element, which can end it nowhere and begin no other tag."""
    return _TAG.sub(r"\\3c ", rewritten_css(_MARKUP.sub(" ", css), links))


def _replaced(found: re.Match[str], links: Links) -> str:
    if found["url"]:
        return _url(found["url"], links)
    if found["imported"]:
        return f"@import {_quoted(_unquoted(found['imported']), links)}"
    if found["set"]:
        return _IN_SET.sub(lambda one: _in_set(one, links), found["set"])
    return found[0]


def _in_set(found: re.Match[str], links: Links) -> str:
    if found["url"]:
        return _url(found["url"], links)
    return _quoted(_unquoted(found["string"]), links) if found["string"] else found[0]


def _url(token: str, links: Links) -> str:
    written = token[4:].removesuffix(")").strip("\t\n\f\r ")
    if written[:5].lower() in {"data:", '"data', "'data"} or written[:1] == "#":
        return token
    return f"url({_quoted(_unquoted(written), links)})"


def _quoted(reference: str, links: Links) -> str:
    address = links.resource(reference) if reference else ""
    if address is None:
        address = "about:invalid"
    return '"' + address.replace("\\", "\\5c ").replace('"', "%22").replace("\n", "") + '"'


def _unquoted(written: str) -> str:
    if written[:1] in {'"', "'"}:
        written = written[1:-1] if written[-1:] == written[0] and len(written) > 1 else written[1:]
    return _ESCAPE.sub(_unescaped, written) if "\\" in written else written


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        code = int(found[1], 16)
        return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    return found[2] or ""
