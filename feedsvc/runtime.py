"""Everything a job needs, put together once from the settings."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from feedsvc.errors import ConfigurationError, Temporary
from feedsvc.logs import logger
from feedsvc.model import Site, hub_addresses
from feedsvc.settings import FEEDS_FILE, TOPICS_FILE, Settings
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.database import Database, database_url
from feedsvc.tools import CaptureTools, PushTools, make_capture_tools, make_push_tools

if TYPE_CHECKING:
    from feedsvc.capture.http import Fetcher
    from feedsvc.classify import Classifier
    from feedsvc.classify.filing import Filing

LOCK_SECONDS = 300.0

log = logger(__name__)


def utc_now() -> datetime:
    """Return the present moment: the clock of everything that is stored."""
    return datetime.now(UTC)


@dataclass
class Runtime:
    """One site, opened: where jobs find database, blobs, vocabulary, network and clock."""

    root: Path
    settings: Settings
    database: Database
    archive: DiskBlobs
    feeds: DiskBlobs
    site: Site
    now: Callable[[], datetime] = utc_now
    push_news: threading.Event = field(default_factory=threading.Event)
    """Set when a push became due in this process: whoever sends them need not wait for a look."""
    feeds_seen: str | None = None
    """Name of the feed file up to which this process has looked whether files are there; None:
    it has not looked yet."""
    _vocabulary: tuple[object, Classifier] | None = None
    _filing: tuple[object, Filing] | None = None
    _tools: CaptureTools | None = None
    _push_tools: PushTools | None = None
    _making: threading.RLock = field(default_factory=threading.RLock)

    @property
    def state(self) -> Path:
        """The folder for locks and backups."""
        return self.root / "data"

    @property
    def classifier(self) -> Classifier:
        """The vocabulary and rules as they stand in the file now.

        Raises ConfigurationError for a file that was never right. Once one was, a wrong edit is
        logged and the last right one stays in use.
        """
        path = self.root / TOPICS_FILE
        stamp = _stamp(path)
        with self._making:
            if self._vocabulary is None or self._vocabulary[0] != stamp:
                self._vocabulary = (stamp, self._read_vocabulary(path))
            return self._vocabulary[1]

    @property
    def filing(self) -> Filing:
        """What articles are filed by besides topics, as settings and feeds.toml stand now.

        Raises ConfigurationError as `classifier` does.
        """
        path = self.root / FEEDS_FILE
        stamp = _stamp(path)
        with self._making:
            if self._filing is None or self._filing[0] != stamp:
                self._filing = (stamp, self._read_filing(path))
            return self._filing[1]

    def _read_filing(self, path: Path) -> Filing:
        try:
            return read_filing(path, also=self.settings.feeds.also)
        except ConfigurationError as error:
            if self._filing is None:
                raise
            log.error("feeds.wrong", reason=str(error), remedy="the last right version is used")
            return self._filing[1]

    @property
    def hubs(self) -> tuple[str, ...]:
        """The WebSub hubs that feeds name, our own included."""
        websub = self.settings.websub
        return hub_addresses(self.site.base_url, hubs=websub.hubs, enabled=websub.enabled)

    def _read_vocabulary(self, path: Path) -> Classifier:
        try:
            return read_classifier(path)
        except ConfigurationError as error:
            if self._vocabulary is None:
                raise
            log.error("topics.wrong", reason=str(error), remedy="the last right version is used")
            return self._vocabulary[1]

    @property
    def capture_tools(self) -> CaptureTools:
        """The guarded client and what goes with it; its self-test has passed."""
        with self._making:
            if self._tools is None:
                self._tools = make_capture_tools(self.settings)
            return self._tools

    @property
    def fetcher(self) -> Fetcher:
        """The guarded client."""
        return self.capture_tools.fetcher

    def cut_connections(self) -> None:
        """Make every fetch under way fail at once; later captures get a new client."""
        with self._making:
            tools, self._tools = self._tools, None
        if tools is not None:
            tools.fetcher.close()
            if tools.browsers is not None:
                tools.browsers.close()

    @property
    def push_tools(self) -> PushTools:
        """The guarded clients that call hubs and subscribers; their self-tests have passed."""
        with self._making:
            if self._push_tools is None:
                self._push_tools = make_push_tools(self.settings)
            return self._push_tools

    def cut_pushes(self) -> None:
        """Make every push under way fail at once; later ones get new clients."""
        with self._making:
            tools, self._push_tools = self._push_tools, None
        if tools is not None:
            tools.hubs.close()
            tools.callbacks.close()

    @contextmanager
    def lock(self, name: str, *, wait: float = LOCK_SECONDS) -> Iterator[None]:
        """Let one job of that name run at a time, among all processes and threads of the site.

        Raises Temporary after ``wait`` seconds. The kernel frees it when its holder dies.
        """
        self.state.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = self.state / f"{name}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            deadline = time.monotonic() + wait
            while not _locked(handle):
                if time.monotonic() >= deadline:
                    raise Temporary(
                        f"another feedsvc has been at {name} for {wait:.0f} s; try again later"
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(handle)

    def close(self) -> None:
        """Close connections; the runtime is of no use afterwards."""
        self.cut_connections()
        self.cut_pushes()
        self.database.close()


@contextmanager
def open_runtime(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> Iterator[Runtime]:
    """Open the site that settings describe and close it again.

    Raises ConfigurationError, SchemaMismatch, Temporary or DamageFound.
    """
    root = settings.root
    database = Database(database_url(settings.database.url, root=root))
    runtime = Runtime(
        root=root,
        settings=settings,
        database=database,
        archive=DiskBlobs(archive_folder(settings.archive.store, root)),
        feeds=DiskBlobs(root / settings.feeds.dir),
        site=Site(
            title=settings.site.title,
            base_url=settings.site.base_url.rstrip("/"),
            author=settings.site.author or settings.site.title,
            language=settings.site.language,
            rights=settings.site.rights,
            logo=settings.site.logo,
            ttl_minutes=settings.schedule.ttl_minutes,
        ),
        now=now,
    )
    try:
        yield runtime
    finally:
        runtime.close()


def absent_seeds(settings: Settings) -> tuple[str, ...]:
    """Return the configured folders of seeds that are not there or cannot be looked into."""
    return tuple(
        path
        for path in settings.seeds.paths
        if not os.access(settings.root / path, os.R_OK | os.X_OK)
    )


def read_classifier(path: Path) -> Classifier:
    """Return the vocabulary and rules of a topics.toml, the built-in ones if there is no file.

    Raises ConfigurationError with file, line and remedy.
    """
    from feedsvc.classify import default_vocabulary, vocabulary_text

    content = _configured(path, TOPICS_FILE)
    if content is None:
        return _classifier(default_vocabulary(), "the built-in vocabulary")
    return _classifier(vocabulary_text(content, source=TOPICS_FILE), TOPICS_FILE)


@lru_cache(maxsize=2)
def _classifier(toml: str, source: str) -> Classifier:
    # 150 ms to make and the same for the same text, so that a reload of the settings keeps it.
    from feedsvc.classify import Classifier

    return Classifier(toml, source=source)


def read_filing(path: Path, *, also: Collection[str]) -> Filing:
    """Return what articles are filed by: the kinds turned on, and the searches of a feeds.toml.

    Raises ConfigurationError with file, line and remedy.
    """
    from feedsvc.classify.filing import FILED, Filing

    kinds = frozenset(FILED[name] for name in also if name in FILED)
    content = _configured(path, FEEDS_FILE)
    if content is None:
        return Filing(kinds)
    from feedsvc.classify import vocabulary_text
    from feedsvc.classify.searches import read_searches

    text = vocabulary_text(content, source=FEEDS_FILE)
    return Filing(kinds, read_searches(text, source=FEEDS_FILE))


def _configured(path: Path, name: str) -> bytes | None:
    """Return the bytes of a file that a site may do without. Raises ConfigurationError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise ConfigurationError(
            f"{name}: this is a folder; move it away, and write a file of that name or do without"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{name}: cannot be read: {error.strerror}; check its owner and permissions"
        ) from error


def archive_folder(store: str, root: Path) -> Path:
    """Return the folder of snapshots that `archive.store` names. Raises ConfigurationError."""
    if "://" in store:
        raise ConfigurationError(
            f"archive.store {store!r} is an address; this release keeps snapshots in a folder"
        )
    return root / store


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
