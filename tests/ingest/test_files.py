"""Finding and reading seed files on a real file system."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

import pytest

from feedsvc.errors import FeedsvcError, NotFound, SeedBusy, SeedRejected
from feedsvc.ingest.files import FoundSeed, look, read, scan

LIMIT = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    folder.mkdir()
    return folder


def write(path: Path, content: bytes = b"# T\n\nText.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(folder: Path) -> dict[str, FoundSeed]:
    return {seed.relative: seed for seed in scan(folder, name="seeds")}


def test_seeds_are_found_in_folders_with_their_names_and_stamps(folder: Path) -> None:
    names = ["a.md", "b.TXT", "c.text", "d.markdown", "in/e.md", "in/deeper/f.txt", "été.md"]
    for name in names:
        write(folder / name)
    seeds = found(folder)
    assert sorted(seeds) == sorted(names)
    status = (folder / "in/e.md").stat()
    seed = seeds["in/e.md"]
    assert (seed.name, seed.problem) == ("seeds/in/e.md", None)
    assert seed.stamp.size == status.st_size
    assert (seed.stamp.mtime_ns, seed.stamp.inode) == (status.st_mtime_ns, status.st_ino)


def test_what_is_no_seed_is_passed_over(folder: Path) -> None:
    for name in [".hidden.md", ".#a.md", "a.md~", "a.md.swp", "a.md.tmp", "a.md.part", "#a.md#"]:
        write(folder / name)
    for name in ["~$a.md", "page.html", "md", ".git/a.md", "in/.cache/b.md"]:
        write(folder / name)
    assert found(folder) == {}


def test_composed_and_decomposed_names_stay_as_they_are(folder: Path) -> None:
    write(folder / "caf\u00e9.md")
    write(folder / "cafe\u0301.md")
    assert sorted(found(folder)) == ["cafe\u0301.md", "caf\u00e9.md"]


def test_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="seeds folder"):
        list(scan(tmp_path / "none", name="seeds"))


def test_configured_folder_may_be_a_link_itself(folder: Path, tmp_path: Path) -> None:
    write(folder / "a.md")
    link = tmp_path / "link"
    link.symlink_to(folder)
    (seed,) = scan(link, name="link")
    assert read(link, seed, limit=LIMIT)[0] == b"# T\n\nText."


def test_links_are_problems_and_linked_folders_are_not_entered(
    folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "outside/secret.md")
    (folder / "a.md").symlink_to(tmp_path / "outside/secret.md")
    (folder / "broken.md").symlink_to(tmp_path / "nowhere")
    write(folder / "in/b.md")
    (folder / "in/linked").symlink_to(tmp_path / "outside")
    (folder / "in/.hidden").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "page.html").symlink_to(tmp_path / "outside/secret.md")
    seeds = found(folder)
    # A folder's name ends in a slash, so that nobody takes what was inside for deleted.
    assert sorted(seeds) == ["a.md", "broken.md", "in/b.md", "in/linked/"]
    del seeds["in/b.md"]
    for seed in seeds.values():
        assert seed.problem is not None
        assert "symbolic link" in seed.problem.reason
        with pytest.raises(SeedRejected):
            read(folder, seed, limit=LIMIT)


def test_special_files_are_problems_and_never_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "fifo.md")
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket may not be long.
        here = Path.cwd()
        os.chdir(folder)
        try:
            server.bind("sock.md")
        finally:
            os.chdir(here)
        seeds = found(folder)
    reasons = {name: seed.problem.reason for name, seed in seeds.items() if seed.problem}
    assert "FIFO" in reasons["fifo.md"]
    assert "socket" in reasons["sock.md"]
    # Even where it took a file's place after the folder was listed.
    for name, seed in seeds.items():
        with pytest.raises(SeedRejected):
            read(folder, FoundSeed(f"seeds/{name}", name, seed.stamp), limit=LIMIT)


def test_folder_with_a_seeds_suffix_is_a_folder(folder: Path) -> None:
    write(folder / "notes.md/a.md")
    assert sorted(found(folder)) == ["notes.md/a.md"]


def test_names_that_cannot_be_shown_are_problems_with_a_printable_name(folder: Path) -> None:
    write(folder / "line\nbreak.md")
    write(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")))
    seeds = list(scan(folder, name="seeds"))
    assert sorted(seed.name for seed in seeds) == ["seeds/caf\\xe9.md", "seeds/line\\x0abreak.md"]
    for seed in seeds:
        assert seed.problem is not None
        assert "Rename" in seed.problem.remedy
        seed.name.encode()


def test_folder_that_cannot_be_listed_is_told_and_stops_nobody(folder: Path) -> None:
    write(folder / "a.md")
    deep = folder
    write(deep / "locked/b.md")
    if os.geteuid() == 0:
        # Nothing is locked to root; a folder that is replaced while it waits to be entered is.
        seeds = scan(folder, name="seeds")
        collected = []
        for seed in seeds:
            collected.append(seed)
            (folder / "locked/b.md").unlink(missing_ok=True)
            if (folder / "locked").exists():
                (folder / "locked").rmdir()
    else:
        (folder / "locked").chmod(0)
        collected = list(scan(folder, name="seeds"))
        (folder / "locked").chmod(0o700)
    by_name = {seed.relative: seed for seed in collected}
    assert by_name["a.md"].problem is None
    problem = by_name["locked/"].problem
    assert problem is not None
    assert "folder" in problem.reason


def test_one_path_is_found_as_the_scan_finds_it(folder: Path, tmp_path: Path) -> None:
    write(folder / "in/a.md")
    write(folder / ".hidden/a.md")
    os.mkfifo(folder / "fifo.md")
    (folder / "linked").symlink_to(folder / "in")
    one = look(folder, "linked", name="seeds")
    assert one is not None
    assert one.name == "seeds/linked/"
    (folder / "link.md").symlink_to(folder / "in/a.md")
    for relative, seed in found(folder).items():
        looked = look(folder, relative, name="seeds")
        assert looked is not None
        assert (looked.name, looked.stamp) == (seed.name, seed.stamp)
        assert (looked.problem is None) == (seed.problem is None)
    for relative in ["none.md", "in", "in/a.html", "linked/a.md", ".hidden/a.md", "in/", "in/a.md/", "../seeds/in/a.md", "in//a.md", "a\0.md", ""]:  # fmt: skip
        assert look(folder, relative, name="seeds") is None


def test_bytes_and_stamp_belong_together(folder: Path) -> None:
    write(folder / "in/a.md", b"x" * 100_000)
    (seed,) = scan(folder, name="seeds")
    assert read(folder, seed, limit=100_000) == (b"x" * 100_000, seed.stamp)


def test_empty_file_is_read(folder: Path) -> None:
    write(folder / "a.md", b"")
    (seed,) = scan(folder, name="seeds")
    assert read(folder, seed, limit=LIMIT)[0] == b""


def test_file_above_the_limit_is_rejected_unread(folder: Path) -> None:
    write(folder / "a.md", b"x" * 101)
    (seed,) = scan(folder, name="seeds")
    with pytest.raises(SeedRejected, match="101 bytes"):
        read(folder, seed, limit=100)


@pytest.mark.parametrize("relative", ["../evil.md", "in/../../evil.md", "/etc/passwd", "./a.md", "a\0.md", ""])  # fmt: skip
def test_path_outside_the_folder_is_rejected(folder: Path, relative: str) -> None:
    write(folder.parent / "evil.md")
    write(folder / "in/a.md")
    (seed,) = scan(folder, name="seeds")
    with pytest.raises(SeedRejected, match="outside"):
        read(folder, FoundSeed("seeds/x.md", relative, seed.stamp), limit=LIMIT)


def test_link_that_takes_a_folders_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    write(folder / "in/a.md")
    write(tmp_path / "outside/a.md", b"secret")
    (seed,) = scan(folder, name="seeds")
    (folder / "in").rename(folder / "was")
    (folder / "in").symlink_to(tmp_path / "outside")
    with pytest.raises(SeedRejected, match="symbolic link"):
        read(folder, seed, limit=LIMIT)


def test_file_that_went_away_is_looked_for_again(folder: Path) -> None:
    path = write(folder / "a.md")
    (seed,) = scan(folder, name="seeds")
    path.unlink()
    with pytest.raises(SeedBusy):
        read(folder, seed, limit=LIMIT)


def test_file_that_grows_while_it_is_read_is_never_read_in_part(folder: Path) -> None:
    """Whatever the timing: all of one moment's bytes, or busy."""
    path = write(folder / "a.md", b"")
    line = b"x" * 4096
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(line)
                if file.tell() > 512 * 1024:
                    file.truncate(0)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(200):
            seed = look(folder, "a.md", name="seeds")
            assert seed is not None
            try:
                content, stamp = read(folder, seed, limit=LIMIT)
            except (SeedBusy, SeedRejected):
                continue
            assert len(content) == stamp.size
    finally:
        stop.set()
        writer.join()


def test_no_descriptor_is_left_open(folder: Path) -> None:
    write(folder / "in/a.md", b"x" * 10)
    (seed,) = scan(folder, name="seeds")
    descriptors = Path("/dev/fd")
    before = len(list(descriptors.iterdir()))
    for limit in (5, 100):
        for relative in ("in/a.md", "in/none.md", "none/a.md"):
            with contextlib.suppress(FeedsvcError):
                read(folder, FoundSeed("seeds/x", relative, seed.stamp), limit=limit)
    assert len(list(descriptors.iterdir())) == before
