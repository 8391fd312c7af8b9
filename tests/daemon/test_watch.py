"""Laws of the watcher: it names what changed, and asks for a look at everything if unsure."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedsvc.daemon.watch import Watcher, is_seed, name_of

Seen = queue.Queue[Collection[str] | None]


@contextmanager
def watching(folders: dict[str, Path]) -> Iterator[tuple[Watcher, Seen]]:
    seen: Seen = queue.Queue()
    watcher = Watcher(folders, seen.put)
    watcher.start()
    try:
        yield watcher, seen
    finally:
        watcher.stop()


def until(seen: Seen, wanted: Callable[[Collection[str] | None], bool]) -> None:
    while not wanted(seen.get(timeout=20)):
        pass


def is_all(names: Collection[str] | None) -> bool:
    return names is None


def test_changes_are_named(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    with watching({"seeds": tmp_path}) as (watcher, seen):
        assert watcher.watching.wait(20)
        (tmp_path / "python" / "a.md").write_text("a")
        (tmp_path / ".b.md.swp").write_text("b")
        until(seen, lambda names: set(names or ()) == {"seeds/python/a.md"})
        (tmp_path / "python" / "a.md").rename(tmp_path / "c.txt")
        until(seen, lambda names: set(names or ()) == {"seeds/python/a.md", "seeds/c.txt"})
        (tmp_path / "c.txt").unlink()
        until(seen, lambda names: set(names or ()) == {"seeds/c.txt"})


def test_a_folder_that_moves_in_or_out_is_named(tmp_path: Path) -> None:
    seeds, outside = tmp_path / "seeds", tmp_path / "outside"
    seeds.mkdir()
    outside.mkdir()
    (outside / "a.md").write_text("a")
    with watching({"seeds": seeds}) as (watcher, seen):
        assert watcher.watching.wait(20)
        outside.rename(seeds / "inside")
        until(seen, lambda names: "seeds/inside" in (names or ()))
        (seeds / "inside").rename(tmp_path / "away")
        until(seen, lambda names: "seeds/inside" in (names or ()))


def test_a_folder_that_appears_later_is_watched(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    with watching({"seeds": seeds}) as (watcher, seen):
        seeds.mkdir()
        until(seen, is_all)
        assert watcher.watching.wait(20)
        (seeds / "a.md").write_text("a")
        until(seen, lambda names: "seeds/a.md" in (names or ()))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/s/a.md", "seeds/a.md"),
        ("/s/x/a.TXT", "seeds/x/a.TXT"),
        ("/other/b.markdown", "more/articles/b.markdown"),
        ("/s", None),
        ("/elsewhere/a.md", None),
    ],
)
def test_seeds_have_the_names_they_are_stored_under(path: str, name: str | None) -> None:
    assert name_of(path, {"seeds": Path("/s"), "more/articles": Path("/other")}) == name


def test_only_files_named_like_seeds_are_looked_at() -> None:
    names = ["a.md", "a.TXT", "a.md.swp", "a", ".a.md~", "4913"]
    assert [name for name in names if is_seed(name)] == ["a.md", "a.TXT"]
