"""Laws of adding addresses: a seed a person can edit, its snapshot at once, never one page twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc import jobs
from feedsvc.model import Snapshot, Taken, Verdict
from feedsvc.runtime import Runtime
from tests.jobs.site import Clock, Seeds, open_site
from tests.origin import Listener, Origin

TEXT = (
    "The harbour council met on Monday to talk about the new ferry, which is late.",
    "Several members asked who would pay for it, and nobody had an answer ready at all.",
    "A decision is expected in spring, when the engineers have looked at the hull again.",
)


@pytest.fixture
def origin() -> Iterator[Origin]:
    served = Origin()
    listener = Listener(served)
    yield served
    listener.close()


@pytest.fixture
def runtime(site: Path, origin: Origin) -> Iterator[Runtime]:
    archive = {"allow_hosts": (origin.host,), "per_host_delay": 0.0, "per_host": 8}
    with open_site(site, now=Clock(), archive=archive) as opened:
        yield opened


def article(title: str = "A ferry for the harbour", *, head: str = "", text: str = "") -> bytes:
    body = "".join(f"<p>{part} {text}</p>" for part in TEXT)
    return (
        f'<!doctype html><html lang="en-GB"><head><title>{title} - The Daily Test</title>'
        f'<meta property="og:title" content="{title}"><meta name="author" content="Ada Moor">'
        '<meta property="article:published_time" content="2026-03-01T14:30:00+02:00">'
        f'<meta property="og:image" content="/ferry.jpg">{head}</head>'
        f"<body><nav><a href=/>Home</a> <a href=/login>Log in</a></nav><article><h1>{title}</h1>"
        f"<p>By Ada Moor</p>{body}</article><footer>Contact</footer></body></html>"
    ).encode()


def snapshots(runtime: Runtime) -> list[Snapshot]:
    with runtime.database.reading() as store:
        return list(store.all_snapshots())


def test_an_address_becomes_a_seed_an_article_and_a_snapshot_with_one_fetch(
    runtime: Runtime, origin: Origin, site: Path
) -> None:
    url = origin.page("/2026/ferry", article())
    (one,) = jobs.add_urls(runtime, [f"{url}?utm_source=feed"]).additions
    assert (one.outcome, one.verdict, one.cause) == (Taken.ADDED, Verdict.VERIFIED, "")
    host = origin.host.partition(":")[0]
    assert one.seed == f"seeds/{host}/a-ferry-for-the-harbour.md"
    assert (site / one.seed).read_text() == (
        "---\n"
        'title: "A ferry for the harbour"\n'
        'author: ["Ada Moor"]\n'
        "date: 2026-03-01T12:30:00Z\n"
        'language: "en-GB"\n'
        f'image: "{origin.url("/ferry.jpg")}"\n'
        f'url: "{url}?utm_source=feed"\n'
        "---\n\n" + "\n\n".join(TEXT) + "\n"
    )
    with runtime.database.reading() as store:
        (stored,) = store.newest(10)
        state = store.capture_state(stored.id)
    assert (stored.id, stored.text) == (one.article_id, "\n\n".join(TEXT))
    assert state is not None
    assert (state.purpose, state.outcome) == ("look", "verified")
    (snapshot,) = snapshots(runtime)
    assert snapshot.article_id == stored.id
    assert origin.count("/2026/ferry") == 1
    assert jobs.capture_due(runtime).attempts == ()
    assert jobs.verify(runtime).damage == ()


def test_the_canonical_address_is_the_articles_and_tells_duplicates(
    runtime: Runtime, origin: Origin
) -> None:
    head = '<link rel="canonical" href="/ferry">'
    origin.page("/ferry", article(head=head))
    origin.page("/ferry.html", article(head=head))
    origin.redirect("/short", "/ferry")
    given = [origin.url(path) for path in ("/ferry.html", "/ferry", "/short", "/ferry#top")]
    report = jobs.add_urls(runtime, given)
    assert [one.outcome for one in report.additions] == [Taken.ADDED, *[Taken.DUPLICATE] * 3]
    assert not report.partial
    with runtime.database.reading() as store:
        assert [one.url for one in store.newest(10)] == [origin.url("/ferry")]
    before = len(origin.seen)
    (again,) = jobs.add_urls(runtime, [origin.url("/ferry")]).additions
    assert again.outcome is Taken.DUPLICATE
    assert "A ferry for the harbour" in again.cause
    assert len(origin.seen) == before, "a known address is not even fetched"


@pytest.mark.parametrize(
    ("canonical", "kept"),
    [
        pytest.param("https://elsewhere.example/ferry", False, id="another-site"),
        pytest.param("/", False, id="front-page"),
        pytest.param("javascript:alert(1)", False, id="no-address"),
        pytest.param("/ferry/", True, id="same-site"),
    ],
)
def test_a_canonical_address_is_believed_only_for_its_own_site(
    canonical: str, kept: bool, runtime: Runtime, origin: Origin
) -> None:
    url = origin.page("/ferry", article(head=f'<link rel=canonical href="{canonical}">'))
    jobs.add_urls(runtime, [url])
    with runtime.database.reading() as store:
        assert store.newest(1)[0].url == (origin.url(canonical) if kept else url)


def test_one_bad_address_never_stops_the_rest(runtime: Runtime, origin: Origin) -> None:
    origin.page("/ferry", article())
    origin.page("/picture", b"\x89PNG" * 100, headers=(("Content-Type", "image/png"),))
    origin.page("/shell", b"<html><body><div id=app></div><script src=/a.js></script></body>")
    origin.page(
        "/captcha",
        b"<html><title>Just a moment...</title><body><h1>Are you human?</h1>"
        b"<p>Verify you are human by completing the action below.</p></body>",
    )
    origin.page(
        "/broken", article(), headers=(("Content-Type", "text/html"), ("Content-Encoding", "gzip"))
    )
    paths = ("/missing", "/picture", "/shell", "/captcha", "/broken", "/ferry")
    report = jobs.add_urls(
        runtime,
        ["ftp://example.org/x", "http://127.0.0.1:1/private", *map(origin.url, paths)],
    )
    assert report.partial
    outcomes = [one.outcome for one in report.additions]
    assert outcomes == [Taken.FAILED] * 7 + [Taken.ADDED]
    causes = [one.cause for one in report.additions]
    assert "404" in causes[2]
    assert "image/png" in causes[3]
    assert "JavaScript" in causes[4]
    assert "captcha" in causes[5]
    assert "Content-Encoding" in causes[6]
    assert len(snapshots(runtime)) == 1


def test_a_dry_run_writes_nothing_and_shows_the_seed(
    runtime: Runtime, origin: Origin, site: Path
) -> None:
    url = origin.page("/ferry", article())
    first, second = jobs.add_urls(runtime, [url, url], dry_run=True).additions
    assert (first.outcome, second.outcome) == (Taken.NEW, Taken.DUPLICATE)
    assert TEXT[0] in first.text
    assert list((site / "seeds").iterdir()) == []
    assert snapshots(runtime) == []


def test_no_seed_is_ever_overwritten(runtime: Runtime, origin: Origin, site: Path) -> None:
    host = origin.host.partition(":")[0]
    folder = site / "seeds" / host
    folder.mkdir()
    (folder / "a-ferry-for-the-harbour.md").write_text("# Mine\n\nText.\n")
    for number in range(2):
        origin.page(f"/{number}", article(text=str(number)))
    report = jobs.add_urls(runtime, [origin.url("/0"), origin.url("/1")])
    assert [Path(one.seed).name for one in report.additions] == [
        "a-ferry-for-the-harbour-2.md",
        "a-ferry-for-the-harbour-3.md",
    ]
    assert (folder / "a-ferry-for-the-harbour.md").read_text() == "# Mine\n\nText.\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "a-ferry-for-the-harbour-2.md",
        "a-ferry-for-the-harbour-3.md",
        "a-ferry-for-the-harbour.md",
    ]


def test_titles_of_strangers_make_tame_names(runtime: Runtime, origin: Origin, site: Path) -> None:
    titles = ["../../etc/passwd", "Паром для гавани", "!!!", "x" * 300]
    for number, title in enumerate(titles):
        origin.page(f"/{number}", article(title, text=str(number)))
    report = jobs.add_urls(runtime, [origin.url(f"/{number}") for number in range(4)])
    names = [Path(one.seed).name for one in report.additions]
    assert names[:2] == ["etc-passwd.md", "паром-для-гавани.md"]
    assert all(one.outcome is Taken.ADDED for one in report.additions)
    assert all((site / one.seed).is_file() for one in report.additions)
    assert all(len(name.encode()) < 250 for name in names)


def test_a_withdrawn_article_may_be_added_again(
    runtime: Runtime, origin: Origin, site: Path, seeds: Seeds
) -> None:
    seeds.write("other.md", url=None)
    url = origin.page("/ferry", article())
    (first,) = jobs.add_urls(runtime, [url]).additions
    (site / first.seed).unlink()
    assert jobs.ingest_seeds(runtime, accept_deletions=True).withdrawn == 1
    (second,) = jobs.add_urls(runtime, [url]).additions
    assert (second.outcome, second.article_id) == (Taken.ADDED, first.article_id)
