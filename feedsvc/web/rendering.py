"""Templates: the environment, and how values look on a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from feedsvc.model import Site
from feedsvc.publish.channels import feed_url, label_of
from feedsvc.urls import host_of
from feedsvc.web.former import page_of

# ISO 639 codes and ISO 15924 scripts written from right to left.
# fmt: off
_RTL_LANGUAGES = frozenset((
    "ar", "arc", "ckb", "dv", "fa", "he", "iw", "ji", "khw", "nqo", "ps", "sd", "syr", "ug", "ur",
    "yi",
))
_RTL_SCRIPTS = frozenset((
    "adlm", "arab", "armi", "hebr", "mand", "mend", "nbat", "nkoo", "phnx", "rohg", "samr",
    "sarb", "syrc", "thaa",
))
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
# fmt: on
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def environment() -> Environment:
    """Return the templates' environment: everything escaped, every unknown name an error."""
    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(day=day, moment=moment, iso=iso, size=size, percent=percent, dir=direction)
    made.filters.update(host=host_of, page=page_of, reader=reader_address, name=capital)
    made.filters.update(label=label_of)
    return made


def day(value: datetime) -> str:
    """Return the date for a person: `31 May 2024`."""
    value = value.astimezone(UTC)
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """Return date and time for a person: `31 May 2024, 12:00 UTC`."""
    return f"{day(value)}, {value.astimezone(UTC):%H:%M} UTC"


def iso(value: datetime) -> str:
    """Return what the `datetime` attribute of `<time>` holds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def size(count: int) -> str:
    """Return bytes for a person: `1.5 MB`, in powers of ten as file managers and browsers do."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    if unit == "bytes":
        return "1 byte" if count == 1 else f"{count} bytes"
    return f"{amount:.0f} {unit}" if amount >= 99.5 else f"{amount:.1f} {unit}"


def percent(share: float) -> str:
    """Return a share for a person; 100 % is said only of all of it, 0 % only of none."""
    if 0.0 < share < 1.0:
        return f"{min(max(round(share * 100), 1), 99)} %"
    return f"{share * 100:.0f} %"


def capital(label: str) -> str:
    """Return a label as the beginning of a line: topics are written small."""
    return label[:1].upper() + label[1:]


def reader_address(slug: str, site: Site) -> str:
    """Return the address that opens a feed in whatever reader is installed."""
    return f"feed:{feed_url(site, slug, 'atom')}"


def direction(language: str | None) -> str:
    """Return the `dir` attribute for a BCP 47 tag: `rtl`, `ltr`, or `auto` where none is known."""
    if not language:
        return "auto"
    primary, *subtags = language.lower().replace("_", "-").split("-")
    scripts = [part for part in subtags if len(part) == 4 and part.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in _RTL_SCRIPTS else "ltr"
    return "rtl" if primary in _RTL_LANGUAGES else "ltr"


def safe_filename(*parts: str, suffix: str) -> str:
    """Return a name that no header, shell or file system reads as anything but a name."""
    stem = "-".join(_UNSAFE.sub("-", part).strip("-.") for part in parts if part)
    return (stem[:120].strip("-.") or "snapshot") + suffix
