"""Laws of the working commands: reports, exit codes and what they leave behind."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., Any]

STORM = """# Storm closes the harbour

By Ada Moor

2026-03-01

The weather service warned of a storm. Heavy rain and a gale closed the harbour on Sunday.
"""


def test_ingest_and_publish_report_what_they_did(command: Command, site: Path) -> None:
    (site / "seeds" / "storm.md").write_text(STORM)
    report = command("ingest", "--root", site, "--json")
    assert (report.code, report.json["new"], report.json["failed"]) == (0, 2, 0)
    text = command("publish", "--root", site)
    assert text.code == 0
    assert "written" in text.out
    again = command("publish", "--root", site, "--json")
    assert again.json["written"] == 0
    forced = command("ingest", "--root", site, "--force", "--json")
    assert forced.json["unmodified"] == 2


def test_a_bad_seed_exits_2_and_is_named_with_its_remedy(command: Command, site: Path) -> None:
    (site / "seeds" / "bad.md").write_text("# Only a title\n\n03/04/2024\n\nBody.\n")
    answer = command("ingest", "--root", site)
    assert answer.code == 2
    assert "seeds/bad.md:3" in answer.out
    assert "1 new, 1 failed" in answer.out
    status = command("status", "--root", site)
    assert status.code == 0
    assert status.out.startswith("Not well: 1 seed not loaded\n")
    assert "seeds/bad.md:3" in status.out


def test_deletions_wait_for_a_person(command: Command, site: Path) -> None:
    (site / "seeds" / "storm.md").write_text(STORM)
    command("ingest", "--root", site)
    for seed in (site / "seeds").iterdir():
        seed.unlink()
    held = command("ingest", "--root", site)
    assert held.code == 2
    assert "--accept-deletions" in held.out
    accepted = command("ingest", "--root", site, "--accept-deletions", "--json")
    assert (accepted.code, accepted.json["withdrawn"]) == (0, 2)


def test_rebuild_twice_writes_nothing_the_second_time(command: Command, site: Path) -> None:
    first = command("rebuild", "--root", site)
    assert first.code == 0
    assert "files written" in first.out
    assert command("rebuild", "--root", site, "--json").json["written"] == 0


def test_rebuild_of_one_topic(command: Command, site: Path) -> None:
    command("rebuild", "--root", site)
    assert command("rebuild", "--root", site, "--topic", "science-technology").code == 0
    assert command("rebuild", "--root", site, "--topic", "no-such-topic").code == 64


def test_status_is_well_and_complete(command: Command, site: Path) -> None:
    command("rebuild", "--root", site)
    answer = command("status", "--root", site, "--json")
    assert answer.code == 0
    assert answer.json["healthy"] is True
    assert answer.json["articles"] == 1
    assert command("status", "--root", site).out.startswith("Healthy\n")


def test_topics_are_listed_explained_and_corrected(command: Command, site: Path) -> None:
    (site / "seeds" / "storm.md").write_text(STORM)
    command("rebuild", "--root", site)
    listed = command("topics", "--root", site, "--json").json["topics"]
    assert {one["topic"]["slug"]: one["articles"] for one in listed} == {
        "science-technology": 1,
        "weather": 1,
    }
    shown = command("topics", "show", "seeds/storm.md", "--root", site)
    assert "Storm closes the harbour" in shown.out
    assert "weather" in shown.out
    assert (
        command("topics", "set", "seeds/storm.md", "sport", "--root", site).out
        == "sport (person)\n"
    )
    explained = command("topics", "show", "seeds/storm.md", "--root", site, "--json").json
    assert [one["topic"]["slug"] for one in explained["topics"]] == ["sport"]
    assert "weather" in command("topics", "reset", "seeds/storm.md", "--root", site).out
    assert command("topics", "show", "nothing", "--root", site).code == 64


def test_topics_are_measured_on_labelled_texts(
    command: Command, site: Path, tmp_path: Path
) -> None:
    labelled = tmp_path / "labelled.csv"
    labelled.write_text(
        "label,title,text\nRain,Storm warning,The weather service expects heavy rain and a gale.\n"
        "Ball,Late goal,The striker scored twice and the football club won the match.\n"
    )
    answer = command(
        "topics", "eval", labelled, "--map", "Rain=weather,Ball=sport", "--root", site, "--json"
    )
    assert answer.code == 0
    assert answer.json["accuracy"] == 1.0
    text = command(
        "topics", "eval", labelled, "--map", "Rain=weather,Ball=sport", "--root", site
    ).out
    assert "accuracy 100.0%, macro-F1 100.0%" in text
    assert command("topics", "eval", labelled, "--map", "Rain", "--root", site).code == 4


def test_capture_with_nothing_due_says_so(command: Command, site: Path) -> None:
    command("ingest", "--root", site)
    answer = command("capture", "--root", site)
    assert (answer.code, answer.out) == (0, "Nothing was due.\n")
    assert command("capture", "--article", "nothing", "--root", site).code == 64


def test_a_capture_that_fails_exits_2_and_says_why(command: Command, site: Path) -> None:
    (site / "seeds" / "storm.md").write_text(STORM + "\nOriginal url: http://127.0.0.1:9/storm\n")
    command("ingest", "--root", site)
    answer = command("capture", "--root", site)
    assert answer.code == 2
    assert "http://127.0.0.1:9/storm" in answer.out
    assert "0 of 1 article archived" in answer.out
    status = command("status", "--root", site)
    assert "1 original not archived yet" in status.out


def test_ctrl_c_hands_back_what_is_in_flight_and_exits_130(
    command: Command, process: Callable[..., subprocess.Popen[str]], site: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        (site / "seeds" / "storm.md").write_text(STORM + f"\nOriginal url: http://{host}/storm\n")
        command("ingest", "--root", site)
        options = {"FEEDSVC_ARCHIVE__ALLOW_HOSTS": host, "FEEDSVC_ARCHIVE__TIMEOUT": "2s"}
        with process("capture", "--root", site, **options) as started:
            silent.settimeout(30)
            connection, _ = silent.accept()
            with connection:
                started.send_signal(signal.SIGINT)
                out, _ = started.communicate(timeout=30)
    assert started.returncode == 130
    assert "Stopped" in out
    assert command("status", "--root", site, "--json").json["in_flight"] == 0


def test_verify_exits_6_on_damage(command: Command, site: Path) -> None:
    command("rebuild", "--root", site)
    assert command("verify", "--root", site).code == 0
    feed = site / "feeds" / "all.atom"
    feed.write_bytes(feed.read_bytes()[:-1] + b"?")
    answer = command("verify", "--root", site)
    assert answer.code == 6
    assert "all.atom" in answer.out
    assert (
        command("verify", "--sample", "1", "--root", site, "--json").json["damage"][0]["what"]
        == "feed"
    )


def test_upgrade_of_a_present_schema_does_nothing(command: Command, site: Path) -> None:
    command("ingest", "--root", site)
    answer = command("upgrade", "--root", site, "--json")
    assert answer.code == 0
    assert "nothing to do" in answer.json["upgrade"]
