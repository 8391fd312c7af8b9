"""One transaction's view of the database. It never commits: the job that opened it does."""

from __future__ import annotations

from sqlalchemy import Connection

from feedsvc.storage.store_articles import ArticleStore
from feedsvc.storage.store_audit import AuditStore
from feedsvc.storage.store_browse import BrowseStore
from feedsvc.storage.store_captures import CaptureStore
from feedsvc.storage.store_feeds import FeedStore
from feedsvc.storage.store_fixity import FixityStore
from feedsvc.storage.store_fleet import FleetStore
from feedsvc.storage.store_fleet_state import FleetStateStore
from feedsvc.storage.store_hosts import HostStore
from feedsvc.storage.store_index import IndexStore
from feedsvc.storage.store_marks import Marks
from feedsvc.storage.store_mementos import MementoStore
from feedsvc.storage.store_originals import OriginalStore
from feedsvc.storage.store_pushes import PushStore
from feedsvc.storage.store_queue import QueueStore
from feedsvc.storage.store_search import SearchStore
from feedsvc.storage.store_seeds import SeedStore
from feedsvc.storage.store_selection import SelectionStore
from feedsvc.storage.store_staged import StagedStore
from feedsvc.storage.store_status import StatusStore
from feedsvc.storage.store_topics import TopicStore
from feedsvc.storage.store_websub import WebSubStore


class Store(
    SeedStore,
    StagedStore,
    ArticleStore,
    TopicStore,
    BrowseStore,
    QueueStore,
    CaptureStore,
    OriginalStore,
    FixityStore,
    MementoStore,
    FeedStore,
    PushStore,
    WebSubStore,
    StatusStore,
    SelectionStore,
    IndexStore,
    SearchStore,
    AuditStore,
    FleetStore,
    FleetStateStore,
    HostStore,
):
    """Everything stored, by noun; values go in and out, rows stay here."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.marks = Marks()
        self.marked = set()
        self.listed = False
        self.wanted = set()
