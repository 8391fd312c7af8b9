"""Values as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feedsvc.web.rendering import iso, percent, safe_filename, size


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "1000 kB"),
        (57_738, "57.7 kB"),
        (1_500_000, "1.5 MB"),
        (3_000_000_000_000, "3000 GB"),
    ],
)
def test_sizes_are_for_people(count: int, told: str) -> None:
    assert size(count) == told


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "0 %"), (0.001, "1 %"), (0.5, "50 %"), (0.999, "99 %"), (1.0, "100 %")],
)
def test_all_is_said_only_of_all(share: float, told: str) -> None:
    assert percent(share) == told


def test_years_have_four_digits_in_machine_dates() -> None:
    assert iso(datetime(987, 6, 5, 4, 3, 2, tzinfo=UTC)) == "0987-06-05T04:03:02Z"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("example.org", "2024"), "example.org-2024.x"),
        (("[::1]:80", ""), "1-80.x"),
        (('a"; evil=\r\n', "../.."), "a-evil.x"),
        (("", ".."), "snapshot.x"),
    ],
)
def test_a_file_name_is_only_a_name(parts: tuple[str, ...], name: str) -> None:
    assert safe_filename(*parts, suffix=".x") == name
