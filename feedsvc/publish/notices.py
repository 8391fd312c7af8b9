"""What happened, as entries of the feeds about it: changed originals, gone ones, failures. Pure.

A notice's id is made of what it is about and when that began, so that one failure is one entry
however often it is tried again. Nothing in a notice counts tries or says when it was looked last:
the same failure gives the same bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from types import MappingProxyType
from urllib.parse import quote

from feedsvc.model import (
    Article,
    Attempt,
    CaptureState,
    Category,
    Change,
    Difference,
    Mark,
    Notice,
    Original,
    OriginalState,
    Outcome,
    Piece,
    SeedRecord,
    SeedState,
    Site,
    Snapshot,
)
from feedsvc.publish.dates import EMPTY, believed, day
from feedsvc.publish.safe import address, language, plain

NAMESPACE = uuid.UUID("5f0c9a1e-6d0b-5c3f-9a56-2b1f5a3a7c44")
"""Of all ids of notices; never changes."""

_STATES: Mapping[OriginalState, tuple[str, str]] = MappingProxyType(
    {
        OriginalState.GONE: ("Gone", "is gone"),
        OriginalState.REDIRECTED: ("Moved", "leads elsewhere"),
        OriginalState.BLOCKED: ("Blocked", "cannot be reached by us any more"),
        OriginalState.CHANGED: ("Changed", "changed"),
        OriginalState.ALIVE: ("Back", "is there again"),
        OriginalState.UNKNOWN: ("Missing", "was not found"),
    }
)
_SEEDS: Mapping[SeedState, str] = MappingProxyType(
    {
        SeedState.REJECTED: "Seed rejected",
        SeedState.DUPLICATE: "Seed not loaded, its article is there already",
        SeedState.MISSING: "Seed gone from disk",
        SeedState.LOADED: "Seed loaded with warnings",
    }
)
_FAILED = frozenset({Outcome.FAILED, Outcome.REFUSED, Outcome.MISMATCH})
_LEGEND = "Struck out is what was removed, underlined is what was added."


def change_notice(change: Change, article: Article, *, site: Site) -> Notice:
    """Return the notice that an article's original says something else, with what and where."""
    base, difference = site.base_url, change.difference
    link = f"{base}/changes/{quote(change.id)}"
    said = difference.summary
    html = [
        f"<p>The original of {_to_article(article, site)} changed; seen on {day(change.at)}: {said}.</p>",
        *_difference(difference, article.language),
        f'<p><a href="{escape(f"{base}/snapshots/{quote(change.before_id)}/")}">Archived before</a>, '
        f'<a href="{escape(f"{base}/snapshots/{quote(change.after_id)}/")}">archived after</a>, '
        f'<a href="{escape(link)}">the change by itself</a>.{_original(article)}</p>',
    ]
    return Notice(
        id=_id("change", article.id, change.at),
        title=f"Changed: {plain(article.title)}",
        link=link,
        html="\n".join(html),
        summary=f"{said[:1].upper()}{said[1:]}.",
        published=change.at,
        updated=change.at,
        categories=_category("changed", "Changed", "changes", site),
        original=address(article.url),
    )


def original_notice(original: Original, article: Article, *, site: Site) -> Notice:
    """Return the notice that an article's original is gone, moved or blocked."""
    called, happened = _STATES[original.state]
    cause = plain(original.cause)
    moved = address(original.final_url) if original.state is OriginalState.REDIRECTED else None
    said = f"The original {happened}, seen on {day(original.since)}."
    html = [
        f"<p>The original of {_to_article(article, site)} {happened}, seen on {day(original.since)}.</p>"
    ]
    if cause:
        html.append(f"<p>{escape(_sentence(cause), quote=False)}</p>")
    if moved:
        html.append(f'<p>It leads to <a href="{escape(moved)}">{escape(moved)}</a>.</p>')
    html.append(f"<p>What was archived of it stays.{_original(article)}</p>")
    return Notice(
        id=_id(f"original {original.state}", article.id, original.since),
        title=f"{called}: {plain(article.title)}",
        link=_page(article.id, site),
        html="\n".join(html),
        summary=f"{said} {_sentence(cause)}".strip(),
        published=original.since,
        updated=original.since,
        categories=_category(str(original.state), called, "gone", site),
        original=address(article.url),
    )


def capture_notice(state: CaptureState, *, began: datetime, site: Site) -> Notice:
    """Return the notice that an original is not archived, or its last looks found out nothing.

    ``began`` is when the first try of this row failed, see `failing_since`.
    """
    cause = _sentence(plain(state.cause)) or "It is not known why."
    title = plain(state.title)
    link = _page(state.article_id, site)
    url = address(state.url)
    named = f'<a href="{escape(url)}">{escape(url)}</a>' if url else escape(plain(state.url))
    html = (
        f'<p>Since {day(began)} the original of <a href="{escape(link)}">{escape(title)}</a> '
        f"cannot be archived: {named}.</p>\n<p>{escape(cause, quote=False)}</p>\n"
        "<p>It is tried again by itself.</p>"
    )
    return Notice(
        id=_id("capture", state.article_id, began),
        title=f"Not archived: {title}",
        link=link,
        html=html,
        summary=cause,
        published=began,
        updated=began,
        categories=_category("capture", "Captures", "status", site),
        original=url,
    )


def failing_since(attempts: Sequence[Attempt]) -> datetime | None:
    """Return when the first of the failures in a row began that the last attempt belongs to.

    ``attempts`` of one article, the newest first; None if the last one did not fail.
    """
    began: datetime | None = None
    for attempt in attempts:
        if attempt.outcome not in _FAILED:
            break
        began = attempt.started
    return began


def seed_notice(record: SeedRecord, *, site: Site) -> Notice:
    """Return the notice that a seed was not loaded as its author may expect."""
    began = believed(record.since or EMPTY)
    name = plain(record.name)
    place = name if record.line is None else f"{name}, line {record.line}"
    said = [_sentence(plain(one)) for one in (record.reason, record.remedy) if one]
    said += [_sentence(plain(one)) for one in record.warnings]
    html = [f"<p>{escape(place)}</p>"]
    html += [f"<p>{escape(one, quote=False)}</p>" for one in said]
    return Notice(
        id=_id(f"seed {record.state}", record.name, began),
        title=f"{_SEEDS[record.state]}: {name}",
        link=f"{site.base_url}/status",
        html="\n".join(html),
        summary=" ".join([f"{place}.", *said]),
        published=began,
        updated=began,
        categories=_category("seed", "Seeds", "status", site),
    )


def damage_notice(snapshot: Snapshot, article: Article, *, site: Site) -> Notice:
    """Return the notice that a snapshot's bytes are not what they were."""
    began = believed(snapshot.damaged or EMPTY)
    link = f"{site.base_url}/snapshots/{quote(snapshot.id)}/"
    said = "Its bytes, or those it refers to, are not as they were when they were written."
    return Notice(
        id=_id("damage", snapshot.id, began),
        title=f"Damaged snapshot: {plain(article.title)}",
        link=link,
        html=(
            f'<p>The <a href="{escape(link)}">snapshot of {day(snapshot.captured)}</a> of '
            f"{_to_article(article, site)} is damaged, found on {day(began)}.</p>\n"
            f"<p>{said} <code>feedsvc verify</code> names the file, "
            f"<code>{escape(plain(snapshot.key))}</code>.</p>"
        ),
        summary=said,
        published=began,
        updated=began,
        categories=_category("damage", "Damage", "status", site),
        original=address(article.url),
    )


# --- pieces of HTML -------------------------------------------------------------------------


def _difference(difference: Difference, tag: str | None) -> Iterator[str]:
    """Yield a difference as paragraphs that any reader shows, without styles."""
    spoken = language(tag)
    attributes = f' lang="{spoken}" dir="auto"' if spoken else ' dir="auto"'
    if difference.headline:
        before, after = (escape(plain(one), quote=False) for one in difference.headline)
        yield "<p>Headline:</p>"
        yield f"<p{attributes}><del>{before}</del></p>"
        yield f"<p{attributes}><ins>{after}</ins></p>"
    if difference.hunks:
        yield f"<p><em>{_LEGEND}</em></p>"
    for hunk in difference.hunks:
        if hunk.skipped:
            yield _unchanged(hunk.skipped)
        for paragraph in hunk.paragraphs:
            yield f"<p{attributes}>{''.join(map(_piece, paragraph)).strip()}</p>"
    if difference.hunks and difference.skipped:
        yield _unchanged(difference.skipped)
    if difference.unshown:
        yield f"<p><em>{difference.unshown} more words changed than are shown here.</em></p>"


def _unchanged(count: int) -> str:
    return f"<p><em>… {count} unchanged {'paragraph' if count == 1 else 'paragraphs'} …</em></p>"


def _piece(piece: Piece) -> str:
    """Return a piece as HTML; the space after it stands outside, where no line goes through it."""
    if piece.mark is Mark.FOLDED:
        return " … "
    text = escape(piece.text.strip(), quote=False)
    tag = {Mark.REMOVED: "del", Mark.ADDED: "ins"}.get(piece.mark)
    if tag and text:
        text = f"<{tag}>{text}</{tag}>"
    before = " " if piece.text[:1].isspace() else ""
    return f"{before}{text}{' ' if piece.text[-1:].isspace() else ''}"


def _to_article(article: Article, site: Site) -> str:
    href, title = escape(_page(article.id, site)), escape(plain(article.title), quote=False)
    return f'<a href="{href}">{title}</a>'


def _original(article: Article) -> str:
    url = address(article.url)
    return f' The original: <a href="{escape(url)}">{escape(url)}</a>.' if url else ""


def _page(article_id: str, site: Site) -> str:
    return f"{site.base_url}/articles/{quote(article_id)}"


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


def _category(term: str, label: str, page: str, site: Site) -> tuple[Category, ...]:
    return (Category(term=term, label=label, scheme=f"{site.base_url}/{page}"),)


def _id(kind: str, about: str, began: datetime) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{kind}\n{about}\n{believed(began).isoformat()}"))
