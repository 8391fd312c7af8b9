"""The law of fixity: a byte flipped in any one of many files is found, and only that file is named."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.jobs.keep import keep
from feedsvc.model import Snapshot
from feedsvc.runtime import Runtime
from tests.jobs.site import NOON, Seeds
from tests.jobs.test_portrait_job import STORY, order, page
from tests.replay.build import exchange

MANY = 36


@pytest.fixture
def files(runtime: Runtime, seeds: Seeds) -> list[Path]:
    """Snapshots at rest, each of other bytes."""
    seeds.write("ferry.md", url=STORY)
    jobs.ingest_seeds(runtime)
    with runtime.database.transaction() as store:
        (article,) = store.newest(1)
        for number in range(MANY):
            store.add_snapshot(_kept(runtime, number, article.id), ())
    return [Path(runtime.archive.place(key)) for key in sorted(runtime.archive.stored())]


def _kept(runtime: Runtime, number: int, article: str) -> Snapshot:
    id_, key = f"{number:08}-0000-7000-8000-000000000000", f"2026/11/{number}.warc.gz"
    body = page(f"<p>{number}</p>")
    made = order(snapshot_id=id_, key=key, body=body, page=[exchange(STORY, body)])
    kept = keep(made, runtime.archive)
    return Snapshot(
        id=id_,
        article_id=article,
        url=STORY,
        final_url=STORY,
        captured=NOON,
        status=200,
        judgement=kept.judgement,
        key=key,
        size=kept.size,
        sha256=kept.sha256,
        records=kept.records,
    )


def test_a_bit_flipped_anywhere_is_found_and_nothing_else_is(
    runtime: Runtime, files: list[Path]
) -> None:
    assert len(files) == MANY
    assert not jobs.verify(runtime).damage
    chance = random.Random(random.getrandbits(32))
    for _ in range(8):
        path = chance.choice(files)
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        whole = path.read_bytes()
        path.write_bytes(data)
        assert [one.name for one in jobs.verify(runtime).damage] == [str(path)]
        path.write_bytes(whole)
        assert not jobs.verify(runtime).damage
