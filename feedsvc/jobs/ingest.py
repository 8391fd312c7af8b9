"""Load new and changed seeds; withdraw what is gone."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from feedsvc.errors import ConfigurationError
from feedsvc.ingest import PARSER_VERSION
from feedsvc.ingest.files import FoundSeed, look, scan
from feedsvc.jobs.decide import Decider, Decision, held, ids_of, keys_of, missing
from feedsvc.jobs.load import Found, Loaded, load_all
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import with_choices
from feedsvc.logs import logger
from feedsvc.model import (
    ALL,
    FileStamp,
    IngestReport,
    Progress,
    SeedProblem,
    SeedRecord,
    SeedState,
)
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store

BATCH = 1000
"""Seeds stored in one transaction."""
SETTLE = 0.3
"""Seconds a file must have been left alone before it is read."""
RECENT = timedelta(minutes=10)

log = logger(__name__)


def ingest_seeds(
    runtime: Runtime,
    *,
    force: bool = False,
    accept_deletions: bool = False,
    names: Collection[str] | None = None,
    progress: Progress = silent,
) -> IngestReport:
    """Load new and changed seeds and withdraw the articles of those that are gone.

    ``names`` limits the look to those seeds (or folders of seeds) and costs nothing for the
    others; ``force`` reads and parses also what seems unchanged. Raises Temporary while another
    process loads.
    """
    began = time.monotonic()
    with runtime.lock("ingest"), recorded(runtime, "ingest") as run:
        work = _Ingest(runtime, force=force, accept=accept_deletions, progress=progress)
        report = replace(work.run(names), seconds=time.monotonic() - began)
        run.note(report)
    return report


@dataclass(slots=True)
class _Look:
    """What is on disk, and what the database knows of the same places."""

    found: dict[str, Found] = field(default_factory=dict)
    known: dict[str, tuple[FileStamp, SeedState, int]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """Folders that cannot be looked into: what they hold is not gone."""

    def add(self, folder: Path, seed: FoundSeed) -> None:
        """Note what a scan came across: a seed, or a folder that cannot be listed."""
        self.found[seed.name] = Found(str(folder), seed)
        if seed.relative.endswith("/"):
            self.absent.add(seed.name.rstrip("/"))

    def hides(self, name: str) -> bool:
        """Tell whether a seed lies in a folder that cannot be looked into."""
        return any(name.startswith(f"{folder}/") for folder in self.absent)


class _Ingest:
    def __init__(self, runtime: Runtime, *, force: bool, accept: bool, progress: Progress) -> None:
        self.runtime = runtime
        self.force = force
        self.accept = accept
        self.progress = progress
        self.classifier = runtime.classifier
        self.limit = runtime.settings.seeds.max_size
        self.totals = Decision()
        self.left: set[str] = set()
        self.busy = 0
        self.withdrawn = 0
        self.held = 0

    def run(self, names: Collection[str] | None) -> IngestReport:
        seen = self._look_everywhere() if names is None else self._look_at(names)
        changed = [
            found
            for name, found in seen.found.items()
            if self.force or not _unchanged(found, seen.known.get(name))
        ]
        self.totals.unmodified = sum(
            seen.known[name][1] is SeedState.LOADED for name in seen.found if name in seen.known
        ) - sum(
            found.seed.name in seen.known and seen.known[found.seed.name][1] is SeedState.LOADED
            for found in changed
        )
        gone = sorted(set(seen.known) - set(seen.found))
        with self.runtime.database.reading() as store:
            records = store.seed_records(gone)
        self._load(_settled(changed), alive=_alive(self.runtime, seen, names), gone=records)
        self._remove(records, seen)
        self._rescue(seen)
        return self._report()

    # --- looking ------------------------------------------------------------------------

    def _folders(self) -> dict[str, Path]:
        """Return the configured folders by the name their seeds carry."""
        root = self.runtime.root
        paths = self.runtime.settings.seeds.paths
        return {path.strip().rstrip("/") or "/": root / path for path in paths}

    def _look_everywhere(self) -> _Look:
        seen = _Look()
        for name, folder in self._folders().items():
            if not _readable(folder):
                seen.absent.add(name)
                continue
            for seed in scan(folder, name=name):
                seen.add(folder, seed)
        self.progress("looking", len(seen.found), None)
        with self.runtime.database.reading() as store:
            seen.known = store.seed_stamps()
        return seen

    def _look_at(self, names: Collection[str]) -> _Look:
        seen = _Look()
        below: list[str] = []
        for name, folder in self._folders().items():
            inside = [one for one in names if one == name or one.startswith(f"{name}/")]
            if inside and not _readable(folder):
                seen.absent.add(name)
            for one in inside:
                relative = one[len(name) + 1 :]
                path = folder / relative
                if path.is_dir() and not path.is_symlink():
                    for seed in scan(path, name=one):
                        inner = f"{relative}/{seed.relative}".lstrip("/")
                        seen.add(folder, replace(seed, relative=inner))
                    below.append(one)
                elif (single := look(folder, relative, name=name)) is not None:
                    seen.add(folder, single)
                else:
                    below.append(one)
        with self.runtime.database.reading() as store:
            seen.known = store.seed_stamps({*names, *seen.found, *store.seeds_below(below)})
        return seen

    # --- loading ------------------------------------------------------------------------

    def _load(
        self,
        found: Sequence[Found],
        *,
        alive: _Alive,
        gone: Mapping[str, SeedRecord],
    ) -> None:
        if not found:
            return
        # Known files first: what they give up or take over decides about the new ones.
        with self.runtime.database.reading() as store:
            known = store.seed_stamps({one.seed.name for one in found})
            digests = self._digests(store, known)
        order = sorted(found, key=lambda one: (one.seed.name not in known, one.seed.name))
        by_digest = {one.digest: one for one in gone.values() if one.digest}
        batch: list[Loaded] = []
        done = 0
        for piece in load_all(order, classifier=self.classifier, limit=self.limit, known=digests):
            batch += piece
            done += len(piece)
            if len(batch) >= BATCH:
                self._store(batch, alive, by_digest)
                batch = []
            self.progress("loading", done, len(order))
        self._store(batch, alive, by_digest)

    def _digests(
        self, store: Store, known: Mapping[str, tuple[FileStamp, SeedState, int]]
    ) -> dict[str, str]:
        """Return digests of seeds whose same bytes would give the same result."""
        if self.force:
            return {}
        good = {
            name
            for name, (_, state, parser) in known.items()
            if state is SeedState.LOADED and parser == PARSER_VERSION
        }
        return {name: one.digest for name, one in store.seed_records(good).items() if one.digest}

    def _store(
        self, batch: Sequence[Loaded], alive: _Alive, gone: Mapping[str, SeedRecord]
    ) -> None:
        if not batch:
            return
        now = self.runtime.now()
        with self.runtime.database.transaction() as store:
            records = store.seed_records({one.name for one in batch})
            relevant = [*records.values(), *(gone[d] for one in batch if (d := one.digest) in gone)]
            stored = store.identities(ids=ids_of(batch, relevant), url_keys=keys_of(batch))
            decision = Decider(
                batch,
                records=records,
                stored=stored,
                alive=alive,
                gone=gone,
                topics_version=self.classifier.version,
                now=now,
            ).decide()
            store.put_articles(list(decision.puts.values()), now=now)
            store.put_topics(
                with_choices(store, self.classifier, decision.scores, fresh=decision.fresh),
                fresh=decision.fresh,
            )
            store.put_seeds(decision.records.values())
            store.touch_seeds({one.name: one.stamp for one in batch if one.same})
        self.busy += sum(one.busy for one in batch)
        self.totals.unmodified += sum(one.same for one in batch)
        self._add_up(decision)

    def _add_up(self, decision: Decision) -> None:
        totals = self.totals
        totals.new += decision.new
        totals.modified += decision.modified
        totals.moved += decision.moved
        totals.returned += decision.returned
        totals.unmodified += decision.unmodified
        totals.warnings += decision.warnings
        self.left |= decision.left
        self.left -= set(decision.puts)
        for record in decision.records.values():
            if record.state is not SeedState.LOADED:
                log.warning(
                    "seed.rejected", seed=record.name, line=record.line, reason=record.reason
                )

    # --- removing -----------------------------------------------------------------------

    def _remove(self, gone: Mapping[str, SeedRecord], seen: _Look) -> None:
        """Withdraw articles whose seed is gone, unless it looks like a lost disk."""
        if not gone and not self.left:
            return
        now = self.runtime.now()
        with self.runtime.database.transaction() as store:
            ids = {one.article_id for one in gone.values() if one.article_id} | self.left
            current = {one.id: one for one in store.identities(ids=ids)}
            # A file whose article lives on in another file was moved, not deleted.
            lost = [
                one
                for one in gone.values()
                if one.article_id in current and current[one.article_id].seed == one.name
            ]
            keep = set() if self.accept else self._keep(store, lost, seen)
            held_back = [one for one in gone.values() if one.name in keep]
            store.put_seeds([missing(one, now=now) for one in held_back])
            store.drop_seeds([name for name in gone if name not in keep])
            dead = {one.article_id for one in lost if one.name not in keep and one.article_id}
            dead |= self.left & set(current)
            self.left = {id_ for id_ in dead if current[id_].withdrawn is None}
            self.withdrawn += len(self.left)
            if self.left:
                store.mark_dirty({*store.withdraw(sorted(self.left), now=now), ALL})
        self.held = len(held_back)
        if self.held:
            log.error(
                "seeds.missing",
                seeds=self.held,
                remedy="bring the folder back, or run `feedsvc ingest --accept-deletions`",
            )

    def _keep(self, store: Store, lost: Sequence[SeedRecord], seen: _Look) -> set[str]:
        """Return the names of seeds that are gone but whose articles have to stay."""
        recent = store.withdrawn_since(self.runtime.now() - RECENT)
        by_folder: dict[str, list[str]] = {}
        for one in lost:
            by_folder.setdefault(self._folder_of(one.name), []).append(one.name)
        keep = {one.name for one in lost if seen.hides(one.name)}
        for folder, names in by_folder.items():
            if held(len(names), store.seed_count(folder), recent):
                keep.update(names)
        return keep

    def _folder_of(self, name: str) -> str:
        folders = [one for one in self._folders() if name.startswith(f"{one}/")]
        return max(folders, key=len) if folders else name.partition("/")[0]

    def _rescue(self, seen: _Look) -> None:
        """Let a duplicate take over the article whose own seed is gone."""
        if not self.left:
            return
        with self.runtime.database.reading() as store:
            names = store.duplicates_of(sorted(self.left))
        if not names:
            return
        found = self._look_at(names).found
        before = len(self.left)
        self.left = set()
        self.force = True
        self._load(list(found.values()), alive=_alive(self.runtime, seen, names), gone={})
        log.info("seeds.taken_over", articles=before, seeds=len(found))

    # --- reporting ----------------------------------------------------------------------

    def _report(self) -> IngestReport:
        with self.runtime.database.reading() as store:
            problems = store.seed_problems()
        failed = [one for one in problems if one.state is not SeedState.MISSING]
        totals = self.totals
        return IngestReport(
            new=totals.new,
            modified=totals.modified,
            unmodified=totals.unmodified,
            moved=totals.moved,
            withdrawn=self.withdrawn,
            returned=totals.returned,
            failed=len(failed),
            busy=self.busy,
            held=len(problems) - len(failed),
            problems=tuple(
                SeedProblem(one.name, one.reason or "", one.remedy or "", one.line)
                for one in problems
            ),
            warnings=tuple(totals.warnings),
        )


class _Alive:
    """Tells whether a seed's file is there: by what was seen, else by a look."""

    def __init__(self, folders: Mapping[str, Path], seen: _Look, *, complete: bool) -> None:
        self._folders = folders
        self._seen = seen
        self._complete = complete

    def __call__(self, name: str) -> bool:
        if name in self._seen.found or self._seen.hides(name):
            return True
        for folder, path in self._folders.items():
            if name.startswith(f"{folder}/"):
                if self._complete:
                    return False
                return look(path, name[len(folder) + 1 :], name=folder) is not None
        return False


def _alive(runtime: Runtime, seen: _Look, names: Collection[str] | None) -> _Alive:
    root = runtime.root
    folders = {path.strip().rstrip("/"): root / path for path in runtime.settings.seeds.paths}
    return _Alive(folders, seen, complete=names is None)


def _unchanged(found: Found, known: tuple[FileStamp, SeedState, int] | None) -> bool:
    if known is None:
        return False
    stamp, state, parser = known
    seen = found.seed.stamp
    return (
        state is not SeedState.MISSING
        and parser == PARSER_VERSION
        and (stamp.size, stamp.mtime_ns) == (seen.size, seen.mtime_ns)
        and stamp.inode == seen.inode & ((1 << 63) - 1)
    )


def _readable(folder: Path) -> bool:
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ConfigurationError(f"seeds.paths: {folder} is not a folder; name the folder of seeds")
    return os.access(folder, os.R_OK | os.X_OK)


def _settled(found: Iterable[Found]) -> list[Found]:
    """Wait once until no file is younger than SETTLE, so that half-written ones are told."""
    listed = list(found)
    youngest = max((one.seed.stamp.mtime_ns for one in listed), default=0) / 1e9
    age = time.time() - youngest
    if listed and 0 <= age < SETTLE:
        time.sleep(SETTLE - age)
    return listed
