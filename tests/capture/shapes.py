"""Page shapes: the files in `pages/`, filled with an article of ours."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path

from feedsvc.capture.judge import judge
from feedsvc.model import Judgement

PAGES = Path(__file__).parent / "pages"
UTF8 = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Story:
    """An article as the seed gives it."""

    title: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)


def story(name: str) -> Story:
    title, *paragraphs = (PAGES / "articles" / f"{name}.txt").read_text("utf-8").split("\n\n")
    return Story(title.strip(), tuple(paragraph.strip() for paragraph in paragraphs))


def page(name: str, article: Story, **extra: str) -> str:
    """Fill a page shape with an article: its title, single paragraphs, all of them, or as data."""
    paragraphs = [f"<p>{html.escape(text, quote=False)}</p>\n" for text in article.paragraphs]
    parts = {
        "title": html.escape(article.title),
        "all": "".join(paragraphs),
        "upper": "".join(f"<p>{html.escape(text.upper())}</p>" for text in article.paragraphs),
        "entities": "".join(f"<p>{entities(text)}</p>" for text in article.paragraphs),
        "json": json.dumps("".join(paragraphs)),
        "filler": (PAGES / "filler.html").read_text("utf-8"),
        **{str(number): text for number, text in enumerate(paragraphs, 1)},
        **extra,
    }
    shape = (PAGES / name).read_text("utf-8")
    for part, text in parts.items():
        shape = shape.replace("{" + part + "}", text)
    return shape


def entities(text: str) -> str:
    """Write every third character as a reference, and typewriter marks as typographic ones."""
    curly = text.replace('"', "\u201c").replace("'", "\u2019").replace(" - ", "\u2014")
    return "".join(
        f"&#{ord(one)};" if index % 3 == 0 else html.escape(one) for index, one in enumerate(curly)
    )


def verdict_on(
    shape: str,
    article: str = "en",
    *,
    content_type: str = UTF8,
    status: int = 200,
    encoding: str = "utf-8",
    charset: str = "utf-8",
    padding: str = "",
) -> Judgement:
    wanted = story(article)
    body = page(shape, wanted, charset=charset, padding=padding).encode(
        encoding, "xmlcharrefreplace"
    )
    return judge(wanted.title, wanted.text, body, content_type=content_type, status=status)
