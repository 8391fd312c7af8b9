from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from feedsvc.model import (
    ALL,
    Attempt,
    FileStamp,
    Following,
    Judgement,
    Outcome,
    Payload,
    Purpose,
    SeedRecord,
    SeedState,
    Snapshot,
    Verdict,
)
from feedsvc.storage.database import Database
from feedsvc.storage.store import Store
from tests.storage.build import NOW, POLITICS, SPORT, add, put, score

LATER = NOW + timedelta(hours=1)


def snapshot(article_id: str, id_: str, verdict: Verdict, *, hours: int = 0) -> Snapshot:
    return Snapshot(
        id=id_,
        article_id=article_id,
        url="https://example.org/a",
        final_url="https://example.org/a",
        captured=NOW + timedelta(hours=hours),
        status=200,
        judgement=Judgement(verdict, 0.9),
        key=f"2026/11/{id_}.warc.gz",
        size=10,
        sha256="0" * 64,
        records=3,
    )


ARCHIVED = Following(Purpose.LOOK, 0, NOW + timedelta(days=1), attempts=0)
AGAIN = Following(Purpose.CAPTURE, 0, LATER, attempts=1)


def attempt(article_id: str, outcome: Outcome = Outcome.VERIFIED, **kwargs: object) -> Attempt:
    base = Attempt(article_id, "https://example.org/a", NOW, 0.1, outcome, "")
    return replace(base, **kwargs)  # type: ignore[arg-type]  # given by name


def lease(store: Store, token: str, *, minutes: int = 0) -> list[str]:
    now = NOW + timedelta(minutes=minutes)
    wanted = [article for article, _ in store.due_captures(now=now, limit=10)]
    jobs = store.claim_captures(wanted, now=now, lease=token, until=now + timedelta(minutes=5))
    return [job.article_id for job in jobs]


def test_a_revision_follows_the_one_before_and_keeps_it(database: Database) -> None:
    first = put()
    with database.transaction() as store:
        add(store, first)
        store.put_articles([replace(put(title="Another"), revision=2, updated=LATER)], now=LATER)
    with database.reading() as store:
        article = store.article(first.id)
        assert article is not None
        assert (article.title, article.revision, article.updated) == ("Another", 2, LATER)
        assert store.counts().revisions == 2


def test_a_stored_article_makes_its_capture_due_once(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        assert lease(store, "one") == [put().id]
        assert lease(store, "two") == []


def test_a_lease_that_ran_out_is_taken_over(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        lease(store, "one")
        assert lease(store, "two", minutes=6) == [put().id]


def test_only_the_holder_of_a_lease_may_finish(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        now = NOW
        until = now + timedelta(minutes=5)
        (job,) = store.claim_captures([put().id], now=now, lease="one", until=until)
        lease(store, "two", minutes=6)
        assert not store.finish_capture(job, attempt(put().id), ARCHIVED)
        assert store.attempts_at(put().id, limit=5) == []


def test_what_is_handed_back_is_due_as_before(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        lease(store, "one")
        assert store.release_captures("one") == 1
        assert lease(store, "two") == [put().id]


def test_a_failed_capture_comes_back_when_it_is_due(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        until = NOW + timedelta(minutes=5)
        (job,) = store.claim_captures([put().id], now=NOW, lease="one", until=until)
        failed = attempt(put().id, Outcome.FAILED, cause="refused", next_at=LATER)
        assert store.finish_capture(job, failed, AGAIN)
        assert store.count_due(now=NOW) == 0
        assert store.count_due(now=LATER) == 1
        assert [one.cause for one in store.failed_captures()] == ["refused"]
        assert store.attempts_at(put().id, limit=5) == [failed]


def test_a_withdrawn_article_is_not_captured(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        store.withdraw([put().id], now=NOW)
        assert store.count_due(now=NOW) == 0


def test_a_corrected_address_is_captured_afresh(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        until = NOW + timedelta(minutes=5)
        (job,) = store.claim_captures([put().id], now=NOW, lease="one", until=until)
        store.finish_capture(job, attempt(put().id), ARCHIVED)
        assert store.count_due(now=LATER) == 0
        moved = put("https://example.org/better")
        store.put_articles([replace(moved, id=put().id, revision=2)], now=LATER)
        assert store.count_due(now=LATER) == 1


def test_the_best_last_snapshot_is_the_one_that_counts(database: Database) -> None:
    id_ = put().id
    with database.transaction() as store:
        add(store, put())
        store.add_snapshot(snapshot(id_, "s1", Verdict.VERIFIED), [])
        store.add_snapshot(snapshot(id_, "s2", Verdict.PARTIAL, hours=1), [])
        store.add_snapshot(snapshot(id_, "s3", Verdict.MISMATCH, hours=2), [])
        assert store.good_snapshots([id_])[id_].id == "s1"
        store.add_snapshot(snapshot(id_, "s4", Verdict.VERIFIED, hours=3), [])
        assert store.good_snapshots([id_])[id_].id == "s4"
        assert [one.id for one in store.mismatches(id_)] == ["s3"]
        assert store.counts().archived == 1


def test_the_first_record_of_a_payload_is_the_one_referred_to(database: Database) -> None:
    id_ = put().id
    payload = Payload("sha1:A", 5, "https://example.org/x.css", "2026-11-01T12:00:00Z", "urn:1")
    with database.transaction() as store:
        add(store, put())
        store.add_snapshot(snapshot(id_, "s1", Verdict.VERIFIED), [payload])
        store.add_snapshot(
            snapshot(id_, "s2", Verdict.VERIFIED, hours=1), [replace(payload, record_id="urn:2")]
        )
        assert store.known_payloads(["sha1:A", "sha1:B"]) == {
            "sha1:A": replace(payload, snapshot_id="s1")
        }


def test_topics_that_are_left_and_joined_are_dirty(database: Database) -> None:
    with database.transaction() as store:
        add(store, put(), topics=(SPORT,))
        store.mark_clean({channel.slug: mark for channel, mark in store.dirty_channels()})
        assert store.dirty_channels() == []
        store.put_topics({put().id: [score(POLITICS)]})
        assert {channel.slug for channel, _ in store.dirty_channels()} == {ALL, "sport", "politics"}
        assert store.empty_channels(["sport", "politics"]) == ["sport"]


def test_a_mark_made_while_feeds_were_written_stays(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        marks = {channel.slug: mark for channel, mark in store.dirty_channels()}
        store.mark_dirty(["sport"])
        store.mark_clean(marks)
        assert [channel.slug for channel, _ in store.dirty_channels()] == ["sport"]


def test_entries_join_a_sequence_by_date_and_keep_their_place(database: Database) -> None:
    old = put("https://example.org/old", seed="seeds/old.md", published=NOW - timedelta(days=9))
    new = put("https://example.org/new", seed="seeds/new.md", published=NOW)
    late = put("https://example.org/late", seed="seeds/late.md", published=NOW - timedelta(days=99))
    with database.transaction() as store:
        add(store, new, old)
        store.join_sequences([ALL, "sport"])
        assert store.between("sport", 1) == [old.id, new.id]
        add(store, late)
        assert store.between("sport", 1) == [old.id, new.id]
        store.join_sequences([ALL, "sport"])
        assert store.between("sport", 1) == [old.id, new.id, late.id]
        assert store.between(ALL, 1)[-2:] == [new.id, late.id]


def test_a_withdrawn_article_is_in_no_feed_and_returns_to_its_place(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        store.join_sequences([ALL])
        store.withdraw([put().id], now=LATER)
        assert store.between(ALL, 1) == []
        assert store.topic_counts() == []
        store.put_articles([replace(put(), revised=False)], now=LATER)
        assert store.between(ALL, 1) == [put().id]


def test_a_persons_choice_is_remembered_until_taken_back(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        store.choose_topics(put().id, ["politics", "sport"], now=NOW)
        assert store.topic_choices([put().id]) == {put().id: ("politics", "sport")}
        assert store.forget_choice(put().id)
        assert not store.forget_choice(put().id)


def test_only_articles_sorted_under_other_rules_are_stale(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        assert store.stale_articles("v1", limit=10) == []
        assert [one.id for one in store.stale_articles("v2", limit=10)] == [put().id]
        store.set_topics_version([put().id], "v2")
        assert store.stale_count("v2") == 0


def test_a_revision_that_was_changed_behind_our_back_is_found(database: Database) -> None:
    with database.transaction() as store:
        add(store, put())
        assert list(store.damaged_revisions()) == []
        store.connection.exec_driver_sql("UPDATE revisions SET text = 'Swords.'")
        assert list(store.damaged_revisions()) == [(put().id, 1, "A title")]


def test_seed_records_come_back_as_they_were_put(database: Database) -> None:
    record = SeedRecord(
        name="seeds/x.md",
        stamp=FileStamp(5, 10**18, 2**64 - 1),
        digest="d" * 64,
        state=SeedState.REJECTED,
        line=3,
        reason="no title",
        remedy="Add one",
        warnings=("odd",),
        parser=1,
        since=NOW,
    )
    with database.transaction() as store:
        store.put_seeds([record])
        stored = store.seed_records(["seeds/x.md", "seeds/y.md"])["seeds/x.md"]
        assert replace(stored, stamp=record.stamp) == record
        assert stored.stamp.inode == 2**63 - 1
        assert [one.name for one in store.seed_problems()] == ["seeds/x.md"]
        assert store.seeds_below(["seeds"]) == ["seeds/x.md"]
        assert store.seed_count("seeds") == 1
        store.touch_seeds({"seeds/x.md": FileStamp(6, 7, 8)})
        assert store.seed_stamps()["seeds/x.md"] == (FileStamp(6, 7, 8), SeedState.REJECTED, 1)
        store.drop_seeds(["seeds/x.md"])
        assert store.seed_stamps() == {}
