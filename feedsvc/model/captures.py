"""Captures, what the judge says of them, and snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
