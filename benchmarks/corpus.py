"""Made-up news in the seed format: the same number always gives the same article."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

_FIRST = "Ada Bruno Clara Dmitri Elena Farid Grace Hugo Ines Jonas Kavya Liam Mira Noor Olga Piotr Rosa Samir Tara Viktor"
_LAST = "Albers Brandt Castillo Dufour Eriksen Fontana Greco Hansen Ivanova Jensen Keller Lindqvist Moreau Novak Okafor Petrov Quist Romero Silva Tanaka"
_SYLLABLES = "ba bel bor cha dan del dor el fa gar hol im ja kal kin lo mar mi nor ol pa ra ros sa sol ta tor ul va wen yor ze"
_AGENCIES = ("Coastal News", "Northern Wire", "The Daily Ledger", "City Desk", "")
_PLACES = "Brookhaven Eastmere Fairwater Grenholm Hartwick Kestrel Lindale Marwick Northgate Oakridge Portsea Ravensby Stonebridge Thornfield Westbrook"
_TIMES = (
    "on Monday", "on Tuesday", "late on Wednesday", "on Thursday morning", "this week",
    "over the weekend", "after months of talks", "for the second time this year", "in the early hours",
    "at short notice",
)  # fmt: skip
_FRAMES = (
    "{who} in {place} {did} {what} {when}.",
    "{who} {did} {what} {when}, according to people close to the matter.",
    "“We had expected {what} much earlier,” said {person}, who has followed {other} for years.",
    "It was not clear {when} whether {other} would change anything for {who_low}.",
    "In {place}, {what} and {other} have been discussed side by side since {year}.",
    "{person} called {what} a turning point, while others in {place} were more careful.",
    "The numbers for {year} show that {what} grew by {number} percent, and {other} by half of that.",
    "About {number} people gathered in {place} {when} as {who_low} {did} {what}.",
    "A report of {count} pages, seen by this paper, lists {what}, {other} and {more}.",
    "Nobody in {place} could say {when} how {more} came about, but {person} blamed {other}.",
)

# Per theme: who acts, what they do, and what it is about.
_THEMES = {
    "politics": (
        "The parliament|The prime minister|The opposition|Lawmakers|The governor|The election commission",
        "debated|rejected|passed|postponed|defended",
        "the election reform|a new coalition|the budget vote|the referendum|a cabinet reshuffle|the party congress|the foreign policy of the government|the voting law",
    ),
    "economy": (
        "The central bank|Investors|The shipyard|Retailers|The exchange|Exporters",
        "welcomed|weighed|announced|questioned|raised",
        "interest rates|the quarterly profit|inflation forecasts|a merger of two banks|shares of the company|the trade deficit|consumer prices|new bonds",
    ),
    "sport": (
        "The home team|The coach|The goalkeeper|The league|The champions|The cyclists",
        "won|lost|celebrated|delayed|trained for",
        "the cup final|the penalty shootout|the championship match|a world record|the transfer of a striker|the tournament|the relay race|the last game of the season",
    ),
    "health": (
        "The hospital|Doctors|Nurses|The health ministry|Researchers|Patients",
        "reported|studied|tested|warned of|recommended",
        "a new vaccine|the flu outbreak|cancer screening|surgery without scars|the infection rate|mental health|the shortage of medicine|a clinical trial",
    ),
    "science": (
        "Astronomers|The university|Engineers|The laboratory|Physicists|The space agency",
        "discovered|measured|launched|published|built",
        "a distant galaxy|a quantum computer|the software of the telescope|the genome of a moss|a satellite|robots for the deep sea|artificial intelligence models|a battery without cobalt",
    ),
    "weather": (
        "Forecasters|The weather service|Farmers|The coast guard|Residents|Rescue teams",
        "expected|measured|prepared for|survived|tracked",
        "heavy rain|a heat wave|the storm surge|record snowfall|strong winds|the long drought|a cold front|flooding along the river",
    ),
    "crime": (
        "Police|The prosecutor|A judge|Detectives|The jury|Lawyers of the defendant",
        "investigated|described|dismissed|opened|reviewed",
        "the robbery|a fraud case|the murder trial|evidence of bribery|the arrest of two suspects|a prison sentence|the appeal|stolen paintings",
    ),
    "culture": (
        "The museum|The orchestra|A novelist|The film festival|Actors|The gallery",
        "presented|rehearsed|restored|cancelled|premiered",
        "a new opera|the documentary|paintings of the harbour|the concert season|a debut novel|the theatre programme|an exhibition of photographs|the box office hit",
    ),
    "environment": (
        "Biologists|The nature reserve|Activists|The ministry|Foresters|Volunteers",
        "protected|counted|planted|criticised|mapped",
        "the wetlands|carbon emissions|endangered birds|plastic in the ocean|the old forest|renewable energy|air pollution|climate goals",
    ),
    "education": (
        "Teachers|Students|The school board|Parents|The university|Headteachers",
        "demanded|discussed|opened|tested|postponed",
        "smaller classes|the new curriculum|exam results|free school meals|tuition fees|a school for adults|the shortage of teachers|scholarships",
    ),
    "conflict": (
        "The army|Peace envoys|Soldiers|The defence ministry|Refugees|Observers",
        "reported|denied|demanded|broke|monitored",
        "the ceasefire|troops at the border|a drone attack|the peace talks|artillery fire|the prisoner exchange|an arms delivery|the shelling of two villages",
    ),
    "labour": (
        "The union|Dockers|Bus drivers|The employers|Apprentices|Miners",
        "demanded|ended|called|rejected|extended",
        "the strike|higher wages|a collective agreement|the layoffs|shorter working hours|the pension plan|unpaid overtime|a minimum wage",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MadeArticle:
    """One article; ``paragraphs`` are plain text."""

    number: int
    title: str
    author: str
    agency: str
    published: date
    paragraphs: tuple[str, ...]


def make_article(number: int) -> MadeArticle:
    """Return an article of about 2 kB, of one theme with a little of another."""
    chance = random.Random(f"feedsvc {number}")
    theme, aside = chance.sample(sorted(_THEMES), 2)
    place = _one(chance, _PLACES)
    who, did, what = (part.split("|") for part in _THEMES[theme])
    title = f"{chance.choice(who)} {chance.choice(did)} {chance.choice(what)} in {place} ({number})"
    paragraphs = []
    for position in range(8):
        source = aside if position == 6 else theme
        sentences = chance.randrange(2, 4)
        paragraphs.append(" ".join(_sentence(chance, source, place) for _ in range(sentences)))
    return MadeArticle(
        number=number,
        title=title,
        author=_person(chance),
        agency=chance.choice(_AGENCIES),
        published=date(2012, 1, 1) + timedelta(days=chance.randrange(5000)),
        paragraphs=tuple(paragraphs),
    )


def _sentence(chance: random.Random, theme: str, place: str) -> str:
    who, did, what = (part.split("|") for part in _THEMES[theme])
    actor = chance.choice(who)
    first, second, third = chance.sample(what, 3)
    return chance.choice(_FRAMES).format(
        who=actor,
        who_low=actor[0].lower() + actor[1:],
        did=chance.choice(did),
        what=first,
        other=second,
        more=third,
        when=chance.choice(_TIMES),
        place=place,
        person=_person(chance),
        year=chance.randrange(1990, 2026),
        number=chance.randrange(2, 90),
        count=chance.randrange(20, 400),
    )


def _one(chance: random.Random, words: str) -> str:
    return chance.choice(words.split())


def _person(chance: random.Random) -> str:
    """Return a name; half the surnames are new, as words in the news keep being."""
    if chance.random() < 0.5:
        return f"{_one(chance, _FIRST)} {_one(chance, _LAST)}"
    return f"{_one(chance, _FIRST)} {''.join(chance.choices(_SYLLABLES.split(), k=3)).title()}"


def as_seed(article: MadeArticle, *, url: str) -> str:
    """Return an article as a seed file's text."""
    byline = f"{article.author} for {article.agency}" if article.agency else article.author
    written = f"{article.published:%B} {article.published.day}, {article.published.year}"
    body = "\n\n".join(article.paragraphs)
    return f"# {article.title}\n\nBy {byline}\n\n{written}\n\n{body}\n\nOriginal url:\n\n<{url}>\n"


def write_seeds(
    folder: Path, numbers: Iterable[int], *, base: str = "https://news.example"
) -> None:
    """Write one seed per number, a hundred to a folder."""
    for number in numbers:
        path = folder / f"{number // 100:04}" / f"{number:06}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            as_seed(make_article(number), url=f"{base}/{number}.html"), encoding="utf-8"
        )
