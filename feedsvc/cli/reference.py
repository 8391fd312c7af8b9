"""Write docs/reference from the code: `python -m feedsvc.cli.reference docs/reference`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer.main

from feedsvc.cli import app
from feedsvc.cli.failures import MEANINGS
from feedsvc.cli.shapes import SHAPES, SILENT, schema
from feedsvc.cli.site import create_site
from feedsvc.runtime import open_runtime
from feedsvc.settings import SECTIONS, Settings, load_settings

_WRITTEN = "<!-- Written by `make docs` from the code; changes made here are lost. -->"
_SHARED = {"root", "as_json", "verbose", "quiet", "help"}
_SETTING = re.compile(r"# (\w+) = (.*?)\s+# (.*)")


def pages() -> dict[str, str]:
    """Return every file of the reference, by name."""
    described = schema()
    return {
        "commands.md": _page("Commands", _commands()),
        "settings.md": _page("Settings", _settings()),
        "output.md": _page("What --json prints", _output(described["$defs"])),
        "output.schema.json": json.dumps(described, indent=1, ensure_ascii=False) + "\n",
        "metrics.md": _page("Metrics", _metrics()),
        "exit-codes.md": _page("Exit codes", _exit_codes()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([_WRITTEN, "", f"# {title}", "", *lines]).rstrip("\n") + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def commands(command: Any, path: str = "feedsvc") -> Iterator[tuple[str, Any]]:
    """Yield every command that can be called, with its place in the tree."""
    below = getattr(command, "commands", {})
    if path != "feedsvc" and (not below or command.invoke_without_command):
        yield path, command
    for name, one in below.items():
        yield from commands(one, f"{path} {name}")


def _commands() -> Iterator[str]:
    top = typer.main.get_command(app)
    yield "Every command takes these options, before or after its name:"
    yield ""
    yield from _options([one for one in top.params if one.name in _SHARED])
    yield ""
    yield "`feedsvc --install-completion` makes the shell complete commands and options;"
    yield "`feedsvc --show-completion` prints what it would install. `feedsvc --version` prints the"
    yield "version. Results go to stdout: tables on a terminal, plain text in a pipe, one JSON object"
    yield "with `--json` ([output.md](output.md)). Logs and progress go to stderr."
    for path, command in commands(top):
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        options = [
            one
            for one in command.params
            if one.param_type_name == "option" and one.name not in _SHARED and not one.hidden
        ]
        yield ""
        yield f"## {path}"
        yield ""
        yield " ".join(["`" + path, *(one.metavar for one in arguments)]) + "`"
        yield ""
        yield from (line.strip() for line in (command.help or "").splitlines())
        if arguments:
            yield ""
            yield _row("argument", "meaning")
            yield _row("---", "---")
            yield from (_row(f"`{one.metavar}`", one.help or "") for one in arguments)
        if options:
            yield ""
            yield from _options(options)


def _options(options: list[Any]) -> Iterator[str]:
    yield _row("option", "meaning")
    yield _row("---", "---")
    for one in options:
        value = f" {one.metavar}" if one.metavar and not one.is_flag else ""
        names = ", ".join(f"`{name}{value}`" for name in one.opts)
        yield _row(names, one.help or "")


def _settings() -> Iterator[str]:
    text = files("feedsvc.cli").joinpath("feedsvc.toml").read_text(encoding="utf-8")
    meanings: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line[1 : line.index("]")]
        elif found := _SETTING.fullmatch(line):
            meanings[f"{section}.{found[1]}"] = found[3]
    defaults = Settings(root=Path("/"), origins={}).effective()
    yield "In `config/feedsvc.toml`. The environment goes before the file, in the name given here;"
    yield "lists may be written there as JSON or with commas. An unknown key is an error."
    yield "`feedsvc config show` tells each value and where it comes from, `--changed` only what differs"
    yield "from the default; `feedsvc config check` finds mistakes with their lines."
    for name, model in SECTIONS.items():
        yield ""
        yield f"## [{name}]"
        yield ""
        yield " ".join((model.__doc__ or "").split())
        yield ""
        yield _row("key", "default", "meaning", "environment")
        yield _row("---", "---", "---", "---")
        for key in model.model_fields:
            full = f"{name}.{key}"
            default = json.dumps(defaults[full])
            variable = f"FEEDSVC_{name}__{key}".upper()
            yield _row(f"`{key}`", f"`{default}`", meanings.get(full, ""), f"`{variable}`")


def _output(definitions: Mapping[str, Any]) -> Iterator[str]:
    yield "With `--json` a command prints one JSON object on one line. Moments are in UTC, ISO 8601."
    yield "Fields may be added in any release; none is taken away or changes its meaning without a"
    yield "new major version. [output.schema.json](output.schema.json) says the same as JSON Schema"
    yield "(2020-12): `$defs/commands/<command>` is what a command prints."
    yield ""
    yield f"{', '.join(f'`feedsvc {name}`' for name in sorted(SILENT))} print nothing to stdout."
    yield "A command that fails as a whole prints this, and its [exit code](exit-codes.md) is the same:"
    yield ""
    yield from _fields(definitions["error"])
    for name in SHAPES:
        yield ""
        yield f"## feedsvc {name}"
        yield ""
        yield from _fields(definitions["commands"][name])
    yield ""
    yield "# Objects"
    for name, one in definitions.items():
        if name not in {"error", "commands"}:
            yield ""
            yield f"## {name}"
            yield ""
            yield from _fields(one)


def _fields(shape: Mapping[str, Any]) -> Iterator[str]:
    yield _row("field", "type", "meaning")
    yield _row("---", "---", "---")
    for name, one in shape["properties"].items():
        optional = "" if name in shape["required"] else " (may be missing)"
        yield _row(f"`{name}`", _type(one) + optional, one.get("description", ""))


def _type(one: Mapping[str, Any]) -> str:
    """Return a schema in a few words."""
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "anyOf" in one:
        return " or ".join(map(_type, one["anyOf"]))
    kind = one.get("type", "anything")
    if kind == "array":
        return f"list of {_type(one['items'])}" if "items" in one else "list"
    if kind == "object" and "additionalProperties" in one:
        return f"object of {_type(one['additionalProperties'])}"
    if kind == "object":
        return f"object ({', '.join(f'`{name}`' for name in one['properties'])})"
    return "moment" if one.get("format") == "date-time" else str(kind)


def _metrics() -> Iterator[str]:
    from feedsvc import jobs
    from feedsvc.model.fleet_state import NO_FLEET
    from feedsvc.web.fleet_metrics import fleet_metrics
    from feedsvc.web.health import Metrics

    yield "At `/metrics`, in Prometheus' text format, or in OpenMetrics if that is asked for."
    yield "`/healthz` says that the process answers, `/readyz` whether it can serve in full, and why not."
    yield ""
    yield _row("metric", "type", "labels", "meaning")
    yield _row("---", "---", "---", "---")
    with TemporaryDirectory() as folder:
        create_site(Path(folder))
        with open_runtime(load_settings(Path(folder), environ={})) as runtime:
            jobs.ingest_seeds(runtime)
            yield from _families(Metrics(runtime, {200: 0}).families())
    yield ""
    yield "In a [fleet](../fleet.md) every web process tells besides:"
    yield ""
    yield _row("metric", "type", "labels", "meaning")
    yield _row("---", "---", "---", "---")
    yield from _families(fleet_metrics(NO_FLEET, datetime.now(UTC)))


def _families(families: Iterable[Any]) -> Iterator[str]:
    for one in sorted(families, key=lambda one: str(one.name)):
        name = f"{one.name}_total" if one.type == "counter" else one.name
        labels = ", ".join(f"`{label}`" for label in getattr(one, "_labelnames", ()))
        yield _row(f"`{name}`", one.type, labels, one.documentation)


def _exit_codes() -> Iterator[str]:
    yield _row("exit code", "meaning")
    yield _row("---", "---")
    yield from (_row(str(code), meaning) for code, meaning in MEANINGS.items())


def main(folder: Path) -> None:
    """Write every page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
