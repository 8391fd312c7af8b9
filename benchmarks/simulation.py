"""What breaks first, and at which size: a fleet on paper, from costs that were measured on small ones.

Each part of a fleet has a load that grows with articles, topics or readers, and a limit. All
numbers are assumptions that docs/scale.md writes down; nothing here measures anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from benchmarks.measure import Row

DAY = 86_400.0
YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a fleet."""

    articles: float = 100e6
    topics: float = 10_000
    readers: float = 1e6
    hosts: float = 100_000
    """Websites that originals come from."""
    years: float = 10.0
    """In which the articles came, evenly."""
    peak: float = 10.0
    """How much more comes in the busiest hour than on average."""
    feeds_each: float = 10.0
    """Feeds of this site that a reader follows."""
    poll: float = 3600.0
    """Seconds between two polls of one feed by one reader."""
    unchanged: float = 0.95
    """Share of polls that are answered 304."""
    behind_cdn: float = 0.0
    """Share of polls that a cache in front answers."""
    searches: float = 0.00002
    """Searches a second by each reader."""
    looks_first_year: float = 5.0
    looks_later: float = 1.0
    """Looks at an original a year, once it is older than a year."""
    seed_interval: float = 300.0
    """Seconds between two looks for new seeds (schedule.ingest)."""
    verify_interval: float = DAY
    """Seconds in which every snapshot is to be verified (schedule.verify)."""

    @property
    def arriving(self) -> float:
        """New articles a second, at the peak."""
        return self.peak * self.articles / (self.years * YEAR)

    @property
    def looks(self) -> float:
        """Looks a second, on average: they spread by themselves."""
        young = self.articles / self.years
        return (young * self.looks_first_year + (self.articles - young) * self.looks_later) / YEAR


@dataclass(frozen=True, slots=True)
class Costs:
    """What one of each costs, measured on 2 cores; seconds are CPU seconds."""

    capture_database: float = 0.0007
    capture_worker: float = 0.020
    look_worker: float = 0.008
    load_worker: float = 0.0013
    publish_channel: float = 0.055
    """Composing and writing a head in three formats, its rows read."""
    channels_each: float = 6.0
    """Channels that an article stands in: all, topics, author, agency, host."""
    publish_most: float = 0.5
    """Times a second that one channel can be written: it is one task at a time."""
    rebuild_each: float = 0.0009
    """For each article, when every document is written anew."""
    answer_304: float = 0.00006
    answer_200: float = 0.00012
    list_thousand: float = 0.05
    """Seconds to list a thousand keys of a bucket: wall, one after the other."""
    row_bytes: float = 9_800.0
    """In PostgreSQL, indexes and search included, for each article with one snapshot."""
    snapshot_bytes: float = 30_000.0
    get_object: float = 0.02
    """Seconds to begin reading an object: wall."""
    parallel_gets: float = 16.0
    search: float = 0.05
    """For each search at a million articles; grows with the number that match."""
    connections_web: float = 10.0
    connections_worker: float = 16.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What there is of each."""

    database_cores: float = 8.0
    database_disk: float = 2e12
    worker_cores: float = 16.0
    web_cores: float = 8.0
    connections: float = 400.0
    rebuild_seconds: float = DAY
    """How long a new base_url may take to reach every document."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a fleet: which share of its limit is used, and what is done when it is full."""

    name: str
    used: Callable[[Demand, Costs, Limits], float]
    grows_with: str
    """`articles` or `readers`."""
    remedy: str


def _seconds_of_polls(demand: Demand, costs: Costs) -> float:
    polls = demand.readers * demand.feeds_each / demand.poll * (1 - demand.behind_cdn)
    return polls * (demand.unchanged * costs.answer_304 + (1 - demand.unchanged) * costs.answer_200)


PARTS = (
    Part(
        "finding seeds: a whole listing each schedule.ingest",
        lambda d, c, _: d.articles / 1000 * c.list_thousand / d.seed_interval,
        "articles",
        "upload by the API, and list once a night (schedule.ingest as a cron line)",
    ),
    Part(
        "verify: every snapshot each schedule.verify",
        lambda d, c, _: d.articles * c.get_object / c.parallel_gets / d.verify_interval,
        "articles",
        "verify by the month, or let the store's own checksums do it",
    ),
    Part(
        "writing every document anew (base_url changed)",
        lambda d, c, li: d.articles * c.rebuild_each / li.worker_cores / li.rebuild_seconds,
        "articles",
        "more workers: channels are written side by side",
    ),
    Part(
        "the feed of everything: one task at a time",
        lambda d, c, _: min(d.arriving, 1e9) * c.publish_channel / c.publish_most,
        "articles",
        "writes coalesce by themselves: entries come later, none is lost",
    ),
    Part(
        "database, disk",
        lambda d, c, li: d.articles * c.row_bytes / li.database_disk,
        "articles",
        "a larger disk; search in an engine of its own, then sharding by host",
    ),
    Part(
        "database, CPU for captures and looks",
        lambda d, c, li: (d.arriving + d.looks) * c.capture_database / li.database_cores,
        "articles",
        "one PostgreSQL of more cores; then sharding by host",
    ),
    Part(
        "database, CPU for searches",
        lambda d, c, li: (
            d.readers * d.searches * c.search * max(d.articles / 1e6, 1) ** 0.5 / li.database_cores
        ),
        "articles",
        "replicas for reading, or a search engine of its own",
    ),
    Part(
        "workers, CPU",
        lambda d, c, li: (
            (
                d.arriving * (c.load_worker + c.capture_worker)
                + d.arriving * c.channels_each * 2 * c.publish_channel
                + d.looks * c.look_worker
            )
            / li.worker_cores
        ),
        "articles",
        "more workers",
    ),
    Part(
        "politeness: originals of one host, a request a second",
        lambda d, _c, _l: (d.arriving + d.looks) / d.hosts * 3,
        "articles",
        "nothing, and nothing should be done",
    ),
    Part(
        "web servers, CPU for polls",
        lambda d, c, li: _seconds_of_polls(d, c) / li.web_cores,
        "readers",
        "a cache in front: feeds say for how long they may be kept",
    ),
    Part(
        "web servers, connections to the database",
        lambda d, c, li: (
            (li.web_cores * c.connections_web + li.worker_cores * c.connections_worker)
            / li.connections
            * max(1.0, _seconds_of_polls(d, c) / li.web_cores)
        ),
        "readers",
        "pgbouncer in session mode, or larger max_connections",
    ),
)


def simulate(
    demand: Demand | None = None, costs: Costs | None = None, limits: Limits | None = None
) -> Iterator[Row]:
    """Yield how much of each part is used, and at which size it is full, the first first."""
    demand, costs, limits = demand or Demand(), costs or Costs(), limits or Limits()
    yield Row(
        f"{demand.articles:,.0f} articles, {demand.topics:,.0f} topics, {demand.readers:,.0f} readers",
        f"{demand.arriving:.1f} new articles and {demand.looks:.1f} looks a second, "
        f"{demand.readers * demand.feeds_each / demand.poll:,.0f} polls a second",
    )
    found = [(full_at(part, demand, costs, limits), part) for part in PARTS]
    for size, part in sorted(found, key=lambda one: one[0] / _now(one[1], demand)):
        used = part.used(demand, costs, limits)
        yield Row(
            part.name,
            f"{used:8.1%} used; full at {size:,.0f} {part.grows_with}",
            part.remedy,
        )


def full_at(part: Part, demand: Demand, costs: Costs, limits: Limits) -> float:
    """Return how many articles or readers use a part up, everything else as it is."""
    low, high = 1.0, 1e15
    for _ in range(200):
        middle = (low * high) ** 0.5
        changed: Mapping[str, float] = {part.grows_with: middle}
        if part.used(replace(demand, **changed), costs, limits) < 1:
            low = middle
        else:
            high = middle
    return high


def _now(part: Part, demand: Demand) -> float:
    return demand.articles if part.grows_with == "articles" else demand.readers
