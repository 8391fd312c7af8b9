"""Markdown → HTML by cmark-gfm: the one place that touches its bindings."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

# cmark-gfm keeps the characters its extensions react to in static tables while it parses, and
# its bindings let go of the interpreter lock meanwhile.
_LOCK = threading.Lock()

_CHECKBOX = re.compile(r'<input type="checkbox" (checked="" )?disabled="" />')
_FOOTNOTE = re.compile(
    r'<sup class="footnote-ref"><a href="#[^"]*"[^>]*>([^<]*)</a></sup>'
    r'|\s*<a href="#[^"]*" class="footnote-backref"[^>]*>[^<]*(?:<sup[^>]*>[^<]*</sup>)?[^<]*</a>'
)


def to_html(source: str) -> str:
    """Return the HTML of Markdown (CommonMark, GFM tables, task lists, footnotes), not yet safe.

    Soft line breaks are spaces. Raw HTML passes through.
    """
    # Every extension looks at every line, so only those with something to find are attached.
    names = [name for name, marks in _EXTENSIONS if any(mark in source for mark in marks)]
    notes = "[^" in source
    html = _engine()(source, names, footnotes=notes)
    if "tasklist" in names:
        html = _CHECKBOX.sub(lambda box: "☑" if box[1] else "☐", html)
    # The links between a note and its place need ids, which cleaning takes away.
    return _FOOTNOTE.sub(_plain_note, html) if notes else html


_EXTENSIONS = (
    ("table", ("|",)),
    ("strikethrough", ("~",)),
    ("autolink", ("://", "www.", "@")),
    ("tasklist", ("[ ]", "[x]", "[X]")),
)


def _plain_note(match: re.Match[str]) -> str:
    return f"<sup>[{match[1]}]</sup>" if match[1] is not None else ""


@cache
def _engine() -> Callable[..., str]:
    """Return a renderer that gives back what cmark allocates.

    The renderers of cmarkgfm keep each document's tree and HTML for ever (20 kB per article).
    """
    from cmarkgfm import _cmark, cmark

    lib, ffi = _cmark.lib, _cmark.ffi
    free_node, free = _deallocators(_cmark.__file__)
    options = lib.CMARK_OPT_UNSAFE | lib.CMARK_OPT_NOBREAKS
    cmark.core_extensions_ensure_registered()

    def render(source: str, extensions: list[str], *, footnotes: bool) -> str:
        chosen = options | (lib.CMARK_OPT_FOOTNOTES if footnotes else 0)
        encoded = source.encode("utf-8")
        with _LOCK:
            parser = lib.cmark_parser_new(chosen)
            try:
                for name in extensions:
                    cmark.parser_attach_syntax_extension(parser, cmark.find_syntax_extension(name))
                lib.cmark_parser_feed(parser, encoded, len(encoded))
                root = lib.cmark_parser_finish(parser)
                attached = lib.cmark_parser_get_syntax_extensions(parser)
                raw = lib.cmark_render_html(root, chosen, attached)
            finally:
                lib.cmark_parser_free(parser)
        try:
            html: bytes = ffi.string(raw)
        finally:
            free_node(int(ffi.cast("uintptr_t", root)))
            free(int(ffi.cast("uintptr_t", raw)))
        return html.decode("utf-8")

    return render


def _deallocators(library: str) -> tuple[Callable[[int], Any], Callable[[int], Any]]:
    """Return cmark_node_free and free, which the bindings leave out."""
    free_node = ctypes.CDLL(library).cmark_node_free
    free = ctypes.CDLL(None).free
    for function in (free_node, free):
        function.argtypes = [ctypes.c_void_p]
        function.restype = None
    return free_node, free
