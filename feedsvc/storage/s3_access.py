"""How an object store is reached: its address, where it answers and what it is to be told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from feedsvc.errors import ConfigurationError
from feedsvc.storage.blobs import SEGMENT

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]{1,61}[a-z0-9])")
_FOUR_NUMBERS = re.compile(r"\d+(?:\.\d+){3}")
_EXAMPLE = "write s3://bucket or s3://bucket/prefix"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a listing tells of an object."""

    key: str
    """Its name below the prefix."""
    size: int
    written: datetime
    etag: str
    """Another one after each change; empty where the store keeps none."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What requests are signed with."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class S3Access:
    """Where an object store answers, how long it is waited for, and where its credentials are.

    Whatever is empty is what the AWS_ variables of the environment say, else Amazon's default.
    """

    endpoint: str = ""
    region: str = ""
    timeout: float = 30.0
    """Seconds for one request; tries end after twice as long."""
    key_id: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    secret_key_file: Path | None = None
    credentials_file: Path | None = None
    profile: str = "default"

    @property
    def is_named(self) -> bool:
        """Whether credentials are configured here, and not left to the environment."""
        return bool(self.key_id or self.credentials_file)

    def credentials(self) -> Credentials:
        """Return what requests are signed with, read now. Raises ConfigurationError."""
        if self.credentials_file is not None:
            return _from_file(self.credentials_file, self.profile)
        secret = self.secret_key
        if self.secret_key_file is not None:
            secret = _text(self.secret_key_file, "s3.secret_key_file").strip()
        if not secret:
            raise ConfigurationError(
                "s3.key_id is set and its secret is not: set s3.secret_key_file to a file that "
                "holds it (or s3.secret_key)"
            )
        return Credentials(self.key_id, secret)


def parse_address(address: str) -> tuple[str, str]:
    """Return bucket and prefix of an s3:// address; raise ValueError that says what is wrong."""
    if not address.startswith(SCHEME):
        raise ValueError(f"not an address of an object store; {_EXAMPLE}")
    if "@" in address:
        raise ValueError(
            "credentials do not belong into an address; set s3.key_id and s3.secret_key_file, "
            "or s3.credentials_file"
        )
    if "?" in address or "#" in address:
        raise ValueError(f"no query or fragment belongs here; {_EXAMPLE}")
    bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _FOUR_NUMBERS.fullmatch(bucket):
        raise ValueError(
            "no bucket is called so: 3 to 63 lower-case letters, digits, hyphens and dots, a "
            f"letter or digit first and last; {_EXAMPLE}"
        )
    prefix = prefix.rstrip("/")
    if prefix and not all(SEGMENT.fullmatch(one) for one in prefix.split("/")):
        raise ValueError(
            "the prefix may hold letters, digits, '.', '_' and '-', in segments that begin with "
            f"a letter, a digit or '_'; {_EXAMPLE}"
        )
    return bucket, prefix


def _from_file(path: Path, profile: str) -> Credentials:
    """Read a file in the format of ~/.aws/credentials."""
    import configparser

    parser = configparser.ConfigParser(interpolation=None, default_section="\0")
    try:
        parser.read_string(_text(path, "s3.credentials_file"))
    except configparser.Error as error:
        # What the parser says quotes the line, which may be the secret.
        line = getattr(error, "lineno", None)
        raise ConfigurationError(
            f"s3.credentials_file {path}{f', line {line}' if line else ''}: not in the format of "
            f"~/.aws/credentials; write [{profile}], aws_access_key_id = … and "
            "aws_secret_access_key = …"
        ) from None
    section = parser[profile] if parser.has_section(profile) else {}
    key_id, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    if not key_id or not secret:
        raise ConfigurationError(
            f"s3.credentials_file {path}: [{profile}] does not hold both aws_access_key_id and "
            "aws_secret_access_key; add them, or name another profile in AWS_PROFILE"
        )
    return Credentials(key_id, secret, section.get("aws_session_token") or None)


def _text(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigurationError(
            f"{setting} {path}: {reason}; name a file that feedsvc may read"
        ) from None
