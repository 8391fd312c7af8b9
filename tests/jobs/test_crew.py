"""The threads of a capture run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from feedsvc.jobs.crew import Crew
from feedsvc.model import CaptureJob

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def a_job(host: str, number: int) -> CaptureJob:
    return CaptureJob(f"{host}-{number}", f"http://{host}/{number}", 0, "lease", NOW, "", "")


@contextmanager
def a_crew(work: Any, *, threads: int, per_host: int) -> Iterator[Crew[Any]]:
    crew: Crew[Any] = Crew(work, threads=threads, per_host=per_host)
    try:
        yield crew
    finally:
        crew.close()


def finish(crew: Crew[Any]) -> list[tuple[CaptureJob, Any]]:
    ended: list[tuple[CaptureJob, Any]] = []
    while not crew.idle:
        ended += crew.ended(wait=5)
    return ended


def test_every_capture_ends_once_and_a_host_never_has_too_many() -> None:
    lock, now, most = threading.Lock(), Counter[str](), Counter[str]()

    def work(job: CaptureJob) -> str:
        host = job.article_id.partition("-")[0]
        with lock:
            now[host] += 1
            most[host] = max(most[host], now[host])
        threading.Event().wait(0.001)
        with lock:
            now[host] -= 1
        return job.article_id

    jobs = [a_job(host, number) for number in range(40) for host in ("a", "b", "c")]
    with a_crew(work, threads=6, per_host=2) as crew:
        crew.add(jobs)
        ended = finish(crew)
    assert sorted(result for _, result in ended) == sorted(job.article_id for job in jobs)
    assert set(most.values()) <= {1, 2}


def test_a_slow_host_keeps_no_other_waiting() -> None:
    release = threading.Event()

    def work(job: CaptureJob) -> None:
        if job.url.startswith("http://slow"):
            release.wait(10)

    with a_crew(work, threads=3, per_host=2) as crew:
        crew.add([a_job("slow", number) for number in range(5)])
        crew.add([a_job("quick", number) for number in range(5)])
        ended: list[Any] = []
        while len(ended) < 5:
            ended += crew.ended(wait=5)
        assert {job.url[:11] for job, _ in ended} == {"http://quic"}
        assert (crew.flying, crew.waiting) == (2, 3)
        assert crew.hosts() == {"slow": 5}
        release.set()
        assert len(finish(crew)) == 5


def test_what_waits_can_be_dropped_and_closing_waits_for_the_rest() -> None:
    begun, release = threading.Event(), threading.Event()

    def work(job: CaptureJob) -> str:
        begun.set()
        release.wait(10)
        return job.article_id

    crew = Crew(work, threads=1, per_host=1)
    crew.add([a_job("a", number) for number in range(3)])
    assert begun.wait(10)
    crew.drop()
    assert crew.waiting == 0
    release.set()
    crew.close()
    assert [result for _, result in crew.ended(wait=0)] == ["a-0"]
