"""Laws of the commands about feeds: what they list, whom they tell, and what is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]


def test_feeds_are_listed_shared_and_taken_back(command: Command, site: Path) -> None:
    assert command("rebuild", "--root", site).code == 0
    listed = command("feeds", "--root", site, "--json").json["feeds"]
    assert {one["slug"] for one in listed} >= {"all", "changes", "gone"}
    assert listed[0] | {"articles": 1, "shares": 0} == listed[0]
    assert command("feeds", "list", "--root", site, "--json").json["feeds"] == listed

    (share,) = command("feeds", "share", "all", "--root", site, "--json").json["shares"]
    path = site / "feeds" / "private" / share["token"] / "all.atom"
    assert path.exists()
    assert share["url"].endswith(f"/feeds/private/{share['token']}/all.atom")
    again = command("feeds", "shares", "--root", site)
    assert share["url"] in again.out
    for others in (("status",), ("publish", "-vv"), ("verify",), ("feeds",)):
        answer = command(*others, "--root", site)
        assert share["token"] not in answer.out + answer.err

    answer = command("feeds", "unshare", "all", "--root", site)
    assert (answer.code, answer.out) == (0, "1 share taken back\n")
    assert not path.exists()
    assert command("feeds", "shares", "--root", site, "--json").json == {"shares": []}


def test_what_is_not_there_is_named_with_what_is(command: Command, site: Path) -> None:
    command("rebuild", "--root", site)
    answer = command("feeds", "share", "chang", "--root", site)
    assert answer.code == 64
    assert "did you mean 'changes'" in answer.err
    assert command("feeds", "unshare", "nothing", "--root", site).code == 64


def test_config_check_reads_saved_searches(command: Command, site: Path) -> None:
    (site / "config/feeds.toml").write_text('[[feed]]\nname = "x"\nqeury = "boat"\n')
    answer = command("config", "check", "--root", site)
    assert answer.code == 4
    assert re.search(r"config/feeds\.toml:3: .*Did you mean 'query'", answer.err)
    (site / "config/feeds.toml").write_text('[[feed]]\nname = "x"\nquery = "boat"\n')
    assert command("config", "check", "--root", site, "--json").json["searches"] == 1
    topics = 'topics = ["Weather", "forecast", "weathe"]\n'
    (site / "config/feeds.toml").write_text(f'[[feed]]\nname = "x"\n{topics}')
    said = command("config", "check", "--root", site, "--json").json["warnings"]
    assert [one.partition("vocabulary: ")[2][:21] for one in said] == [
        "write 'weather'",
        "did you mean 'weather",
    ]


def test_a_kind_of_feed_that_is_none_is_a_mistake_with_its_line(
    command: Command, site: Path
) -> None:
    settings = site / "config/feedsvc.toml"
    settings.write_text('[feeds]\nalso = ["authors", "writers"]\n')
    answer = command("config", "check", "--root", site)
    assert answer.code == 4
    assert "config/feedsvc.toml:2: feeds.also" in answer.err
