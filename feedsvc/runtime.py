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
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from feedsvc.errors import ConfigurationError, Temporary
from feedsvc.logs import logger
from feedsvc.model import Site, hub_addresses
from feedsvc.rules import read_classifier as read_classifier
from feedsvc.rules import read_filing as read_filing
from feedsvc.rules import stamp_of
from feedsvc.settings import FEEDS_FILE, TOPICS_FILE, Settings
from feedsvc.storage.blobs import BlobStore, open_blobs
from feedsvc.storage.database import Database, database_url
from feedsvc.storage.s3_access import SCHEME, S3Access
from feedsvc.tools import (
    CaptureTools,
    PushTools,
    Shared,
    make_capture_tools,
    make_push_tools,
    shared_politeness,
)

if TYPE_CHECKING:
    from feedsvc.capture.http import Fetcher
    from feedsvc.capture.polite_shared import SharedPoliteness
    from feedsvc.classify import Classifier
    from feedsvc.classify.filing import Filing
    from feedsvc.storage.publish_tasks import PublishTasks
    from feedsvc.storage.task_queue import TaskQueue

LOCK_SECONDS = 300.0
SILENT_SECONDS = 15.0
"""In a fleet, how long a process may fall silent in the middle of a transaction."""

FLEET = "fleet"
"""The fact that makes a database a fleet's."""

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
    archive: BlobStore
    feeds: BlobStore
    site: Site
    now: Callable[[], datetime] = utc_now
    shared: Shared = field(default_factory=Shared)
    push_news: threading.Event = field(default_factory=threading.Event)
    """Set when a push became due in this process: whoever sends them need not wait for a look."""
    at_close: list[Callable[[], None]] = field(default_factory=list)
    """What is to end before the database is closed."""
    feeds_seen: str | None = None
    """Name of the feed file up to which this process has looked whether files are there; None:
    it has not looked yet."""
    queue: TaskQueue | None = None
    """Where tasks for any worker are put; None where this process does everything itself."""
    publish_tasks: PublishTasks | None = None
    """Where tasks for channels that were marked are put, None as above."""
    worker: str | None = None
    """The worker of a fleet that this process is: under this token it holds captures."""
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
        """The vocabulary and rules as they stand in the file now, in a fleet as they stood first.

        Raises ConfigurationError for a file that was never right. Once one was, a wrong edit is
        logged and the last right one stays in use.
        """
        path = self.root / TOPICS_FILE
        stamp = stamp_of(path)
        with self._making:
            if self._vocabulary is None or self._is_edited(self._vocabulary[0], stamp):
                self._vocabulary = (stamp, self._read_vocabulary(path))
            return self._vocabulary[1]

    @property
    def filing(self) -> Filing:
        """What articles are filed by besides topics, as settings and feeds.toml stand now.

        Raises ConfigurationError as `classifier` does.
        """
        path = self.root / FEEDS_FILE
        stamp = stamp_of(path)
        with self._making:
            if self._filing is None or self._is_edited(self._filing[0], stamp):
                self._filing = (stamp, self._read_filing(path))
            return self._filing[1]

    def _is_edited(self, before: object, now: object) -> bool:
        # In a fleet one machine's edit must not sort what another sorts back.
        return self.queue is None and before != now

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
                polite = None if self.queue is None else self.shared.get("politeness", self._polite)
                # In a fleet what is fetched is dated by the clock that all machines go by.
                now = utc_now if polite is None else self.now
                self._tools = make_capture_tools(self.settings, politeness=polite, now=now)
            return self._tools

    def _polite(self) -> SharedPoliteness:
        return shared_politeness(self.settings, self.database, lambda: self.worker)

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

        Raises Temporary after ``wait`` seconds. The kernel frees it when its holder dies. In a
        fleet it is the database that holds and frees it, for all machines.
        """
        if self.queue is not None:
            from feedsvc.storage.session_lock import holding_lock

            with holding_lock(self.database.url, name, wait=wait):
                yield
            return
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
        while self.at_close:
            self.at_close.pop()()
        self.cut_connections()
        self.cut_pushes()
        self.shared.close()
        self.database.close()


@contextmanager
def open_runtime(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> Iterator[Runtime]:
    """Open the site that settings describe and close it again.

    In a fleet the time is the database's, and ``now`` only this machine's opinion of it.
    Raises ConfigurationError, SchemaMismatch, Temporary or DamageFound.
    """
    root = settings.root
    if settings.fleet.enabled:
        require_fleet(settings)
    database = Database(
        database_url(settings.database.url, root=root),
        silent=SILENT_SECONDS if settings.fleet.enabled else None,
    )
    runtime = Runtime(
        root=root,
        settings=settings,
        database=database,
        archive=blob_store(settings.archive.store, settings),
        feeds=blob_store(settings.feeds.dir, settings),
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
        if settings.fleet.enabled:
            _join_fleet(runtime)
        elif not database.is_sqlite:
            _refuse_fleet(runtime)
        yield runtime
    finally:
        runtime.close()


def _join_fleet(runtime: Runtime) -> None:
    """Let the database tell the time and keep the tasks."""
    from feedsvc.storage.clock import DatabaseClock
    from feedsvc.storage.publish_tasks import PublishTasks
    from feedsvc.storage.task_queue import TaskQueue

    queue = TaskQueue(stalled=runtime.settings.fleet.stalled)
    queue.ensure_schema(runtime.database)
    runtime.now = DatabaseClock(runtime.database, wall=runtime.now)
    runtime.queue = queue
    runtime.publish_tasks = PublishTasks(queue, now=lambda: runtime.now())
    runtime.database.ending = runtime.publish_tasks


def _refuse_fleet(runtime: Runtime) -> None:
    with runtime.database.reading() as store:
        if store.fact(FLEET) is None:
            return
    raise ConfigurationError(
        "database.url names the database of a fleet: write [fleet] enabled = true here as on its "
        "other machines; if there is no fleet any more, do so and run "
        "`feedsvc worker --dissolve` first"
    )


def require_fleet(settings: Settings) -> None:
    """Raise ConfigurationError where no fleet can work: it is off, no PostgreSQL, no extra."""
    if not settings.fleet.enabled:
        raise ConfigurationError(
            "this works in a fleet only: write [fleet] enabled = true and give it a PostgreSQL, "
            "or start `feedsvc run` on one machine alone"
        )
    backend = settings.database.url.partition(":")[0]
    if not backend.startswith("postgresql"):
        raise ConfigurationError(
            "fleet.enabled needs a PostgreSQL that every machine reaches, but database.url names "
            f'{backend}; write [database] url = "postgresql+psycopg://user:password@host/name", '
            "or fleet.enabled = false"
        )
    missing = [name for name in ("procrastinate", "obstore") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"fleet.enabled needs {' and '.join(missing)}: run `pip install 'feedsvc[fleet]'`"
        )


def absent_seeds(settings: Settings) -> tuple[str, ...]:
    """Return the configured folders of seeds that are not there or cannot be looked into."""
    return tuple(
        path
        for path in settings.seeds.paths
        if not path.startswith(SCHEME) and not os.access(settings.root / path, os.R_OK | os.X_OK)
    )


def blob_store(address: str, settings: Settings) -> BlobStore:
    """Return what keeps bytes at ``address``: a folder of the site, or s3://bucket/prefix.

    Nothing is asked of it yet; `BlobStore.check` does. Raises ConfigurationError.
    """
    return open_blobs(address, root=settings.root, access=s3_access(settings))


def s3_access(settings: Settings) -> S3Access:
    """Return how the object store is reached; what settings leave open the environment may say."""
    s3, environ = settings.s3, os.environ
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    endpoint = s3.endpoint or next(filter(None, map(environ.get, variables)), "")
    return S3Access(
        endpoint=endpoint.rstrip("/"),
        region=s3.region,
        timeout=s3.timeout,
        key_id=s3.key_id,
        secret_key=s3.secret_key,
        secret_key_file=settings.root / s3.secret_key_file if s3.secret_key_file else None,
        credentials_file=settings.root / s3.credentials_file if s3.credentials_file else None,
        profile=environ.get("AWS_PROFILE") or "default",
    )


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
