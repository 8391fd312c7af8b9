"""Load new and changed seeds; withdraw what is gone."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from feedsvc.ingest import PARSER_VERSION
from feedsvc.jobs.decide import Decider, Decision, held, ids_of, keys_of, missing
from feedsvc.jobs.filing import file_articles
from feedsvc.jobs.load import Found, Loaded, load_all
from feedsvc.jobs.looking import Alive, Look, look_at, look_everywhere, seed_folders, settled
from feedsvc.jobs.refuse import without_forgotten
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import with_choices
from feedsvc.logs import logger
from feedsvc.model import (
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
RECENT = timedelta(minutes=10)

log = logger(__name__)


def ingest_seeds(
    runtime: Runtime,
    *,
    force: bool = False,
    accept_deletions: bool = False,
    names: Collection[str] | None = None,
    quiet: float = 0.0,
    progress: Progress = silent,
) -> IngestReport:
    """Load new and changed seeds and withdraw the articles of those that are gone.

    ``names`` limits the look to those seeds (or folders of seeds) and costs nothing for the
    others; ``force`` reads and parses also what seems unchanged. A new file that was written to
    less than ``quiet`` seconds ago counts as busy: its writer may not have come to the end, where
    the URL stands. Raises Temporary while another process loads.
    """
    began = time.monotonic()
    with runtime.lock("ingest"), recorded(runtime, "ingest") as run:
        work = _Ingest(
            runtime, force=force, accept=accept_deletions, quiet=quiet, progress=progress
        )
        report = replace(work.run(names), seconds=time.monotonic() - began)
        run.note(report)
    return report


class _Ingest:
    def __init__(
        self, runtime: Runtime, *, force: bool, accept: bool, quiet: float, progress: Progress
    ) -> None:
        self.runtime = runtime
        self.force = force
        self.accept = accept
        self.quiet = quiet
        self.progress = progress
        self.classifier = runtime.classifier
        self.filing = runtime.filing
        self.limit = runtime.settings.seeds.max_size
        self.totals = Decision()
        self.left: set[str] = set()
        self.busy = 0
        self.withdrawn = 0
        self.held = 0

    def run(self, names: Collection[str] | None) -> IngestReport:
        seen = look_everywhere(self.runtime) if names is None else look_at(self.runtime, names)
        self.progress("looking", len(seen.found), None)
        changed = [
            found
            for name, found in seen.found.items()
            if self.force or not seen.is_unchanged(found, name)
        ]
        changed = self._without_young(changed, seen)
        self.totals.unmodified = sum(
            seen.known[name][1] is SeedState.LOADED for name in seen.found if name in seen.known
        ) - sum(
            found.seed.name in seen.known and seen.known[found.seed.name][1] is SeedState.LOADED
            for found in changed
        )
        gone = sorted(set(seen.known) - set(seen.found))
        with self.runtime.database.reading() as store:
            records = store.seed_records(gone)
        self._load(
            settled(changed), alive=Alive(self.runtime, seen, complete=names is None), gone=records
        )
        self._remove(records, seen)
        self._rescue(seen)
        return self._report(seen)

    def _without_young(self, changed: list[Found], seen: Look) -> list[Found]:
        """Leave new files that may still be written for the next look."""
        written = time.time() - self.quiet
        old = [
            one
            for one in changed
            if one.seed.name in seen.known or one.seed.stamp.mtime_ns / 1e9 <= written
        ]
        self.busy += len(changed) - len(old)
        return old

    # --- loading ------------------------------------------------------------------------

    def _load(
        self,
        found: Sequence[Found],
        *,
        alive: Alive,
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

    def _store(self, batch: Sequence[Loaded], alive: Alive, gone: Mapping[str, SeedRecord]) -> None:
        if not batch:
            return
        now = self.runtime.now()
        with self.runtime.database.transaction() as store:
            batch = without_forgotten(store, batch)
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
            store.unbury(list(decision.puts))
            scores = with_choices(store, self.classifier, decision.scores, fresh=decision.fresh)
            store.put_topics(scores, fresh=decision.fresh)
            file_articles(
                store,
                self.filing,
                {id_: (one.parsed, one.published) for id_, one in decision.puts.items()},
                topics={id_: [one.topic for one in list_] for id_, list_ in scores.items()},
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

    def _remove(self, gone: Mapping[str, SeedRecord], seen: Look) -> None:
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
                store.bury(sorted(self.left), now=now)
                store.withdraw(sorted(self.left), now=now)
        self.held = len(held_back)
        if self.held:
            log.error(
                "seeds.missing",
                seeds=self.held,
                remedy="bring the folder back, or run `feedsvc ingest --accept-deletions`",
            )

    def _keep(self, store: Store, lost: Sequence[SeedRecord], seen: Look) -> set[str]:
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
        folders = [one for one in seed_folders(self.runtime) if name.startswith(f"{one}/")]
        return max(folders, key=len) if folders else name.partition("/")[0]

    def _rescue(self, seen: Look) -> None:
        """Let a duplicate take over the article whose own seed is gone."""
        if not self.left:
            return
        with self.runtime.database.reading() as store:
            names = store.duplicates_of(sorted(self.left))
        if not names:
            return
        found = look_at(self.runtime, names).found
        before = len(self.left)
        self.left = set()
        self.force = True
        self._load(list(found.values()), alive=Alive(self.runtime, seen, complete=False), gone={})
        log.info("seeds.taken_over", articles=before, seeds=len(found))

    # --- reporting ----------------------------------------------------------------------

    def _report(self, seen: Look) -> IngestReport:
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
            absent=tuple(name for name in seed_folders(self.runtime) if name in seen.absent),
        )
