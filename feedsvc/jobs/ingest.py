"""Load new and changed seeds; withdraw what is gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from feedsvc.ingest import PARSER_VERSION
from feedsvc.jobs.agreement import require_agreement
from feedsvc.jobs.decide import Decider, Decision, ids_of, keys_of
from feedsvc.jobs.filing import file_articles
from feedsvc.jobs.load import Found, Loaded, load_all
from feedsvc.jobs.looking import Alive, look_at, look_everywhere, settled
from feedsvc.jobs.refuse import without_forgotten
from feedsvc.jobs.running import recorded, silent
from feedsvc.jobs.sort import with_choices
from feedsvc.jobs.sources import seed_sources
from feedsvc.jobs.withdraw import Withdrawal
from feedsvc.logs import logger
from feedsvc.model import (
    FileStamp,
    IngestReport,
    Kind,
    Progress,
    SeedProblem,
    SeedRecord,
    SeedState,
    Task,
)
from feedsvc.runtime import LOCK_SECONDS, Runtime
from feedsvc.storage.store import Store
from feedsvc.urls import host_of

BATCH = 1000
"""Seeds stored in one transaction."""
RECENT = timedelta(minutes=10)
LEFT = "seeds.left"

log = logger(__name__)


def ingest_seeds(
    runtime: Runtime,
    *,
    force: bool = False,
    accept_deletions: bool = False,
    names: Collection[str] | None = None,
    quiet: float = 0.0,
    wait: float = LOCK_SECONDS,
    progress: Progress = silent,
) -> IngestReport:
    """Load new and changed seeds and withdraw the articles of those that are gone.

    ``names`` limits the look to those seeds (or folders of seeds) and costs nothing for the
    others; ``force`` reads and parses also what seems unchanged. A new file that was written to
    less than ``quiet`` seconds ago counts as busy: its writer may not have come to the end, where
    the URL stands. Raises Temporary if another process loads for longer than ``wait`` seconds.
    """
    began = time.monotonic()
    with runtime.lock("ingest", wait=wait), recorded(runtime, "ingest") as run:
        work = Ingest(runtime, force=force, accept=accept_deletions, quiet=quiet, progress=progress)
        report = replace(work.run(names), seconds=time.monotonic() - began)
        run.note(report)
    return report


class Ingest:
    """One loading of seeds; whoever makes it holds the lock `ingest`."""

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
        if runtime.queue is not None:
            with runtime.database.reading() as store:
                require_agreement(runtime, store)
                self.left = left_before(store)
        self.busy = 0
        self.withdrawn = 0
        self.held = 0
        self.absent: Collection[str] = ()
        self.hides: Callable[[str], bool] = lambda _: False
        self.seen: Container[str] = ()
        self.alive: Callable[[str], bool] = lambda _: False

    def run(self, names: Collection[str] | None) -> IngestReport:
        """Load what changed and withdraw what is gone, everywhere or among those names."""
        seen = look_everywhere(self.runtime) if names is None else look_at(self.runtime, names)
        self.progress("looking", len(seen.found), None)
        self.absent, self.hides, self.seen = seen.absent, seen.hides, seen.found
        self.alive = Alive(self.runtime, seen.found, seen.hides, complete=names is None)
        changed = self.without_young(
            [
                found
                for name, found in seen.found.items()
                if self.force or not seen.is_unchanged(found, name)
            ],
            known=seen.known,
        )
        self.totals.unmodified = sum(
            seen.known[name][1] is SeedState.LOADED for name in seen.found if name in seen.known
        ) - sum(
            found.seed.name in seen.known and seen.known[found.seed.name][1] is SeedState.LOADED
            for found in changed
        )
        gone = sorted(set(seen.known) - set(seen.found))
        with self.runtime.database.reading() as store:
            records = store.seed_records(gone)
        self.load(
            settled(changed), gone={one.digest: one for one in records.values() if one.digest}
        )
        self.withdraw(gone)
        return self.report()

    def without_young(self, changed: list[Found], *, known: Container[str]) -> list[Found]:
        """Leave new files that may still be written for the next look."""
        written = time.time() - self.quiet
        old = [
            one
            for one in changed
            if one.source.is_atomic
            or one.seed.name in known
            or one.seed.stamp.mtime_ns / 1e9 <= written
        ]
        self.busy += len(changed) - len(old)
        return old

    # --- loading ------------------------------------------------------------------------

    def load(self, found: Sequence[Found], *, gone: Mapping[str, SeedRecord]) -> None:
        """Read, parse, sort and store seeds; ``gone`` are records of lost ones, by digest."""
        if not found:
            return
        # Known files first: what they give up or take over decides about the new ones.
        with self.runtime.database.reading() as store:
            known = store.seed_stamps({one.seed.name for one in found})
            digests = {} if self.force else good_digests(store, known)
        order = sorted(found, key=lambda one: (one.seed.name not in known, one.seed.name))
        batch: list[Loaded] = []
        done = 0
        for piece in load_all(order, classifier=self.classifier, limit=self.limit, known=digests):
            batch += piece
            done += len(piece)
            if len(batch) >= BATCH:
                self.store(batch, gone=gone)
                batch = []
            self.progress("loading", done, len(order))
        self.store(batch, gone=gone)

    def store(self, batch: Sequence[Loaded], *, gone: Mapping[str, SeedRecord]) -> None:
        """Store what seeds gave, in one transaction."""
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
                alive=self.alive,
                gone=gone,
                holders=store.seed_records({one.seed for one in stored}),
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
            if self.runtime.queue is not None:
                store.drop_staged({one.name for one in batch})
                remember_left(store, (self.left | decision.left) - set(decision.puts))
                self.runtime.queue.put(store, _captures(decision))
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

    def withdraw(self, gone: Sequence[str]) -> None:
        """Withdraw articles whose seed is gone, unless it looks like a lost disk."""
        if not gone and not self.left:
            return
        with self.runtime.database.reading() as store:
            recent = store.withdrawn_since(self.runtime.now() - RECENT)
        work = Withdrawal(self.runtime, hides=self.hides, accept=self.accept, recent=recent)
        work.remove(gone, left=self.left)
        if self.runtime.queue is not None:
            with self.runtime.database.transaction() as store:
                remember_left(store, ())
        self.withdrawn += len(work.withdrawn)
        self.held = work.held
        self._rescue(work.withdrawn)

    def _rescue(self, articles: Collection[str]) -> None:
        """Let a duplicate take over the article whose own seed is gone."""
        if not articles:
            return
        with self.runtime.database.reading() as store:
            names = store.duplicates_of(sorted(articles))
        if not names:
            return
        found = look_at(self.runtime, names).found
        self.left = set()
        self.force = True
        self.alive = Alive(self.runtime, self.seen, self.hides, complete=False)
        self.load(list(found.values()), gone={})
        log.info("seeds.taken_over", articles=len(articles), seeds=len(found))

    # --- reporting ----------------------------------------------------------------------

    def report(self) -> IngestReport:
        """Return what was done, and which seeds have problems."""
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
            absent=tuple(name for name in seed_sources(self.runtime) if name in self.absent),
        )


def remember_left(store: Store, articles: Collection[str]) -> None:
    """Keep, for whoever finds seeds next, which articles have lost their seed to another one."""
    said = json.dumps(sorted(articles))
    if store.fact(LEFT) not in {said, None if said == "[]" else said}:
        store.set_fact(LEFT, said)


def left_before(store: Store) -> set[str]:
    """Return which articles had lost their seed when the finding of seeds was not at its end."""
    return set(json.loads(store.fact(LEFT) or "[]"))


def _captures(decision: Decision) -> list[Task]:
    """Return what a fleet has to do for new articles, and for those at another address."""
    urls = {put.parsed.url for put in decision.puts.values() if put.revised and put.parsed.url}
    return [Task(Kind.HOST, host) for host in sorted({host_of(url) for url in urls})]


def good_digests(
    store: Store, known: Mapping[str, tuple[FileStamp, SeedState, int]]
) -> dict[str, str]:
    """Return digests of seeds whose same bytes would give the same result."""
    good = {
        name
        for name, (_, state, parser) in known.items()
        if state is SeedState.LOADED and parser == PARSER_VERSION
    }
    return {name: one.digest for name, one in store.seed_records(good).items() if one.digest}
