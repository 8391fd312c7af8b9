"""What had to be done to an article before a feed could hold it, told to a person."""

from __future__ import annotations

from feedsvc.model import Article, Entry
from feedsvc.publish.dates import is_plausible
from feedsvc.publish.safe import TITLE_LIMIT, address, language, plain
from feedsvc.text import nfc


def mending(article: Article, entry: Entry, *, text: str, whole: bool) -> str | None:
    """Return one sentence on what was done to an article to make its entry, None if nothing was.

    ``text`` is what was made of its HTML; ``whole`` is False if that is too long for any feed.
    The same for every feed and every format.
    """
    done = [*_of_lines(article), *_of_the_rest(article)]
    if text != article.html and text != article.html.replace("\r\n", "\n").replace("\r", "\n"):
        done.append("unreadable characters of the text replaced")
    if not whole:
        done.append(f"text of {len(article.html):,} characters published as summary and link")
    if not done:
        return None
    return f"entry {entry.id} ({entry.title!r}) mended: {'; '.join(done)}"


def _of_lines(article: Article) -> list[str]:
    done: list[str] = []
    if not plain(article.title):
        done.append("title missing, another found")
    for name, text in (
        ("title", article.title),
        ("author", article.author),
        ("agency", article.agency),
        ("photo credit", article.credit),
    ):
        if text and (what := _line(text)):
            done.append(f"{name} {what}")
    # A long summary is cut as a matter of course; that is no repair.
    if article.summary and _line(article.summary) == "cleaned":
        done.append("summary cleaned")
    return done


def _line(text: str) -> str | None:
    """Return what a line of text suffered."""
    made = plain(text)
    if made == text:
        return None
    folded = " ".join(nfc(text[: 20 * TITLE_LIMIT]).split())
    if len(folded) > TITLE_LIMIT:
        return f"cut to {TITLE_LIMIT} characters"
    return None if made == folded else "cleaned"


def _of_the_rest(article: Article) -> list[str]:
    done: list[str] = []
    for name, when in (("date", article.published), ("date of change", article.updated)):
        if not is_plausible(when):
            done.append(f"{name} {when.date().isoformat()} not believed")
    if article.url and address(article.url) is None:
        done.append("original address left out, which is none of the web")
    if article.image and address(article.image) is None:
        done.append("picture left out, whose address is none of the web")
    if article.language and language(article.language) is None:
        done.append(f"language {plain(article.language, limit=20)!r} left out, which is unknown")
    return done
