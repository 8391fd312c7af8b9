"""Laws of the commands that hand on and take in: reports, exit codes, and what they refuse."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.origin import Listener, Origin

Command = Callable[..., Any]

TEXT = (
    "The harbour council met on Monday to talk about the new ferry, which is late again.",
    "Several members asked who would pay for it, and nobody had an answer ready at all.",
)
PAGE = (
    "<html><head><title>A ferry for the harbour</title></head><body><article>"
    "<h1>A ferry for the harbour</h1>"
    + "".join(f"<p>{one}</p>" for one in TEXT)
    + "</article></body></html>"
).encode()


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    """A web server the site trusts, with one page on it."""
    served = Origin()
    listener = Listener(served)
    served.page("/ferry", PAGE)
    monkeypatch.setenv("FEEDSVC_ARCHIVE__ALLOW_HOSTS", served.host)
    monkeypatch.setenv("FEEDSVC_ARCHIVE__PER_HOST_DELAY", "0s")
    yield served
    listener.close()


@pytest.fixture
def archived(command: Command, site: Path, origin: Origin) -> str:
    """The id of an article that was added with its snapshot."""
    added = command("add", origin.url("/ferry"), "--root", site, "--json")
    assert added.code == 0, added.err
    return str(added.json["additions"][0]["article_id"])


def test_add_writes_seeds_and_tells_duplicates(
    command: Command, site: Path, origin: Origin, tmp_path: Path
) -> None:
    url = origin.url("/ferry")
    shown = command("add", url, "--dry-run", "--root", site)
    assert shown.code == 0
    assert TEXT[0] in shown.out
    assert not list((site / "seeds").glob("127*"))
    answer = command("add", url, "--root", site)
    assert answer.code == 0
    assert "a-ferry-for-the-harbour.md" in answer.out
    assert "verified" in answer.out
    assert "1 URL in" in answer.out
    again = command("add", url, "--root", site)
    assert again.code == 0
    assert "There already" in again.out
    assert command("status", "--root", site, "--json").json["archived"] == 1


def test_add_takes_lists_from_files_and_stdin_and_goes_on_after_failures(
    command: Command, site: Path, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list.opml").write_text(
        f'<opml version="2.0"><body><outline type="link" url="{origin.url("/gone")}"/></body></opml>'
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(origin.url("/ferry").encode())))
    answer = command(
        "add", "--from", tmp_path / "list.opml", "--from", "-", "--root", site, "--json"
    )
    assert answer.code == 2
    assert [one["outcome"] for one in answer.json["additions"]] == ["failed", "added"]
    text = command("add", origin.url("/gone"), "--root", site)
    assert text.code == 2
    assert "Not added" in text.out
    assert "404" in text.out


def test_add_refuses_what_is_no_list(command: Command, site: Path, tmp_path: Path) -> None:
    assert command("add", "--root", site).code == 64
    assert command("add", "--from", tmp_path / "missing", "--root", site).code == 64
    (tmp_path / "evil.opml").write_text("<!DOCTYPE opml [<!ENTITY x 'y'>]><opml/>")
    answer = command("add", "--from", tmp_path / "evil.opml", "--root", site)
    assert answer.code == 64
    assert "document type" in answer.err


def test_export_writes_each_form_once(
    command: Command, site: Path, archived: str, tmp_path: Path
) -> None:
    target = tmp_path / "site.wacz"
    answer = command("export", "wacz", target, "--all", "--root", site)
    assert answer.code == 0
    assert "1 snapshot" in answer.out
    assert zipfile.is_zipfile(target)
    assert command("export", "wacz", target, "--all", "--root", site).code == 64
    assert command("export", "wacz", target, "--all", "--replace", "--root", site).code == 0
    warc = command("export", "warc", tmp_path / "a.warc.gz", "--article", archived, "--root", site)
    cdxj = command("export", "cdxj", tmp_path / "a.cdxj", "--all", "--root", site, "--json")
    assert (warc.code, cdxj.code) == (0, 0)
    assert cdxj.json["records"] == len((tmp_path / "a.cdxj").read_text().splitlines())


def test_export_says_what_it_needs(command: Command, site: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.wacz"
    assert command("export", "wacz", target, "--root", site).code == 64
    assert command("export", "wacz", target, "--all", "--topic", "x", "--root", site).code == 64
    answer = command("export", "wacz", target, "--all", "--root", site)
    assert answer.code == 64
    assert "no snapshot to export" in answer.err
    assert not target.exists()


def test_import_reports_what_it_took_and_what_it_did_not(
    command: Command, site: Path, archived: str, tmp_path: Path
) -> None:
    target = tmp_path / "site.warc.gz"
    command("export", "warc", target, "--all", "--root", site)
    known = command("import", target, "--root", site, "--json")
    assert (known.code, known.json["known"]) == (0, 1)
    target.write_bytes(target.read_bytes()[:-20])
    answer = command("import", target, "--root", site)
    assert answer.code == 2
    assert "site.warc.gz: offset" in answer.out
    assert command("import", tmp_path / "missing", "--root", site).code == 64


def test_forget_asks_first_and_says_what_is_left_to_do(
    command: Command, site: Path, archived: str
) -> None:
    look = command("forget", archived, "--dry-run", "--root", site)
    assert look.code == 0
    assert "Would be forgotten: A ferry" in look.out
    asked = command("forget", archived, "--root", site)
    assert asked.code == 64
    assert "--yes" in asked.err
    done = command("forget", archived, "--yes", "--reason", "a court said so", "--root", site)
    assert done.code == 0
    assert "Delete the file seeds/" in done.out
    refused = command("ingest", "--root", site)
    assert refused.code == 2
    assert f"--undo {archived}" in refused.out
    log = command("audit", "--root", site)
    assert "a court said so" in log.out
    assert command("forget", archived, "--undo", "--root", site).code == 0
    assert command("ingest", "--root", site, "--json").json["new"] == 1
    actions = [one["action"] for one in command("audit", "--root", site, "--json").json["entries"]]
    assert actions == ["remember", "forget"]


def test_the_audit_log_of_a_site_that_forgot_nothing_says_so(command: Command, site: Path) -> None:
    answer = command("audit", "--root", site)
    assert (answer.code, answer.out) == (0, "Nothing is in the audit log yet.\n")


def test_an_add_that_is_stopped_says_so_and_exits_130(
    process: Callable[..., subprocess.Popen[str]], site: Path, origin: Origin
) -> None:
    asked = threading.Event()

    def wait(connection: Any, seen: Any) -> None:
        asked.set()
        origin.pause(30)

    slow = origin.raw("/slow", wait)
    options = {"FEEDSVC_ARCHIVE__ALLOW_HOSTS": origin.host, "FEEDSVC_ARCHIVE__TIMEOUT": "2s"}
    with process("add", slow, "--root", site, "--json", **options) as started:
        assert asked.wait(30)
        started.send_signal(signal.SIGINT)
        out, _ = started.communicate(timeout=30)
    assert started.returncode == 130
    assert json.loads(out)["stopped"] is True
