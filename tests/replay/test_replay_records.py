"""Records are found wherever they stand, and damage is told, never raised."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.replay.digests import PayloadDigest
from feedsvc.replay.index import Index
from feedsvc.replay.records import Damage, Record, Unreadable, open_payload, read_records
from tests.replay.build import exchange, warc

PAGE = "https://example.org/"
NOISE = Random(5).randbytes(60_000)


def whole() -> bytes:
    page = exchange(PAGE, "<p>A page with words.</p>" * 20)
    requisites = (
        exchange(PAGE + "noise", NOISE, "image/png"),
        exchange(PAGE + "last.css", "p{}" * 30, "text/css"),
    )
    return warc(page, requisites=requisites)[0]


WHOLE = whole()
URLS = [PAGE, PAGE + "noise", PAGE + "last.css"]


def read(data: bytes) -> list[Record]:
    return [one for one in read_records(io.BytesIO(data)) if isinstance(one, Record)]


def payload(data: bytes, record: Record) -> bytes:
    return b"".join(open_payload(io.BytesIO(data), record))


def test_every_response_is_found_with_its_payload() -> None:
    records = read(WHOLE)
    assert [one.url for one in records] == URLS
    assert [one.damage for one in records] == ["", "", ""]
    assert payload(WHOLE, records[1]) == NOISE
    assert records[1].size == len(NOISE)
    assert records[2].header("content-type") == "text/css"


def test_a_damaged_payload_is_told_and_what_follows_is_still_found() -> None:
    place = read(WHOLE)[1].offset + 30_000
    data = WHOLE[:place] + bytes([WHOLE[place] ^ 1]) + WHOLE[place + 1 :]
    first, second, third = read(data)
    assert (first.damage, third.damage) == ("", "")
    assert second.url == PAGE + "noise"
    assert second.damage
    with pytest.raises(Unreadable):
        payload(data, second)


def test_a_record_whose_head_is_lost_leaves_a_mark() -> None:
    start = read(WHOLE)[1].offset
    data = WHOLE[:start] + bytes(200) + WHOLE[start + 200 :]
    found = list(read_records(io.BytesIO(data)))
    assert [one.url for one in found if isinstance(one, Record)] == [URLS[0], URLS[2]]
    assert any(isinstance(one, Damage) for one in found)
    assert Index(found).damaged


def test_wrong_bytes_behind_a_right_checksum_do_not_pass() -> None:
    forged = gzip.compress(
        gzip.decompress(WHOLE).replace(b"A page with words", b"A page with wards")
    )
    (found,) = [one for one in read(forged) if one.url == PAGE]
    assert "digest" in found.damage


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_a_file_cut_anywhere_gives_what_is_whole(share: float) -> None:
    data = WHOLE[: int(len(WHOLE) * share)]
    for record in read(data):
        if not record.damage:
            assert payload(data, record) == payload(WHOLE, record)


@given(place=st.integers(0, len(WHOLE) - 1), bits=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_byte_changed_anywhere_raises_nothing_and_passes_no_wrong_payload(
    place: int, bits: int
) -> None:
    data = WHOLE[:place] + bytes([WHOLE[place] ^ bits]) + WHOLE[place + 1 :]
    for record in read(data):
        if not record.damage and record.digest:
            assert payload(data, record) in {payload(WHOLE, one) for one in read(WHOLE)}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a WARC file at all", id="text"),
        pytest.param(os.urandom(4096), id="noise"),
        pytest.param(gzip.compress(b"\0" * 50_000_000), id="bomb"),
        pytest.param(b"\x1f\x8b\x08" * 10_000, id="magic"),
        pytest.param(b"WARC/1.1\r\n" * 10_000, id="heads"),
    ],
)
def test_what_is_no_warc_has_no_records(data: bytes) -> None:
    assert read(data) == []


def member(kind: str, head: str, block: bytes) -> bytes:
    text = f"WARC/1.0\r\nWARC-Type: {kind}\r\n{head}Content-Length: {len(block)}\r\n\r\n"
    return gzip.compress(text.encode() + block + b"\r\n\r\n")


def test_files_of_other_tools_are_read() -> None:
    http = "Content-Type: application/http; msgtype="
    data = b"".join(
        (
            member(
                "response",
                f"WARC-Target-URI: <{PAGE}a>\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
                f"WARC-Date: 2020-01-01T00:00:00Z\r\n{http}response\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nget",
            ),
            member(
                "response",
                f"WARC-Target-URI: {PAGE}a\r\nWARC-Record-ID: <urn:uuid:2>\r\n{http}response\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\npost",
            ),
            member(
                "request",
                f"WARC-Target-URI: {PAGE}a\r\nWARC-Concurrent-To: <urn:uuid:2>\r\n{http}request\r\n",
                b"POST /a HTTP/1.1\r\nHost: example.org\r\n\r\n",
            ),
            member(
                "resource", "WARC-Target-URI: urn:text:1\r\nContent-Type: text/plain\r\n", b"words"
            ),
            member("response", f"WARC-Target-URI: {PAGE}b\r\n{http}response\r\n", b"no http"),
        )
    )
    got, resource, broken = read(data)
    assert (got.url, payload(data, got)) == (PAGE + "a", b"get")
    assert (resource.url, resource.header("content-type")) == ("urn:text:1", "text/plain")
    assert payload(data, resource) == b"words"
    assert "HTTP" in broken.damage


def test_a_plain_file_is_read_as_well() -> None:
    plain = gzip.decompress(WHOLE)
    records = read(plain)
    assert [one.url for one in records] == URLS
    assert payload(plain, records[1]) == NOISE


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("sha1:" + hashlib.sha1(b"x", usedforsecurity=False).hexdigest(), id="hex"),
        pytest.param("", id="none"),
        pytest.param("sha-256:" + hashlib.sha256(b"x").hexdigest(), id="sha-256"),
        pytest.param("whirlpool:abc", id="unknown"),
    ],
)
def test_digests_are_compared_in_every_spelling(label: str) -> None:
    digest = PayloadDigest(label)
    digest.update(b"x")
    assert digest.fits


@pytest.mark.parametrize("label", ["sha1:AAAA", "md5:zz", "sha256:" + "0" * 64])
def test_a_digest_that_is_another_does_not_fit(label: str) -> None:
    digest = PayloadDigest(label)
    digest.update(b"x")
    assert not digest.fits
