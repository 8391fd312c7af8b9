"""The text of an article as it is compared: called by the child process `extract_worker` only.

trafilatura finds the article. Two captures of one page differ in what stands around it, and each
difference may move the border that trafilatura draws. So what is known to be no article by its
markup is taken away first, corrections are put where trafilatura keeps them, and the page's whole
visible text goes along: whatever stands there was not removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from feedsvc.capture.furniture import is_note

MAX_TEXT = 2_000_000
"""Letters of a text that are returned."""
MAX_LINE = 500
_BODY = 0.3
"""Share of a page's text from which an element is not taken away, whatever it is called."""
_SMALL = 60
"""Letters from which a span is more than a counter."""

_LINK = 200
"""Letters up to which a link is the name of another page."""
_LINKS = 5
"""Links from which on they are a menu."""

_UNSEEN = frozenset({
    "head", "script", "style", "template", "noscript", "iframe", "object", "svg", "math", "canvas",
    "select", "textarea", "datalist", "dialog",
})  # fmt: skip
_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "hi", "i", "ins", "kbd", "label", "mark", "nobr", "q", "ref", "ruby", "s", "samp",
    "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
"""HTML's, and `hi` and `ref` of trafilatura's tree."""
_GONE = ("nav", "form", "button", "figcaption", "menu", "input")
_MAIN = frozenset({"article", "main", "body", "html", "h1"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BREAK = re.compile(r"[^a-z0-9]+")
_FURNITURE = re.compile(
    r"-(?:"
    r"ads?|advert\w*|adslot|adbox|sponsor\w*|promo\w*|taboola|outbrain|dianomi|mgid|affiliate"
    r"|related\w*|recirc\w*|recommend\w*|trending|popular|most-(?:read|viewed|popular|shared|commented)|mostread|mostpopular"
    r"|read-(?:more|next|also|on)|readmore|also-read|see-also|more-(?:stories|news|from|on|articles|links)|up-next|next-(?:article|post|story)|teasers?"
    r"|newsletter\w*|subscri\w+|sign-?up|paywall|membership|donat\w+|cookies?|consent|gdpr|onetrust|cmp"
    r"|shar(?:e|es|ing|ebar)|social\w*|follow(?:-us)?|comments?(?:-\w+)?|discussion|disqus|reactions?|likes?"
    r"|reading-time|readtime|read-time|time-to-read|views?|view-count\w*|views-count\w*|pageviews?|counters?|hits|stats"
    r"|bylines?|authors?|author-\w+|by-author|datelines?|timestamps?|published(?:-\w+)?|pubdate|pub-date|post-date|post-meta|entry-meta|article-meta|meta|metadata|last-updated|date-?time|datum|fecha"
    r"|breadcrumbs?|tags?|tag-list|topics|keywords|credits?|copyright|captions?|photo-credit"
    r"|poll|survey|quiz|weather|ticker|stocks?|market-data|toolbar|tools|banner|popup|modal|overlay|toast|widget-area|sidebar|breaking-news|player|gallery-nav|pagination|pager|skip-link|sr-only|visually-hidden|screen-reader-text"
    r")(?=-)"
)
_NOTE = re.compile(
    r"-(?:corrections?|clarifications?|errat(?:um|a)|editors?-notes?|amend\w*|retraction)(?=-)"
)
_SITE = re.compile(r"\s[-\u2013\u2014|\u00b7\u2022\u00bb:]\s|\s?[|\u00b7\u00bb]\s?")
_COUNT = re.compile(r"^\(\d+\)\s*")


def main_text(tree: Any, *, find: Callable[[Any], Any]) -> dict[str, Any]:
    """Return `title`, `paragraphs` and `visible` of a page, strings and a list of them.

    ``tree`` is the page, None if there is none in it, and is taken apart; ``find`` returns the
    tree of the article in it, None if it finds none.
    """
    if tree is None:
        return {"title": "", "paragraphs": [], "visible": ""}
    visible = "\n".join(_lines(tree))[:MAX_TEXT]
    title = headline(tree)
    notes = _without_furniture(tree)
    article = find(tree)
    paragraphs = [] if article is None else list(_within(_lines(article)))
    known = set(paragraphs)
    paragraphs += [note for note in notes if note not in known] if paragraphs else []
    return {"title": title, "paragraphs": paragraphs, "visible": visible}


def headline(tree: Any) -> str:
    """Return what the article is called: its own heading, else what the page says of itself."""
    called = _called(tree)
    ones = [
        (text, one) for one in tree.iter("h1") if (text := _flat(one)) and len(text) <= MAX_LINE
    ]
    if len(ones) > 1:
        inside = [
            (text, one)
            for text, one in ones
            if any(above.tag in {"article", "main"} for above in one.iterancestors())
        ]
        ones = inside or ones
    if ones:
        return max(ones, key=lambda one: _shared(one[0], called))[0]
    parts = [part.strip() for part in _SITE.split(called)]
    return max(parts, key=len) if parts else called


def _called(tree: Any) -> str:
    for meta in tree.iter("meta"):
        if meta.get("property") == "og:title" and (content := (meta.get("content") or "").strip()):
            return str(content)[:MAX_LINE]
    for title in tree.iter("title"):
        return _COUNT.sub("", _flat(title))[:MAX_LINE]
    return ""


def _shared(text: str, called: str) -> int:
    words = set(called.casefold().split())
    return sum(len(word) for word in text.casefold().split() if word in words)


def _flat(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


# --- what is known to be no article ---------------------------------------------------------


def _without_furniture(tree: Any) -> list[str]:
    """Take away what its markup says is no text of the article; return the corrections in there.

    A correction in a footer or an aside, which trafilatura drops, is part of what readers read.
    """
    weights = _weights(tree)
    total = max(weights.get(tree, 0), 1)
    notes: list[str] = []
    for element in list(tree.iter()):
        if not isinstance(element.tag, str) or element.tag in _MAIN or element.getparent() is None:
            continue
        if weights.get(element, 0) > _BODY * total:
            continue
        name = _name(element)
        if _NOTE.search(name) or (element.tag in {"aside", "footer"} and _in_article(element)):
            notes.extend(_notes(element, whole=_NOTE.search(name) is not None))
        if _is_furniture(element, name, weights.get(element, 0)) or _is_link(element, weights):
            element.drop_tree()
    return list(dict.fromkeys(notes))


def _weights(tree: Any) -> dict[Any, int]:
    """Return how many letters of text each element holds."""
    weights: dict[Any, int] = {}
    for element in reversed(list(tree.iter())):
        own = len((element.text or "").strip()) if isinstance(element.tag, str) else 0
        weights[element] = weights.get(element, 0) + own
        parent = element.getparent()
        if parent is not None:
            tail = len((element.tail or "").strip())
            hidden = not isinstance(element.tag, str) or element.tag in _UNSEEN
            weights[parent] = weights.get(parent, 0) + tail + (0 if hidden else weights[element])
    return weights


def _name(element: Any) -> str:
    """Return an element's classes and id as `-words-joined-by-hyphens-`."""
    given = " ".join(
        element.get(one) or "" for one in ("class", "id", "itemprop", "data-component", "role")
    )
    return f"-{_BREAK.sub('-', _CAMEL.sub('-', given[:500]).lower()).strip('-')}-"


def _is_furniture(element: Any, name: str, weight: int) -> bool:
    if element.tag in _GONE:
        return True
    if _NOTE.search(name) or not _FURNITURE.search(name):
        return False
    # <span class="author"> in a sentence is a part of it.
    return element.tag not in _INLINE or (weight <= _SMALL and not _in_sentence(element))


def _is_link(element: Any, weights: dict[Any, int]) -> bool:
    """Tell whether a paragraph is links and nothing else, as to other articles between the text's."""
    if element.tag != "p" or not weights.get(element, 0):
        return False
    links = list(element.iter("a"))
    alone = sum(weights.get(link, 0) for link in links) >= weights[element]
    return alone and (weights[element] <= _LINK or len(links) > _LINKS)


def _is_hidden(element: Any) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


def _in_sentence(element: Any) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag in {"p", "li", "td", "blockquote", *_INLINE}


def _in_article(element: Any) -> bool:
    return any(above.tag in {"article", "main"} for above in element.iterancestors())


def _notes(element: Any, *, whole: bool) -> Iterator[str]:
    for line in _lines(element):
        if whole or is_note(line):
            yield line


# --- lines ----------------------------------------------------------------------------------


def _lines(element: Any) -> Iterator[str]:
    """Yield the text of a tree, HTML's or trafilatura's, a line for each block and line break."""
    for line in "".join(_pieces(element)).split("\n"):
        if text := " ".join(line.split()):
            yield text


def _pieces(element: Any) -> Iterator[str]:
    """Yield text and the breaks between blocks, without recursion: pages nest deep."""
    todo: list[Any] = [element]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
            continue
        if isinstance(one.tag, str) and one.tag not in _UNSEEN and not _is_hidden(one):
            edge = "" if one.tag in _INLINE else " " if one.tag in {"td", "th", "cell"} else "\n"
            yield edge
            yield (one.text or "").replace("\n", " ")
            todo.append(edge)
            for child in reversed(one):
                if child.tail:
                    todo.append(child.tail.replace("\n", " "))
                todo.append(child)


def _within(lines: Iterator[str]) -> Iterator[str]:
    left = MAX_TEXT
    for line in lines:
        yield line[:left]
        left -= len(line)
        if left <= 0:
            return
