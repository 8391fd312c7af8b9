"""Sentences that a page break cut in two, joined again.

A paragraph goes on in the next one if it ends where no sentence can. What counts is the cut's
left side; the right side may begin with a capital, for names do. Both sides must look like
running text: the left is long, the right ends as sentences end, so verse, headings, captions,
greetings and lists stay as they are.
"""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re

from feedsvc.ingest.blocks import Block, Kind

_MIN_LEFT = 40
"""Characters; shorter lines are headings, verse, captions and greetings."""
_MIN_LEFT_CAPITAL = 55

# Words no sentence ends with. Where one also stands at the end of headings ("What it is for"),
# the length asked of the left side keeps those apart.
_WORDS = """
    a an the and or but nor of in on at by for from with without into onto upon inside outside within
    to toward towards than that which who whose whom if because although though while whereas unless
    until since as per via between among amid against about across after before behind beneath beside
    beyond despite during except like near over through throughout under its their his her our your my
    is are was were be been being has have had will would shall should can could may might must
    very these those this every each either neither where when
    der die das den dem des ein eine einer eines einem einen und oder aber dass weil wenn ob als wie mit
    von vom zu zum zur im in am an auf aus bei beim nach für gegen ohne um über unter vor zwischen durch
    sich nicht sein ihre ihrer seiner
    le la les un une des du de et ou mais que qui dont où dans sur sous avec sans pour par chez entre
    vers aux au ce cette ces son sa ses leur leurs
    el los las una unos unas y o pero que quien cuyo en con sin por para entre hacia desde hasta sobre
    su sus se del al
    il lo gli uno e ed ma che di da nel nella dei degli delle della con per tra fra sul sulla
    os as um uma e mas em na do da dos das com sem por
    het een en of maar dat met van voor naar op bij uit om te
    и а но или что который которая которое которые в во на с со к ко о об от до для из за по при над под
    между без через не его её их чтобы если как
    і й та або але що який яка яке які у в на з із зі до від для за про при над під між без через не
    ve ile bir bu için
    في من على إلى عن أن إن التي الذي الذين و أو لكن بعد قبل بين حتى مع
    של את על עם כי אשר אל מן או אבל גם
"""
_DANGLING = frozenset(_WORDS.split())

_LAST_WORD = re.compile(r"(?:^|[\s\"'“„«(\[—–-])([^\W\d_]+)$")
_COMMAS = (",", "،", "、", "，")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff0c\u3001]")
_CLOSED = re.compile(r"[.!?…。！？।॥؟۔][\"'”’»」』)\]*_]*$|[.!?…]['\"”’»)]*\[\^\w+\]$")
_STARTS_LIKE_TEXT = re.compile(r"[\"'“„«(‘]?[^\W_]")


def join_cut_sentences(lines: list[str], blocks: list[Block]) -> None:
    """Join, in place, paragraphs that are two halves of one sentence.

    The right half moves up to the end of the left one; blank lines take its place, so that
    lines keep their numbers.
    """
    left: Block | None = None
    for block in blocks:
        if block.kind is not Kind.PARAGRAPH:
            left = None
            continue
        # One cut only: a chain of open ends is verse or a list without its marks.
        if left is not None and _is_cut(lines, left, block):
            _move_up(lines, left, block)
            left = None
        else:
            left = block


def _is_cut(lines: list[str], left: Block, right: Block) -> bool:
    end = lines[left.end - 1]
    if end.endswith(("  ", "\\")):
        return False
    end, start = end.rstrip(), lines[right.start]
    if _closed(end) or start[0].isspace() or lines[left.start][0].isspace():
        return False
    if not _closed(lines[right.end - 1]) or not _STARTS_LIKE_TEXT.match(start):
        return False
    length = sum(len(line) for line in lines[left.start : left.end])
    wide = bool(_CJK.search(end[-1]))
    if length < (_MIN_LEFT // 2 if wide else _MIN_LEFT):
        return False
    if "|" in end and "|" in start:
        return False
    if _small(start):
        return end[-1].isalnum() or end.endswith((*_COMMAS, "-", "–", "—", "\u00ad"))
    if wide:
        return end.endswith((*_COMMAS, "を", "の"))
    return length >= _MIN_LEFT_CAPITAL and (end.endswith(_COMMAS) or _dangles(end))


def _closed(line: str) -> bool:
    """Tell whether a line ends as sentences end, quotes and footnote marks included."""
    return _CLOSED.search(line[-24:].rstrip()) is not None


def _small(start: str) -> bool:
    """Tell whether a line begins in the middle of a sentence: with a small letter."""
    first = start.lstrip("\"'“„«(‘")[:1]
    return first.islower()


def _dangles(end: str) -> bool:
    match = _LAST_WORD.search(end[-40:])
    return match is not None and match[1] in _DANGLING


def _move_up(lines: list[str], left: Block, right: Block) -> None:
    moved = lines[right.start : right.end]
    end = lines[left.end - 1].rstrip()
    if end.endswith("\u00ad"):
        end, between = end[:-1], ""
    elif end.endswith("-") or (_CJK.search(end[-1]) and _CJK.match(moved[0])):
        between = ""
    else:
        between = " "
    lines[left.end - 1] = end + between + " ".join(line.strip() for line in moved)
    for number in range(right.start, right.end):
        lines[number] = ""
