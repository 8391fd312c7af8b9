"""A snapshot's WARC file rewritten so that it no longer needs a payload of another file.

A `revisit` record whose payload stands in a file that goes away, or is not handed on, becomes a
`response` with that payload, or refers to where the payload stands now. Every other record is
copied byte for byte.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO

from feedsvc.capture.http_head import read_head
from feedsvc.capture.warc_member import LEVEL, Member
from feedsvc.capture.warc_read import BadRecord, WarcReader, WarcRecord
from feedsvc.model import Payload

SPOOL = 1 << 20
_STEP = 1 << 18
_REFERRING = frozenset(
    {"warc-profile", "warc-refers-to", "warc-refers-to-target-uri", "warc-refers-to-date"}
)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a payload stands from now on; with a body, it is put into the file that is written."""

    payload: Payload
    body: IO[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """What a revisit record needs: a payload in another record."""

    digest: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Rehomed:
    """What rewriting changed."""

    changed: int
    """Records that are others now."""
    taken: tuple[tuple[str, Payload], ...]
    """Payloads that stand in this file from now on, without its snapshot's id, and the ids of the
    records they stood in."""


def references(file: IO[bytes]) -> list[Reference]:
    """Return what the records of a file need from other files; raise BadRecord if it is damaged."""
    own: set[str] = set()
    needed: dict[str, Reference] = {}
    for record in _whole(file):
        if record.kind == "response":
            own.add(_id(record))
        elif (found := _reference(record)) and found.record_id not in own:
            needed.setdefault(found.record_id, found)
    return list(needed.values())


def payload_bodies(file: IO[bytes], record_ids: Collection[str]) -> dict[str, IO[bytes]]:
    """Return the payloads of those response records of a file, to be closed; raise BadRecord."""
    found: dict[str, IO[bytes]] = {}
    try:
        for record in _whole(file):
            if record.kind == "response" and _id(record) in record_ids:
                found[_id(record)] = _body(record)
                if len(found) == len(record_ids):
                    break
    except BaseException:
        for body in found.values():
            body.close()
        raise
    return found


def rehome(source: IO[bytes], out: IO[bytes], *, homes: Mapping[str, Home]) -> Rehomed:
    """Write a file again with other homes for some payloads; raise BadRecord.

    ``homes`` maps the ids of the records that revisits refer to. Of several revisits of one
    payload, the first becomes a response and the others refer to it.
    """
    now: dict[str, Home] = dict(homes)
    taken: list[tuple[str, Payload]] = []
    changed = 0
    for record in _whole(source):
        found = _reference(record)
        home = now.get(found.record_id) if found else None
        if found is None or home is None:
            _copy(source, record, out)
            continue
        changed += 1
        if home.body is None:
            _write_reference(record, out, home.payload)
            continue
        payload = _write_response(record, out, home.body, found.digest)
        taken.append((found.record_id, payload))
        now[found.record_id] = Home(payload)
    return Rehomed(changed, tuple(taken))


def _whole(file: IO[bytes]) -> Iterator[WarcRecord]:
    """Yield the records of a file of ours; any damage ends it."""
    reader = WarcReader(file)
    for record in reader:
        if reader.damage:
            break
        yield record
    if reader.damage:
        raise BadRecord(str(reader.damage[0]))


def _id(record: WarcRecord) -> str:
    return record.field("WARC-Record-ID") or ""


def _reference(record: WarcRecord) -> Reference | None:
    if record.kind != "revisit":
        return None
    digest, target = record.field("WARC-Payload-Digest"), record.field("WARC-Refers-To")
    return Reference(digest, target) if digest and target else None


def _body(record: WarcRecord) -> IO[bytes]:
    head = read_head(record.read)
    if head is None:
        raise BadRecord("its HTTP head does not end")
    body: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOL)  # noqa: SIM115 - the caller closes it
    body.write(head.rest)
    for chunk in record.chunks():
        body.write(chunk)
    body.seek(0)
    return body


def _copy(source: IO[bytes], record: WarcRecord, out: IO[bytes]) -> None:
    left = record.finish()
    source.seek(record.offset)
    while left:
        chunk = source.read(min(_STEP, left))
        if not chunk:
            raise BadRecord("the file became shorter while it was read")
        out.write(chunk)
        left -= len(chunk)


def _write_reference(record: WarcRecord, out: IO[bytes], payload: Payload) -> None:
    values = {
        "warc-refers-to": payload.record_id,
        "warc-refers-to-target-uri": payload.url,
        "warc-refers-to-date": payload.date,
    }
    fields = ((name, values.get(name.lower(), value)) for name, value in record.fields)
    block = b"".join(record.chunks())
    _write(out, tuple(fields), io.BytesIO(block))


def _write_response(record: WarcRecord, out: IO[bytes], body: IO[bytes], digest: str) -> Payload:
    head = read_head(record.read)
    if head is None:
        raise BadRecord("its HTTP head does not end")
    size = body.seek(0, io.SEEK_END)
    changes = {
        "warc-type": "response",
        "content-length": str(len(head.raw) + size),
        "warc-block-digest": _digest(head.raw, body),
    }
    fields = tuple(
        (name, changes.get(name.lower(), value))
        for name, value in record.fields
        if name.lower() not in _REFERRING
    )
    _write(out, fields, body, head=head.raw)
    return Payload(
        digest=digest,
        size=size,
        url=record.url,
        date=record.field("WARC-Date") or "",
        record_id=_id(record),
    )


def _digest(head: bytes, body: IO[bytes]) -> str:
    sha1 = hashlib.sha1(head, usedforsecurity=False)
    body.seek(0)
    while chunk := body.read(_STEP):
        sha1.update(chunk)
    return "sha1:" + base64.b32encode(sha1.digest()).decode("ascii")


def _write(
    out: IO[bytes], fields: Iterable[tuple[str, str]], body: IO[bytes], *, head: bytes = b""
) -> None:
    member = Member(out, level=LEVEL)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    member.write(f"WARC/1.1\r\n{lines}\r\n".encode() + head)
    body.seek(0)
    while chunk := body.read(_STEP):
        member.write(chunk)
    member.write(b"\r\n\r\n")
    member.flush()


def with_snapshot(payloads: Iterable[Payload], snapshot_id: str) -> list[Payload]:
    """Return payloads as those of a snapshot."""
    return [replace(one, snapshot_id=snapshot_id) for one in payloads]
