"""Laws of lists: every form people keep addresses in is read, and nothing hostile is obeyed."""

from __future__ import annotations

import json

import pytest

from feedsvc.errors import SeedRejected
from feedsvc.ingest.lists import read_list

A, B = "https://example.org/a?x=1&y=2", "https://example.org/b"
ESCAPED = A.replace("&", "&amp;")

BOOKMARKS = f"""<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Bookmarks</TITLE>
<DL><p>
    <DT><H3>Folder</H3>
    <DL><p>
        <DT><A HREF="{ESCAPED}" ADD_DATE="1">One</A>
        <DT><A ADD_DATE="2" HREF="{B}" ICON="data:image/png;base64,AAAA">Two &lt;b&gt;</A>
        <DT><A HREF="javascript:alert(1)">Bookmarklet</A>
        <DT><A HREF="place:type=6">Recent</A>
    </DL><p>
</DL><p>
"""
RSS = f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>x</title><link>https://example.org/</link>
<item><title>One</title><link>{ESCAPED}</link><guid>x</guid></item>
<item><link>
  {B}
</link></item></channel></rss>"""
RDF = f"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><link>https://example.org/</link></channel>
<item><link>{ESCAPED}</link></item><item><link>{B}</link></item></rdf:RDF>"""
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://example.org/"/>
<entry><link rel="via" href="https://example.org/via"/><link href="{ESCAPED}"/></entry>
<entry><link rel="alternate" href="{B}"/><link rel="enclosure" href="https://example.org/e.mp3"/></entry>
</feed>"""
OPML = f"""<opml version="2.0"><body><outline text="Folder">
<outline type="link" text="One" url="{ESCAPED}"/>
<outline type="rss" text="Two" xmlUrl="https://example.org/feed" htmlUrl="{B}"/>
<outline text="Nothing"/></outline></body></opml>"""
JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "items": [{"url": A}, {"external_url": B}, {"id": "x"}, 7],
    }
)
LINES = f"# my list\n\n{A}\n  <{B}>  a remark\n{A}\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BOOKMARKS, id="bookmarks"),
        pytest.param(RSS, id="rss"),
        pytest.param(RDF, id="rss-1.0"),
        pytest.param(ATOM, id="atom"),
        pytest.param(OPML, id="opml"),
        pytest.param(JSON, id="json-feed"),
        pytest.param(LINES, id="lines"),
        pytest.param("\ufeff" + LINES, id="lines-with-mark"),
    ],
)
def test_a_list_of_any_form_gives_its_addresses_once_and_in_order(text: str) -> None:
    assert [one.url for one in read_list(text.encode(), name="list")] == [A, B]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("<!DOCTYPE rss [<!ENTITY a 'b'>]><rss/>", "document type", id="doctype"),
        pytest.param(
            '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><rss/>',
            "document type",
            id="external",
        ),
        pytest.param("<rss><channel><item>", "not well-formed", id="cut"),
        pytest.param("<rss>&nbsp;</rss>", "not well-formed", id="undeclared-entity"),
        pytest.param("<svg/>", "neither OPML nor RSS nor Atom", id="other-xml"),
        pytest.param("<a>" * 300 + "</a>" * 300, "nests more than", id="deep"),
        pytest.param("<html><body>x</body></html>", "web page", id="html"),
        pytest.param('{"items": 3}', "no JSON Feed", id="other-json"),
        pytest.param('{"items": [', "not JSON", id="cut-json"),
    ],
)
def test_what_is_no_list_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(SeedRejected, match=reason):
        read_list(text.encode(), name="list")


def test_bytes_that_are_no_text_and_a_huge_list_are_refused() -> None:
    with pytest.raises(SeedRejected, match="not UTF-8"):
        read_list(b"\xff\xfb\x00\x01", name="list")
    with pytest.raises(SeedRejected, match="larger than 32 MiB"):
        read_list(b"a" * (33 << 20), name="list")


def test_a_line_is_told_by_its_number() -> None:
    assert [one.line for one in read_list(LINES.encode(), name="list")] == [3, 4]
