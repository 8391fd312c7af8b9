"""What every command prints with `--json`, as JSON Schema (2020-12)."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Union

from feedsvc.classify import Explanation
from feedsvc.classify.evaluate import Evaluation
from feedsvc.cli.finding import Check
from feedsvc.cli.overview import Machine
from feedsvc.jobs.shares import ListedFeed, SharedFeed
from feedsvc.model import (
    AddReport,
    AuditEntry,
    CaptureReport,
    ExportReport,
    ForgetReport,
    ImportReport,
    IngestReport,
    PublishReport,
    PushReport,
    RebuildReport,
    RecheckReport,
    Status,
    Subscription,
    TopicCount,
    TopicScore,
    VerifyReport,
)
from feedsvc.model.backups import BackupReport, RestoreReport
from feedsvc.model.moving import MoveReport

Shape = Mapping[str, Any] | type
"""Fields by name (one that may be left out ends in `?`), or the dataclass that has them."""

_STOPPED: Shape = {"stopped": bool}
_SCORES: Shape = {"topics": list[TopicScore]}
_FOUND: Shape = {
    "id": str,
    "title": str,
    "url": str | None,
    "author": str | None,
    "agency": str | None,
    "published": datetime,
    "summary": str,
    "seed": str,
}
_ORIGIN: Shape = {"value": Any, "origin": str}

SHAPES: Mapping[str, tuple[Shape, ...]] = {
    "init": ({"root": Path, "made": list[str], "kept": list[str]},),
    "ingest": (IngestReport, {"done": bool, "would_withdraw?": list[str]}),
    "capture": ({"tried": int, "archived": int}, _STOPPED, CaptureReport),
    "recheck": ({"looked": int, "changed": int}, _STOPPED, RecheckReport),
    "publish": (PublishReport,),
    "rebuild": (RebuildReport,),
    "search": ({"total": int, "more": bool, "next": str | None, "articles": [_FOUND]},),
    "add": (_STOPPED, AddReport),
    "import": (_STOPPED, ImportReport),
    "export wacz": (ExportReport,),
    "export warc": (ExportReport,),
    "export cdxj": (ExportReport,),
    "forget": (ForgetReport,),
    "forget --undo": (AuditEntry,),
    "audit": ({"entries": list[AuditEntry]},),
    "backup": (BackupReport,),
    "restore": (RestoreReport,),
    "migrate": (MoveReport,),
    "status": ({"healthy": bool, "troubles": list[str]}, Machine, Status),
    "verify": (VerifyReport,),
    "doctor": ({"ok": bool, "checks": list[Check]},),
    "upgrade": ({"upgrade": str},),
    "topics": ({"topics": list[TopicCount]},),
    "topics show": (
        {
            "article": {"id": str, "title": str, "url": str | None, "seed": str},
            "topics": list[TopicScore],
            "explanation": Explanation,
        },
    ),
    "topics set": (_SCORES,),
    "topics reset": (_SCORES,),
    "topics eval": (Evaluation,),
    "feeds": ({"feeds": list[ListedFeed]},),
    "feeds list": ({"feeds": list[ListedFeed]},),
    "feeds share": ({"shares": list[SharedFeed]},),
    "feeds shares": ({"shares": list[SharedFeed]},),
    "feeds unshare": ({"unshared": [{"name": str, "created": datetime}], "done": bool},),
    "websub list": ({"subscriptions": list[Subscription]},),
    "websub push": (PushReport,),
    "config show": ({"root": Path, "settings": {"*": _ORIGIN}},),
    "config check": (
        {
            "ok": bool,
            "root": Path,
            "changed": int,
            "topics": int,
            "searches": int,
            "warnings": list[str],
        },
    ),
}
"""Command -> what its object is made of. `websub push` prints `{}` where nothing was due."""

SILENT = frozenset({"run", "daemon", "serve", "worker"})
"""Commands that print nothing to stdout."""

ERROR: Shape = {"error": str, "exit_code": int}
"""What any command prints instead when it fails as a whole."""


def schema() -> dict[str, Any]:
    """Return one JSON Schema: `$defs/commands/…` for each command, `$defs/…` for what they hold."""
    found: dict[str, Any] = {}
    commands = {name: _merged(parts, found) for name, parts in SHAPES.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What feedsvc prints with --json",
        "$defs": {
            **dict(sorted(found.items())),
            "error": _object(ERROR, found),
            "commands": commands,
        },
    }


def _merged(parts: Sequence[Shape], found: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for part in parts:
        one = _object(part, found)
        merged["properties"] |= one["properties"]
        merged["required"] += [key for key in one["required"] if key not in merged["required"]]
    return merged


def _object(shape: Shape, found: dict[str, Any]) -> dict[str, Any]:
    if isinstance(shape, type):
        hints = typing.get_type_hints(shape)
        described = _described(shape)
        names = [field.name for field in dataclasses.fields(shape)]
        properties = {}
        for name in names:
            said = {"description": described[name]} if name in described else {}
            properties[name] = _of(hints[name], found) | said
        return {"type": "object", "properties": properties, "required": names}
    if list(shape) == ["*"]:
        return {"type": "object", "additionalProperties": _of(shape["*"], found)}
    return {
        "type": "object",
        "properties": {name.rstrip("?"): _of(kind, found) for name, kind in shape.items()},
        "required": [name for name in shape if not name.endswith("?")],
    }


_PLAIN: Mapping[Any, dict[str, Any]] = {
    Any: {},
    object: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Path: {"type": "string"},
}


def _of(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one type, classes put into ``found``."""
    if isinstance(kind, Mapping):
        return _object(kind, found)
    if isinstance(kind, list):
        return {"type": "array", "items": _of(kind[0], found)}
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(one, found) for one in arguments]}
    if origin is tuple and Ellipsis not in arguments:
        return {"type": "array", "prefixItems": [_of(one, found) for one in arguments]}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], found)}
    if origin is not None:
        return {"type": "array", "items": _of(arguments[0], found)}
    if issubclass(kind, Enum):
        return {"enum": [one.value for one in kind]}
    if kind.__name__ not in found:
        found[kind.__name__] = {}  # first, for classes that hold each other
        found[kind.__name__] = _object(kind, found)
    return {"$ref": f"#/$defs/{kind.__name__}"}


@cache
def _described(kind: type) -> dict[str, str]:
    """Return what the strings below a dataclass's fields say of them."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - the source of a class
    said = {}
    for field, after in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            said[field.target.id] = " ".join(str(after.value.value).split())
    return said
