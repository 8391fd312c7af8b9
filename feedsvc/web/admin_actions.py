"""What can be done by the web: each action from what was filled in to the work itself."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feedsvc import jobs
from feedsvc.errors import NotFound, SeedRejected
from feedsvc.jobs.sort import find_article
from feedsvc.jobs.upload import keep_upload, load_upload
from feedsvc.model import Addition, Article, Attempt, Outcome, Progress, SeedState, Taken
from feedsvc.runtime import Runtime
from feedsvc.urls import InvalidURL, absolute
from feedsvc.web.admin_bodies import Fields
from feedsvc.web.admin_guard import Refused
from feedsvc.web.tasks import Done, Work, stoppable

MOST_URLS = 100
MOST_TOPICS = 20
LONGEST_TOPIC = 60
_SHOWN = 50
_LONGEST = 2000
_PAGE = re.compile(r"https?://[^/]+(?:/[^?#]*)?/articles/([0-9a-f-]{36})(?:[/.?#].*)?")
_WRONG = {Outcome.FAILED, Outcome.REFUSED, Outcome.MISMATCH}
_USUAL = {Outcome.VERIFIED, Outcome.UNCHANGED, Outcome.ALIVE}


@dataclass(frozen=True, slots=True)
class Order:
    """An action that may begin."""

    title: str
    work: Work
    key: object
    """Two orders of one kind with the same key are one."""
    subject: str = ""
    """The article's id, for the audit log."""
    details: Mapping[str, Any] = field(default_factory=dict)
    audited: bool = True
    """False: the job writes the audit log itself."""


class Unconfirmed(Exception):
    """Something that cannot be taken back is to be said twice."""

    def __init__(self, article: Article, reason: str, *, snapshots: int, revisions: int) -> None:
        super().__init__(article.id)
        self.article = article
        self.reason = reason
        self.snapshots = snapshots
        self.revisions = revisions


def add(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Archive pages and publish them as articles."""
    urls = list(dict.fromkeys("\n".join(fields.words("url") + fields.words("urls")).split()))
    if not urls:
        raise _wrong("Which page?", "Give the address of a page.")
    if len(urls) > MOST_URLS:
        raise _wrong("Too many pages", f"At most {MOST_URLS} addresses at a time.")
    for url in urls:
        try:
            absolute(url)
        except InvalidURL as error:
            raise _wrong("This is not the address of a page", f"{_cut(url)}: {error}.") from error

    def work(tell: Progress, stop: threading.Event) -> Done:
        report = jobs.add_urls(runtime, urls, progress=tell, stop=stop)
        _publish(runtime, tell, stop)
        lines = [_added(one) for one in report.additions]
        links = [
            (one.title or one.url, f"/articles/{one.article_id}")
            for one in report.additions
            if one.article_id and one.outcome is not Taken.FAILED
        ]
        return Done(tuple(lines), tuple(links), fine=not report.partial)

    title = f"Add {_cut(urls[0])}" if len(urls) == 1 else f"Add {len(urls)} pages"
    return Order(title, work, tuple(urls), details={"urls": urls})


def _added(one: Addition) -> str:
    if one.outcome is Taken.FAILED:
        return f"Not added: {one.url}: {one.cause}"
    if one.outcome is Taken.DUPLICATE:
        return f"Here already: {one.cause}"
    if one.verdict is None:
        return f"Added: {one.title} ({one.seed}); its snapshot is still to be made: {one.cause}"
    return f"Added and archived: {one.title} ({one.seed})"


def upload(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Take a seed in, as a file in the first folder of seeds."""
    file = fields.file
    if file is None or not (file.name or file.data):
        raise _wrong("Which file?", "Choose a file; by the API, its name goes into ?name=.")
    try:
        seed = keep_upload(runtime, file.name, file.data)
    except SeedRejected as error:
        place = "" if error.line is None else f"line {error.line}: "
        detail = f"{_cut(file.name)}: {place}{error.reason}. {error.remedy}."
        raise Refused(422, "This is not a seed", detail) from error

    def work(tell: Progress, stop: threading.Event) -> Done:
        record = load_upload(runtime, seed, progress=stoppable(tell, stop))
        _publish(runtime, tell, stop)
        if record is None or record.state is not SeedState.LOADED:
            why = "it is not there any more" if record is None else f"{record.reason}"
            remedy = "" if record is None or not record.remedy else f". {record.remedy}"
            return Done((f"Not loaded: {seed}: {why}{remedy}",), fine=False)
        lines = (f"Loaded: {seed}", *(f"Warning: {one}" for one in record.warnings))
        return Done(lines, (("The article", f"/articles/{record.article_id}"),))

    return Order(f"Load {seed}", work, seed, details={"seed": seed, "size": len(file.data)})


def topics(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Put an article into topics, or let rules and words decide again."""
    article = _article(runtime, fields)
    names = fields.words("topics")
    reset, new = fields.flag("reset"), fields.flag("new")
    if not names and not reset:
        raise _wrong("Which topics?", "Name topics with commas between them, or let rules decide.")
    if len(names) > MOST_TOPICS or any(len(one) > LONGEST_TOPIC for one in names):
        what = f"At most {MOST_TOPICS} topics, of at most {LONGEST_TOPIC} characters each."
        raise _wrong("Too many topics, or too long a name", what)

    def work(tell: Progress, stop: threading.Event) -> Done:
        scores = (
            jobs.reset_topics(runtime, article.id)
            if reset
            else jobs.set_topics(runtime, article.id, names, new=new)
        )
        _publish(runtime, tell, stop)
        now = ", ".join(one.topic.label for one in scores)
        return Done((f"{article.title}: {now}",), (_link(article),))

    title = f"Topics of {_cut(article.title)}"
    key = (article.id, tuple(names), reset, new)
    details = {"topics": names, "reset": reset}
    return Order(title, work, key, subject=article.id, details=details)


def capture(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Archive one article's original now."""
    article = _article(runtime, fields)

    def work(tell: Progress, stop: threading.Event) -> Done:
        report = jobs.capture_due(runtime, article=article.id, progress=tell, stop=stop)
        _publish(runtime, tell, stop)
        return _tried(report.attempts, (_link(article),))

    return Order(f"Capture {_cut(article.title)}", work, article.id, subject=article.id)


def retry(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Try everything again that failed."""

    def work(tell: Progress, stop: threading.Event) -> Done:
        captures = jobs.capture_due(runtime, failed=True, progress=tell, stop=stop)
        looks = jobs.recheck_due(runtime, failed=True, progress=tell, stop=stop)
        _publish(runtime, tell, stop)
        return _tried((*captures.attempts, *looks.attempts))

    return Order("Retry all that failed", work, "")


def recheck(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Look again at one original, or at all that are due for it."""
    article = _article(runtime, fields) if fields.text("article") else None
    id_ = article.id if article is not None else None

    def work(tell: Progress, stop: threading.Event) -> Done:
        report = jobs.recheck_due(runtime, article=id_, progress=tell, stop=stop)
        _publish(runtime, tell, stop)
        return _tried(report.attempts, (_link(article),) if article is not None else ())

    what = _cut(article.title) if article is not None else "what is due"
    return Order(f"Look again at {what}", work, id_, subject=id_ or "")


def forget(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Take an article down for good; raises Unconfirmed until its id is given a second time."""
    article = _article(runtime, fields)
    reason = _cut(fields.text("reason"))
    if not reason:
        raise _wrong("Why?", "Give the reason: the audit log keeps it.")
    if fields.text("confirm") != article.id:
        with runtime.database.reading() as store:
            snapshots = len(store.snapshots(article.id))
            revisions = store.count_revisions(article.id)
        raise Unconfirmed(article, reason, snapshots=snapshots, revisions=revisions)

    def work(tell: Progress, stop: threading.Event) -> Done:
        told = stoppable(tell, stop)
        report = jobs.forget_article(runtime, article.id, who=who, reason=reason, progress=told)
        lines = [f"Forgotten: {report.title}, {report.snapshots} snapshots", *report.problems]
        if report.seed_exists:
            lines.append(f"The seed {report.seed} is still there: delete it yourself.")
        return Done(tuple(lines), fine=not report.problems)

    title = f"Forget {_cut(article.title)}"
    return Order(title, work, article.id, subject=article.id, audited=False)


def rebuild(runtime: Runtime, fields: Fields, who: str) -> Order:
    """Load all seeds and write every feed again."""
    topic = fields.text("topic") or None

    def work(tell: Progress, stop: threading.Event) -> Done:
        told = stoppable(tell, stop)
        report = jobs.rebuild(runtime, topic=topic, progress=told)
        jobs.index_articles(runtime, progress=tell, stop=stop)
        lines = [
            f"{report.articles} articles in {report.topics} feeds: {report.written} files "
            f"written, {report.unchanged} were right, {report.removed} removed"
        ]
        lines += [str(one) for one in report.ingest.problems[:_SHOWN]]
        return Done(tuple(lines), fine=not report.ingest.partial)

    return Order(f"Rebuild {_cut(topic) if topic else 'all feeds'}", work, topic)


ACTIONS: Mapping[str, Callable[[Runtime, Fields, str], Order]] = {
    "add": add,
    "upload": upload,
    "topics": topics,
    "capture": capture,
    "retry": retry,
    "recheck": recheck,
    "forget": forget,
    "rebuild": rebuild,
}


def _publish(runtime: Runtime, tell: Progress, stop: threading.Event) -> None:
    """Write the feeds that changed, and let searches find what is new."""
    jobs.publish_feeds(runtime, progress=stoppable(tell, stop))
    jobs.index_articles(runtime, progress=tell, stop=stop)


def _article(runtime: Runtime, fields: Fields) -> Article:
    text = fields.text("article")[:_LONGEST]
    if not text:
        raise _wrong("Which article?", "Give its id, its seed or its address.")
    page = _PAGE.fullmatch(text)
    try:
        with runtime.database.reading() as store:
            return find_article(store, page[1] if page else text)
    except NotFound as error:
        raise Refused(404, "There is no such article", f"{error}.") from error


def _link(article: Article) -> tuple[str, str]:
    return (article.title, f"/articles/{article.id}")


def _tried(attempts: Sequence[Attempt], links: tuple[tuple[str, str], ...] = ()) -> Done:
    """Say how tries ended, what went wrong first."""
    wrong = [one for one in attempts if one.outcome in _WRONG]
    others = [one for one in attempts if one.outcome not in _WRONG | _USUAL]
    lines = [f"{len(attempts)} tried, {len(attempts) - len(wrong)} went well"]
    told = [*wrong, *others] if len(attempts) > 1 else attempts
    lines += [": ".join(filter(None, (one.outcome, one.url, one.cause))) for one in told[:_SHOWN]]
    if len(told) > _SHOWN:
        lines.append(f"and {len(told) - _SHOWN} more")
    return Done(tuple(lines), links, fine=not wrong)


def _wrong(title: str, detail: str) -> Refused:
    return Refused(400, title, detail)


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"
