"""Law of `--json`: what commands print is what docs/reference/output.schema.json says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from feedsvc.cli.shapes import SHAPES
from tests.origin import Listener, Origin

Command = Callable[..., Any]

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/reference/output.schema.json").read_text(encoding="utf-8"))
PAGE = (
    "<html><head><title>A ferry for the harbour</title></head><body><article><h1>A ferry for the "
    "harbour</h1>"
    + "".join(
        f"<p>The harbour council met for the {n}th time and talked of it.</p>" for n in range(9)
    )
    + "</article></body></html>"
).encode()
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "array": list,
    "object": dict,
}


def misfits(value: Any, shape: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yield where a value is not what a schema says; knows the words our schema is written in.

    An object may hold nothing that is not named.
    """
    if "$ref" in shape:
        shape = SCHEMA["$defs"][shape["$ref"].rpartition("/")[2]]
    if "enum" in shape and value not in shape["enum"]:
        yield f"{place}: {value!r} is none of {shape['enum']}"
    if "anyOf" in shape and all(any(misfits(value, one)) for one in shape["anyOf"]):
        yield f"{place}: {value!r} fits none of {shape['anyOf']}"
    kind = shape.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (value is True and kind != "boolean")):
        yield f"{place}: {value!r} is no {kind}"
    elif kind == "object":
        yield from of_object(value, shape, place)
    elif kind == "array" and "items" in shape:
        for number, one in enumerate(value):
            yield from misfits(one, shape["items"], f"{place}[{number}]")
    elif "format" in shape and datetime.fromisoformat(value).utcoffset() is None:
        yield f"{place}: {value!r} says nothing of its zone"


def of_object(value: Mapping[str, Any], shape: Mapping[str, Any], place: str) -> Iterator[str]:
    named = shape.get("properties", {})
    yield from (f"{place}: no {key}" for key in shape.get("required", ()) if key not in value)
    for key, one in value.items():
        if key not in named and "additionalProperties" not in shape:
            yield f"{place}: unknown {key}"
        yield from misfits(
            one, named.get(key) or shape.get("additionalProperties", {}), f"{place}.{key}"
        )


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    served.page("/ferry", PAGE)
    monkeypatch.setenv("FEEDSVC_ARCHIVE__ALLOW_HOSTS", served.host)
    monkeypatch.setenv("FEEDSVC_ARCHIVE__PER_HOST_DELAY", "0s")
    monkeypatch.setenv("FEEDSVC_ARCHIVE__BROWSER", "never")
    yield served
    listener.close()


def test_every_command_prints_what_its_schema_says(
    command: Command, site: Path, origin: Origin, tmp_path: Path
) -> None:
    looked_at: set[str] = set()

    def look(*words: str | Path, name: str, code: int = 0) -> Any:
        answer = command(*words, "--root", site, "--json")
        assert answer.code == code, (words, answer.err, answer.out)
        shape = SCHEMA["$defs"]["commands"][name]
        assert list(misfits(answer.json, shape)) == [], words
        looked_at.add(name)
        return answer.json

    (site / "seeds" / "empty.md").write_text("")
    (site / "seeds" / "gone.md").write_text(
        f"# Gone\n\nGone.\n\nOriginal url: {origin.url('/no')}\n"
    )
    (tmp_path / "topics.csv").write_text("label,title,text\nsport,A match,The football match\n")
    look("init", site, name="init")
    look("ingest", "--dry-run", name="ingest", code=2)
    look("ingest", name="ingest", code=2)
    added = look("add", origin.url("/ferry"), name="add")["additions"][0]["article_id"]
    look("capture", name="capture", code=2)
    look("capture", "--failed", name="capture", code=2)
    look("recheck", "--all", name="recheck")
    look("publish", name="publish")
    look("rebuild", name="rebuild", code=2)
    look("search", "ferry", name="search")
    look("status", name="status")
    look("verify", name="verify")
    for form in ("wacz", "warc", "cdxj"):
        look("export", form, tmp_path / f"all.{form}", "--all", name=f"export {form}")
    look("import", tmp_path / "all.wacz", name="import")
    look("topics", name="topics")
    look("topics", "show", added, name="topics show")
    look("topics", "set", added, "sport", name="topics set")
    look("topics", "reset", added, name="topics reset")
    look("topics", "eval", tmp_path / "topics.csv", name="topics eval")
    look("feeds", name="feeds")
    look("feeds", "list", name="feeds list")
    look("feeds", "share", "all", name="feeds share")
    look("feeds", "shares", name="feeds shares")
    look("feeds", "unshare", "all", "--dry-run", name="feeds unshare")
    look("feeds", "unshare", "all", name="feeds unshare")
    look("websub", "list", name="websub list")
    look("backup", tmp_path / "all.tar", name="backup")
    look("restore", tmp_path / "all.tar", "--replace", "--dry-run", name="restore")
    look("restore", tmp_path / "all.tar", "--replace", name="restore")
    elsewhere = f"sqlite:///{tmp_path}/moved.db"
    look("migrate", "--to", elsewhere, "--store", tmp_path / "moved", name="migrate")
    look("forget", added, "--yes", name="forget")
    look("audit", name="audit")
    look("forget", added, "--undo", name="forget --undo")
    look("upgrade", name="upgrade")
    look("config", "show", name="config show")
    look("config", "check", name="config check")
    doctor = command("doctor", "--root", site, "--json")  # its finding is the machine's
    assert list(misfits(doctor.json, SCHEMA["$defs"]["commands"]["doctor"])) == []
    # `websub push` prints an empty object where nothing is due; tests/jobs has its reports.
    assert set(SHAPES) - looked_at == {"doctor", "websub push"}


def test_a_failure_prints_one_object_too(command: Command, site: Path) -> None:
    answer = command("topics", "show", "nothing", "--root", site, "--json")
    assert answer.code == answer.json["exit_code"] == 64
    assert list(misfits(answer.json, SCHEMA["$defs"]["error"])) == []


def test_misfits_are_found() -> None:
    shape = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    wrong: Any
    for wrong in ({}, {"a": "1"}, {"a": True}, {"a": 1, "b": 2}, []):
        assert list(misfits(wrong, shape)), wrong
    assert list(misfits({"a": 1}, shape)) == []
