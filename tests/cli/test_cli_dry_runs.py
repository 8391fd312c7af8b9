"""Laws of `--dry-run`, of second tries and of guesses: nothing changes, and nothing is hidden."""

from __future__ import annotations

import hashlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feedsvc.cli.site import create_site, demo_site
from feedsvc.ingest import parse_seed
from feedsvc.settings import load_settings
from tests.origin import Listener, Origin

Command = Callable[..., Any]
ROOT = Path(__file__).parents[2]


def state(site: Path) -> dict[str, str]:
    """Return the digest of everything that is kept, the locks and SQLite's own files apart."""
    files = [
        one
        for one in site.rglob("*")
        if one.is_file() and one.suffix not in {".lock", ".db-wal", ".db-shm"}
    ]
    return {
        str(one.relative_to(site)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files
    }


@pytest.fixture
def full(site: Path, command: Command) -> Path:
    """A site with many articles in its feeds."""
    for number in range(30):
        (site / "seeds" / f"{number}.md").write_text(f"# Title {number}\n\nText {number}.\n")
    assert command("rebuild", "--root", site).code == 0
    return site


def test_ingest_tells_what_would_be_withdrawn_and_withdraws_nothing(
    command: Command, full: Path
) -> None:
    for number in range(25):
        (full / "seeds" / f"{number}.md").unlink()
    (full / "seeds" / "new.md").write_text("# New\n\nNew.\n")
    before = state(full)
    cautious = command("ingest", "--dry-run", "--root", full, "--json")
    assert (cautious.code, cautious.json["held"], cautious.json["would_withdraw"]) == (2, 25, [])
    answer = command("ingest", "--accept-deletions", "--dry-run", "--root", full, "--json")
    assert answer.code == 0
    assert len(answer.json["would_withdraw"]) == 25
    assert (answer.json["new"], answer.json["done"]) == (1, False)
    said = command("ingest", "--accept-deletions", "--dry-run", "--root", full).out
    assert "seeds/0.md" in said
    assert said.endswith("Nothing was changed.\n")
    assert state(full) == before
    done = command("ingest", "--accept-deletions", "--root", full, "--json").json
    assert (done["withdrawn"], done["new"], done["done"]) == (25, 1, True)


def test_ingest_on_postgresql_is_rehearsed_on_a_copy(
    command: Command, site: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSVC_DATABASE__URL", postgresql)
    assert command("ingest", "--root", site).code == 0
    (site / "seeds" / "welcome.md").unlink()
    words = ("ingest", "--accept-deletions", "--dry-run", "--root", site, "--json")
    for _ in range(2):
        assert command(*words).json["would_withdraw"] == ["seeds/welcome.md"]
    assert command("capture", "--failed", "--root", site).out == "Nothing was due.\n"


def test_restore_tells_what_would_be_written_and_writes_nothing(
    command: Command, full: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "all.tar"
    assert command("backup", backup, "--root", full).code == 0
    (full / "seeds" / "0.md").write_text("# Another\n\nText.\n")
    before = state(full)
    refused = command("restore", backup, "--dry-run", "--root", full)
    assert refused.code == 4
    answer = command("restore", backup, "--replace", "--dry-run", "--root", full, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["written"], answer.json["done"]) == (["seeds/0.md"], False)
    assert state(full) == before
    (tmp_path / "empty").mkdir()
    said = command("restore", backup, "--dry-run", "--root", tmp_path / "empty").out
    assert "the backup of" in said
    assert "would be written: config/topics.toml" in said
    assert state(tmp_path / "empty") == {}
    assert command("restore", backup, "--dry-run", "--root", tmp_path / "none").out == said
    assert not (tmp_path / "none").exists()


def test_a_damaged_backup_is_found_out_without_restoring_it(
    command: Command, full: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "all.tar"
    assert command("backup", backup, "--root", full).code == 0
    backup.write_bytes(backup.read_bytes()[:-20000])
    (tmp_path / "empty").mkdir()
    assert command("restore", backup, "--dry-run", "--root", tmp_path / "empty").code == 6


def test_unshare_tells_which_would_go_and_takes_none_back(command: Command, full: Path) -> None:
    command("feeds", "share", "all", "--root", full)
    answer = command("feeds", "unshare", "all", "--dry-run", "--root", full)
    assert (answer.code, answer.out) == (0, "1 share would be taken back\n")
    assert len(command("feeds", "shares", "--root", full, "--json").json["shares"]) == 1
    assert command("feeds", "unshare", "al", "--root", full).err.count("did you mean 'all'?") == 1


# --- second tries ---------------------------------------------------------------------------


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    monkeypatch.setenv("FEEDSVC_ARCHIVE__ALLOW_HOSTS", served.host)
    monkeypatch.setenv("FEEDSVC_ARCHIVE__PER_HOST_DELAY", "0s")
    monkeypatch.setenv("FEEDSVC_ARCHIVE__BROWSER", "never")
    yield served
    listener.close()


def test_what_failed_is_tried_again_at_once_and_nothing_else(
    command: Command, site: Path, origin: Origin
) -> None:
    text = "The ferry is late again, and nobody in the harbour knows who will pay for it. " * 4
    for name in ("good", "bad"):
        (site / "seeds" / f"{name}.md").write_text(
            f"# A ferry called {name}\n\n{text}\n\nOriginal url: {origin.url(f'/{name}')}\n"
        )
    page = f"<title>x</title><article><h1>A ferry called good</h1><p>{text}</p></article>"
    origin.page("/good", page.encode())
    command("ingest", "--root", site)
    assert command("capture", "--root", site, "--json").json["tried"] == 2
    assert command("capture", "--root", site, "--json").json["tried"] == 0
    again = command("capture", "--failed", "--root", site, "--json")
    assert [one["url"] for one in again.json["attempts"]] == [origin.url("/bad")]
    assert (again.code, origin.count("/good")) == (2, 1)
    origin.page("/bad", page.replace("good", "bad").encode())
    assert command("capture", "--failed", "--root", site, "--json").json["archived"] == 1
    assert command("capture", "--failed", "--root", site).out == "Nothing was due.\n"
    assert command("recheck", "--failed", "--root", site).out == "Nothing was due.\n"
    assert command("recheck", "--failed", "--all", "--root", site).code == 64


# --- guesses --------------------------------------------------------------------------------


@pytest.fixture
def small(site: Path, command: Command) -> Path:
    (site / "seeds" / "1.md").write_text("# Title\n\nText.\n")
    assert command("rebuild", "--root", site).code == 0
    return site


@pytest.mark.parametrize(
    ("words", "guess"),
    [
        (("ingset",), "Did you mean 'ingest'"),
        (("feeds", "sahre"), "Did you mean 'share'"),
        (("ingest", "--froce"), "There is no option --froce. Did you mean '--force'?"),
        (("topics", "show", "seeds/welcom.md"), "did you mean 'seeds/welcome.md'?"),
        (("topics", "set", "seeds/1.md", "polics"), "did you mean 'politics'?"),
        (("rebuild", "--topic", "al"), "did you mean 'all'?"),
        (("search", "text", "--state", "gnoe"), "did you mean 'gone'?"),
        (("search", "text", "--topic", "science-tecnology"), "did you mean 'science-technology'?"),
        (
            ("export", "warc", "x", "--topic", "science-tecnology"),
            "did you mean 'science-technology'?",
        ),
        (("feeds", "share", "science-tecnology"), "did you mean 'science-technology'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_misspelt_name_gets_a_guess(
    command: Command, small: Path, words: tuple[str, ...], guess: str
) -> None:
    answer = command(*words, "--root", small)
    assert answer.code == 64
    assert guess in answer.err


# --- a demonstration, completion, settings --------------------------------------------------


def test_the_demonstration_is_the_articles_of_the_project(command: Command, tmp_path: Path) -> None:
    there = {one.name: one.read_bytes() for one in (ROOT / "seeds").iterdir()}
    answer = command("init", "--demo", tmp_path / "demo")
    assert answer.code == 0
    assert "Next:" in answer.out
    made = {one.name: one.read_bytes() for one in (tmp_path / "demo" / "seeds").iterdir()}
    assert made == there
    articles = [parse_seed(name, content) for name, content in made.items()]
    assert all(one.author and one.url and one.published for one in articles)
    assert len({one.published.month for one in articles if one.published}) > 5
    settings = load_settings(tmp_path / "demo", environ={})
    assert settings.feeds.also == ("authors", "hosts", "changes", "gone")
    assert settings.site.title != load_settings(ROOT / "tests", environ={}).site.title
    built = command("rebuild", "--root", tmp_path / "demo", "--json")
    assert (built.code, built.json["articles"]) == (0, len(there))
    assert len(command("topics", "--root", tmp_path / "demo", "--json").json["topics"]) > 2


def test_a_demonstration_overwrites_nothing(command: Command, tmp_path: Path) -> None:
    create_site(tmp_path)
    (tmp_path / "seeds" / "atom.md").write_text("mine")
    answer = command("init", "--demo", tmp_path, "--json")
    assert set(answer.json["kept"]) == {
        "config/feedsvc.toml",
        "config/topics.toml",
        "seeds/atom.md",
    }
    assert (tmp_path / "seeds" / "atom.md").read_text() == "mine"
    assert len(demo_site()) == len(answer.json["made"]) + 2


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("feedsvc in", ["ingest", "init"]),
        ("feedsvc feeds un", ["unshare"]),
        ("feedsvc ingest --f", ["--force"]),
    ],
)
def test_the_shell_completes_commands_and_options(typed: str, offered: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "feedsvc"],
        env={
            "PYTHONPATH": str(ROOT),
            "_FEEDSVC_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == offered


def test_completion_is_installed_where_bash_looks_for_it(tmp_path: Path) -> None:
    environ = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    call = f"{sys.executable} -m feedsvc --install-completion"
    # typer asks which shell it was started from.
    done = subprocess.run(
        ["bash", "-c", f"{call}; echo done"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("done\n"), done.stderr
    (script,) = tmp_path.rglob("feedsvc.sh")
    assert str(script) in (tmp_path / ".bashrc").read_text()
    subprocess.run(["bash", "-n", script], check=True)


def test_only_what_differs_is_shown_if_that_was_asked_for(
    command: Command, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        "Everything is as by default." in command("config", "show", "--changed", "--root", site).out
    )
    (site / "config" / "feedsvc.toml").write_text("[feeds]\nentries = 7\n")
    monkeypatch.setenv("FEEDSVC_WEB__PORT", "9000")
    answer = command("config", "show", "--changed", "--root", site, "--json")
    assert set(answer.json["settings"]) == {"feeds.entries", "web.port"}


def test_on_a_terminal_a_report_has_colours_and_in_a_pipe_none(site: Path) -> None:
    reader, writer = pty.openpty()
    words = [sys.executable, "-m", "feedsvc", "--root", str(site), "status"]
    environ = {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80"}
    subprocess.run(words, env=environ, stdout=writer, check=True)
    os.close(writer)
    shown = os.read(reader, 1 << 16).decode()
    os.close(reader)
    piped = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout
    assert "\x1b[" in shown
    assert "\x1b" not in piped
    assert piped.startswith("Healthy\n")
