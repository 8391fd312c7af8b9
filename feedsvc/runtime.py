"""Everything a job needs, put together once from the settings."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from feedsvc import __version__
from feedsvc.errors import ConfigurationError, Temporary
from feedsvc.logs import logger
from feedsvc.model import Site
from feedsvc.settings import TOPICS_FILE, Settings
from feedsvc.storage.blobs import DiskBlobs
from feedsvc.storage.database import Database, database_url

if TYPE_CHECKING:
    from feedsvc.capture.http import Fetcher
    from feedsvc.capture.page import Limits
    from feedsvc.capture.polite import Politeness
    from feedsvc.capture.recent import RecentRequisites
    from feedsvc.capture.robots import Robots
    from feedsvc.classify import Classifier

SOFTWARE = f"feedsvc/{__version__}"
LOCK_SECONDS = 300.0

log = logger(__name__)


def utc_now() -> datetime:
    """Return the present moment: the clock of everything that is stored."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CaptureTools:
    """What captures share within one process."""

    fetcher: Fetcher
    robots: Robots
    politeness: Politeness
    limits: Limits
    recent: RecentRequisites


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
    _vocabulary: tuple[object, Classifier] | None = None
    _tools: CaptureTools | None = None
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
                self._tools = self._make_tools()
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

    def _make_tools(self) -> CaptureTools:
        from feedsvc.capture.http import Fetcher
        from feedsvc.capture.page import Limits
        from feedsvc.capture.polite import Politeness
        from feedsvc.capture.recent import RecentRequisites
        from feedsvc.capture.robots import Robots

        archive = self.settings.archive
        agent = archive.user_agent or f"{SOFTWARE} (+{self.site.base_url}/)"
        fetcher = Fetcher(
            user_agent=agent,
            allow_hosts=archive.allow_hosts,
            timeout=archive.timeout,
            max_size=archive.max_page,
            connections=archive.concurrency * 2,
        )
        try:
            fetcher.self_test()
        except BaseException:
            fetcher.close()
            raise
        politeness = Politeness(per_host=archive.per_host, delay=archive.per_host_delay)
        return CaptureTools(
            fetcher=fetcher,
            robots=Robots(fetcher, user_agent=agent, policy=archive.robots, politeness=politeness),
            politeness=politeness,
            limits=Limits(
                max_page=archive.max_page,
                max_total=archive.max_total,
                max_requisites=archive.max_requisites,
                deadline=archive.deadline,
            ),
            recent=RecentRequisites(),
        )

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
        archive=DiskBlobs(_archive_folder(settings.archive.store, root)),
        feeds=DiskBlobs(root / settings.feeds.dir),
        site=Site(
            title=settings.site.title,
            base_url=settings.site.base_url.rstrip("/"),
            author=settings.site.author or settings.site.title,
            language=settings.site.language,
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
    from feedsvc.classify import Classifier, default_vocabulary, vocabulary_text

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Classifier(default_vocabulary(), source="the built-in vocabulary")
    except IsADirectoryError as error:
        raise ConfigurationError(
            f"{TOPICS_FILE}: this is a folder; move it away, and write the topics into a file of "
            "that name or do without"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{TOPICS_FILE}: cannot be read: {error.strerror}; check its owner and permissions"
        ) from error
    return Classifier(vocabulary_text(content, source=TOPICS_FILE), source=TOPICS_FILE)


def _archive_folder(store: str, root: Path) -> Path:
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
