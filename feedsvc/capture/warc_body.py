"""The body of a response that somebody else archived, checked against every digest it declares."""

from __future__ import annotations

from feedsvc.capture.body import Body
from feedsvc.capture.chunked import dechunked
from feedsvc.capture.http_head import HttpHead
from feedsvc.capture.warc_digest import Declared, declared
from feedsvc.capture.warc_read import BadRecord, WarcRecord

STEP = 1 << 18


class Block:
    """A record's block as it is read, and its digest on the way."""

    def __init__(self, record: WarcRecord) -> None:
        self._record = record
        self._declared = declared(record.field("WARC-Block-Digest"))

    def read(self, size: int) -> bytes:
        """Return the next bytes; raise BadRecord."""
        data = self._record.read(size)
        if self._declared is not None:
            self._declared.update(data)
        return data

    def finish(self) -> None:
        """Read the rest; raise BadRecord if the block is not what its digest says."""
        while self.read(STEP):
            pass
        if self._declared is not None and not self._declared.fits():
            raise BadRecord("its block is not what its digest says")


def response_body(record: WarcRecord, head: HttpHead, block: Block, *, cap: int) -> Body:
    """Return a response's body without chunk framing; raise BadRecord if a digest does not fit."""
    body = Body(cap)
    try:
        whole = body.take(head.rest)
        while chunk := block.read(STEP):
            whole = body.take(chunk) and whole
        block.finish()
        payload = declared(record.field("WARC-Payload-Digest"))
        coding = (head.header("transfer-encoding") or "").lower()
        plain = dechunked(body.file, cap=cap) if "chunked" in coding else None
        if whole and payload is not None and record.field("WARC-Truncated") is None:
            _check(payload, body, plain)
    except BaseException:
        body.file.close()
        raise
    if plain is None:
        body.file.seek(0)
        return body
    body.file.close()
    plain.file.seek(0)
    return plain


def _check(payload: Declared, body: Body, plain: Body | None) -> None:
    """Compare a payload digest with the body, and with the body as it came over the wire.

    wget and others digest the chunk framing too, against WARC 1.1 §5.9.
    """
    for one in (body, plain):
        if one is not None and payload.fits_file(one.file):
            return
    if plain is not None:
        plain.file.close()
    raise BadRecord("its payload is not what its digest says")
