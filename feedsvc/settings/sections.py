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
    HubAddress,
    Intervals,
    LeaseTime,
    Network,
    Rate,
    RateLimit,
    Schedule,
    Size,
    Strings,
    TimeGateAddress,
    Timeout,
    When,
    admin_token,
    hidden,
    matches,
    no_flag,
    plain_paths,
    site_address,
    split_list,
    store_address,
    store_endpoint,
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
    rights: str = ""
    logo: Annotated[
        str,
        matches(
            re.compile(r"(?:https?://[^\s/?#@]+/\S*)?", re.IGNORECASE),
            'not the http(s) address of a picture; write for example "https://feeds.example.org/logo.png"',
        ),
    ] = ""


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

    store: Annotated[str, Field(min_length=1), AfterValidator(store_address)] = "data/snapshots"
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
    recheck_after: Intervals = (86400.0, 7 * 86400.0, 30 * 86400.0, 90 * 86400.0, 365 * 86400.0)
    browser: Literal["never", "when-needed", "always"] = "when-needed"
    browser_path: str = ""
    fallbacks: Annotated[tuple[TimeGateAddress, ...], BeforeValidator(split_list)] = ()


AlsoFeeds = Literal["authors", "agencies", "hosts", "changes", "gone", "status"]


class FeedsSettings(Section):
    """What is published."""

    dir: Annotated[str, Field(min_length=1), AfterValidator(store_address)] = "feeds"
    entries: Annotated[Count, Field(le=1000)] = 50
    entry_link: Literal["article", "original"] = "article"
    also: Annotated[tuple[AlsoFeeds, ...], BeforeValidator(split_list)] = ("changes", "gone")
    private: Strings = ()
    tombstones: Duration = 90 * 86400.0
    packed: Annotated[tuple[Literal["gz", "br", "zst"], ...], BeforeValidator(split_list)] = ()


class ScheduleSettings(Section):
    """When the daemon does what."""

    ingest: When = Schedule("5m", seconds=300)
    capture: When = Schedule("1m", seconds=60)
    publish: When = Schedule("1m", seconds=60)
    recheck: When = Schedule("1h", seconds=3600)
    verify: When = Schedule("1d", seconds=86400)

    @property
    def ttl_minutes(self) -> int:
        """How long feeds tell readers to wait: what lies between two publications.

        Never less than a quarter of an hour, which spares a server its readers, nor more than an
        hour.
        """
        if self.publish.seconds is None:
            return 60
        return int(min(max(self.publish.seconds // 60, 15), 60))


class WebSettings(Section):
    """Where the web server listens, behind whom, and how often it lets a reader ask in vain."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(no_flag), Field(ge=1, le=65535)] = 8080
    rate_limit: Rate = RateLimit("auto")
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(split_list)] = ()
    status: Literal["auto", "public", "admin"] = "auto"


class AdminSettings(Section):
    """Who may change things by the web; nobody while there is no token."""

    token: Annotated[
        str,
        AfterValidator(admin_token),
        PlainSerializer(hidden, when_used="json"),
        Field(repr=False),
    ] = ""
    token_file: str = ""


class WebSubSettings(Section):
    """Who is told at once that a feed changed."""

    hubs: Annotated[tuple[HubAddress, ...], BeforeValidator(split_list)] = ()
    enabled: bool = False
    allow_callbacks: Annotated[tuple[HostPort, ...], BeforeValidator(split_list)] = ()
    timeout: Timeout = 10.0
    lease: LeaseTime = 10 * 86400.0
    min_lease: LeaseTime = 300.0
    max_lease: LeaseTime = 30 * 86400.0
    max_subscriptions: Count = 10_000
    max_per_host: Count = 100


class FleetSettings(Section):
    """Whether several machines share the work, and how soon one takes over from another."""

    enabled: bool = False
    concurrency: Annotated[Count, Field(le=256)] = 16
    heartbeat: Duration = 3.0
    stalled: Duration = 9.0


class S3Settings(Section):
    """How the object store is reached; the usual AWS_ variables of the environment work too."""

    endpoint: Annotated[str, AfterValidator(store_endpoint)] = ""
    region: Annotated[
        str,
        matches(re.compile(r"[A-Za-z0-9-]*"), 'not a region; write for example "eu-central-1"'),
    ] = ""
    key_id: str = ""
    secret_key: Annotated[str, PlainSerializer(hidden, when_used="json"), Field(repr=False)] = ""
    secret_key_file: str = ""
    credentials_file: str = ""
    timeout: Timeout = 30.0


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
    admin: AdminSettings = AdminSettings()
    websub: WebSubSettings = WebSubSettings()
    fleet: FleetSettings = FleetSettings()
    s3: S3Settings = S3Settings()
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
