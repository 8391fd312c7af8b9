"""Captures, what the judge says of them, and snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from feedsvc.model.images import Image


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
    # Looks at originals that are archived.
    UNCHANGED = "unchanged"
    """The page is the same, byte for byte."""
    ALIVE = "alive"
    """The page is another, the article's text in it is the same."""
    CHANGED = "changed"
    REDIRECTED = "redirected"
    BLOCKED = "blocked"
    MISSING = "missing"


class Purpose(StrEnum):
    """What a row of the queue is for."""

    CAPTURE = "capture"
    """Until a snapshot counts."""
    LOOK = "look"
    """How is the original? Again and again, at growing intervals."""


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
    image: str | None = None
    """Address of the article's picture, where its seed names one."""
    purpose: Purpose = Purpose.CAPTURE
    step: int = 0
    """Looks that went before: which interval of the schedule is next."""
    is_first: bool = False
    """True if there is no snapshot of the article to compare with."""


@dataclass(frozen=True, slots=True)
class Following:
    """What a row of the queue is for once its work has ended."""

    purpose: Purpose
    step: int
    due: datetime | None
    """None: it never is by itself."""
    attempts: int
    """Failures in a row."""


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
    repeats: str | None = None
    """The snapshot whose page was found unchanged; this one then holds a revisit record."""
    image: Image | None = None
    """The article's picture, where a record of this snapshot holds it."""
    thumbnail: Image | None = None
    source: str | None = None
    """Its address at another archive that it was had from; None where we captured it."""


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
