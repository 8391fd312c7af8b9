"""Laws of the settings: defaults, order of authority, and errors that say where and what to do."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import ConfigurationError
from feedsvc.settings import (
    KEYS,
    format_duration,
    format_size,
    load_settings,
    parse_duration,
    parse_schedule,
    parse_size,
)
from feedsvc.settings.loading import key_lines

ROOT = Path(__file__).parents[1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path


def write(site: Path, text: str) -> None:
    (site / "config" / "feedsvc.toml").write_text(text, encoding="utf-8")


def problems(site: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(site, environ=environ)
    return str(caught.value).splitlines()


def test_every_key_has_a_default_so_no_file_is_needed(site: Path) -> None:
    settings = load_settings(site, environ={})
    assert settings.root == site.resolve()
    assert settings.site.base_url == "http://127.0.0.1:8080"
    assert settings.seeds.paths == ("seeds",)
    assert settings.archive.deadline == 600.0
    assert settings.archive.max_page == 100 << 20
    assert set(settings.origins.values()) == {"default"}


def test_an_empty_file_changes_nothing(site: Path) -> None:
    without = load_settings(site, environ={})
    write(site, "")
    assert load_settings(site, environ={}) == without


def test_the_environment_overrides_the_file_and_both_are_named(site: Path) -> None:
    write(site, '# a comment\n[site]\ntitle = "From the file"\n\n[web]\nport = 9000\n')
    settings = load_settings(site, environ={"FEEDSVC_WEB__PORT": "9100"})
    assert (settings.site.title, settings.web.port) == ("From the file", 9100)
    assert settings.origins["site.title"] == "config/feedsvc.toml:3"
    assert settings.origins["web.port"] == "FEEDSVC_WEB__PORT"
    assert settings.origins["web.host"] == "default"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param('["a", "b,c"]', ("a", "b,c"), id="json"),
        pytest.param("a, b", ("a", "b"), id="commas"),
        pytest.param("a", ("a",), id="one"),
        pytest.param("./a/,/srv//b/", ("a", "/srv/b"), id="slashes"),
    ],
)
def test_lists_in_the_environment(site: Path, value: str, expected: tuple[str, ...]) -> None:
    assert load_settings(site, environ={"FEEDSVC_SEEDS__PATHS": value}).seeds.paths == expected


def test_every_problem_is_listed_with_its_place_and_remedy(site: Path) -> None:
    write(site, '[web]\nprot = 1\nport = "x"\n\n[sit]\n[schedule]\ningest = "often"\n')
    found = "\n".join(problems(site, FEEDSVC_FEEDS__ENTRIES="none", FEEDSVC_WEB_HOST="::"))
    assert "config/feedsvc.toml:2: unknown key web.prot; did you mean web.port?" in found
    assert "config/feedsvc.toml:3: web.port = 'x'" in found
    assert "config/feedsvc.toml:5: unknown section [sit]; did you mean site?" in found
    assert "config/feedsvc.toml:7: schedule.ingest = 'often': not a schedule" in found
    assert "FEEDSVC_FEEDS__ENTRIES: feeds.entries = 'none'" in found
    assert (
        "FEEDSVC_WEB_HOST: unknown environment variable; did you mean FEEDSVC_WEB__HOST?" in found
    )


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        pytest.param('[web]\nport = "a\n', "config/feedsvc.toml:2", "not TOML", id="syntax"),
        pytest.param("[web]\nport = 1\n[web]\n", "config/feedsvc.toml:3", "not TOML", id="twice"),
        pytest.param("[web", "config/feedsvc.toml:1", "not TOML", id="unclosed"),
        pytest.param("port = 1\n", "config/feedsvc.toml:1", "did you mean web.port?", id="top"),
        pytest.param("\nsite = 1\n", "config/feedsvc.toml:2", "write [site]", id="not-a-table"),
        pytest.param("web = { port = 0 }\n", "config/feedsvc.toml:1", "greater than", id="inline"),
        pytest.param("web.port = true\n", "config/feedsvc.toml:1", "a number is needed", id="flag"),
        pytest.param(
            "[site]\nbase_url = 'ftp://a'\n", "config/feedsvc.toml:2", "http(s)", id="url"
        ),
        pytest.param(
            "[site]\nbase_url = 'http://a/?q'\n", "config/feedsvc.toml:2", "query", id="query"
        ),
        pytest.param(
            "[site]\nlanguage = 'e n'\n", "config/feedsvc.toml:2", "language tag", id="language"
        ),
        pytest.param(
            "[database]\nurl = 'mysql://a/b'\n",
            "config/feedsvc.toml:2",
            "postgresql",
            id="database",
        ),
        pytest.param(
            "[archive]\nallow_hosts = ['a']\n", "config/feedsvc.toml:2", "host and port", id="host"
        ),
        pytest.param(
            "[archive]\nrobots = 'no'\n",
            "config/feedsvc.toml:2",
            "'respect' or 'ignore'",
            id="robots",
        ),
        pytest.param(
            "[archive]\nmax_page = 'big'\n", "config/feedsvc.toml:2", "not a size", id="size"
        ),
        pytest.param(
            "[archive]\ntimeout = '0s'\n", "config/feedsvc.toml:2", "greater than 0", id="timeout"
        ),
        pytest.param("[seeds]\npaths = []\n", "config/feedsvc.toml:2", "at least 1", id="no-seeds"),
        pytest.param(
            "[seeds]\npaths = ['a', 'a/b']\n", "config/feedsvc.toml:2", "same files", id="nested"
        ),
        pytest.param(
            "[seeds]\npaths = ['.']\n", "config/feedsvc.toml:2", "read as seeds", id="own-output"
        ),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(
    site: Path, text: str, place: str, message: str
) -> None:
    write(site, text)
    found = problems(site)
    assert all(line.startswith(f"{place}: ") for line in found)
    assert message in found[0]


def test_a_file_that_is_not_utf8_is_a_problem_not_a_crash(site: Path) -> None:
    (site / "config" / "feedsvc.toml").write_bytes(b'[site]\ntitle = "caf\xe9"\n')
    assert "not UTF-8" in problems(site)[0]


def test_a_folder_that_is_not_there_names_the_remedy(tmp_path: Path) -> None:
    assert "feedsvc init" in problems(tmp_path / "nowhere")[0]


def test_variables_of_others_are_left_alone(site: Path) -> None:
    environ = {"FEEDSVC_SERVICE_HOST": "10.0.0.1", "FEEDSVC_PORT": "tcp://10.0.0.1:80"}
    load_settings(
        site, environ=environ | {"FEEDSVC_PORT_80_TCP_ADDR": "10.0.0.1", "FEEDSVC_LOG": "json"}
    )


def test_root_comes_from_the_environment_if_not_given(site: Path) -> None:
    assert load_settings(None, environ={"FEEDSVC_ROOT": str(site)}).root == site.resolve()


def test_the_address_follows_the_port_unless_it_is_given(site: Path) -> None:
    assert (
        load_settings(site, environ={"FEEDSVC_WEB__PORT": "9"}).site.base_url
        == "http://127.0.0.1:9"
    )
    write(site, '[site]\nbase_url = "https://feeds.example.org/x/"\n[web]\nhost = "::"\n')
    settings = load_settings(site, environ={})
    assert settings.site.base_url == "https://feeds.example.org/x"
    assert settings.archive.user_agent.endswith("(+https://feeds.example.org/x)")


def test_a_database_password_is_never_shown(site: Path) -> None:
    url = "postgresql+psycopg://someone:hush@db.example.org/feeds"
    settings = load_settings(site, environ={"FEEDSVC_DATABASE__URL": url})
    assert settings.database.url == url
    shown = f"{settings.effective()} {settings!r} {settings.database}"
    assert "hush" not in shown
    assert (
        settings.effective()["database.url"]
        == "postgresql+psycopg://someone:***@db.example.org/feeds"
    )
    found = problems(site, FEEDSVC_DATABASE__URL="mysql://someone:hush@db.example.org/feeds")
    assert "hush" not in found[0]


def test_settings_cannot_be_changed(site: Path) -> None:
    settings = load_settings(site, environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.web.port = 1


def test_the_sample_file_names_every_key_with_its_default(site: Path) -> None:
    sample = (ROOT / "config" / "feedsvc.toml").read_text(encoding="utf-8")
    assert sample == (files("feedsvc.cli") / "feedsvc.toml").read_text(encoding="utf-8")
    uncommented = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", sample)
    defaults = tomllib.loads(uncommented)
    defaults["site"]["author"] = defaults["site"]["title"]  # empty stands for these two
    defaults["archive"]["user_agent"] = load_settings(site, environ={}).archive.user_agent
    flat = {
        f"{section}.{key}": value
        for section, keys in defaults.items()
        for key, value in keys.items()
    }
    assert flat == load_settings(site, environ={}).effective()
    write(site, uncommented)
    assert set(load_settings(site, environ={}).origins) == set(KEYS)
    write(site, sample)
    assert set(load_settings(site, environ={}).origins.values()) == {"default"}


def test_lines_of_keys_are_found_in_every_way_to_write_them() -> None:
    text = '# [no]\na.b = 1\n[web] # x\n"port" = 1\ntext = """\nhost = 2\n"""\nlist = [\n  "x",\n]\nend = 1\n'
    assert key_lines(text) == {
        "a.b": 2,
        "web": 3,
        "web.port": 4,
        "web.text": 5,
        "web.list": 8,
        "web.end": 11,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", 86400),
        ("250ms", 0.25),
        (3, 3),
        ("2.5", 2.5),
    ],
)
def test_lengths_of_time(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8 MiB", 8 << 20),
        ("8mib", 8 << 20),
        ("500 kB", 500_000),
        ("1.5GiB", 3 << 29),
        (7, 7),
        ("7", 7),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "5 years", "-1s", "1m x", True, None, [], "1e3s"])
def test_what_is_not_a_length_of_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="length of time"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**9))
def test_a_length_of_time_is_read_back_as_written(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_is_read_back_nearly_as_written(size: int) -> None:
    assert abs(parse_size(format_size(size)) - size) <= size * 0.05


@pytest.mark.parametrize(
    "text", ["5m", "* * * * *", "*/5 0-6 1,15 jan-mar sun", "30 4 * * 7", "off"]
)
def test_schedules(text: str) -> None:
    schedule = parse_schedule(text)
    assert str(schedule) == text
    assert schedule.off == (text == "off")


@pytest.mark.parametrize(
    "text",
    [
        "0s",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "* * *",
        3.5j,
    ],
)
def test_what_is_not_a_schedule_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"schedule|cron|often"):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("folder", "what"),
    [
        (".", "seeds.paths (seeds), config/, data/, archive.store, the database"),
        ("..", "seeds.paths (seeds), config/, data/, archive.store, the database"),
        ("data", "data/, archive.store, the database"),
        ("data/../config", "config/"),
        ("data/snapshots", "archive.store"),
        ("data/snapshots/feeds", "archive.store"),
    ],
)
def test_generated_files_have_a_folder_of_their_own(site: Path, folder: str, what: str) -> None:
    (found,) = problems(site, FEEDSVC_FEEDS__DIR=folder)
    assert found.startswith("FEEDSVC_FEEDS__DIR: feeds.dir: ")
    assert found.endswith(f"place of {what}")


@pytest.mark.parametrize("folder", ["feeds", "public/feeds", "data/feeds", "../elsewhere"])
def test_any_other_folder_may_hold_the_feeds(site: Path, folder: str) -> None:
    assert load_settings(site, environ={"FEEDSVC_FEEDS__DIR": folder}).feeds.dir == folder
