"""Laws of the formats exports are written in: index, sorting, reading and rewriting of records."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
import uuid
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from feedsvc.capture.cdxj import CdxLine, SortedLines, cdx_line, compressed_index, url_key
from feedsvc.capture.http_head import read_head
from feedsvc.capture.wacz import WaczWriter
from feedsvc.capture.warc_read import BadRecord, WarcReader
from tests.replay.build import NOON


def line(number: int) -> CdxLine:
    return CdxLine(
        key=f"org,example)/{number}",
        timestamp="20260301120000",
        url=f"https://example.org/{number}",
        mime="text/html",
        status="200",
        digest="sha1:A",
        offset=number,
        length=1,
        filename="a.warc.gz",
    )


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.example.org/", "org,example)/"),
        ("https://example.org", "org,example)/"),
        ("https://WWW2.Example.org:443/Path/To/?b=2&A=1", "org,example)/path/to?a=1&b=2"),
        ("https://example.org:8443/a//b/../c/./d?x=%41&y=%20z", "org,example:8443)/a/c/d?x=a&y=%20z"),
        ("http://user:pw@example.org/a%2Fb#frag", "org,example)/a/b"),
        ("https://example.org/a?utm_source=x&b", "org,example)/a?b&utm_source=x"),
        ("https://example.org/ü?q=ö", "org,example)/%c3%bc?q=%c3%b6"),
        ("http://127.0.0.1:8080/x/?", "1,0,0,127:8080)/x"),
        ("http://[::1]:8080/x", "::1:8080)/x"),
        ("urn:text:a b", "urn:text:a%20b"),
    ],
)  # fmt: skip
def test_keys_are_those_other_tools_look_captures_up_by(url: str, key: str) -> None:
    assert url_key(url) == key


@given(st.text(max_size=60))
def test_any_address_has_a_key_without_a_space(text: str) -> None:
    assert " " not in url_key(f"https://example.org/{text}")
    assert " " not in url_key(text)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 10**6), max_size=300), st.integers(1, 5000))
def test_lines_come_out_sorted_however_little_memory_there_is(
    numbers: list[int], memory: int
) -> None:
    with SortedLines(memory=memory) as lines:
        for number in numbers:
            lines.add(line(number))
        found = list(lines)
        assert found == sorted(f"{line(number)}\n".encode() for number in numbers)
        assert list(lines) == found, "reading does not use them up"


def test_many_runs_are_merged_before_files_run_out() -> None:
    numbers = random.Random(1).sample(range(10**6), 700)
    with SortedLines(memory=1) as lines:
        for number in numbers:
            lines.add(line(number))
        assert len(list(lines)) == 700


def test_a_compressed_index_can_be_read_block_by_block() -> None:
    wanted = sorted(f"{line(number)}\n".encode() for number in range(7000))
    blocks = list(compressed_index(wanted, name="index.cdx.gz"))
    data = b"".join(block for block, _ in blocks)
    assert gzip.decompress(data) == b"".join(wanted)
    places = b"".join(place for _, place in blocks).decode().splitlines()
    assert json.loads(places[0].removeprefix("!meta 0 "))["format"] == "cdxj-gzip-1.0"
    for number, place in enumerate(places[1:]):
        at = json.loads(place[place.index("{") :])
        block = gzip.decompress(data[at["offset"] : at["offset"] + at["length"]]).splitlines()
        assert block[0] + b"\n" == wanted[3000 * number]
        assert place.startswith(" ".join(block[0].decode().split(" ", 2)[:2]))


def test_an_index_of_nothing_is_an_index() -> None:
    ((block, place),) = compressed_index([], name="index.cdx.gz")
    assert gzip.decompress(block) == b""
    assert place.startswith(b"!meta 0 ")


# --- reading records ------------------------------------------------------------------------


def archive(*bodies: bytes, packed: bool = True) -> bytes:
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=packed)
    for number, body in enumerate(bodies):
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/plain")], protocol="HTTP/1.1")
        record = writer.create_warc_record(
            f"https://example.org/{number}",
            "response",
            payload=io.BytesIO(body),
            length=len(body),  # else it keeps a temporary file open
            http_headers=head,
            warc_headers_dict={
                "WARC-Record-ID": f"<urn:uuid:{uuid.UUID(int=number)}>",
                "WARC-Date": "2025-01-02T03:04:05Z",
            },
        )
        writer.write_record(record)
    return file.getvalue()


BODIES = st.lists(st.binary(max_size=2000), min_size=1, max_size=6)


@settings(max_examples=60)
@given(BODIES, st.booleans())
def test_every_record_is_read_with_its_place(bodies: list[bytes], packed: bool) -> None:
    data = archive(*bodies, packed=packed)
    reader = WarcReader(io.BytesIO(data))
    found = []
    for record in reader:
        head = read_head(record.read)
        assert head is not None
        assert head.status == 200
        body = head.rest + b"".join(record.chunks())
        end = record.finish()
        piece = data[record.offset : record.offset + end]
        same = next(iter(ArchiveIterator(io.BytesIO(piece))))
        assert same.raw_stream.read() == body
        found.append(body)
    assert (found, reader.damage) == (bodies, [])


@settings(max_examples=60)
@given(BODIES, st.booleans(), st.data())
def test_no_damage_stops_reading_or_goes_untold(
    bodies: list[bytes], packed: bool, data: st.DataObject
) -> None:
    raw = bytearray(archive(*bodies, packed=packed))
    cut = data.draw(st.integers(1, len(raw)))
    place = data.draw(st.integers(0, cut - 1))
    raw = raw[:cut]
    raw[place] ^= data.draw(st.integers(1, 255))
    reader = WarcReader(io.BytesIO(bytes(raw)))
    count = 0
    for record in reader:
        count += 1
        try:
            cdx_line(record, filename="a")
        except BadRecord:
            continue
    assert count <= len(bodies) + 1
    if packed and cut < len(archive(*bodies)) - 10:
        assert reader.damage or count < len(bodies)


def test_a_whole_file_in_one_gzip_member_is_read() -> None:
    data = gzip.compress(archive(b"a" * 10, b"b" * 100_000, b"c", packed=False))
    urls = [record.url for record in WarcReader(io.BytesIO(data))]
    assert urls == [f"https://example.org/{number}" for number in range(3)]


def test_folded_and_bare_header_lines_are_read() -> None:
    data = b"WARC/1.0\nWARC-Type: response\nWARC-Target-URI: <https://example.org/\n  x>\nContent-Length: 2\n\nab\n\n"
    (record,) = WarcReader(io.BytesIO(data))
    assert (record.kind, record.url) == ("response", "https://example.org/ x")


def test_no_entry_of_a_wacz_hides_its_beginning_from_readers(tmp_path: Path) -> None:
    # ReplayWeb.page believes the directory: no field there, none at the entry either.
    path = tmp_path / "one.wacz"
    with path.open("wb") as file, WaczWriter(file, software="t", now=NOON) as writer:
        writer.add_warc("a.warc.gz", io.BytesIO(b"some bytes"))
        with SortedLines() as lines:
            writer.finish(lines, title="t", description="d")
    data = path.read_bytes()
    with zipfile.ZipFile(path) as package:
        for entry in package.infolist():
            (extra,) = struct.unpack_from("<H", data, entry.header_offset + 28)
            assert (extra, entry.extra) == (0, b"")
        assert package.testzip() is None
