"""In which characters was this page or stylesheet written? What servers, documents and bytes say."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

# WHATWG Encoding §4.2: what authors write, and what it means. Only names that Python calls
# otherwise, or not at all, have to stand here.
_LABELS = {
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "ks_c_5601-1987": "cp949",
    "latin1": "cp1252",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "tis-620": "cp874",
    "unicode": "utf-16-le",
    "us-ascii": "cp1252",
    "utf-16": "utf-16-le",
    "windows-31j": "cp932",
    "windows-949": "cp949",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
}
# A page may name any codec Python has, and some of those unpack, escape or recurse.
# fmt: off
_ALLOWED = frozenset({
    "utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp",
    "cp949", "koi8-r", "koi8-u", "cp866", "cp874", "mac-roman", "mac-cyrillic", "iso8859-2",
    "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-10",
    "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "cp1250", "cp1251", "cp1252", "cp1253",
    "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
})
# fmt: on
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})["']""")
_DECLARED = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_AT_CHARSET = re.compile(rb'@charset "([\w.:-]{1,40})";')
# HTML §13.2.3.2 looks at 1024 bytes; real pages bury the declaration under inline scripts.
_PRESCAN = 8192
# What a page without a (true) declaration is most often written in.
_GUESSES = (
    "cp1252",
    "cp1251",
    "gb18030",
    "cp932",
    "cp949",
    "big5hkscs",
    "cp1250",
    "koi8-r",
    "euc_jp",
)


def codec(label: str) -> str | None:
    """Return Python's name for a charset label as the web uses it, None if there is none."""
    wanted = label.strip("\"' \t").lower()
    try:
        name = codecs.lookup(_LABELS.get(wanted, wanted)).name
    except (LookupError, ValueError):
        return None
    return name if name in _ALLOWED else None


def declared_charset(content_type: str) -> str | None:
    """Return the charset parameter of a Content-Type, None if there is none."""
    found = _DECLARED.search(content_type)
    return found[1] if found else None


def stylesheet_text(css: bytes, *, declared: str | None) -> str:
    """Return a stylesheet's characters (CSS Syntax §3.2): BOM, the server's word, @charset, UTF-8."""
    if css.startswith((b"\xff\xfe", b"\xfe\xff")):
        return css.decode("utf-16", "replace")
    own = _AT_CHARSET.match(css)
    names = (codec(declared or ""), codec(own[1].decode("ascii")) if own else None)
    charset = next((name for name in names if name), "utf-8")
    # @charset "utf-16" was read as ASCII, so it is not true.
    charset = "utf-8" if charset.startswith("utf-16") and own else charset
    return css.decode("utf-8-sig" if charset == "utf-8" else charset, "replace")


def likely_charsets(page: bytes, *, declared: str | None) -> Iterator[str]:
    """Yield codecs a page may be written in, the likeliest first, each once; never none.

    Bytes that are valid UTF-8 are UTF-8 whatever anybody declares: other encodings make such
    bytes only by accident. Otherwise HTML §13.2.3 rules: byte order mark, the server's word,
    the page's own, and last the usual legacy encodings.
    """
    seen: set[str] = set()
    for name in _candidates(page, declared):
        if name is not None and name not in seen:
            seen.add(name)
            yield name


def _candidates(page: bytes, declared: str | None) -> Iterator[str | None]:
    for mark, name in _BOMS:
        if page.startswith(mark):
            yield name
    if is_utf8(page) and b"\0" not in page[:_PRESCAN]:
        yield "utf-8"
    if declared:
        yield codec(declared)
    for pattern in (_XML, _META):
        if found := pattern.search(page, 0, _PRESCAN):
            label = codec(found[1].decode("ascii", "replace"))
            # A declaration that could be read as ASCII is not UTF-16 (HTML §13.2.3.3).
            yield "utf-8" if label in {"utf-16-le", "utf-16-be"} else label
    yield "utf-8"
    yield from _GUESSES


def is_utf8(page: bytes) -> bool:
    """Tell whether bytes are UTF-8; a character cut in two by the end of a capped page is forgiven."""
    try:
        page.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.end == len(page)
    return True
