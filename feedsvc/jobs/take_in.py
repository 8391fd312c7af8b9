"""Take in what others have archived: captures of our articles out of WARC and WACZ files."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from feedsvc.capture.intake import Found, Intake, Source, Wrong
from feedsvc.capture.intake_keys import key_of
from feedsvc.capture.page import Limits
from feedsvc.capture.wacz_read import warc_files
from feedsvc.errors import CaptureFailed, NotFound, OutOfSpace
from feedsvc.jobs.attach import attach
from feedsvc.jobs.handing_on import Unusable, fetch_payloads
from feedsvc.jobs.recover import holding_lease, recover
from feedsvc.jobs.removal import ARCHIVE_LOCK
from feedsvc.jobs.running import recorded, silent
from feedsvc.logs import logger
from feedsvc.model import Article, ImportReport, Progress
from feedsvc.runtime import Runtime

_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
_WARC = b"WARC/"
_ZSTD = b"\x28\xb5\x2f\xfd"

log = logger(__name__)


def import_archives(
    runtime: Runtime,
    files: Sequence[Path],
    *,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> ImportReport:
    """Make the captures of our articles in others' files snapshots of ours; judged, like any.

    Each becomes a WARC file of its own that says where it comes from; a payload that is at rest
    is not written again. What is damaged is told by name and offset, and the rest goes on. The
    same files again change nothing. Raises NotFound for a file that is not there.
    """
    began = time.monotonic()
    with ExitStack() as stack, recorded(runtime, "import") as run:
        # What it leaves if it is killed is swept, as after a capture.
        stack.enter_context(holding_lease(runtime))
        recover(runtime)
        intake = Intake(payload=lambda digest: _payload(runtime, digest), limits=_limits(runtime))
        for number, path in enumerate(files):
            progress("reading", number, len(files), path.name)
            for source in _sources(runtime, path, intake, stack):
                intake.add(source)
        progress("reading", len(files), len(files))
        work = _Taking(runtime, intake, stop or threading.Event())
        with runtime.lock(ARCHIVE_LOCK):
            work.run(progress)
        report = ImportReport(
            files=len(files),
            records=intake.records,
            attached=work.attached,
            known=work.known,
            unknown=len(intake.pages() - work.ours),
            mismatch=work.mismatch,
            unresolved=work.unresolved,
            damaged=len(intake.problems),
            seconds=time.monotonic() - began,
            problems=(*intake.problems, *work.problems),
        )
        run.note(report)
    return report


def _limits(runtime: Runtime) -> Limits:
    archive = runtime.settings.archive
    return Limits(
        max_page=archive.max_page,
        max_total=archive.max_total,
        max_requisites=archive.max_requisites,
        deadline=archive.deadline,
    )


# --- files ----------------------------------------------------------------------------------


def _sources(runtime: Runtime, path: Path, intake: Intake, stack: ExitStack) -> Iterator[Source]:
    """Yield the WARC files in a file; they stay open as long as the stack."""
    if not path.is_file():
        raise NotFound(f"{path}: there is no such file")
    file = stack.enter_context(path.open("rb"))
    head = file.read(8)
    if head.startswith(_ZIP):
        free = runtime.archive.free()
        if free is None:
            free = shutil.disk_usage(tempfile.gettempdir()).free
        room = max(free - runtime.settings.archive.min_free, 0)
        for name, copy in warc_files(
            file, room=room, tell=lambda text: intake.tell(f"{path.name}: {text}")
        ):
            stack.callback(copy.close)
            yield Source(f"{path.name}: {name}", copy)
    elif head.startswith((_GZIP, _WARC)):
        yield Source(path.name, file)
    else:
        packed = " but packed with zstd: unpack it first" if head.startswith(_ZSTD) else ""
        intake.tell(f"{path.name}: neither WARC nor WACZ{packed}")


def _payload(runtime: Runtime, digest: str) -> IO[bytes] | None:
    """Return the bytes of a payload that is at rest here."""
    with runtime.database.reading() as store:
        known = store.known_payloads([digest]).values()
    try:
        return next((body for _, body in fetch_payloads(runtime, known)), None)
    except Unusable as error:
        log.warning("payload.unusable", digest=digest, reason=str(error))
        return None


# --- captures -------------------------------------------------------------------------------


@dataclass
class _Taking:
    runtime: Runtime
    intake: Intake
    stop: threading.Event
    attached: int = 0
    known: int = 0
    mismatch: int = 0
    unresolved: int = 0

    def __post_init__(self) -> None:
        self.ours: set[bytes] = set()
        """Keys of addresses that articles have."""
        self.problems: list[str] = []

    def run(self, progress: Progress) -> None:
        """Look every article up in the files."""
        with self.runtime.database.reading() as store:
            urls = store.article_urls()
        wanted = [(id_, url) for id_, url in urls if self.intake.holds(url)]
        self.ours = {key_of(url) for _, url in wanted}
        for done, (id_, url) in enumerate(wanted):
            progress("attaching", done, len(wanted), url)
            if self.stop.is_set():
                return
            self._take_all(id_, url)
        progress("attaching", len(wanted), len(wanted))

    def _take_all(self, article_id: str, url: str) -> None:
        with self.runtime.database.reading() as store:
            article = store.article(article_id)
            seconds = {one.captured.timestamp() for one in store.snapshots(article_id)}
        if article is None:
            return
        for found in self.intake.captures(url, known=seconds):
            if found.known:
                self.known += 1
            else:
                self._take(article, found)

    def _take(self, article: Article, found: Found) -> None:
        try:
            with closing(found.capture()) as capture:
                self.ours |= {key_of(one.url) for one in capture.page}
                self._check_space()
                kept = attach(
                    self.runtime,
                    article,
                    capture,
                    robots="",
                    provenance=self._provenance(found),
                )
        except Wrong:
            return  # told by the files themselves
        except CaptureFailed as error:  # a payload is missing, or redirects go in a circle
            self.unresolved += 1
            self._problem(found, str(error))
            return
        if not kept.counts:
            self.mismatch += 1
            self._problem(found, kept.snapshot.judgement.evidence)
            self.runtime.archive.delete(kept.snapshot.key)
            return
        with self.runtime.database.transaction() as store:
            kept.record(store)
        self.attached += 1

    def _problem(self, found: Found, text: str) -> None:
        name = self.intake.source_of(found.place).name
        self.problems.append(f"{name}: offset {found.place.offset}: {text}")

    def _provenance(self, found: Found) -> Iterator[tuple[str, str]]:
        """Say in the snapshot itself where it comes from."""
        yield "importedFrom", self.intake.source_of(found.place).name
        yield "importedOffset", str(found.place.offset)
        if software := self.intake.software_of(found.place):
            yield "importedSoftware", software

    def _check_space(self) -> None:
        free, least = self.runtime.archive.free(), self.runtime.settings.archive.min_free
        if free is not None and free < least:
            raise OutOfSpace(
                f"{free / 1e6:.0f} MB are free at {self.runtime.archive.place()}, and imports stop "
                f"below archive.min_free ({least / 1e6:.0f} MB); free some space"
            )
