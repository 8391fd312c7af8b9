"""Strings as feeds can hold them: what XML forbids, and what validators and readers stumble over."""

from __future__ import annotations

import re

from feedsvc.text import shorten
from feedsvc.urls import InvalidURL, absolute

TITLE_LIMIT = 500
"""Characters; a longer title ends in an ellipsis."""
_SCANNED = 20 * TITLE_LIMIT

UNREADABLE = "\N{WHITE SQUARE}"
"""Stands for U+FFFD and its like, which validators report as a broken encoding."""
_JOINER = "\N{WORD JOINER}"

# XML 1.0 §2.2 forbids most of these; C1 controls and noncharacters are legal but warned about.
_BAD = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_CONTROL = re.compile(f"[{_BAD}]")
_UNREADABLE = re.compile(f"[{_BAD}\ufffd]")
# On their own and behind a quicker question: a class with so many ranges is slow.
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ASTRAL_NONCHARACTER = re.compile(
    f"[{''.join(chr(plane + end) for plane in range(0x10000, 0x110000, 0x10000) for end in (0xFFFE, 0xFFFF))}]"
)
_END_TAG = re.compile(r"<(?=/\w+>)")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[\w;/?:@&=+$.\-!~*'()%,#]+", re.ASCII | re.IGNORECASE)
# The usual address, to which there is nothing to do: a tenth of the cost.
_USUAL = re.compile(
    r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[1-9][0-9]{0,3})?"
    r"/[A-Za-z0-9/._~-]*(?:\?[A-Za-z0-9/._~&=+-]+)?"
)
_USUAL_LENGTH = 1_000
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")

# ISO 639-1, and the languages of ISO 639-2 that have no shorter code and are written today. A
# feed's language outside ISO 639-1 and -2 is an error to the W3C validator.
_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia
id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo
lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl
ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti
tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
ace ach ada ady ain ale anp arc arn arp arw ast awa bal ban bas bej bem bho bik bin bla bra bug
byn car ceb chk chm cho chp chr chy cop crh csb dak del dgr din doi dsb dua dyu efi eka ewo fan
fat fil fon frr frs fur gaa gay gil gon gor grc gwi hai haw hil hmn hup iba ilo inh jbo kaa kab
kac kam kbd kha kmb kok kos kpe krc krl kru kum kut lad lah lam lez loz lua lui lun luo lus mad
mag mai mak mas mdf mdr men mic min mni moh mos mus mwl mwr myv nap nds new nia niu nog nso nym
nyn nyo nzi osa pag pam pap pau phn pon raj rap rar rom rup sad sah sam sas sat scn sco sel shn
sid sma smj smn sms snk srn srr suk sus syr tem ter tet tig tiv tkl tli tmh tog tpi tsi tum tvl
tyv udm umb vai vot wal war was xal yao yap zap zen zun zza
"""
_LANGUAGES = frozenset(_CODES.split())


def plain(text: str, *, limit: int = TITLE_LIMIT) -> str:
    """Return text as one clean line of at most ``limit`` characters that no reader takes for markup.

    Control characters go, what was unreadable becomes a white square, and an end tag is broken
    by a word joiner: RSS does not say whether a title is text or HTML, so readers would swallow
    it and validators warn of it.
    """
    if _is_plain(text, limit):
        return text
    text = _astral(text[:_SCANNED])
    line = shorten(_CONTROL.sub("", text), limit).replace("\ufffd", UNREADABLE)
    return _END_TAG.sub(f"<{_JOINER}", line) if "</" in line else line


def _is_plain(text: str, limit: int) -> bool:
    """Tell whether there is nothing to do, as for most texts (a tenth of the cost)."""
    return (
        len(text) <= limit
        and text.isascii()
        and text.isprintable()
        and "</" not in text
        and "  " not in text
        and text == text.strip()
    )


def markup(html: str) -> str:
    """Return cleaned HTML with every character a feed cannot hold replaced by a white square.

    Replaced, not removed: removing could join two harmless halves into a `javascript:` address.
    """
    if "\r" in html:
        html = html.replace("\r\n", "\n").replace("\r", "\n")
    return _astral(_UNREADABLE.sub(UNREADABLE, html))


def _astral(text: str) -> str:
    """Replace the noncharacters beyond U+FFFF."""
    if text.isascii() or _ASTRAL.search(text) is None:
        return text
    return _ASTRAL_NONCHARACTER.sub(UNREADABLE, text)


def address(url: str | None) -> str | None:
    """Return an http(s) URL in RFC 3986 characters, None if it is anything else."""
    if not url:
        return None
    if len(url) <= _USUAL_LENGTH and _USUAL.fullmatch(url):
        return url
    try:
        url = absolute(url)
    except InvalidURL:
        return None
    if "[" not in url and "]" not in url:
        return url
    # RFC 3986 §3.2.2: square brackets stand around an IPv6 address and nowhere else.
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}{slash}{path.replace('[', '%5B').replace(']', '%5D')}"


def uri(text: str | None) -> str | None:
    """Return an absolute URI that needs no repair, None if it is anything else."""
    return text if text and _URI.fullmatch(text) else None


def language(tag: str | None) -> str | None:
    """Return a BCP 47 tag in its usual spelling, None if validators do not know the language."""
    tag = (tag or "").strip().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        return None
    first, *others = tag.split("-")
    if first.lower() not in _LANGUAGES:
        return None
    return "-".join([first.lower(), *(_subtag(other) for other in others)])


def _subtag(subtag: str) -> str:
    """Spell regions in capitals and scripts with one (RFC 5646 §2.1.1)."""
    if len(subtag) == 2:
        return subtag.upper()
    return subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag.lower()
