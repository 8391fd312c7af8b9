"""An article long enough to be told from others, its page, and a site that has archived it."""

from __future__ import annotations

from feedsvc import jobs
from feedsvc.model import Attempt, Original
from feedsvc.runtime import Runtime
from tests.jobs.originals import content
from tests.jobs.site import Seeds
from tests.origin import Origin

PARAGRAPHS = (
    "The lighthouse at Korsvik will be lit again in spring, after eleven years in which nobody "
    "had a key to the lamp room and gulls nested on the gallery.",
    "Marta Lindqvist, who keeps the harbour's books, found the key in a tin of screws while she "
    "was looking for the receipt of a winch that had been paid for twice.",
    "The lamp itself is in better order than expected: two of the four lenses are whole, and a "
    "glassblower in the next town has agreed to copy the others from old drawings.",
    "Money is short, as it always was. The council has set aside enough for the wiring, and the "
    "sailing club sells mugs with a picture of the tower to pay for paint.",
    "Pilots say that they do not need the light any more, since every boat carries a plotter, but "
    "that they would rather see it than not when the fog comes in from the sound.",
    "On the first evening the switch will be thrown by Olle Brandt, who is ninety and was the "
    "last keeper; he has asked for a chair, a blanket and a thermos of coffee.",
)
REWRITTEN = tuple(f"{one[::-1]} number {count}" for count, one in enumerate(PARAGRAPHS))
"""Words that neither the article nor any page but its rewritten one has."""
WALL = (
    "Subscribe to continue reading. This article is for subscribers only. "
    "Already a subscriber? Log in to read the full article."
)
TITLE = "The lighthouse at Korsvik is lit again"
OTHER = (
    "Turnips were cheap this year because the frost came late and the fields north of the canal "
    "gave twice what they usually give, says the growers' association in its yearly letter.",
    "Sugar beets did less well. A beetle that nobody had seen before ate the leaves in August, "
    "and the factory will close two weeks earlier than planned.",
    "Farmers hope for snow, which keeps the winter wheat warm, and for a new rail siding, which "
    "would save them the drive to the port with every single load.",
)


def page(*paragraphs: str, title: str = TITLE, aside: str = "Read next: nothing") -> bytes:
    """Return the page of an article with what stands around it on news sites."""
    text = "".join(f"<p>{one}</p>" for one in paragraphs)
    return (
        f"<!doctype html><html><head><title>{title}</title>"
        '<link rel="stylesheet" href="/site.css"></head><body>'
        "<nav><a href='/'>Home</a> <a href='/news'>News</a></nav>"
        f"<main><article><h1>{title}</h1>{text}</article></main>"
        f"<aside>{aside}</aside><img src='/boat.png'><footer>Contact</footer></body></html>"
    ).encode()


def serve(origin: Origin, data: bytes, path: str = "/light", **headers: str) -> str:
    """Put a page and its requisites on the origin; return its URL."""
    origin.page("/site.css", b"h1 { color: #123 }\n" * 400, headers=content("text/css"))
    origin.page("/boat.png", b"\x89PNG" + bytes(range(256)) * 80, headers=content("image/png"))
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return origin.page(path, data, headers=(("Content-Type", "text/html; charset=utf-8"), *more))


def archive(runtime: Runtime, seeds: Seeds, url: str, name: str = "light.md") -> str:
    """Load the article and archive its original; return its id."""
    body = "\n\n".join(PARAGRAPHS) + "\n"
    seeds.write(name, title=TITLE, url=url, body=body)
    jobs.ingest_seeds(runtime)
    assert jobs.capture_due(runtime).archived == 1
    with runtime.database.reading() as store:
        return next(one.id for one in store.newest(9) if one.url == url)


def look(runtime: Runtime, article: str) -> Attempt:
    """Look at an original now; return how it went."""
    (attempt,) = jobs.recheck_due(runtime, article=article).attempts
    return attempt


def original(runtime: Runtime, article: str) -> Original:
    with runtime.database.reading() as store:
        found = store.original(article)
    assert found is not None
    return found
