"""Reading settings: the file, then the environment; every problem with its place."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from feedsvc import __version__
from feedsvc.errors import ConfigurationError
from feedsvc.settings.sections import KEYS, SECTIONS, Settings
from feedsvc.settings.values import format_duration
from feedsvc.text import redacted

CONFIG_FILE = "config/feedsvc.toml"
TOPICS_FILE = "config/topics.toml"
FEEDS_FILE = "config/feeds.toml"
ENVIRONMENT_PREFIX = "FEEDSVC_"
DEFAULT = "default"

_OTHER_VARIABLES = {"FEEDSVC_ROOT", "FEEDSVC_LOG"}
# Tests have their own; Kubernetes sets the second kind for a service that is called feedsvc.
_FOREIGN_VARIABLE = re.compile(
    r"FEEDSVC_(TEST_\w+|SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)\w*)?)"
)


def find_root(root: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the site's folder, absolute: as given, else FEEDSVC_ROOT, else the current one."""
    chosen = (root or Path(environ.get("FEEDSVC_ROOT") or ".")).expanduser()
    if not chosen.is_dir():
        raise ConfigurationError(
            f"{chosen}: there is no such folder; `feedsvc init {chosen}` makes a new site"
        )
    return chosen.resolve()


def load_settings(
    root: Path | None = None, *, environ: Mapping[str, str] | None = None
) -> Settings:
    """Return the effective settings of a site; ConfigurationError lists every problem, one a line."""
    environ = os.environ if environ is None else environ
    root = find_root(root, environ)
    values: dict[str, object] = {}
    origins = dict.fromkeys(KEYS, DEFAULT)
    problems: list[str] = []
    for key, value, origin, problem in (*_from_file(root), *_from_environment(environ)):
        if problem:
            problems.append(f"{origin}: {problem}")
        else:
            values[key], origins[key] = value, origin
    nested: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
    for key, value in values.items():
        section, _, name = key.partition(".")
        nested[section][name] = value
    try:
        settings = Settings(root=root, origins=MappingProxyType(origins), **nested)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        problems += [_explain(item, origins) for item in error.errors()]
    else:
        problems += _conflicts(settings)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return _complete(settings)


_Found = tuple[str, object, str, str]
"""Key, value, where it stands, and what is wrong with it (empty: nothing)."""


def _from_file(root: Path) -> Iterator[_Found]:
    try:
        text = (root / CONFIG_FILE).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        yield "", None, CONFIG_FILE, f"not UTF-8 text (byte {error.start}); save it as UTF-8"
        return
    except OSError as error:
        yield "", None, CONFIG_FILE, f"cannot be read: {error.strerror}; check its permissions"
        return
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        number = line[1] if line else str(text.count("\n") + 1)
        yield "", None, f"{CONFIG_FILE}:{number}", f"not TOML: {str(error).partition(' (at ')[0]}"
        return
    lines = key_lines(text)

    def place(key: str) -> str:
        number = lines.get(key) or lines.get(key.partition(".")[0])
        return f"{CONFIG_FILE}:{number}" if number else CONFIG_FILE

    for section, table in tables.items():
        if section not in SECTIONS:
            yield (
                "",
                None,
                place(section),
                f"unknown {_named(section, table)}{_did_you_mean(section)}",
            )
        elif not isinstance(table, dict):
            yield (
                "",
                None,
                place(section),
                f"{section} is a section; write [{section}] and its keys below",
            )
        else:
            for name, value in table.items():
                key = f"{section}.{name}"
                problem = "" if key in KEYS else f"unknown key {key}{_did_you_mean(key)}"
                yield key, value, place(key), problem


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Found]:
    known = {f"{ENVIRONMENT_PREFIX}{key.replace('.', '__')}".upper(): key for key in KEYS}
    for variable, value in environ.items():
        if variable in known:
            yield known[variable], value, variable, ""
        elif (
            variable.startswith(ENVIRONMENT_PREFIX)
            and variable not in _OTHER_VARIABLES
            and not _FOREIGN_VARIABLE.fullmatch(variable)
        ):
            yield (
                "",
                None,
                variable,
                f"unknown environment variable{_nearest(variable, list(known))}",
            )


_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_HEADER_LINE = re.compile(rf"\s*\[\[?\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")
_KEY_LINE = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")


def key_lines(text: str) -> dict[str, int]:
    """Return the line, from 1, of each table and key of a valid TOML text; tomllib keeps none."""
    lines: dict[str, int] = {}
    table, inside = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            if header := _HEADER_LINE.match(line):
                table = _plain_key(header[1])
                lines.setdefault(table, number)
            elif key := _KEY_LINE.match(line):
                name = _plain_key(key[1])
                lines.setdefault(f"{table}.{name}" if table else name, number)
        for quote in ('"""', "'''"):
            if inside in ("", quote) and line.count(quote) % 2:
                inside = "" if inside else quote
    return lines


def _plain_key(key: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_PART, key))


def _named(name: str, value: object) -> str:
    return f"section [{name}]" if isinstance(value, dict) else f"key {name}"


def _did_you_mean(key: str) -> str:
    same_name = [known for known in KEYS if known.partition(".")[2] == key.rpartition(".")[2]]
    if "." not in key and not same_name:
        return _nearest(key, list(SECTIONS))
    return f"; did you mean {same_name[0]}?" if same_name else _nearest(key, list(KEYS))


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else "; `feedsvc config show` lists every key"


_SECRETS = {"admin.token", "s3.secret_key"}
_USER = re.compile(r"//[^/@\s]*@")


def _explain(item: Any, origins: Mapping[str, str]) -> str:
    """Say where and why, of one of pydantic's errors."""
    key = ".".join(str(part) for part in item["loc"][:2])
    reason = item.get("ctx", {}).get("error") or item["msg"]
    value = "***" if key in _SECRETS else _USER.sub("//***@", redacted(repr(item["input"])))
    return f"{origins.get(key, DEFAULT)}: {key} = {value}: {reason}"


def _conflicts(settings: Settings) -> Iterator[str]:
    """Find values that are right one by one, but not together."""
    folders = [_place(settings, path) for path in settings.seeds.paths]
    place = settings.origins["seeds.paths"]
    archive, feeds = (_place(settings, one) for one in (settings.archive.store, settings.feeds.dir))
    for number, folder in enumerate(folders):
        for other in folders[:number]:
            if folder.is_relative_to(other) or other.is_relative_to(folder):
                yield (
                    f"{place}: seeds.paths: {_shown(folder)} and {_shown(other)} hold the same "
                    "files; name one of them"
                )
        for key, path in (("feeds.dir", feeds), ("archive.store", archive)):
            if path.is_relative_to(folder):
                yield (
                    f"{place}: seeds.paths: {_shown(folder)} contains {key}, so what is written "
                    "would be read as seeds"
                )
        if "://" in settings.archive.store and folder != archive and folder.is_relative_to(archive):
            yield (
                f"{place}: seeds.paths: {_shown(folder)} lies inside archive.store; give each a "
                "prefix of its own"
            )
    yield from _mixed_up(settings)
    if settings.admin.token and settings.admin.token_file:
        yield (
            f"{settings.origins['admin.token']}: admin.token and admin.token_file say the same "
            "twice; keep one of them"
        )
    yield from _of_store(settings)
    websub = settings.websub
    if not websub.min_lease <= websub.lease <= websub.max_lease:
        yield (
            f"{settings.origins['websub.lease']}: websub.lease: the usual lease has to lie between "
            f"websub.min_lease ({format_duration(websub.min_lease)}) and websub.max_lease "
            f"({format_duration(websub.max_lease)})"
        )


def _of_store(settings: Settings) -> Iterator[str]:
    """Find credentials of the object store that are named twice, or in part."""
    s3, origins = settings.s3, settings.origins
    if s3.credentials_file and (s3.key_id or s3.secret_key or s3.secret_key_file):
        yield (
            f"{origins['s3.credentials_file']}: s3.credentials_file and s3.key_id each name "
            "credentials; keep one of them"
        )
    elif s3.secret_key and s3.secret_key_file:
        yield (
            f"{origins['s3.secret_key']}: s3.secret_key and s3.secret_key_file say the same "
            "twice; keep one of them"
        )
    elif bool(s3.key_id) != bool(s3.secret_key or s3.secret_key_file):
        key = "key_id" if s3.key_id else "secret_key_file" if s3.secret_key_file else "secret_key"
        yield (
            f"{origins[f's3.{key}']}: s3.key_id and its secret belong together: set s3.key_id and "
            "s3.secret_key_file, or neither"
        )


def _place(settings: Settings, path: str) -> PurePosixPath:
    """Return where a folder is, or an address in a form that compares like one."""
    if "://" in path:
        return PurePosixPath(path.replace("://", ":/", 1))
    return PurePosixPath(os.path.normpath(settings.root / path))


def _shown(place: PurePosixPath) -> str:
    return re.sub(r"^([a-z0-9]+):/", r"\1://", str(place))


def _mixed_up(settings: Settings) -> Iterator[str]:
    """Find what would lie among the generated files, which nothing else may do."""

    def place(path: str) -> PurePosixPath:
        return _place(settings, path)

    feeds = place(settings.feeds.dir)
    others = {f"seeds.paths ({path})": place(path) for path in settings.seeds.paths}
    others |= {"config/": place("config"), "data/": place("data")}
    others |= {"archive.store": place(settings.archive.store)}
    kind, _, file = settings.database.url.partition(":///")
    if kind == "sqlite":
        others["the database"] = place(file.partition("?")[0])
    inside = [name for name, path in others.items() if path.is_relative_to(feeds)]
    if feeds.is_relative_to(others["archive.store"]):
        inside.append("archive.store")
    if inside:
        yield (
            f"{settings.origins['feeds.dir']}: feeds.dir: {_shown(feeds)} needs a folder of its own, for "
            f"generated files only: it is or shares the place of {', '.join(dict.fromkeys(inside))}"
        )


def _complete(settings: Settings) -> Settings:
    """Fill in the values whose default follows from others."""
    site, web, archive = settings.site, settings.web, settings.archive
    if settings.origins["site.base_url"] == DEFAULT:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(web.host, web.host)  # noqa: S104 - to connect to, not to listen on
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        site = site.model_copy(update={"base_url": f"http://{host}:{web.port}"})
    if not archive.user_agent:
        local = urlsplit(site.base_url).hostname in {"127.0.0.1", "::1", "localhost"}
        agent = f"feedsvc/{__version__}" if local else f"feedsvc/{__version__} (+{site.base_url})"
        archive = archive.model_copy(update={"user_agent": agent})
    if not site.author:
        site = site.model_copy(update={"author": site.title})
    return settings.model_copy(update={"site": site, "archive": archive})
