"""Writing a capture as WARC, reading it with other tools, and finding damage in it."""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.capture.exchange import Exchange
from feedsvc.capture.warc import check_warc
from feedsvc.model import Judgement, Likely, Verdict
from tests.capture.warcs import (
    PAGE,
    Captured,
    checked,
    exchange,
    passes_warcio_check,
    records,
    sha1,
    written,
    zoo,
)


def test_every_shape_of_answer_passes_our_check_and_those_of_other_tools(tmp_path: Path) -> None:
    capture = zoo()
    # warcio does not get along with today's brotli package, whoever wrote the file.
    brotlied = next(each for each in capture.requisites if each.url.endswith("/br"))
    assert checked(written(Captured([brotlied]))[0]).problems == ()
    capture.requisites.remove(brotlied)
    data, result = written(capture)
    check = checked(data)
    assert (check.problems, check.records, check.size) == ((), result.records, len(data))
    assert passes_warcio_check(tmp_path / "zoo.warc.gz", data)
    fast = [
        record.verify_block_digest(consume=True)
        for record in FastIterator(io.BytesIO(data), parse_http=False)
    ]
    assert fast == [True] * result.records


def test_every_answer_comes_with_its_request_and_the_verdict_comes_last() -> None:
    kinds = [record.kind for record in records(written(zoo())[0])]
    assert kinds[0] == "warcinfo"
    assert kinds[-1] == "metadata"
    assert kinds.count("response") + kinds.count("revisit") == 11
    assert kinds.count("request") == 10  # the remembered answer was not asked for again


def test_a_request_and_the_metadata_name_the_answer_they_belong_to() -> None:
    _, response, request, metadata = records(written(Captured([exchange()]))[0])
    assert request.get("WARC-Concurrent-To") == response.get("WARC-Record-ID")
    assert metadata.get("WARC-Concurrent-To") == response.get("WARC-Record-ID")
    assert metadata.get("WARC-Payload-Digest") is None


def test_a_response_says_when_from_where_and_how_it_came() -> None:
    response = records(written(Captured([exchange(protocol="h2", reason="")]))[0])[1]
    assert response.get("WARC-Date") == "2024-05-31T11:59:54.999983Z"
    assert response.get("WARC-IP-Address") == "192.0.2.7"
    assert response.get("WARC-Protocol") == "h2"
    assert response.get("WARC-Payload-Digest") == sha1(PAGE)
    assert (response.http.protocol, response.http.statusline) == ("HTTP/1.1", "200 OK")


def test_chunk_framing_is_gone_and_so_is_the_header_that_promises_it() -> None:
    chunked = exchange(headers=(("Transfer-Encoding", "chunked"), ("X-A", "1")))
    response = records(written(Captured([chunked]))[0])[1]
    assert response.http.headers == [("x-orig-transfer-encoding", "chunked"), ("X-A", "1")]
    assert response.block == PAGE


def test_the_metadata_says_verdict_hops_and_what_is_missing() -> None:
    likely = Judgement(Verdict.MISMATCH, 0.1, Likely.CONSENT, "a wall\r\nWARC-Type: evil")
    fields = records(written(zoo(), judgement=likely)[0])[-1].block.decode()
    lines = fields.split("\r\n")
    assert "verdict: mismatch" in lines
    assert "share: 0.1000" in lines
    assert "likely: consent wall" in lines
    assert "evidence: a wall WARC-Type: evil" in lines
    assert "via: http://example.org/a" in lines
    assert "hopsFromSeed: R" in lines
    assert "missing: http://example.org/gone the server answered 404" in lines


def test_the_warcinfo_says_who_wrote_it_under_which_policy() -> None:
    info = records(written(Captured([exchange()]))[0])[0]
    assert b"software: feedsvc/0.1.0\r\n" in info.block
    assert b"robots: respect\r\n" in info.block
    assert b"http-header-user-agent: feedsvc-test/1\r\n" in info.block
    assert info.get("WARC-Filename") == "s1.warc.gz"


def test_the_same_capture_gives_the_same_bytes() -> None:
    assert written(zoo())[0] == written(zoo())[0]
    assert written(zoo())[0] != written(zoo(), snapshot_id="s2")[0]


def test_a_payload_at_rest_becomes_a_revisit_that_names_it() -> None:
    first, result = written(Captured([exchange()]))
    known = {payload.digest: payload for payload in result.payloads}
    data, again = written(
        Captured([exchange("http://example.org/copy")]), known=known, snapshot_id="s2"
    )
    revisit = records(data)[1]
    original = records(first)[1]
    assert revisit.kind == "revisit"
    assert revisit.get("WARC-Refers-To") == original.get("WARC-Record-ID")
    assert revisit.get("WARC-Refers-To-Target-URI") == original.get("WARC-Target-URI")
    assert revisit.get("WARC-Refers-To-Date") == original.get("WARC-Date")
    assert revisit.get("WARC-Payload-Digest") == sha1(PAGE)
    assert revisit.http.headers == [("Content-Type", "text/html")]
    assert again.payloads == ()
    assert checked(data).problems == ()


@pytest.mark.parametrize(
    ("data", "truncated"),
    [
        pytest.param(PAGE, "length", id="truncated"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"tiny", None, id="tiny"),
    ],
)
def test_these_are_never_revisits(data: bytes, truncated: str | None) -> None:
    twice = [exchange(data=data, truncated=truncated), exchange(data=data, truncated=truncated)]
    warc, result = written(Captured(twice))
    assert [record.kind for record in records(warc)].count("response") == 2
    assert result.payloads == ()


def test_new_payloads_are_reported_with_where_they_are() -> None:
    (payload,) = written(Captured([exchange()]))[1].payloads
    assert (payload.digest, payload.size, payload.snapshot_id) == (sha1(PAGE), len(PAGE), "s1")


HOSTILE: list[Any] = [
    pytest.param(exchange(headers=(("X", "a\r\nSet-Cookie: b\0c"),)), id="line-breaks"),
    pytest.param(exchange(headers=(("Bad Name:", "v"), ("", "nameless"))), id="names"),
    pytest.param(exchange(headers=(("X", "a\n b"),)), id="obs-fold"),
    pytest.param(exchange(headers=(("X", "\u20ac and caf\xe9"),)), id="not-latin-1"),
    pytest.param(exchange(headers=(("X", "caf\xe9"),)), id="latin-1"),
    pytest.param(exchange(headers=tuple((f"X-{i}", "v" * 700) for i in range(100))), id="70-KiB"),
    pytest.param(exchange(headers=(("X", "v" * 90_000),)), id="one-90-KiB-line"),
    pytest.param(exchange(headers=(), reason=""), id="nothing"),
    pytest.param(exchange(status=999, reason="Who \xe9 knows\r\nX: y"), id="status-line"),
    pytest.param(exchange(status=299, reason="", protocol="h2"), id="unknown-h2-status"),
    pytest.param(exchange(headers=((":status", "200"), ("a", "b")), protocol="h2"), id="pseudo"),
    pytest.param(exchange("http://example.org/?q=%20&x"), id="query"),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_strange_heads_survive_writing_and_reading(hostile: Exchange, tmp_path: Path) -> None:
    data, _ = written(Captured([hostile]))
    assert checked(data).problems == ()
    assert passes_warcio_check(tmp_path / "x.warc.gz", data)
    response = records(data)[1]
    assert response.block == PAGE
    assert response.http.get_header("Set-Cookie") is None
    fast = list(FastIterator(io.BytesIO(data), max_header_len=1 << 20))
    assert len(fast) == 4


TOKEN = st.text("abcXYZ0189-_!#", min_size=1, max_size=12).filter(
    lambda name: name.lower() != "transfer-encoding"
)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
DRAWN = st.builds(
    exchange,
    url=st.text("abc/?=&%", max_size=20).map(lambda path: f"https://example.org/{path}"),
    data=st.binary(max_size=2000),
    headers=st.lists(st.tuples(TOKEN, VALUE), max_size=6).map(tuple),
    status=st.integers(100, 599),
    reason=st.text("abc XYZ", max_size=12).map(str.strip),
    protocol=st.sampled_from(["http/1.0", "http/1.1", "h2"]),
    truncated=st.sampled_from([None, "length", "time", "disconnect"]),
    remembered=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(page=st.lists(DRAWN, min_size=1, max_size=3), requisites=st.lists(DRAWN, max_size=3))
def test_reading_gives_back_the_exchanges_that_were_written(
    page: list[Exchange], requisites: list[Exchange]
) -> None:
    data, result = written(Captured(page, requisites))
    assert checked(data).problems == ()
    read = [record for record in records(data) if record.kind in {"response", "revisit"}]
    assert result.records == len(records(data))
    assert len(read) == len(page) + len(requisites)
    for record, original in zip(read, page + requisites, strict=True):
        assert record.get("WARC-Target-URI") == original.url
        assert tuple(record.http.headers) == original.headers
        assert record.http.statusline.startswith(str(original.status))
        assert record.get("WARC-Truncated") == original.truncated or record.kind == "revisit"
        assert record.get("WARC-Payload-Digest") == original.sha1
        if record.kind == "response":
            original.body.seek(0)
            assert record.block == original.body.read()
    responses = [r for r in FastIterator(io.BytesIO(data)) if str(r.record_type) == "response"]
    assert len(responses) == sum(record.kind == "response" for record in read)


def test_a_large_body_goes_through_disk_and_back() -> None:
    data = Random(1).randbytes(3 << 20)
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as spool:
        spool.write(data)
        big = exchange(data=data, body=spool, headers=(("Content-Type", "video/mp4"),))
        warc, _ = written(Captured([big]))
        assert spool.tell() == 0
    assert checked(warc).problems == ()
    assert records(warc)[1].block == data
    assert len(warc) < len(data) * 1.01


def test_a_wrong_digest_is_found() -> None:
    lying = exchange()
    lying.sha1 = sha1(b"something else")
    (problem,) = checked(written(Captured([lying]))[0]).problems
    assert "payload digest" in problem


def test_a_wrong_digest_of_a_large_body_is_found() -> None:
    lying = exchange(data=b"\0" * (2 << 20))
    lying.sha1 = sha1(b"something else")
    (problem,) = checked(written(Captured([lying]))[0]).problems
    assert "payload digest" in problem


def test_every_flipped_byte_is_found() -> None:
    data, _ = written(
        Captured(
            [exchange(data=PAGE[:400])],
            [
                exchange(
                    "http://example.org/i",
                    bytes(range(256)) * 3,
                    headers=(("Content-Type", "image/png"),),
                )
            ],
        )
    )
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        assert checked(bytes(damaged)).problems, f"byte {place} of {len(data)}"


def test_a_cut_anywhere_is_found() -> None:
    data, _ = written(zoo())
    last = data.rindex(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
    random_cuts = Random(2).sample(range(last), 150)
    for cut in (0, *random_cuts, *range(last - 2, len(data))):
        assert checked(data[:cut]).problems, f"cut at {cut} of {len(data)}"


def test_a_cut_between_two_records_is_found() -> None:
    data, _ = written(zoo())
    member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    starts = [place for place in range(len(data)) if data.startswith(member, place)]
    for start in starts:
        assert checked(data[:start]).problems


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"\0", id="zero"),
        pytest.param(b"garbage" * 9, id="garbage"),
        pytest.param(gzip.compress(b"WARC/1.1\r\n\r\n"), id="another-gzip"),
    ],
)
def test_anything_after_the_last_record_is_found(tail: bytes) -> None:
    assert checked(written(zoo())[0] + tail).problems


def test_a_record_that_is_missing_in_the_middle_is_found() -> None:
    data, _ = written(zoo())
    member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    starts = [place for place in range(len(data)) if data.startswith(member, place)]
    (problem,) = checked(data[: starts[3]] + data[starts[4] :]).problems
    assert "counts otherwise" in problem


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_reported_and_never_raises(seed: int) -> None:
    noise = Random(seed).randbytes(500)
    file = io.BytesIO()
    file.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + noise)
    assert check_warc(file).problems


def test_a_member_that_holds_no_record_is_reported() -> None:
    from feedsvc.capture.warc_member import Member

    for block in (
        b"",
        b"hello",
        b"WARC/1.1\r\nWARC-Type: warcinfo\r\nContent-Length: 9\r\n\r\nx\r\n\r\n",
    ):
        file = io.BytesIO()
        member = Member(file, level=6)
        member.write(block)
        member.flush()
        assert check_warc(file).problems


def test_a_capture_without_a_page_is_not_written() -> None:
    with pytest.raises(ValueError, match="nothing to write"):
        written(Captured([]))
