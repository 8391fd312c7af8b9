"""What a loaded seed means for what is stored. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from feedsvc.ingest import PARSER_VERSION
from feedsvc.jobs.load import Loaded
from feedsvc.model import (
    ParsedArticle,
    SeedProblem,
    SeedRecord,
    SeedState,
    TopicScore,
)
from feedsvc.storage.store_articles import ArticlePut, Identity
from feedsvc.urls import article_id

REPAIRED = "repaired"
"""The reason of a record whose seed was loaded, but not quite as written."""
_TOMORROW = timedelta(days=1)


@dataclass(slots=True)
class Decision:
    """What one batch of seeds changes."""

    records: dict[str, SeedRecord] = field(default_factory=dict)
    puts: dict[str, ArticlePut] = field(default_factory=dict)
    scores: dict[str, tuple[TopicScore, ...]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    """Articles whose seed is another one now; withdrawn unless a seed takes them."""
    new: int = 0
    modified: int = 0
    moved: int = 0
    returned: int = 0
    unmodified: int = 0
    warnings: list[SeedProblem] = field(default_factory=list)


class Decider:
    """Decides about one batch, seed by seed; later seeds see what earlier ones decided."""

    def __init__(
        self,
        batch: Sequence[Loaded],
        *,
        records: Mapping[str, SeedRecord],
        stored: Iterable[Identity],
        alive: Callable[[str], bool],
        gone: Mapping[str, SeedRecord],
        holders: Mapping[str, SeedRecord],
        topics_version: str,
        now: datetime,
    ) -> None:
        """Take the batch and what is stored about it.

        ``alive`` tells whether a seed's file is still there; ``gone`` holds the records of
        files that are not, by digest, to follow files without a URL when they are renamed;
        ``holders`` the records of the seeds that stored articles have.
        """
        self._batch = batch
        self._records = records
        self._by_id = {one.id: one for one in stored}
        self._by_key = {one.url_key: one for one in self._by_id.values() if one.url_key}
        self._alive = alive
        self._gone = gone
        self._holders = holders
        self._version = topics_version
        self._now = now
        self._keys = {one.name: one.key for one in batch if one.parsed is not None}
        self.decision = Decision()

    def decide(self) -> Decision:
        """Return what the batch changes."""
        for loaded in self._batch:
            if loaded.problem is not None:
                self._reject(loaded, SeedState.REJECTED)
            elif loaded.parsed is not None:
                self._place(loaded, loaded.parsed)
        taken = {record.article_id for record in self._loaded()}
        self.decision.left -= taken | set(self.decision.puts)
        return self.decision

    def _loaded(self) -> Iterable[SeedRecord]:
        return (one for one in self.decision.records.values() if one.state is SeedState.LOADED)

    def _reject(self, loaded: Loaded, state: SeedState) -> None:
        """Record a seed that cannot be used; what it gave before stays as it is."""
        problem = loaded.problem
        before = self._records.get(loaded.name)
        self._record(
            loaded,
            state,
            before.article_id if before else None,
            line=problem.line if problem else None,
            reason=problem.reason if problem else None,
            remedy=problem.remedy if problem else None,
        )

    def _place(self, loaded: Loaded, parsed: ParsedArticle) -> None:
        before = self._records.get(loaded.name)
        mine = self._by_id.get(before.article_id) if before and before.article_id else None
        if mine is not None and mine.seed != loaded.name:
            mine = None
        key = self._keys[loaded.name]
        article = self._stored(loaded, key)
        if article is not None and article is not mine and self._held(article, loaded.name):
            self._duplicate(loaded, article)
        elif article is not None:
            self._revise(loaded, parsed, article, key)
        elif mine is not None and self._same_piece(mine, parsed, key):
            self._revise(loaded, parsed, mine, key)
        else:
            self._add(loaded, parsed, key)
        placed = self.decision.records[loaded.name].article_id
        if mine is not None and placed != mine.id:
            self.decision.left.add(mine.id)

    def _stored(self, loaded: Loaded, key: str | None) -> Identity | None:
        """Return the article a seed is, by its URL, else by its own or its renamed file."""
        if key is not None:
            return self._by_key.get(key)
        own = self._by_id.get(article_id(None, seed=loaded.name))
        if own is not None:
            return own
        before = self._records.get(loaded.name) or self._gone.get(loaded.digest)
        found = self._by_id.get(before.article_id) if before and before.article_id else None
        return found if found is not None and found.url_key is None else None

    def _held(self, article: Identity, name: str) -> bool:
        """Tell whether another file is this article's seed, and stays so."""
        holder = article.seed
        if article.withdrawn is not None or holder == name or not self._alive(holder):
            return False
        if holder in self._keys:
            return self._keys[holder] == article.url_key
        record = self._holders.get(holder)
        return record is None or record.article_id == article.id

    @staticmethod
    def _same_piece(mine: Identity, parsed: ParsedArticle, key: str | None) -> bool:
        """Tell whether a file that names another URL now is still the same article, corrected."""
        return key is not None and mine.title == parsed.title

    def _duplicate(self, loaded: Loaded, article: Identity) -> None:
        self._record(
            loaded,
            SeedState.DUPLICATE,
            article.id,
            reason=f"its original URL is that of {article.seed}",
            remedy="Remove one of the two files, or correct the URL",
        )

    def _add(self, loaded: Loaded, parsed: ParsedArticle, key: str | None) -> None:
        id_ = self._free_id(loaded)
        published = self._published(loaded, parsed, None)
        put = ArticlePut(
            id=id_,
            url_key=key,
            seed=loaded.name,
            revision=1,
            digest=loaded.content,
            published=published,
            updated=published,
            parsed=parsed,
            topics_version=self._version,
            revised=True,
        )
        self._put(loaded, put, None)
        self.decision.fresh.add(id_)
        self.decision.new += 1

    def _free_id(self, loaded: Loaded) -> str:
        """Return the article's id, or a second one if a corrected article keeps the first."""
        id_ = first = loaded.article_id
        number = 1
        while id_ in self._by_id:
            number += 1
            id_ = article_id(None, seed=f"{first}#{number}")
        return id_

    def _revise(
        self, loaded: Loaded, parsed: ParsedArticle, article: Identity, key: str | None
    ) -> None:
        """Make a seed the current revision of a stored article."""
        revised = loaded.content != article.digest
        resorted = parsed.topics != article.topics
        published = self._published(loaded, parsed, article)
        updated = (
            max(article.updated, self._now.replace(microsecond=0)) if revised else article.updated
        )
        put = ArticlePut(
            id=article.id,
            url_key=key or article.url_key,
            seed=loaded.name,
            revision=article.revision + revised,
            digest=loaded.content,
            published=published,
            updated=max(updated, published),
            parsed=parsed,
            topics_version=self._version,
            revised=revised,
        )
        if article.withdrawn is not None:
            self.decision.returned += 1
        elif revised or resorted:
            self.decision.modified += 1
        elif article.seed != loaded.name:
            self.decision.moved += 1
        else:
            self.decision.unmodified += 1
        quiet = not (revised or resorted or article.withdrawn is not None)
        self._put(loaded, put, None if not quiet else article)

    def _put(self, loaded: Loaded, put: ArticlePut, unchanged: Identity | None) -> None:
        if unchanged is None or unchanged.seed != put.seed:
            self.decision.puts[put.id] = put
        if unchanged is None:
            self.decision.scores[put.id] = loaded.scores
        self._by_id[put.id] = _identity(put)
        if put.url_key is not None:
            self._by_key[put.url_key] = self._by_id[put.id]
        warnings = put.parsed.warnings
        if put.parsed.published is not None and put.published != put.parsed.published:
            warnings += ("its date lies in the future, so the date of loading is shown instead",)
        self._record(loaded, SeedState.LOADED, put.id, warnings=warnings)

    def _published(
        self, loaded: Loaded, parsed: ParsedArticle, article: Identity | None
    ) -> datetime:
        """Return the date to show: the seed's, else the file's when first seen; never tomorrow's."""
        before = article.published if article else None
        modified = datetime.fromtimestamp(loaded.stamp.mtime_ns // 10**9, UTC)
        given = parsed.published or before or modified
        if given > self._now + _TOMORROW:
            return before or self._now.replace(microsecond=0)
        return given

    def _record(
        self,
        loaded: Loaded,
        state: SeedState,
        article: str | None,
        *,
        line: int | None = None,
        reason: str | None = None,
        remedy: str | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        before = self._records.get(loaded.name)
        if warnings:
            reason = REPAIRED
            self.decision.warnings += [
                SeedProblem(loaded.name, warning, "It was loaded all the same")
                for warning in warnings
            ]
        self.decision.records[loaded.name] = SeedRecord(
            name=loaded.name,
            stamp=loaded.stamp,
            digest=loaded.digest,
            state=state,
            article_id=article,
            line=line,
            reason=reason,
            remedy=remedy,
            warnings=warnings,
            parser=PARSER_VERSION,
            since=before.since if before and before.state is state else self._now,
        )


def keys_of(batch: Iterable[Loaded]) -> set[str]:
    """Return the URL keys a batch names."""
    return {one.key for one in batch if one.key}


def ids_of(batch: Iterable[Loaded], records: Iterable[SeedRecord]) -> set[str]:
    """Return the article ids a batch may be about."""
    own = {one.article_id for one in batch if one.parsed}
    return own | {record.article_id for record in records if record.article_id}


def held(gone: int, known: int, recent: int) -> bool:
    """Tell whether so many seeds are gone at once that a person has to say it is meant.

    More than a tenth of the known ones, or all of them: that is an unmounted disk rather than
    an edit. One file among several is always an edit. ``recent`` counts what was withdrawn in
    the last minutes, so that a slow mass deletion is seen as one.
    """
    if not gone:
        return False
    if gone == known:
        return True
    return (gone > 1 and gone > known / 10) or gone + recent > max(known + recent, 200) / 10


def missing(record: SeedRecord, *, now: datetime) -> SeedRecord:
    """Return the record of a seed that is gone but held."""
    if record.state is SeedState.MISSING:
        return record
    return replace(
        record,
        state=SeedState.MISSING,
        line=None,
        reason="the file is gone, together with many others",
        remedy="Bring the folder back, or run `feedsvc ingest --accept-deletions`",
        since=now,
    )


def _identity(put: ArticlePut) -> Identity:
    return Identity(
        id=put.id,
        url_key=put.url_key,
        url=put.parsed.url,
        seed=put.seed,
        revision=put.revision,
        digest=put.digest,
        title=put.parsed.title,
        topics=put.parsed.topics,
        published=put.published,
        updated=put.updated,
        withdrawn=None,
    )
