"""What loading would do, found out by doing it on a copy of the database."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from feedsvc.jobs.ingest import ingest_seeds
from feedsvc.jobs.running import silent
from feedsvc.model import IngestReport, Progress
from feedsvc.runtime import Runtime
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.dump import dump_database


def rehearse_ingest(
    runtime: Runtime,
    *,
    force: bool = False,
    accept_deletions: bool = False,
    progress: Progress = silent,
) -> tuple[IngestReport, tuple[str, ...]]:
    """Return what `ingest_seeds` would report now, and the seeds whose articles it would withdraw.

    Nothing of the site changes. It needs room for a copy of the database beside it. Raises what
    `ingest_seeds` does.
    """
    runtime.state.mkdir(mode=0o750, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=runtime.state) as scratch:
        copy = Path(scratch) / "rehearsal.db"
        dump_database(runtime.database, copy)
        with closing(Database(database_url(f"sqlite:///{copy}", root=copy.parent))) as database:
            began = runtime.now()
            report = ingest_seeds(
                # Nobody is told of what does not happen.
                replace(runtime, database=database, queue=None, publish_tasks=None),
                force=force,
                accept_deletions=accept_deletions,
                progress=progress,
            )
            with database.reading() as store:
                return report, tuple(store.seeds_withdrawn_since(began))
