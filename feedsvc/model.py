"""The words of feedsvc as frozen values: what travels from room to room."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

UNCATEGORISED = "uncategorised"
ALL = "all"
"""The slug of the feed that covers every topic; no topic may take it."""


# --- seeds and articles ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells, without reading, that a file is the one seen before."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """One seed, understood. Strings are NFC, free of characters XML 1.0 forbids."""

    title: str
    html: str
    """The body: cleaned HTML with absolute links only."""
    text: str
    """The body as plain text, paragraphs parted by one blank line."""
    summary: str
    """Plain text of about 300 characters, cut at a word."""
    url: str | None = None
    """The original's absolute http(s) URL as given, but cleaned; None if the seed names none."""
    author: str | None = None
    agency: str | None = None
    credit: str | None = None
    published: datetime | None = None
    language: str | None = None
    """A BCP 47 tag, None where the seed gives none."""
    image: str | None = None
    topics: tuple[str, ...] = ()
    """Topics as front matter names them, unresolved."""
    warnings: tuple[str, ...] = ()
    """What was repaired, in words for the person who wrote the seed."""


def content_digest(article: Any) -> str:
    """Return the SHA-256 of everything in a seed that makes a revision; topics do not.

    Takes a ParsedArticle, or a stored row with the same fields.
    """
    published = article.published.isoformat() if article.published else None
    parts = (
        *(article.title, article.html, article.text, article.summary, article.url),
        *(article.author, article.agency, article.credit),
        *(published, article.language, article.image),
    )
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


class PartKind(StrEnum):
    """What a piece of an article's text is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ITEM = "item"
    """Of a list; items that follow each other are one list."""
    QUOTE = "quote"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an article's text; one line, but for code."""

    kind: PartKind
    text: str


@dataclass(frozen=True, slots=True)
class SeedDraft:
    """An article as it was found on a page, to be written as a seed. Strings are clean lines."""

    title: str
    parts: tuple[Part, ...]
    url: str | None = None
    author: str | None = None
    published: datetime | None = None
    """12:00:00 UTC means: on that day, the time is not known."""
    language: str | None = None
    image: str | None = None
    topics: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The parts as plain text."""
        return "\n\n".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Article:
    """A stored article in its current revision."""

    id: str
    """UUIDv5 of the normalised original URL (or of the seed's name); `urn:uuid:` + id in feeds."""
    title: str
    html: str
    text: str
    summary: str
    url: str | None
    author: str | None
    agency: str | None
    credit: str | None
    published: datetime
    updated: datetime
    """RFC 4287 §4.2.15: moves with a new revision, and with nothing else."""
    language: str | None
    image: str | None
    topics: tuple[str, ...]
    """As front matter names them."""
    revision: int
    """Counts from 1."""
    seed: str
    """Name of the seed it was loaded from."""
    withdrawn: datetime | None = None

    @property
    def entry_id(self) -> str:
        """RFC 4287 §4.2.6: the same in every feed, for ever."""
        return f"urn:uuid:{self.id}"


class SeedState(StrEnum):
    """What became of a seed file."""

    LOADED = "loaded"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    """Gone from disk, but held until a person accepts that (`ingest --accept-deletions`)."""


@dataclass(frozen=True, slots=True)
class SeedRecord:
    """What is known about one seed file."""

    name: str
    """The configured folder, a slash, and the path inside it: `seeds/python/why.md`."""
    stamp: FileStamp
    digest: str
    """SHA-256 of the file's bytes, hex; empty where they could not be read."""
    state: SeedState
    article_id: str | None = None
    line: int | None = None
    reason: str | None = None
    remedy: str | None = None
    warnings: tuple[str, ...] = ()
    parser: int = 0
    """Version of the parser that read it; an older one reads it again."""
    since: datetime | None = None
    """When it came into this state."""


# --- topics ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the vocabulary; ``uri`` and ``scheme`` are None for the site's own topics."""

    slug: str
    label: str
    uri: str | None = None
    scheme: str | None = None
    code: str | None = None
    """The term inside the scheme, such as `16000000`."""
    definition: str = ""


class TopicSource(StrEnum):
    """Who said that an article belongs to a topic, the highest authority first."""

    FRONT_MATTER = "front-matter"
    PERSON = "person"
    RULE = "rule"
    KEYWORDS = "keywords"
    NONE = "none"
    """Nobody was sure: `uncategorised`."""


@dataclass(frozen=True, slots=True)
class TopicScore:
    """One topic of one article and why."""

    topic: Topic
    score: float
    source: TopicSource


class Classifiable(Protocol):
    """What sorting looks at; ParsedArticle and Article both have it."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def author(self) -> str | None: ...
    @property
    def agency(self) -> str | None: ...
    @property
    def topics(self) -> tuple[str, ...]: ...


# --- captures and snapshots -----------------------------------------------------------------


class Verdict(StrEnum):
    """What the judge says of a captured page."""

    VERIFIED = "verified"
    PARTIAL = "partial"
    MISMATCH = "mismatch"


class Likely(StrEnum):
    """The likely reason why a captured page is not the article."""

    CHALLENGE = "captcha or bot challenge"
    LOGIN = "login or paywall"
    CONSENT = "consent wall"
    NOT_FOUND = "soft 404"
    EMPTY = "empty shell that needs JavaScript"
    OTHER = "different article"
    NOT_HTML = "not a page of text"
    ERROR = "error page"


@dataclass(frozen=True, slots=True)
class Judgement:
    """How much of the article's text stands in the visible text of the page."""

    verdict: Verdict
    share: float
    """0.0 to 1.0 of the article's word shingles found."""
    likely: Likely | None = None
    evidence: str = ""
    """One line for a person: what was found or missed."""


class Outcome(StrEnum):
    """How an attempt at a capture ended."""

    VERIFIED = "verified"
    PARTIAL = "partial"
    MISMATCH = "mismatch"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CaptureJob:
    """A claimed capture: this process may work on it until ``lease_until``."""

    article_id: str
    url: str
    attempts: int
    """Attempts before this one."""
    lease: str
    """Opaque token; only its holder may finish the job."""
    lease_until: datetime
    title: str
    text: str
    """Title and text of the article, for the judge."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload written to a WARC: what a later `revisit` record points to (WARC 1.1 §6.7)."""

    digest: str
    """As in WARC-Payload-Digest: `sha1:` + base32."""
    size: int
    url: str
    date: str
    """WARC-Date of the record that holds it."""
    record_id: str
    snapshot_id: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A capture at rest: one WARC file."""

    id: str
    article_id: str
    url: str
    final_url: str
    captured: datetime
    status: int
    judgement: Judgement
    key: str
    """Where the archive keeps its bytes."""
    size: int
    sha256: str
    records: int
    requisites: int = 0
    missing: int = 0
    """Requisites that could not be captured."""
    refers: tuple[str, ...] = ()
    """Snapshots that hold payloads this one has as revisit records only."""
    damaged: datetime | None = None
    """When its bytes, or those it refers to, were first found damaged."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a capture, as `status` shows it."""

    article_id: str
    url: str
    started: datetime
    seconds: float
    outcome: Outcome
    cause: str
    """Empty when it went well, else a sentence."""
    status: int | None = None
    size: int = 0
    """Bytes received."""
    next_at: datetime | None = None
    snapshot_id: str | None = None


# --- feeds ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Site:
    """What every feed and page says of the site."""

    title: str
    base_url: str
    """Without a slash at its end."""
    author: str
    language: str
    first_url: str = ""
    """The base_url the site was first published under, from which feeds have their ids."""


@dataclass(frozen=True, slots=True)
class Category:
    """A topic as an entry's category (RFC 4287 §4.2.2)."""

    term: str
    label: str
    scheme: str | None = None


@dataclass(frozen=True, slots=True)
class FeedItem:
    """What one entry is composed from."""

    article: Article
    topics: tuple[Topic, ...]
    snapshot: Snapshot | None = None
    """The last good one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, ready to be written in any format."""

    id: str
    title: str
    link: str
    published: datetime
    updated: datetime
    summary: str
    """Plain text."""
    content: str
    """HTML, absolute links only, ending in the line that leads to original and snapshot."""
    author: str | None
    categories: tuple[Category, ...]
    original: str | None
    snapshot: str | None
    snapshot_date: datetime | None
    language: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed document, ready to be written in any format."""

    id: str
    slug: str
    title: str
    subtitle: str
    home: str
    """URL of the HTML page about the same topic."""
    urls: Mapping[str, str]
    """Format name -> the feed's own URL in that format."""
    updated: datetime
    """The newest entry's `updated`, never the time of building."""
    language: str
    author: str
    icon: str
    entries: tuple[Entry, ...]
    ttl_minutes: int = 60


# --- reports of jobs ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeedProblem:
    """A seed that was not loaded as its author may expect, and what to do."""

    seed: str
    reason: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.seed if self.line is None else f"{self.seed}:{self.line}"
        return f"{place}: {self.reason}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What loading did."""

    new: int = 0
    modified: int = 0
    unmodified: int = 0
    moved: int = 0
    withdrawn: int = 0
    returned: int = 0
    failed: int = 0
    """Rejected seeds and duplicates, new and old ones alike."""
    busy: int = 0
    held: int = 0
    """Seeds gone from disk whose articles stay until a person accepts it."""
    seconds: float = 0.0
    problems: tuple[SeedProblem, ...] = ()
    warnings: tuple[SeedProblem, ...] = ()
    absent: tuple[str, ...] = ()
    """Configured folders that are not there or cannot be looked into."""

    @property
    def partial(self) -> bool:
        """True if a person has to look at something."""
        return bool(self.failed or self.held or self.absent)


@dataclass(frozen=True, slots=True)
class ClassifyReport:
    """What sorting again did."""

    looked_at: int = 0
    changed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What a run of captures did."""

    attempts: tuple[Attempt, ...] = ()
    seconds: float = 0.0
    size: int = 0
    """Bytes received."""

    def count(self, *outcomes: Outcome) -> int:
        """Return how many attempts ended so."""
        return sum(attempt.outcome in outcomes for attempt in self.attempts)

    @property
    def archived(self) -> int:
        """Attempts that left a snapshot which counts."""
        return self.count(Outcome.VERIFIED, Outcome.PARTIAL)

    @property
    def partial(self) -> bool:
        """True if not every article that was tried is archived now."""
        return self.archived < len(self.attempts)


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What writing the feeds did."""

    topics: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    resorted: int = 0
    """Articles whose topics changed with the vocabulary or the rules."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Entries that had to be left out, and why."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild did."""

    articles: int
    topics: int
    written: int
    unchanged: int
    removed: int
    seconds: float
    ingest: IngestReport
    capture: CaptureReport | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """Something stored that is not as it was recorded."""

    what: str
    """`snapshot`, `feed`, `database` or `unknown file`."""
    name: str
    problem: str
    remedy: str
    article_id: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a fixity check found."""

    snapshots: int = 0
    feeds: int = 0
    size: int = 0
    seconds: float = 0.0
    damage: tuple[Damage, ...] = ()
    superseded: int = 0
    """Damaged snapshots whose article has been captured again, and well, since that was found."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was handed on."""

    file: str
    snapshots: int = 0
    records: int = 0
    """Records written, or listed by the index."""
    size: int = 0
    """Bytes of the file, or of the files in the folder."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Snapshots that were left out, and why."""


class Taken(StrEnum):
    """What became of an address that was to be added."""

    ADDED = "added"
    DUPLICATE = "duplicate"
    FAILED = "failed"
    NEW = "new"
    """It would have been added, but nothing was to be written."""


@dataclass(frozen=True, slots=True)
class Addition:
    """One address that was to be added."""

    url: str
    """As it was given."""
    outcome: Taken
    title: str = ""
    seed: str = ""
    """The seed that was written, or the one that has the address already."""
    article_id: str | None = None
    verdict: Verdict | None = None
    """Of the snapshot that was made at once; None: its capture is due."""
    cause: str = ""
    """Why it was not added."""
    text: str = ""
    """The seed as it would be written."""


@dataclass(frozen=True, slots=True)
class AddReport:
    """What adding addresses did."""

    additions: tuple[Addition, ...] = ()
    seconds: float = 0.0

    def count(self, outcome: Taken) -> int:
        """Return of how many addresses that became."""
        return sum(one.outcome is outcome for one in self.additions)

    @property
    def partial(self) -> bool:
        """True if an address could not be added."""
        return self.count(Taken.FAILED) > 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What taking in others' captures did."""

    files: int = 0
    records: int = 0
    attached: int = 0
    """Captures that are snapshots of ours now."""
    known: int = 0
    """Captures that were here already."""
    unknown: int = 0
    """Addresses of pages that no article has."""
    mismatch: int = 0
    """Captures of an article's address that do not show the article."""
    unresolved: int = 0
    """Captures whose payload stands in a file that was not given."""
    damaged: int = 0
    """Places that could not be read, and records whose digest is wrong."""
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Each names the file and the offset."""

    @property
    def partial(self) -> bool:
        """True if something that was meant for us could not be taken in."""
        return bool(self.damaged or self.unresolved or self.mismatch)


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What a takedown removed, or would remove."""

    article_id: str
    title: str
    url: str | None
    seed: str
    seed_exists: bool
    """The file is still there; only a person deletes it."""
    revisions: int
    snapshots: int
    size: int
    """Bytes of the snapshots."""
    rehomed: int
    """Snapshots of other articles that were rewritten, because they needed a payload of these."""
    done: bool
    """False: nothing was changed."""
    problems: tuple[str, ...] = ()
    """What others needed and could not be saved."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to an article that cannot be asked any more, when and why."""

    at: datetime
    who: str
    action: str
    """`forget`, or `remember` where that was taken back."""
    subject: str
    """The article's id."""
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


# --- what pages and `status` show -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TopicCount:
    """A topic in use and how many articles it holds."""

    topic: Topic
    articles: int


@dataclass(frozen=True, slots=True)
class CaptureState:
    """Where the capture of an article stands."""

    article_id: str
    title: str
    url: str
    state: str
    """`due`, `leased` or `done`."""
    attempts: int
    outcome: str | None
    status: int | None
    cause: str
    tried: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job."""

    job: str
    started: datetime
    ended: datetime | None
    ok: bool
    summary: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to: is it healthy?"""

    articles: int
    withdrawn: int
    revisions: int
    topics: Sequence[TopicCount]
    snapshots: Mapping[str, int]
    """Verdict -> how many."""
    archived: int
    """Articles with a snapshot that counts."""
    due: int
    in_flight: int
    dirty: int
    """Feeds that wait to be written."""
    seeds: Mapping[str, int]
    """Seed state -> how many."""
    problems: Sequence[SeedRecord]
    """Seeds that are rejected, duplicate or missing, and loaded ones with warnings."""
    failures: Sequence[CaptureState]
    """Captures whose last attempt left no snapshot that counts."""
    runs: Sequence[Run]
    """The last run of every job."""
    archive_size: int
    database_size: int | None
    disk_free: int
    schema: str
    absent: Sequence[str] = ()
    """Configured folders of seeds that are not there or cannot be looked into."""


class Progress(Protocol):
    """How a long job tells how far it is; ``total`` is None while nobody knows."""

    def __call__(self, stage: str, done: int, total: int | None, detail: str = "") -> None: ...
