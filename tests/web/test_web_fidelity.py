"""The law of fidelity: what is archived of a site is what it sent, to other programs and to readers."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator

from feedsvc import jobs
from feedsvc.model import Snapshot
from feedsvc.web import create_app
from tests.origin import Listener, Origin
from tests.web.conftest import opened

if TYPE_CHECKING:
    from tests.web.conftest import Served, Servers

PAGES = 30
SHARED = {
    "/style.css": ("text/css", b"@import 'more.css'; h1 { background: url(back.png) } " * 20),
    "/more.css": ("text/css", b"p { margin: 1em } " * 40),
    "/script.js": ("text/javascript", b"var ferry = 'boat';\n" * 50),
    "/back.png": ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
    "/boat.gif": ("image/gif", b"GIF89a" + bytes(range(256)) * 5),
    "/favicon.ico": ("image/x-icon", b"\0\0\1\0" + b"icon" * 100),
}
WORDS = ("harbour", "council", "ferry", "morning", "engine", "captain", "storm", "pier", "ticket")


@dataclass
class Archived:
    """A website, what was archived of it, and a server that gives it back."""

    sent: dict[str, bytes]
    """What the website sent, by address."""
    snapshots: list[Snapshot]
    folder: Path
    served: Served
    wget: Path

    @property
    def files(self) -> list[Path]:
        return [self.folder / one.key for one in self.snapshots]


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Iterator[Archived]:
    root = tmp_path_factory.mktemp("fidelity")
    (root / "seeds").mkdir()
    with ExitStack() as stack:
        origin = Origin()
        stack.callback(Listener(origin).close)
        sent = _website(origin, root / "seeds")
        archive = {"allow_hosts": [origin.host], "per_host": 8, "per_host_delay": "0s"}
        runtime = stack.enter_context(opened(root, archive=archive))
        jobs.ingest_seeds(runtime)
        assert jobs.capture_due(runtime).archived == PAGES
        with runtime.database.reading() as store:
            snapshots = list(store.all_snapshots())
        served = stack.enter_context(servers.serving(create_app(runtime)))
        folder = root / "data" / "snapshots"
        yield Archived(sent, snapshots, folder, served, _wget(root / "wget", sent))


def _website(origin: Origin, seeds: Path) -> dict[str, bytes]:
    """Serve pages that share files, and write their articles; return what is sent, by address."""
    chance = random.Random("fidelity")
    sent: dict[str, bytes] = {}
    for path, (media_type, content) in SHARED.items():
        sent[origin.page(path, content, headers=(("Content-Type", media_type),))] = content
    for number in range(PAGES):
        parts = [" ".join(chance.choices(WORDS, k=40)) + "." for _ in range(4)]
        title = f"Report {number} of the {chance.choice(WORDS)}"
        shown = "".join(f"<p>{part}</p>\r\n" for part in parts)
        body = (
            f"<!doctype html><title>{title}</title><link rel=stylesheet href=/style.css>"
            f"<script src=/script.js></script><h1>{title}</h1>{shown}<img src=/boat.gif>é\n"
        ).encode("latin-1")
        kind = ("Content-Type", "text/html; charset=iso-8859-1")
        url = origin.page(f"/{number}.html", body, headers=(kind,))
        sent[url] = body
        text = "\n\n".join(parts)
        seed = f"# {title}\n\nMay 31, 2024\n\n{text}\n\nOriginal url: {url}\n"
        (seeds / f"{number}.md").write_text(seed, encoding="utf-8")
    return sent


def _wget(folder: Path, sent: dict[str, bytes]) -> Path:
    """Archive the same pages with wget."""
    program = shutil.which("wget")
    if program is None:
        pytest.skip("no wget: install wget")  # .ci/run always has one
    folder.mkdir()
    pages = "\n".join(url for url in sent if url.endswith(".html"))
    command = [
        program,
        "-q",
        "-e",
        "robots=off",
        "-p",
        "-P",
        "files",
        "--warc-file=site",
        "-i",
        "-",
    ]
    # 8: the site has no robots.txt.
    found = subprocess.run(command, cwd=folder, input=pages.encode(), check=False)
    assert found.returncode in {0, 8}
    return folder / "site.warc.gz"


def _digests(files: list[Path]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in files:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if record.rec_type not in {"response", "revisit"}:
                    continue
                if record.http_headers.get_statuscode() == "200":
                    url = record.rec_headers.get_header("WARC-Target-URI").strip("<>")
                    digest = record.rec_headers.get_header("WARC-Payload-Digest")
                    found.setdefault(url, set()).add(digest)
    return found


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["warcio.cli", "check"], id="warcio"),
        pytest.param(["fastwarc.cli", "check", "-q"], id="fastwarc"),
    ],
)
def test_every_record_passes_the_checks_of_others(
    archived: Archived, tmp_path: Path, command: list[str]
) -> None:
    together = tmp_path / "all.warc.gz"
    together.write_bytes(b"".join(path.read_bytes() for path in archived.files))
    run = [sys.executable, "-m", *command, str(together)]
    checked = subprocess.run(run, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_payload_fits_its_digest_to_fastwarc(archived: Archived) -> None:
    # Its command holds the payload of a revisit, which has none, against the digest of the original.
    for path in archived.files:
        with path.open("rb") as file:
            for record in FastIterator(file, record_types=WarcRecordType.response):
                assert record.verify_payload_digest()


def test_payload_digests_are_those_of_wget(archived: Archived) -> None:
    ours, theirs = _digests(archived.files), _digests([archived.wget])
    shared = ours.keys() & theirs.keys()
    assert len(shared) >= PAGES + 4
    assert {url: ours[url] for url in shared} == {url: theirs[url] for url in shared}


def test_raw_replay_is_what_the_server_sent_byte_for_byte(archived: Archived) -> None:
    seen = set()
    for snapshot in archived.snapshots:
        with (archived.folder / snapshot.key).open("rb") as file:
            urls = {
                record.rec_headers.get_header("WARC-Target-URI")
                for record in ArchiveIterator(file)
                if record.rec_type in {"response", "revisit"}
            }
        for url in urls & archived.sent.keys():
            answer = archived.served.get(f"/snapshots/{snapshot.id}/id_/{url}")
            assert answer.content == archived.sent[url], url
        seen |= urls
    assert archived.sent.keys() <= seen
