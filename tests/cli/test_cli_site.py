"""Laws of a new site and of its settings on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feedsvc.ingest import parse_seed
from feedsvc.settings import load_settings

Command = Callable[..., Any]


def test_init_makes_a_site_that_works_at_once(command: Command, tmp_path: Path) -> None:
    answer = command("init", tmp_path / "new" / "site")
    assert answer.code == 0
    assert "Next:" in answer.out
    root = tmp_path / "new" / "site"
    assert (root / "feeds").is_dir()
    load_settings(root, environ={})
    sample = parse_seed("seeds/welcome.md", (root / "seeds" / "welcome.md").read_bytes())
    assert sample.title
    assert not sample.warnings
    report = command("rebuild", "--root", root, "--json")
    assert report.code == 0
    assert report.json["articles"] == 1
    assert (root / "feeds" / "all.atom").is_file()


def test_init_overwrites_nothing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feedsvc.toml").write_text("# mine\n")
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "mine.md").write_text("mine")
    answer = command("init", "--json")
    assert answer.json["kept"] == ["config/feedsvc.toml"]
    assert answer.json["made"] == ["config/topics.toml"]
    assert (tmp_path / "config" / "feedsvc.toml").read_text() == "# mine\n"
    assert [one.name for one in (tmp_path / "seeds").iterdir()] == ["mine.md"]


def test_init_twice_changes_nothing(command: Command, site: Path) -> None:
    assert command("init", site, "--json").json["made"] == []


def test_show_says_where_each_value_comes_from(
    command: Command, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "config" / "feedsvc.toml").write_text("[feeds]\nentries = 7\n")
    monkeypatch.setenv("FEEDSVC_WEB__PORT", "9000")
    answer = command("config", "show", "--root", site, "--json")
    settings = answer.json["settings"]
    assert settings["feeds.entries"] == {"value": 7, "origin": "config/feedsvc.toml:2"}
    assert settings["web.port"] == {"value": 9000, "origin": "FEEDSVC_WEB__PORT"}
    assert settings["schedule.ingest"] == {"value": "5m", "origin": "default"}
    text = command("config", "show", "--root", site).out
    assert len(text.splitlines()) == len(settings) + 2


def test_check_finds_mistakes_in_settings_and_topics(command: Command, site: Path) -> None:
    assert command("config", "check", "--root", site).code == 0
    (site / "config" / "feedsvc.toml").write_text("[web]\nprot = 1\n")
    answer = command("config", "check", "--root", site, "--json")
    assert answer.code == 4
    assert "config/feedsvc.toml:2: unknown key web.prot; did you mean web.port?" in answer.err
    assert answer.json["exit_code"] == 4
    (site / "config" / "feedsvc.toml").write_text("")
    (site / "config" / "topics.toml").write_text("[[topic]\n")
    answer = command("config", "check", "--root", site)
    assert answer.code == 4
    assert "config/topics.toml:1" in answer.err


def test_a_site_that_is_not_there_names_the_remedy(command: Command) -> None:
    answer = command("status", "--root", "nowhere")
    assert answer.code == 4
    assert "feedsvc init nowhere" in answer.err


def test_check_warns_of_a_seeds_folder_that_is_not_there(command: Command, site: Path) -> None:
    assert command("config", "check", "--root", site, "--json").json["warnings"] == []
    (site / "config" / "feedsvc.toml").write_text('[seeds]\npaths = ["seedz"]\n')
    answer = command("config", "check", "--root", site)
    assert answer.code == 0
    assert "config/feedsvc.toml:2: seeds.paths: there is no folder seedz" in answer.out


def test_a_seeds_folder_that_is_not_there_is_no_health(command: Command, site: Path) -> None:
    (site / "config" / "feedsvc.toml").write_text('[seeds]\npaths = ["seedz"]\n')
    answer = command("ingest", "--root", site)
    assert answer.code == 2
    assert "seedz: the folder is not there" in answer.out
    answer = command("status", "--root", site)
    assert answer.out.startswith("Not well: no folder seedz\n")
    assert "correct seeds.paths" in answer.out
    (site / "seedz").mkdir()
    assert command("ingest", "--root", site).code == 0
    assert command("status", "--root", site, "--json").json["healthy"]


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/site"])
def test_init_where_no_folder_can_be_is_told_as_such(
    command: Command, tmp_path: Path, where: str
) -> None:
    (tmp_path / "file").write_text("mine")
    answer = command("init", where)
    assert answer.code == 4
    assert "unexpected" not in answer.err
    assert (tmp_path / "file").read_text() == "mine"


def test_topics_that_cannot_be_read_name_file_and_remedy(command: Command, site: Path) -> None:
    topics = site / "config" / "topics.toml"
    for content, said in (
        (b"\n[[topic]]\nslug = '\xff'\n", "config/topics.toml:3: this is not UTF-8 text"),
        (b"", "config/topics.toml:1: this file names no topic"),
    ):
        topics.write_bytes(content)
        for words in (("config", "check"), ("rebuild",)):
            answer = command(*words, "--root", site)
            assert answer.code == 4
            assert said in answer.err
    topics.unlink()
    topics.mkdir()
    for words in (("config", "check"), ("rebuild",)):
        answer = command(*words, "--root", site)
        assert answer.code == 4
        assert "config/topics.toml: this is a folder; move it away" in answer.err
