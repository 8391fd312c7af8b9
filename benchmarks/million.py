"""A PostgreSQL database as a large library has it: rows made by the server, in minutes."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.million_rows import FILLING, WORKING
from feedsvc.storage.database import Database, database_url

ARTICLES = 1_000_000
_TEXTS = 20_000
_WORDS = 20_000
_LENGTH = 100
_SYLLABLES = (
    "ba", "bel", "bor", "cha", "dan", "del", "dor", "el", "fa", "gar", "hol", "im", "ja", "kal",
    "kin", "lo", "mar", "mi", "nor", "ol", "pa", "ra", "ros", "sa", "sol", "ta", "tor", "ul", "va",
    "wen", "yor", "ze",
)  # fmt: skip
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text = ANY(%s) AND NOT indisunique
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
_FILLED = (
    "revisions", "captures", "attempts", "snapshots", "mementos", "payloads", "originals",
    "changes", "article_topics", "sequence", "documents", "seeds", "pages", "feed_files",
    "channels", "articles",
)  # fmt: skip


def fill(url: str, *, articles: int = ARTICLES, say: Any = print) -> None:
    """Create the schema in an empty database and fill it in realistic proportions.

    Ten thousand hosts and nine thousand authors for a million articles, revisions of every
    tenth, two attempts and a snapshot each, places in all channels, everything in the index.
    """
    parsed = database_url(url, root=Path())
    Database(parsed).close()
    address = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        for setting in WORKING:
            connection.execute(setting)
        _make_texts(connection, min(_TEXTS, max(articles // 10, 1)))
        indexes = connection.execute(_INDEXES, [list(_FILLED)]).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for what, statement in FILLING:
            _timed(connection, what, statement.replace(":articles", str(articles)), say)
        for name, definition in indexes:
            _timed(connection, name, definition, say)
        # Where the visibility map is whole, counting reads an index only.
        _timed(connection, "vacuum", "VACUUM (ANALYZE)", say)


def words(count: int = _WORDS) -> list[str]:
    """Return invented words, the most frequent first: always the same."""
    chance = random.Random("words of a million articles")
    made: dict[str, None] = {}
    while len(made) < count:
        made["".join(chance.choices(_SYLLABLES, k=chance.randrange(2, 5)))] = None
    return list(made)


def _make_texts(connection: psycopg.Connection, count: int) -> None:
    connection.execute("CREATE TEMP TABLE texts (k integer PRIMARY KEY, title text, body text)")
    copying = "COPY texts (k, title, body) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(copying) as copy:
        for row in _texts(count):
            copy.write_row(row)
    connection.execute("ALTER TABLE texts ADD COLUMN words tsvector")
    connection.execute("UPDATE texts SET words = to_tsvector('simple', body)")
    connection.execute("ANALYZE texts")


def _texts(count: int) -> Iterator[tuple[int, str, str]]:
    """Yield texts in which a word of rank r stands about 1/r as often as the first (Zipf)."""
    known = words()
    cumulated, total = [], 0.0
    for rank in range(len(known)):
        total += 1 / (rank + 2.7)
        cumulated.append(total)
    chance = random.Random("texts of a million articles")
    for number in range(count):
        drawn = chance.choices(known, cum_weights=cumulated, k=_LENGTH + 6)
        yield number, " ".join(drawn[:6]).capitalize(), " ".join(drawn[6:])


def _timed(connection: psycopg.Connection, what: str, statement: str, say: Any) -> None:
    began = time.monotonic()
    connection.execute(statement)
    say(f"{what:<40} {time.monotonic() - began:8.1f} s", flush=True)


def main() -> None:
    """Fill the database that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("url", help="postgresql+psycopg://user@host/an-empty-database")
    parser.add_argument("--articles", type=int, default=ARTICLES)
    given = parser.parse_args()
    fill(given.url, articles=given.articles)


__all__ = ["ARTICLES", "fill", "words"]

if __name__ == "__main__":
    main()
