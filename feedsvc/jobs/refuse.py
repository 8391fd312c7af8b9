"""Seeds of articles that were forgotten on purpose are not loaded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from feedsvc.errors import SeedRejected
from feedsvc.jobs.decide import keys_of
from feedsvc.jobs.load import Loaded
from feedsvc.storage.store import Store


def without_forgotten(store: Store, batch: Sequence[Loaded]) -> Sequence[Loaded]:
    """Return a batch in which the seeds of forgotten articles are rejected."""
    ids = {one.article_id for one in batch if one.article_id}
    gone = store.forgotten(ids=ids, url_keys=keys_of(batch))
    if not gone:
        return batch
    return [
        _refused(one, id_)
        if (id_ := gone.get(one.key or "") or gone.get(one.article_id)) and one.parsed
        else one
        for one in batch
    ]


def _refused(loaded: Loaded, article_id: str) -> Loaded:
    problem = SeedRejected(
        "its article was forgotten on purpose",
        remedy=f"Delete the file, or let it come back with `feedsvc forget --undo {article_id}`",
    )
    return replace(loaded, parsed=None, scores=(), problem=problem)
