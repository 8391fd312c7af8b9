"""The queue of push and its subscriptions: claimed once, recorded under a lease, within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feedsvc.model import Bounds, HubRequest, Mode, Push, PushEnd, PushKind, PushOutcome
from feedsvc.storage.database import Database

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
HUB = "https://hub.example/"
CALLBACK = "https://reader.example/callback"
ROOMY = Bounds(total=100, per_host=100, pending=100, pending_per_host=100)


def note(database: Database, digest: str, *, now: datetime = NOW, name: str = "all.atom") -> int:
    with database.transaction() as store:
        return store.note_published({name: digest}, hubs=[HUB], subscribed=True, now=now)


def due(database: Database, kind: PushKind = PushKind.PING, *, now: datetime = NOW) -> list[str]:
    with database.reading() as store:
        found = [
            store.due_pushes(kind, now=now, limit=9, failed=failed) for failed in (False, True)
        ]
    return [one for part in found for one, _ in part]


def claim(
    database: Database,
    kind: PushKind = PushKind.PING,
    *,
    now: datetime = NOW,
    lease: str = "mine",
) -> list[Push]:
    ids = due(database, kind, now=now)
    with database.transaction() as store:
        return store.claim_pushes(ids, now=now, lease=lease, until=now + timedelta(minutes=5))


def finish(
    database: Database,
    push: Push,
    outcome: PushOutcome = PushOutcome.DONE,
    *,
    at: datetime = NOW,
    next_at: datetime | None = None,
) -> int:
    end = PushEnd(push, outcome, at, cause="" if outcome is PushOutcome.DONE else "broken")
    if outcome is PushOutcome.DONE:
        end = PushEnd(push, outcome, at, sent=push.digest)
    if next_at is not None:
        end = PushEnd(push, outcome, at, cause="broken", next_at=next_at)
    with database.transaction() as store:
        return len(store.finish_pushes([end]))


def ask(
    database: Database,
    *,
    callback: str = CALLBACK,
    mode: Mode = Mode.SUBSCRIBE,
    secret: str | None = None,
    bounds: Bounds = ROOMY,
    now: datetime = NOW,
    name: str = "all.atom",
) -> str:
    request = HubRequest(mode, callback, name, 3600, secret)
    with database.transaction() as store:
        return store.ask(request, bounds=bounds, now=now)


def subscribe(database: Database, callback: str = CALLBACK, *, secret: str | None = None) -> None:
    ask(database, callback=callback, secret=secret)
    (push,) = claim(database, PushKind.VERIFY)
    assert finish(database, push) == 1


# --- owing ----------------------------------------------------------------------------------


def test_one_document_is_owed_to_a_hub_once(database: Database) -> None:
    note(database, "a")
    note(database, "b")

    (push,) = claim(database)

    assert (push.kind, push.url, push.host) == (PushKind.PING, HUB, "hub.example")
    assert (push.name, push.digest, push.attempts) == ("all.atom", "b", 0)


def test_what_was_told_is_not_owed_again(database: Database) -> None:
    note(database, "a")
    finish(database, claim(database)[0])

    assert note(database, "a") == 0
    assert due(database) == []
    assert note(database, "b") == 1
    assert len(due(database)) == 1


def test_nothing_is_owed_by_a_transaction_that_fails(database: Database) -> None:
    def crash() -> None:
        with database.transaction() as store:
            store.note_published({"all.atom": "a"}, hubs=[HUB], subscribed=True, now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()

    assert due(database) == []


def test_a_document_is_owed_to_those_who_subscribed_to_it(database: Database) -> None:
    subscribe(database)
    ask(database, callback=f"{CALLBACK}/sea", name="sea.atom")
    (push,) = claim(database, PushKind.VERIFY)
    finish(database, push)

    note(database, "a", name="sea.atom")

    assert [one.url for one in claim(database, PushKind.DELIVER)] == [f"{CALLBACK}/sea"]


def test_many_documents_and_hubs_are_noted_at_once(database: Database) -> None:
    changed = {f"{number}.atom": "a" for number in range(700)}
    hubs = [HUB, "https://other.example/"]
    with database.transaction() as store:
        assert store.note_published(changed, hubs=hubs, subscribed=True, now=NOW) == 1400


# --- claiming -------------------------------------------------------------------------------


def test_a_claim_is_had_by_one(database: Database) -> None:
    note(database, "a")
    ids = due(database)
    until = NOW + timedelta(minutes=5)
    with database.transaction() as store:
        assert len(store.claim_pushes(ids, now=NOW, lease="mine", until=until)) == 1
        assert store.claim_pushes(ids, now=NOW, lease="theirs", until=until) == []
        assert store.push_leases() == ["mine"]

    assert due(database) == []


def test_a_lease_that_ran_out_can_be_had_again(database: Database) -> None:
    note(database, "a")
    (lost,) = claim(database, lease="mine")

    (push,) = claim(database, now=LATER, lease="theirs")

    assert push.lease == "theirs"
    assert finish(database, lost) == 0
    assert finish(database, push) == 1


def test_what_is_handed_back_is_due_as_before(database: Database) -> None:
    note(database, "a")
    claim(database)
    with database.transaction() as store:
        assert store.release_pushes("mine") == 1

    assert claim(database)[0].attempts == 0


def test_hosts_that_are_busy_are_left_out(database: Database) -> None:
    note(database, "a")
    with database.reading() as store:
        found = store.due_pushes(
            PushKind.PING, now=NOW, limit=9, failed=False, without_hosts=["hub.example"]
        )
        assert found == []


def test_nothing_is_due_of_a_kind_that_is_off(database: Database) -> None:
    note(database, "a")
    with database.reading() as store:
        assert store.is_push_due({PushKind.PING}, now=NOW)
        assert not store.is_push_due({PushKind.DELIVER}, now=NOW)
        assert not store.is_push_due(set(), now=NOW)


# --- ending ---------------------------------------------------------------------------------


def test_a_change_during_a_call_makes_another_one_due(database: Database) -> None:
    note(database, "a")
    (push,) = claim(database)
    note(database, "b")
    finish(database, push)

    (again,) = claim(database)

    assert (again.digest, again.attempts) == ("b", 0)


def test_a_change_does_not_shorten_the_wait_after_a_failure(database: Database) -> None:
    note(database, "a")
    finish(database, claim(database)[0], PushOutcome.FAILED, next_at=LATER)
    note(database, "b", now=NOW + timedelta(minutes=1))

    assert due(database, now=LATER - timedelta(seconds=1)) == []
    (push,) = claim(database, now=LATER)
    assert (push.digest, push.attempts, push.since) == ("b", 1, NOW)


def test_what_was_given_up_begins_anew_with_the_next_change(database: Database) -> None:
    note(database, "a")
    finish(database, claim(database)[0], PushOutcome.FAILED)
    assert due(database, now=LATER) == []
    with database.reading() as store:
        status = store.push_status(set(PushKind), hubs=[HUB], now=NOW, limit=9)
    assert [(one.cause, one.next_at) for one in status.failing] == [("broken", None)]

    note(database, "b", now=LATER)

    (push,) = claim(database, now=LATER)
    assert (push.attempts, push.since) == (0, LATER)


def test_calls_are_counted_by_how_they_ended(database: Database) -> None:
    for digest in ("a", "b"):
        note(database, digest)
        finish(database, claim(database)[0])
    with database.reading() as store:
        assert store.push_counts()["ping"] == {"done": 2}
        assert store.push_counts()["deliver"] == {}


# --- subscriptions --------------------------------------------------------------------------


def test_a_subscription_begins_when_it_is_verified(database: Database) -> None:
    ask(database, secret="shared")  # noqa: S106 - a test's
    with database.reading() as store:
        assert store.subscriptions(now=NOW) == []
    (push,) = claim(database, PushKind.VERIFY)
    assert (push.mode, push.secret, push.lease_seconds) == (Mode.SUBSCRIBE, "shared", 3600)
    finish(database, push)

    with database.reading() as store:
        (subscription,) = store.subscriptions(now=NOW)
    assert (subscription.callback, subscription.signed) == (CALLBACK, True)
    assert subscription.expires == LATER
    assert due(database, PushKind.VERIFY, now=LATER) == []


def test_a_newer_request_takes_the_place_of_one_under_way(database: Database) -> None:
    ask(database, secret="first")  # noqa: S106 - a test's
    (first,) = claim(database, PushKind.VERIFY)
    ask(database, secret="second")  # noqa: S106 - a test's

    assert finish(database, first) == 0
    (second,) = claim(database, PushKind.VERIFY, now=NOW + timedelta(seconds=15))
    assert second.secret == "second"  # noqa: S105 - a test's


def test_a_delivery_carries_the_secret_of_today(database: Database) -> None:
    subscribe(database, secret="first")  # noqa: S106 - a test's
    note(database, "a")
    subscribe(database, secret="second")  # noqa: S106 - a test's

    assert claim(database, PushKind.DELIVER)[0].secret == "second"  # noqa: S105 - a test's


def test_a_delivery_to_nobody_is_dropped(database: Database) -> None:
    subscribe(database)
    note(database, "a")

    assert claim(database, PushKind.DELIVER, now=LATER) == []
    assert due(database, PushKind.DELIVER, now=LATER) == []


def test_an_end_of_a_feed_ends_its_subscriptions_with_a_word(database: Database) -> None:
    subscribe(database)
    note(database, "a")
    with database.transaction() as store:
        assert store.note_gone(["all.atom"], now=NOW) == 1
        assert store.subscriptions(now=NOW) == []

    assert due(database, PushKind.DELIVER) + due(database, PushKind.PING) == []
    (push,) = claim(database, PushKind.DENY)
    assert push.url == CALLBACK
    finish(database, push)
    assert due(database, PushKind.DENY) == []


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        pytest.param(Bounds(1, 9, 9, 9), "subscriptions", id="total"),
        pytest.param(Bounds(9, 1, 9, 9), "subscriptions of this host", id="host"),
        pytest.param(Bounds(9, 9, 0, 9), "requests that wait", id="pending"),
        pytest.param(Bounds(9, 9, 9, 0), "requests of this host", id="pending-host"),
    ],
)
def test_a_bound_that_is_reached_is_named(database: Database, bounds: Bounds, says: str) -> None:
    subscribe(database)

    assert ask(database, callback=f"{CALLBACK}/2", bounds=bounds).startswith(says)
    assert due(database, PushKind.VERIFY) == []


def test_waiting_requests_count_as_subscriptions(database: Database) -> None:
    bounds = Bounds(total=2, per_host=9, pending=9, pending_per_host=9)
    answers = [ask(database, callback=f"{CALLBACK}/{n}", bounds=bounds) for n in range(3)]

    assert answers == ["", "", "subscriptions"]


def test_hubs_that_are_not_wanted_any_more_are_owed_nothing(database: Database) -> None:
    note(database, "a")
    with database.transaction() as store:
        store.drop_pings(besides=["https://other.example/"])

    assert due(database) == []
