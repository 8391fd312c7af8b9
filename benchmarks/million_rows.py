"""What the rows of a large library are: statements that PostgreSQL fills its own tables with."""

from __future__ import annotations

WORKING = (
    "SET synchronous_commit = off",
    "SET work_mem = '128MB'",
    "SET maintenance_work_mem = '512MB'",
    "SET jit = off",
    # Rows are made parents first, so that nothing needs to be looked up again.
    "SET session_replication_role = replica",
)

# Numbers stand for what would be drawn: the same number always gives the same article.
_MADE = """
CREATE TEMP TABLE made AS
SELECT n, md5(n::text)::uuid::text AS id, host, 'https://' || host || '/' || n || '.html' AS url,
  timestamptz '2026-06-01 12:00Z' - (:articles - n) * interval '4 minutes' AS at,
  least(199, floor(200 * power((n * 7919 % 100003) / 100003.0, 3)))::int AS topic,
  CASE WHEN n % 5 < 2 THEN floor(200 * power((n * 104729 % 99991) / 99991.0, 3))::int END AS also,
  floor(greatest(:articles / 111, 3) * power((n * 15485863 % 99989) / 99989.0, 2))::int AS author,
  (n * 7907 % texts)::int AS k, (n * 6007 % texts)::int AS t, n % 200 = 77 AS gone
FROM (
  SELECT n::bigint, (SELECT count(*) FROM texts) AS texts,
    'www.news' || CASE WHEN n % 10 = 0 THEN n / 10 % 10
      ELSE n % greatest(:articles / 100, 10) END || '.example' AS host
  FROM generate_series(1, :articles) n
) numbered ORDER BY n;
CREATE INDEX ON made (n);
ANALYZE made
"""
_REVISION = """
SELECT id, {number}, at, md5(n::text) || md5(id), texts.title || ' ' || n,
  '<p>' || body || '</p>', body, left(body, 160), url, 'Author ' || author,
  CASE WHEN n % 3 = 0 THEN 'Agency ' || n % 50 END, at, 'en', '[]'
FROM made JOIN texts ON texts.k = made.{text} {where} ORDER BY n
"""
_REVISION_COLUMNS = (
    "INSERT INTO revisions (article_id, number, recorded, digest, title, html, text, summary, url,"
    " author, agency, published, language, topics)"
)
_SNAPSHOT = """
INSERT INTO snapshots (id, article_id, url, final_url, captured, status, verdict, share, evidence,
  key, size, sha256, records, requisites, missing, refers, damaged)
SELECT md5('{mark}' || n)::uuid::text, id, url, url, at + interval '{later}', 200,
  CASE WHEN n % 20 = 3 THEN 'mismatch' WHEN n % 20 = 4 THEN 'partial' ELSE 'verified' END, 0.97,
  'found', to_char(at, 'YYYY/MM/DD/') || md5('{mark}' || n) || '.warc.gz', 20000 + n % 60000,
  md5(url) || md5(id), 4, 1, 0, '[]', CASE WHEN n % 5000 = 6 THEN at END
FROM made WHERE {where} ORDER BY n
"""
_MEMENTOS = """
INSERT INTO mementos (surt, captured, snapshot_id)
SELECT 'example,' || split_part(split_part(url, '/', 3), '.', 2) || ')/' || split_part(url, '/', 4),
  captured, id FROM snapshots WHERE verdict <> 'mismatch'
"""
_CAPTURES = """
INSERT INTO captures (article_id, url, host, state, due, lease, lease_until, attempts, outcome,
  status, cause, tried, purpose, step)
SELECT id, url, host, CASE WHEN n % 10000 = 9 THEN 'leased' WHEN n % 40 = 7 THEN 'done' ELSE 'due' END,
  CASE WHEN n % 40 = 7 THEN NULL WHEN n % 10 = 8 THEN now() - interval '1 minute' * (n % 10000)
    ELSE now() + interval '1 second' * (n * 7919 % 20000000) END,
  CASE WHEN n % 10000 = 9 THEN 'worker ' || n / 10000 % 10 END,
  CASE WHEN n % 10000 = 9 THEN now() + interval '10 minutes' END, n % 4,
  CASE WHEN n % 10 = 8 THEN NULL WHEN n % 100 = 9 THEN 'failed' WHEN n % 10 = 9 THEN 'mismatch'
    ELSE 'verified' END, 200, '', CASE WHEN n % 10 <> 8 THEN at + interval '1 hour' END,
  CASE WHEN n % 10 < 8 THEN 'look' ELSE 'capture' END, n % 5
FROM made WHERE n % 33 <> 1 ORDER BY n
"""
_SEQUENCE = """
INSERT INTO sequence (slug, article_id, position, member, published)
SELECT slug, id, CASE WHEN n <= :articles * 0.9999 THEN row_number() OVER (PARTITION BY slug ORDER BY n) END,
  CASE WHEN n % 1000 = 5 THEN 0 ELSE 1 END, at
FROM (
  SELECT 'all' AS slug, id, n, at FROM made
  UNION SELECT 'topic-' || topic, id, n, at FROM made
  UNION SELECT 'topic-' || also, id, n, at FROM made WHERE also IS NOT NULL
  UNION SELECT 'authors/author-' || author, id, n, at FROM made
  UNION SELECT 'agencies/agency-' || n % 50, id, n, at FROM made WHERE n % 3 = 0
) places ORDER BY n
"""
_CHANNELS = """
INSERT INTO channels (slug, kind, label, definition, dirty, clean, entries, closed)
SELECT slug, CASE WHEN slug = 'all' THEN 'all' WHEN slug LIKE 'authors/%' THEN 'author'
    WHEN slug LIKE 'agencies/%' THEN 'agency' ELSE 'topic' END,
  initcap(replace(slug, '-', ' ')), '', CASE WHEN n % 500 = 0 THEN 2 ELSE 1 END, 1, 50,
  CASE WHEN last < 150 THEN 0 ELSE (last - 50) / 50 END
FROM (
  SELECT slug, max(position) AS last, row_number() OVER (ORDER BY slug) AS n
  FROM sequence GROUP BY slug
) counted
"""
_FEED_FILES = """
INSERT INTO feed_files (name, sha256, size, written, slug, page, doomed)
SELECT slug || CASE WHEN page = 0 THEN '' ELSE '/' || lpad(page::text, greatest(4, length(page::text)), '0') END || '.' || format,
  md5(slug) || md5(page::text), 40000 + page % 9000, now(), slug, nullif(page, 0), 0
FROM channels, generate_series(0, closed) page, unnest(ARRAY['rss', 'atom', 'json']) format
"""
_DOCUMENTS = """
INSERT INTO documents (article_id, revision, about, words)
SELECT id, 1 + (n % 10 = 3)::int, json_build_object('author', author, 'agency', agency, 'about', about),
  setweight(to_tsvector('simple', lower(title)), 'A') || setweight(to_tsvector('simple', author), 'B')
    || setweight(to_tsvector('simple', agency), 'C') || words || to_tsvector('simple', about)
FROM (
  SELECT n, id, title || ' ' || n AS title, texts.words, 'author ' || author AS author,
    CASE WHEN n % 3 = 0 THEN 'agency ' || n % 50 ELSE '' END AS agency,
    't' || encode(('topic-' || topic)::bytea, 'hex')
      || coalesce(' t' || encode(('topic-' || nullif(also, topic))::bytea, 'hex'), '')
      || ' h' || encode(split_part(host, 'www.', 2)::bytea, 'hex')
      || ' h' || encode('example'::bytea, 'hex') AS about
  FROM made JOIN texts ON texts.k = CASE WHEN n % 10 = 3 THEN made.t ELSE made.k END WHERE NOT gone
) described ORDER BY n
"""

FILLING: tuple[tuple[str, str], ...] = (
    ("numbers", _MADE),
    (
        "articles",
        "INSERT INTO articles (id, url_key, seed, revision, digest, published, updated, first_seen,"
        " withdrawn, topics_version, filed)"
        " SELECT id, url, 'seeds/' || n / 1000 || '/' || n || '.md', 1 + (n % 10 = 3)::int,"
        " md5(n::text) || md5(id), at, at, at, CASE WHEN gone THEN at + interval '1 day' END, 'v1', 'f1'"
        " FROM made ORDER BY n",
    ),
    ("revisions", _REVISION_COLUMNS + _REVISION.format(number=1, text="k", where="")),
    (
        "second revisions",
        _REVISION_COLUMNS + _REVISION.format(number=2, text="t", where="WHERE n % 10 = 3"),
    ),
    ("captures", _CAPTURES),
    (
        "attempts",
        "INSERT INTO attempts (article_id, url, started, seconds, outcome, cause, status, size)"
        " SELECT id, url, at + try * interval '1 day', 0.4, 'verified', '', 200, 20000"
        " FROM made, generate_series(1, 2) try WHERE n % 10 <> 8 ORDER BY n",
    ),
    ("snapshots", _SNAPSHOT.format(mark="a", later="1 hour", where="n % 10 <> 8")),
    ("later snapshots", _SNAPSHOT.format(mark="b", later="30 days", where="n % 5 = 1")),
    ("mementos", _MEMENTOS),
    (
        "payloads",
        "INSERT INTO payloads (digest, size, url, date, record_id, snapshot_id)"
        " SELECT 'sha256:' || md5(id) || md5(url), 20000, url, '2026-06-01T12:00:00Z',"
        " '<urn:uuid:' || id || '>', id FROM snapshots",
    ),
    (
        "originals",
        "INSERT INTO originals (article_id, state, since, looked, status, cause)"
        " SELECT id, (ARRAY['changed', 'gone', 'redirected', 'blocked'])[CASE WHEN n % 20 < 4"
        " THEN n % 20 + 1 END], at, at, 200, '' FROM made WHERE n % 20 < 4"
        " UNION ALL SELECT id, 'alive', at, at, 200, '' FROM made WHERE n % 20 BETWEEN 4 AND 17",
    ),
    (
        "changes",
        "INSERT INTO changes (id, article_id, at, before_id, after_id, added, removed, difference)"
        " SELECT md5('c' || n)::uuid::text, id, at + interval '30 days', md5('a' || n)::uuid::text,"
        ' md5(\'b\' || n)::uuid::text, 3, 2, \'{"headline": null, "added": 3, "removed": 2, "hunks": [], "skipped": 0, "unshown": 0, "rewritten": false}\' FROM made WHERE n % 20 = 1',
    ),
    (
        "topics",
        "INSERT INTO topics (slug, label, definition)"
        " SELECT 'topic-' || n, 'Topic ' || n, 'All about it.' FROM generate_series(0, 199) n",
    ),
    (
        "topics of articles",
        "INSERT INTO article_topics (article_id, slug, rank, score, source)"
        " SELECT id, 'topic-' || topic, 0, 1, 'keywords' FROM made UNION ALL"
        " SELECT id, 'topic-' || also, 1, 0.6, 'keywords' FROM made WHERE also <> topic",
    ),
    ("sequence", _SEQUENCE),
    ("channels", _CHANNELS),
    (
        "pages",
        "INSERT INTO pages (slug, number, dirty, clean)"
        " SELECT slug, number, CASE WHEN number % 1000 = 0 THEN 2 ELSE 1 END, 1"
        " FROM channels, generate_series(1, closed) number",
    ),
    ("files of feeds", _FEED_FILES),
    ("documents", _DOCUMENTS),
    (
        "waiting for the index",
        "INSERT INTO unindexed (article_id) SELECT id FROM made WHERE n % 5000 = 1",
    ),
    (
        "seeds",
        "INSERT INTO seeds (name, size, mtime_ns, inode, digest, state, article_id, warnings,"
        " parser, since) SELECT 'seeds/' || n / 1000 || '/' || n || '.md', 2000, n, n,"
        " md5(n::text) || md5(id), CASE WHEN n % 5000 = 2 THEN 'rejected' ELSE 'loaded' END, id,"
        " '[]', 1, at FROM made ORDER BY n",
    ),
    (
        "tombstones",
        "INSERT INTO tombstones (slug, article_id, at)"
        " SELECT 'all', id, now() FROM made WHERE gone AND n > :articles * 0.9",
    ),
    (
        "subscriptions",
        "INSERT INTO subscriptions (id, callback, host, name, since, expires)"
        " SELECT md5('s' || n), 'https://reader' || n % 300 || '.example/' || n,"
        " 'reader' || n % 300 || '.example', 'topic-' || n % 200 || '.atom', now(),"
        " now() + interval '9 days' FROM generate_series(1, greatest(:articles / 100, 10)) n",
    ),
    (
        "pushes",
        "INSERT INTO pushes (id, kind, url, host, name, digest, told, due, attempts, cause)"
        " SELECT md5('p' || id), 'deliver', callback, host, name, md5(id), '',"
        " CASE WHEN callback LIKE '%7' THEN now() END, 0,"
        " CASE WHEN callback LIKE '%77' THEN 'away' ELSE '' END FROM subscriptions",
    ),
    (
        "audit",
        "INSERT INTO audit (at, who, action, subject, reason, details) SELECT at, 'generated',"
        " 'forget', id, '', '{}' FROM made WHERE n % 1000 = 1",
    ),
    (
        "numbers end where rows do",
        "SELECT setval(pg_get_serial_sequence('attempts', 'id'), max(id)) FROM attempts",
    ),
)
