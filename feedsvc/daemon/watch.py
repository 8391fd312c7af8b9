"""Watching the seed folders, so that an article is published seconds after it is saved.

The schedule finds whatever the watcher misses, so nothing here has to be perfect: where it is
not sure, it asks for a look at everything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePath

from watchfiles import Change, watch

from feedsvc.ingest import SEED_FORMATS
from feedsvc.logs import logger

MOST_NAMES = 1000
"""With more changes than this at once, looking at everything costs less."""
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 60.0
_DEBOUNCE_MS = 1000
_QUIET_MS = 300
"""A file that changed less long ago may still be written; loading would wait for it."""

log = logger(__name__)

Changed = Callable[[Collection[str] | None], None]
"""Called with the names of changed seeds and folders of seeds, or None: look at everything."""


class Watcher:
    """A thread that reports changed seeds; folders may come, go and come back."""

    def __init__(self, folders: Mapping[str, Path], changed: Changed) -> None:
        """``folders`` maps the configured name of a seeds folder to its place."""
        self._folders = dict(folders)
        self._changed = changed
        self._stop = threading.Event()
        self._known: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="feedsvc-watch", daemon=True)
        self.watching = threading.Event()
        """Set while changes are seen."""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch(self._present())
            except Exception as error:  # noqa: BLE001 - inotify's limits, a vanished folder: later
                log.warning(
                    "watch.off", reason=str(error), remedy="seeds are still read by schedule.ingest"
                )
                self._stop.wait(_RETRY_SECONDS)
            finally:
                self.watching.clear()

    def _watch(self, present: Mapping[str, tuple[int, int]]) -> None:
        """Report changes until a folder appears, vanishes or is replaced."""
        folders = {name: self._folders[name] for name in present}
        if not folders:
            while not self._stop.wait(_LOOK_SECONDS) and not self._present():
                pass
            return
        self._known = set(_below(folders.values()))
        changes = watch(
            *folders.values(),
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_QUIET_MS,
            stop_event=self._stop,
            rust_timeout=int(_LOOK_SECONDS * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        for batch in changes:
            if not self.watching.is_set():
                # What changed before the kernel began to tell was told by nobody.
                self._changed(None)
                self.watching.set()
            elif batch:
                self._report(batch, folders)
            if self._present() != present:
                return

    def _report(self, batch: Collection[tuple[Change, str]], folders: Mapping[str, Path]) -> None:
        moved = {path for change, path in batch if path in self._known or _new_folder(change, path)}
        if moved:
            self._known = set(_below(folders.values()))
        names = {
            name
            for _, path in batch
            if (path in moved or is_seed(path)) and (name := name_of(path, folders))
        }
        if names:
            self._changed(names if len(names) <= MOST_NAMES else None)

    def _present(self) -> dict[str, tuple[int, int]]:
        """Return which folders are there, and which folder each is."""
        found = {}
        for name, folder in self._folders.items():
            try:
                stat = folder.stat()
            except OSError:
                continue
            if folder.is_dir():
                found[name] = (stat.st_dev, stat.st_ino)
        return found


def is_seed(path: str) -> bool:
    """Tell whether a file of that name can be a seed."""
    return PurePath(path).suffix.lower() in SEED_FORMATS


def name_of(path: str, folders: Mapping[str, Path]) -> str | None:
    """Return the name of a file or folder inside the seed folders, None for any other."""
    pure = PurePath(path)
    for name, folder in folders.items():
        if pure.is_relative_to(folder) and pure != folder:
            return f"{name}/{pure.relative_to(folder).as_posix()}"
    return None


def _below(folders: Iterable[Path]) -> Iterable[str]:
    for folder in folders:
        for place, _, _ in os.walk(folder):
            if place != str(folder):
                yield place


def _new_folder(change: Change, path: str) -> bool:
    return change is Change.added and Path(path).is_dir() and not Path(path).is_symlink()
