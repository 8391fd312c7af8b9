"""Lines of names, told from headings and the first words of sentences."""

# ruff: noqa: RUF001 - other alphabets are meant

from __future__ import annotations

import re

_PARTICLES = (
    "de van von der den di da del della la le el al bin ibn ben ter ten zu af av dos das du"
)
PARTICLES = frozenset(_PARTICLES.split())
_AND = "and|und|et|y|e|en|och|og|i|és|a|și|και|и|та|і|ve|ja"
JOINING = (
    frozenset({"and", "for", "in", "of", "the", "with", "at", "y", "und", "et", "e"}) | PARTICLES
)

_SENTENCE_END = re.compile(r"[.!?…:;。！？।؟۔]$")
_INITIALS_END = re.compile(r"(?:\b[^\W\d_]|\b(?:jr|sr|inc|ltd|co|ph\.d|m\.d))\.$", re.IGNORECASE)
_PARTED = re.compile(rf"\s*[,&;]\s*(?:and\s+)?|\s+(?:{_AND})\s+")
_NAME_ENDS = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md"})

# What headings are made of, in Title Case too, and hardly any name.
_COMMON = """
    a an the this that these those what when where which who whom whose why how if as at by for from
    in into of off on onto out over to toward towards under up upon with without after before between
    against about around near and or but nor not no yes is are was were be been has have had do does
    did can could should would must might we you they he she it its our your their his her my me
    us all any both each every few many more most much other some such one two three four five six
    seven eight nine ten first second third last next new old now then there here again ahead back
    good bad worst better big small great high low late latest early live top full
    just only still ever never always away down up today tomorrow yesterday week month year years     days night morning time times future past history
    account advice agenda aid air analysis answer answers attack attacks background battle beginning
    breaking brief briefing business cause causes change changes chapter climate close comment
    commentary conclusion conclusions consequences context contents correction cost costs crisis
    culture damage deal death debate decision defense details development diary economy editor's
    editorial education election elections end energy environment essay europe event events exclusive
    explained explainer facts family feature features fight finance findings follow-up food forecast
    free freedom game global government guide health highlights human ideas impact
    inside interview introduction investigation issue issues key lead lesson lessons letter
    letters life lifestyle local looking main market markets meanwhile method methods middle
    mystery national need note notes obituary offer official open opening opinion
    opposition option options order origin origins outlook overview part peace people percent
    perspective picture plan plans podcast point points police policy politics portrait     preface prices problem problems profile progress public question questions quick rapid
    reaction reactions reading really reason reasons release report reports research response
    result results return review rights rise risk risks road role rule rules run safety science
    section security side sides signs society solution solutions special sport sports start state
    statement status step steps story strategy strike strikes summary support system takeaways talk
    talks tech technology test things timeline tip tips travel trend trends trouble truth update
    updates victims video view views violence vote war warning watch water way ways weather winner
    winners word words work world
    der die das ein eine und oder neue neuer neues kein keine was wie warum wer mehr zum zur im am
    le les un une nouveau nouvelle pourquoi comment el los las una nuevo nueva qué cómo por para
    il lo gli nuovo nuova perché что как почему новая новый новые
"""
_NEVER = frozenset(_COMMON.split())


def may_be_names(text: str) -> bool:
    """Tell whether a line ends as no sentence does; the full stop of an initial is none."""
    return not _SENTENCE_END.search(text[-1:]) or bool(_INITIALS_END.search(text[-8:]))


def is_ended(line: str) -> bool:
    """Tell whether a line of Markdown ends as sentences end, closing marks aside."""
    return _SENTENCE_END.search(line.rstrip("\"'”’»)*_ ")[-1:]) is not None


def is_proper(part: str) -> bool:
    """Tell whether every word may belong to a name: capitalised, or of a script without case."""
    return all(
        not word[0].islower() or word in JOINING or "." in word for word in part.split()
    ) and any(character.isalpha() for character in part)


def are_people(text: str, *, caseless: bool = False) -> bool:
    """Tell whether a line holds nothing but full names: `Ada Brandt, Bo de Wit and Cy Dee`.

    ``caseless`` allows scripts without capitals, where names look like any other words.
    """
    return may_be_names(text) and all(
        _is_person(part, caseless=caseless) for part in _PARTED.split(text)
    )


def _is_person(part: str, *, caseless: bool) -> bool:
    words = part.split()
    if len(words) > 1 and words[-1].strip(".").casefold() in _NAME_ENDS:
        words.pop()
    if caseless and words and not (words[0][0].isupper() or words[0][0].islower()):
        return len(words) <= 5 and all(word[0].isalpha() for word in words)
    return 2 <= len(words) <= 5 and are_capitalised(words) and words[-1][0].isupper()


def are_capitalised(words: list[str]) -> bool:
    """Tell whether words are all capitalised, letters only, and none a word of headings."""
    return all(
        (word[0].isupper() or word.startswith(("al-", "d'", "d’")))
        and not any(map(str.isdigit, word))
        and word.strip(".’'\"“”").casefold() not in _NEVER
        for word in words
        if word not in PARTICLES
    )
