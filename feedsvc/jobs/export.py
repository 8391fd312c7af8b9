"""Hand snapshots on in the formats every tool of web archiving reads: WACZ, WARC, CDXJ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from feedsvc.capture.cdxj import CdxLine, SortedLines, cdx_line
from feedsvc.capture.wacz import Page, WaczWriter, copy
from feedsvc.capture.warc_read import WarcReader
from feedsvc.capture.warc_rehome import references
from feedsvc.errors import NotFound
from feedsvc.jobs.handing_on import (
    Unusable,
    index_lines,
    outside_payloads,
    ready,
    whole_file,
)
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import find_article
from feedsvc.logs import logger
from feedsvc.model import Article, ExportReport, Progress, Snapshot
from feedsvc.runtime import Runtime
from feedsvc.text import did_you_mean
from feedsvc.tools import SOFTWARE

BATCH = 200
"""Snapshots whose rows are read at a time."""

log = logger(__name__)


def export_archive(
    runtime: Runtime,
    form: str,
    target: Path,
    *,
    article: str | None = None,
    topic: str | None = None,
    progress: Progress = silent,
) -> ExportReport:
    """Write the snapshots of an article, of a topic, or all of them, into a file.

    ``form`` is `wacz`, `warc` (a folder takes one file for each snapshot) or `cdxj` (an index of
    the files where they lie). A snapshot that is damaged is left out and told. Raises NotFound if
    there is nothing to write.
    """
    began = time.monotonic()
    with recorded(runtime, "export") as run:
        chosen = _choose(runtime, article, topic)
        work = _Export(runtime, chosen.ids, progress)
        with _SINKS[form](runtime, target, chosen) as sink:
            work.run(sink)
        report = ExportReport(
            file=str(target),
            snapshots=work.written,
            records=work.records,
            size=_size(target),
            seconds=time.monotonic() - began,
            problems=tuple(work.problems),
        )
        run.note(report)
    return report


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is handed on, and what it is called."""

    ids: tuple[str, ...]
    title: str


def _choose(runtime: Runtime, article: str | None, topic: str | None) -> _Chosen:
    with runtime.database.reading() as store:
        found: Article | None = find_article(store, article) if article is not None else None
        known = {one.slug for one in store.topics_in_use()}
        if topic is not None and topic not in known:
            guess = did_you_mean(topic, known)
            raise NotFound(
                f"no article is in a topic {topic!r}: {guess}`feedsvc topics` lists them"
            )
        ids = store.selected_snapshots(article_id=found.id if found else None, topic=topic)
    if not ids:
        raise NotFound(
            "there is no snapshot to export; `feedsvc capture` archives what is due, "
            "`feedsvc status` tells what failed"
        )
    part = found.title if found else topic
    return _Chosen(tuple(ids), f"{runtime.site.title}: {part}" if part else runtime.site.title)


def _size(target: Path) -> int:
    files = target.iterdir() if target.is_dir() else [target]
    return sum(one.stat().st_size for one in files if one.is_file())


class _Sink(Protocol):
    """Where snapshots go."""

    def put(self, snapshot: Snapshot) -> int:
        """Write a snapshot; return how many records were listed or written. Raises Unusable."""
        ...


@dataclass
class _Export:
    runtime: Runtime
    ids: tuple[str, ...]
    progress: Progress
    written: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)

    def run(self, sink: _Sink) -> None:
        """Hand every snapshot to the sink, one after the other."""
        done, total = 0, len(self.ids)
        for start in range(0, total, BATCH):
            part = self.ids[start : start + BATCH]
            with self.runtime.database.reading() as store:
                found = store.snapshots_by_id(part)
            for id_ in part:
                self.progress("exporting", done, total)
                done += 1
                if snapshot := found.get(id_):
                    self._put(sink, snapshot)
        self.progress("exporting", done, total)

    def _put(self, sink: _Sink, snapshot: Snapshot) -> None:
        try:
            self.records += sink.put(snapshot)
            self.written += 1
        except Unusable as error:
            self.problems.append(f"snapshot {snapshot.id} of {snapshot.url}: {error}")
            log.warning("snapshot.not_exported", snapshot=snapshot.id, reason=str(error))


# --- where they go --------------------------------------------------------------------------


@contextmanager
def _wacz(runtime: Runtime, target: Path, chosen: _Chosen) -> Iterator[_Sink]:
    with ExitStack() as stack:
        file = stack.enter_context(whole_file(target))
        lines = stack.enter_context(SortedLines())
        writer = stack.enter_context(WaczWriter(file, software=SOFTWARE, now=runtime.now()))
        yield _Wacz(runtime, writer, lines, frozenset(chosen.ids))
        writer.finish(
            lines, title=chosen.title, description=f"Snapshots kept by {runtime.site.base_url}/"
        )


@dataclass
class _Wacz:
    runtime: Runtime
    writer: WaczWriter
    lines: SortedLines
    among: frozenset[str]

    def put(self, snapshot: Snapshot) -> int:
        name = f"{snapshot.id}.warc.gz"
        with self.runtime.database.reading() as store:
            article = store.article(snapshot.article_id)
        with ready(self.runtime, snapshot, among=self.among) as one:
            found = index_lines(one.file, filename=name)
            self.writer.add_warc(name, one.file)
        for line in found:
            self.lines.add(line)
        self.writer.add_page(_page(snapshot, article, found))
        return len(found)


def _page(snapshot: Snapshot, article: Article | None, lines: list[CdxLine]) -> Page:
    # A reader looks the page up by the very second its record bears; redirects came before it.
    moments = [one.timestamp for one in lines if one.url == snapshot.final_url]
    return Page(
        id=snapshot.id,
        url=snapshot.final_url,
        date=_moment(moments[-1]) if moments else snapshot.captured,
        title=article.title if article else snapshot.final_url,
        text=article.text if article else "",
    )


def _moment(timestamp: str) -> datetime:
    return datetime.strptime(timestamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


@contextmanager
def _warc(runtime: Runtime, target: Path, chosen: _Chosen) -> Iterator[_Sink]:
    among = frozenset(chosen.ids)
    if target.is_dir():
        yield _Folder(runtime, target, among)
        return
    with whole_file(target) as file:
        yield _OneFile(runtime, file, among)


@dataclass
class _OneFile:
    """Every snapshot in one file: each record is a gzip member, so they may follow each other."""

    runtime: Runtime
    file: IO[bytes]
    among: frozenset[str]

    def put(self, snapshot: Snapshot) -> int:
        with ready(self.runtime, snapshot, among=self.among) as one:
            copy(one.file, self.file)
        return snapshot.records


@dataclass
class _Folder:
    runtime: Runtime
    folder: Path
    among: frozenset[str]

    def put(self, snapshot: Snapshot) -> int:
        with (
            ready(self.runtime, snapshot, among=self.among) as one,
            whole_file(self.folder / f"{snapshot.id}.warc.gz") as file,
        ):
            copy(one.file, file)
        return snapshot.records


@contextmanager
def _cdxj(runtime: Runtime, target: Path, chosen: _Chosen) -> Iterator[_Sink]:
    with whole_file(target) as file, SortedLines() as lines:
        sink = _Cdxj(runtime, lines, frozenset(chosen.ids))
        yield sink
        sink.add_referred()
        file.writelines(lines)


@dataclass
class _Cdxj:
    """An index of the files where they lie, with what revisits in it refer to."""

    runtime: Runtime
    lines: SortedLines
    among: frozenset[str]
    referred: dict[str, set[str]] = field(default_factory=dict)
    """Snapshot → records of it that are needed besides."""

    def put(self, snapshot: Snapshot) -> int:
        # Everything is in the archive, so nothing is rewritten.
        with ready(self.runtime, snapshot, among=_Everything()) as one:
            needed = references(one.file)
            for payload in outside_payloads(self.runtime, needed, among=self.among):
                self.referred.setdefault(payload.snapshot_id, set()).add(payload.record_id)
            found = index_lines(one.file, filename=snapshot.key)
        return self._add(found)

    def add_referred(self) -> None:
        """Add the lines of single records of other snapshots."""
        with self.runtime.database.reading() as store:
            holders = store.snapshots_by_id(list(self.referred))
        for id_, snapshot in holders.items():
            with self.runtime.archive.open(snapshot.key) as file:
                self._add(
                    [
                        line
                        for record in WarcReader(file)
                        if record.field("WARC-Record-ID") in self.referred[id_]
                        and (line := cdx_line(record, filename=snapshot.key))
                    ]
                )

    def _add(self, found: list[CdxLine]) -> int:
        for line in found:
            self.lines.add(line)
        return len(found)


class _Everything:
    """The ids of all snapshots, without looking."""

    def __contains__(self, snapshot_id: object) -> bool:
        return True


_SINKS: Mapping[str, Callable[[Runtime, Path, _Chosen], AbstractContextManager[_Sink]]] = {
    "wacz": _wacz,
    "warc": _warc,
    "cdxj": _cdxj,
}
