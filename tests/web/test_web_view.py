"""Laws of snapshots that a browser took: what its page showed is shown, without its scripts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from feedsvc.capture.browser_view import Rendered, resources
from feedsvc.capture.warc import write_warc
from tests.replay.build import NOON, VERIFIED, Taken, exchange

if TYPE_CHECKING:
    from tests.web.conftest import Library, Served

STORY = "https://news.example.test/story"
SHELL = "<!doctype html><div id=app></div><script src=/app.js></script>"
DOM = b"<!doctype html><div id=app><p>The ferry sails</p><img src=/a.png></div><script>x</script>"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture " * 900
RENDERED = Rendered("The ferry sails", DOM, PNG, b"\xff\xd8\xff small", "Chrome/1")


@pytest.fixture
def snapshot(library: Library) -> str:
    """Store a snapshot as a browser's capture leaves it; return its address."""
    file = io.BytesIO()
    write_warc(
        Taken([exchange(STORY, SHELL)], []),
        file,
        snapshot_id="one",
        known={},
        judgement=VERIFIED,
        software="test",
        now=NOON,
        resources=resources(RENDERED, STORY),
    )
    kept = library.snapshot(library.article("A title"), file.getvalue(), url=STORY, final_url=STORY)
    return f"/snapshots/{kept.id}"


def test_the_final_markup_is_shown_without_its_scripts(snapshot: str, web: Served) -> None:
    shown = web.get(f"{snapshot}/mp_/{STORY}")
    assert "The ferry sails" in shown.text
    assert f"{snapshot}/mp_/https://news.example.test/a.png" in shown.text
    assert "<script" not in shown.text
    assert "sandbox" in shown.headers["content-security-policy"]
    assert web.get(f"{snapshot}/text").text.strip() == "The ferry sails"


def test_the_bytes_of_the_server_can_still_be_had(snapshot: str, web: Served) -> None:
    assert web.get(f"{snapshot}/id_/{STORY}").text == SHELL


def test_the_screenshot_is_a_picture_of_its_own(snapshot: str, web: Served) -> None:
    view = web.get(f"{snapshot}/view")
    assert (view.content, view.headers["content-type"]) == (PNG, "image/png")
    assert view.headers["x-content-type-options"] == "nosniff"
    assert f"{snapshot}/view" in web.get(f"{snapshot}/").text


def test_a_snapshot_without_one_offers_none(library: Library, web: Served) -> None:
    file = io.BytesIO()
    write_warc(
        Taken([exchange(STORY, SHELL)], []),
        file,
        snapshot_id="two",
        known={},
        judgement=VERIFIED,
        software="test",
        now=NOON,
    )
    kept = library.snapshot(library.article("Plain"), file.getvalue(), url=STORY, final_url=STORY)
    path = f"/snapshots/{kept.id}"
    assert web.get(f"{path}/view").status_code == 404
    assert f"{path}/view" not in web.get(f"{path}/").text
