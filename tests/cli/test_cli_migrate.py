"""Laws of the command that moves a site: what it says, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedsvc.cli import main
from feedsvc.daemon.lock import single_instance
from feedsvc.jobs.holder import LOCK_FILE
from tests.jobs.moving import add_snapshots, rows_at, stock
from tests.jobs.site import open_site

pytestmark = pytest.mark.fleet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    (site / "seeds").mkdir(parents=True)
    stock(site)
    with open_site(site) as runtime:
        add_snapshots(runtime, 2)
    return site


def test_it_says_what_to_change_and_how_to_start(
    root: Path, postgresql: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = postgresql.replace("feedsvc@", "feedsvc:s3cret@")
    store, feeds = str(tmp_path / "shared/snapshots"), str(tmp_path / "shared/feeds")
    arguments = ["--root", str(root), "migrate", "--to", secret, "--store", store, "--feeds", feeds]
    assert main([*arguments, "--dry-run"]) == 0
    assert "Nothing was changed." in capsys.readouterr().out
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err
    lines = said.out.splitlines()
    for setting, value in (
        ("database.url", f'"{postgresql.replace("feedsvc@", "feedsvc:***@")}"'),
        ("archive.store", f'"{store}"'),
        ("feeds.dir", f'"{feeds}"'),
        ("fleet.enabled", "true"),
    ):
        assert any(line.split()[:2] == [setting, value] for line in lines), said.out
    assert "`feedsvc worker`" in said.out
    assert "`feedsvc serve`" in said.out
    assert "keep their addresses" in said.out


def test_damage_that_was_known_ends_it_otherwise_than_damage_that_was_not(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_site(root) as runtime:
        key = next(iter(runtime.archive.stored("2026/11")))
        runtime.archive.delete(key)
    common = ["--root", str(root), "--json", "migrate", "--store", str(tmp_path / "new")]
    assert main([*common, "--to", f"sqlite:///{tmp_path}/one.db"]) == 6
    assert key in json.loads(capsys.readouterr().out)["differences"][0]
    with open_site(root) as runtime, runtime.database.transaction() as store:
        ids = [one.id for one in store.all_snapshots() if one.key == key]
        store.mark_damaged(ids, now=runtime.now())
    assert main([*common, "--to", f"sqlite:///{tmp_path}/two.db"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert key in said["problems"][0]
    assert said["differences"] == []


def test_a_daemon_that_runs_keeps_the_site_where_it_is(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = f"sqlite:///{tmp_path}/new.db"
    with single_instance(root / LOCK_FILE):
        assert main(["--root", str(root), "migrate", "--to", to]) == 5
    assert "stop it" in capsys.readouterr().err
    assert not (tmp_path / "new.db").exists()
    assert main(["--root", str(root), "migrate", "--to", to]) == 0
    assert rows_at(to, root) == rows_at("sqlite:///data/feedsvc.db", root)
    assert main(["--root", str(root), "migrate", "--to", f"sqlite:///{root}/data/feedsvc.db"]) == 4
    capsys.readouterr()
