"""Law of the README's pictures: they can be taken at any time, and are light."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.browsing import CHROMIUM
from tests.docs.pictures import HEIGHT, PICTURES, ROOT, WIDTH, size_of, take

LIGHT = 150_000


def test_the_pictures_can_be_taken(tmp_path: Path) -> None:
    if not CHROMIUM:
        pytest.skip("no Chromium: install chromium")  # .ci/run always has one
    pytest.importorskip("playwright.sync_api")  # an extra; tests/requirements.lock has it
    # Playwright's loop lives in a thread of its own, so that no other test finds one running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(take, tmp_path).result(120)
    for name in PICTURES:
        assert size_of((tmp_path / name).read_bytes()) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_readme_are_such(name: str) -> None:
    picture = (ROOT / "docs" / "images" / name).read_bytes()
    assert len(picture) < LIGHT
    assert size_of(picture) == (WIDTH, HEIGHT)
    assert f"docs/images/{name}" in (ROOT / "README.md").read_text(encoding="utf-8")
