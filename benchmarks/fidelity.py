"""What other programs find in our archive of a website, and what it gives back."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.asking import ask
from benchmarks.capturing import prepare, server
from benchmarks.measure import FEEDSVC, Row, run
from benchmarks.website import write_site
from feedsvc.runtime import Runtime, open_runtime
from feedsvc.settings import load_settings

Digests = dict[str, set[str]]


def fidelity(work: Path, *, pages: int) -> Iterator[Row]:
    """Archive a website and let warcio, fastwarc, wget and the replay say what became of it."""
    website = work / "website"
    write_site(website, pages)
    with server(website, work) as (_, port):
        base = f"http://127.0.0.1:{port}"
        site = prepare(work / "fidelity", base, port=port, pages=pages)
        run([*FEEDSVC, "capture", "--root", site, "--json"])
        theirs = _of_wget(work / "wget", base, pages)
    files = sorted((site / "data" / "snapshots").rglob("*.warc.gz"))
    ours = _digests(files)
    yield Row(f"{pages} pages in {len(files)} WARC files", f"{len(ours)} addresses", f"{pages + 6}")
    together = _together(files, work / "all.warc.gz")
    yield _checked("warcio check", ["-m", "warcio.cli", "check", together])
    yield _checked("fastwarc check", ["-m", "fastwarc.cli", "check", "-q", together])
    yield _compared(ours, theirs)
    with open_runtime(load_settings(site)) as runtime:
        yield asyncio.run(_replayed(runtime, website, base))


def _of_wget(folder: Path, base: str, pages: int) -> Digests:
    """Archive the same pages with wget; return what it found at each address."""
    wget = shutil.which("wget")
    if wget is None:
        return {}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    listed = folder / "list.txt"
    listed.write_text("".join(f"{base}/{number}.html\n" for number in range(pages)))
    run(
        [
            *(wget, "--quiet", "--execute", "robots=off", "--page-requisites"),
            *("--warc-file", folder / "site", "--directory-prefix", folder / "files"),
            *("--input-file", listed),
        ]
    )
    return _digests([folder / "site.warc.gz"])


def _digests(files: list[Path]) -> Digests:
    """Return the payload digests of all identity-encoded 200s, by address."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    found: Digests = {}
    for path in files:
        with path.open("rb") as file:
            kinds = WarcRecordType.response | WarcRecordType.revisit
            for record in ArchiveIterator(file, record_types=kinds, parse_http=True):
                head = record.http_headers
                if head.status_code != 200 or head.get("Content-Encoding"):
                    continue
                url = (record.headers.get("WARC-Target-URI") or "").strip("<>")
                found.setdefault(url, set()).add(record.headers.get("WARC-Payload-Digest") or "")
    return found


def _together(files: list[Path], target: Path) -> Path:
    """Write all the files one behind the other, which is a WARC file again (WARC 1.1 §D.2)."""
    with target.open("wb") as out:
        for path in files:
            out.write(path.read_bytes())
    return target


def _checked(name: str, command: list[str | Path]) -> Row:
    """Have a program check every record."""
    checked = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    return Row(name, "FAILS" if checked.returncode else "all records pass", "all")


def _compared(ours: Digests, theirs: Digests) -> Row:
    if not theirs:
        return Row("wget is not installed, so there is nothing to compare with", "skipped")
    shared = ours.keys() & theirs.keys()
    same = sum(ours[url] == theirs[url] for url in shared)
    return Row(
        f"payload digests as wget's ({len(theirs)} addresses)",
        f"{same} of {len(shared)} shared ones are equal",
        "all",
    )


async def _replayed(runtime: Runtime, website: Path, base: str) -> Row:
    """Have every address of every snapshot sent raw, and hold it against the file it came from."""
    from feedsvc.replay.index import Index
    from feedsvc.replay.records import Record, read_records
    from feedsvc.web import create_app

    app, total, same = create_app(runtime), 0, 0
    with runtime.database.reading() as store:
        snapshots = list(store.all_snapshots())
    for snapshot in snapshots:
        with runtime.archive.open(snapshot.key) as file:
            records = [one for one in read_records(file) if isinstance(one, Record)]
        assert Index(records).whole
        for url in {one.url for one in records if one.status == 200}:
            answer = await ask(app, f"/snapshots/{snapshot.id}/id_/{url}")
            total += 1
            same += answer.body == (website / url.removeprefix(f"{base}/")).read_bytes()
    return Row("sent raw, byte for byte as on the server", f"{same:,} of {total:,}", "all")
