"""What people send: form fields, JSON or a file, read only as far as it may go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request

from feedsvc.web.admin_guard import Refused

MOST_BYTES = 64 << 10
"""Of a form without a file, and of JSON."""
MULTIPART_BYTES = 64 << 10
"""What names, headers and other fields around a file may add."""
_SECONDS = 60.0
_MOST_FIELDS = 50
_MOST_PARTS = 20
_PLAIN = frozenset({"text/plain", "text/markdown", "application/octet-stream"})
_NAME = re.compile(r'(?:^|;)\s*(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was sent."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """What was filled in, by name; whatever is not text, a list of texts or a flag is refused."""

    values: Mapping[str, Any] = field(default_factory=dict)
    file: File | None = None

    def text(self, name: str) -> str:
        """Return one line of text without space around it, "" if there is none."""
        value = self.values.get(name, "")
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Refused(400, "This cannot be understood", f"{name} has to be a text.")
        return value.replace("\0", "").strip()

    def words(self, name: str) -> list[str]:
        """Return a list: of JSON, or the parts between commas and lines."""
        value = self.values.get(name, [])
        some = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in some):
            raise Refused(400, "This cannot be understood", f"{name} has to be a list of texts.")
        parts = (part.strip() for one in some for part in re.split(r"[,\n]", one))
        return [part for part in parts if part]

    def flag(self, name: str) -> bool:
        """Return whether something was ticked."""
        value = self.values.get(name, False)
        if isinstance(value, bool):
            return value
        return self.text(name).lower() in {"1", "on", "true", "yes"}


async def read_fields(request: Request, *, most_file: int) -> Fields:
    """Return what a request holds. Raises Refused: 400, 408, 413 or 415."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        body = await read_body(request, most_file + MULTIPART_BYTES)
        return _multipart(body, content_type, most_file=most_file)
    if kind in _PLAIN:
        body = await read_body(request, most_file)
        return Fields(file=File(request.query_params.get("name", ""), body))
    if kind == "application/x-www-form-urlencoded":
        return Fields(_form(await read_body(request, MOST_BYTES)))
    if kind == "application/json":
        return Fields(_json(await read_body(request, MOST_BYTES)))
    if not kind and not await read_body(request, 0):
        return Fields()
    raise Refused(
        415,
        "This kind of content is not taken",
        "Send a form (application/x-www-form-urlencoded or multipart/form-data), JSON "
        "(application/json), or for an upload text/plain or text/markdown.",
    )


async def read_body(request: Request, most: int) -> bytes:
    """Return at most so many bytes. Raises Refused: 400, 408 or 413."""
    declared = request.headers.get("content-length", "0")
    # Thousands of digits are a number that takes long to read.
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > most:
        raise _too_large(most)
    received = bytearray()
    try:
        with anyio.fail_after(_SECONDS):
            async for chunk in request.stream():
                received += chunk
                if len(received) > most:
                    raise _too_large(most)
    except TimeoutError as error:
        raise Refused(408, "This took too long", "Send it again, in one go.") from error
    except ClientDisconnect as error:
        raise Refused(400, "This cannot be understood", "The request broke off.") from error
    return bytes(received)


def _too_large(most: int) -> Refused:
    # What is still to come is not waited for.
    closing = {"connection": "close"}
    return Refused(
        413, "This is too large", f"At most {most} bytes are taken here.", headers=closing
    )


def _form(body: bytes) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise Refused(400, "This cannot be understood", "The form is not UTF-8 text.") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
        # A lone surrogate is in no text that can be kept.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refused(400, "This cannot be understood", "The body is not JSON.") from error
    if not isinstance(found, dict):
        raise Refused(400, "This cannot be understood", "The body has to be a JSON object.")
    return found


def _multipart(body: bytes, content_type: str, *, most_file: int) -> Fields:
    """Take a form with a file apart (RFC 7578); what it holds is not looked at."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise Refused(400, "This cannot be understood", "The form names no boundary.")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("ascii"), _MOST_PARTS + 2)
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise Refused(400, "This cannot be understood", "The form has no end.")
    values: dict[str, list[str]] = {}
    file = None
    for part in parts[1:-1]:
        head, _, content = part.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        names = _names(head)
        if "filename" in names:
            if len(content) > most_file:
                raise _too_large(most_file)
            file = File(names["filename"], content)
        elif "name" in names:
            text = content.decode("utf-8", "replace")
            values.setdefault(names["name"], []).append(text)
    return Fields(values, file)


def _names(head: bytes) -> dict[str, str]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            return {name.lower(): text for name, text in _NAME.findall(value)}
    return {}
