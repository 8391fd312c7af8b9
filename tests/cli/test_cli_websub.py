"""The commands about push: what they show, what they hide, how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.cli import main
from feedsvc.runtime import utc_now
from tests.push_rig import SHARED, Rig, rig_at
from tests.subscriber import Subscriber, subscriber_at_work


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with subscriber_at_work() as subscriber:
        yield subscriber


@pytest.fixture
def rig(tmp_path: Path, subscriber: Subscriber) -> Iterator[Rig]:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feedsvc.toml").write_text(
        f'[websub]\nenabled = true\nhubs = ["{subscriber.url("/hub")}"]\n'
        f'allow_callbacks = ["{subscriber.host}"]\n'
    )
    with rig_at(tmp_path, moment=utc_now()) as rig:
        rig.change("one")
        rig.subscribe(subscriber, "/capability", secret=SHARED)
        yield rig


def run(rig: Rig, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main([*arguments, "--root", str(rig.runtime.root)])
    return code, capsys.readouterr().out


def test_subscribers_are_listed_by_host_alone(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(rig, capsys, "websub", "list", "--json")
    as_text = run(rig, capsys, "websub", "list")[1]

    assert code == 0
    (one,) = json.loads(shown)["subscriptions"]
    assert (one["name"], one["callback"], one["signed"]) == ("all.atom", "127.0.0.1", True)
    assert "127.0.0.1" in as_text
    for text in (shown, as_text):
        assert SHARED not in text
        assert "capability" not in text


def test_pushing_by_hand_tells_what_is_due(
    rig: Rig, subscriber: Subscriber, capsys: pytest.CaptureFixture[str]
) -> None:
    subscriber.heard.clear()
    rig.change("two")

    code, shown = run(rig, capsys, "websub", "push", "--json")

    assert code == 0
    assert (json.loads(shown)["pinged"], json.loads(shown)["delivered"]) == (1, 1)
    assert len(subscriber.posted) == 2
    assert run(rig, capsys, "websub", "push") == (0, "Nothing was due.\n")


def test_status_tells_who_could_not_be_told_and_why(
    rig: Rig, subscriber: Subscriber, capsys: pytest.CaptureFixture[str]
) -> None:
    subscriber.takes = lambda _heard: (500, {}, b"")
    rig.change("two")
    code, shown = run(rig, capsys, "websub", "push")
    assert (code, "2 failed" in shown) == (2, True)

    code, shown = run(rig, capsys, "status")

    assert code == 0
    assert "cannot tell 127.0.0.1 what changed" in shown
    assert "the hub answered 500" in shown
    assert "the subscriber answered 500" in shown
    assert SHARED not in shown
