"""The sections of `config/feedsvc.toml`: every key, its type and its default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from feedsvc.settings.values import (
    DATABASE,
    LANGUAGE,
    Count,
    Duration,
    HostPort,
    Schedule,
    Size,
    Strings,
    Timeout,
    When,
    matches,
    no_flag,
    plain_paths,
    site_address,
    split_list,
)
from feedsvc.text import redacted


class Section(BaseModel):
    """One table of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteSettings(Section):
    """What feeds and pages say of the site."""

    title: Annotated[str, Field(min_length=1)] = "Our articles"
    base_url: Annotated[str, AfterValidator(site_address)] = "http://127.0.0.1:8080"
    author: str = ""
    language: Annotated[
        str, matches(LANGUAGE, 'not a language tag; write for example "en" or "pt-BR"')
    ] = "en"


class SeedsSettings(Section):
    """Where articles come from."""

    paths: Annotated[Strings, Field(min_length=1), AfterValidator(plain_paths)] = ("seeds",)
    max_size: Size = 8 << 20


class DatabaseSettings(Section):
    """Where what is known is kept."""

    url: Annotated[
        str,
        matches(
            DATABASE,
            "write sqlite:///data/feedsvc.db or postgresql+psycopg://user:password@host/name",
        ),
        PlainSerializer(redacted, when_used="json"),
        Field(repr=False),
    ] = "sqlite:///data/feedsvc.db"


class ArchiveSettings(Section):
    """How originals are captured and kept."""

    store: Annotated[str, Field(min_length=1)] = "data/snapshots"
    user_agent: Annotated[str, matches(re.compile(r"[\x20-\x7e]*"), "only printable ASCII")] = ""
    robots: Literal["respect", "ignore"] = "respect"
    allow_hosts: Annotated[tuple[HostPort, ...], BeforeValidator(split_list)] = ()
    concurrency: Annotated[Count, Field(le=256)] = 16
    per_host: Count = 2
    per_host_delay: Duration = 1.0
    timeout: Timeout = 20.0
    deadline: Timeout = 600.0
    max_page: Size = 100 << 20
    max_total: Size = 300 << 20
    max_requisites: Annotated[int, BeforeValidator(no_flag), Field(ge=0)] = 300
    min_free: Size = 200 << 20


class FeedsSettings(Section):
    """What is published."""

    dir: Annotated[str, Field(min_length=1)] = "feeds"
    entries: Annotated[Count, Field(le=1000)] = 50
    entry_link: Literal["article", "original"] = "article"


class ScheduleSettings(Section):
    """When the daemon does what."""

    ingest: When = Schedule("5m", seconds=300)
    capture: When = Schedule("1m", seconds=60)
    publish: When = Schedule("1m", seconds=60)
    recheck: When = Schedule("1h", seconds=3600)
    verify: When = Schedule("1d", seconds=86400)


class WebSettings(Section):
    """Where the web server listens."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(no_flag), Field(ge=1, le=65535)] = 8080


class Settings(Section):
    """Everything that can be set, checked; paths are as written, relative to ``root``."""

    root: Path
    site: SiteSettings = SiteSettings()
    seeds: SeedsSettings = SeedsSettings()
    database: DatabaseSettings = DatabaseSettings()
    archive: ArchiveSettings = ArchiveSettings()
    feeds: FeedsSettings = FeedsSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    web: WebSettings = WebSettings()
    origins: Mapping[str, str] = MappingProxyType({})
    """Key -> `default`, `config/feedsvc.toml:12` or `FEEDSVC_WEB__PORT`."""

    def effective(self) -> dict[str, Any]:
        """Return key -> value as it would be written in the file, passwords hidden."""
        shown = self.model_dump(mode="json", include=set(SECTIONS))
        return {
            f"{section}.{key}": value
            for section in SECTIONS
            for key, value in shown[section].items()
        }


SECTIONS: Mapping[str, type[Section]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
KEYS: tuple[str, ...] = tuple(
    f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields
)
