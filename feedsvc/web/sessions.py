"""Who is signed in: random cookies, of which only a digest is kept, in small files.

Files, as the site may be served by several processes; they outlive a restart and end with the
token that was used to sign in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from feedsvc.errors import ConfigurationError
from feedsvc.settings import Settings

FOLDER = "data/admin/sessions"
LIFETIME = timedelta(hours=12)
MOST_SESSIONS = 50
SHORTEST_TOKEN = 16
_LONGEST_COOKIE = 200


@dataclass(frozen=True, slots=True)
class Token:
    """The admin's secret, of which only the digest is kept in memory."""

    digest: bytes

    def fits(self, given: str) -> bool:
        """Tell whether that is the token; takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(_digest(given), self.digest)

    @property
    def mark(self) -> str:
        """What sessions remember of the token: another one ends them."""
        return hashlib.sha256(b"sessions of " + self.digest).hexdigest()[:32]


def configured_token(settings: Settings) -> Token | None:
    """Return the admin's token, None where /admin is off. Raises ConfigurationError."""
    admin = settings.admin
    if not admin.token_file:
        return Token(_digest(admin.token)) if admin.token else None
    place = settings.origins.get("admin.token_file", "admin.token_file")
    try:
        text = (settings.root / admin.token_file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not ASCII text"
        raise ConfigurationError(
            f"{place}: admin.token_file {admin.token_file}: {reason}; write the token into it, "
            "and let feedsvc read it"
        ) from error
    if len(text) < SHORTEST_TOKEN or not text.isprintable() or " " in text:
        raise ConfigurationError(
            f"{place}: admin.token_file {admin.token_file}: a token has at least {SHORTEST_TOKEN} "
            "characters without spaces; make one with `openssl rand -hex 24`"
        )
    return Token(_digest(text))


class Sessions:
    """Sessions of one site."""

    def __init__(self, folder: Path, *, token: Token, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._token = token
        self._now = now

    def begin(self, *, instead_of: str | None = None) -> str:
        """Return the cookie of a new session, and end the one it takes the place of.

        What a client brought along never becomes a session. Raises OSError where nothing can be
        written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.end(instead_of)
        self._tidy()
        cookie = secrets.token_urlsafe(32)
        ends = self._now() + LIFETIME
        text = json.dumps({"ends": ends.timestamp(), "token": self._token.mark})
        handle = os.open(self._path(cookie), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        return cookie

    def holds(self, cookie: str | None) -> bool:
        """Tell whether a cookie is that of a session."""
        if not cookie or len(cookie) > _LONGEST_COOKIE:
            return False
        try:
            kept = json.loads(self._path(cookie).read_text(encoding="ascii"))
            lasts = float(kept["ends"]) > self._now().timestamp()
            return lasts and hmac.compare_digest(str(kept["token"]), self._token.mark)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def end(self, cookie: str | None) -> None:
        """Forget a session, if there is one."""
        if cookie and len(cookie) <= _LONGEST_COOKIE:
            self._path(cookie).unlink(missing_ok=True)

    def _path(self, cookie: str) -> Path:
        return self._folder / _digest(cookie).hex()

    def _tidy(self) -> None:
        """Remove what is over, and the oldest where there are too many."""
        oldest = (self._now() - LIFETIME).timestamp()
        files: list[tuple[float, Path]] = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                files.append((path.stat().st_mtime, path))
        files.sort()
        for number, (written, path) in enumerate(files):
            if written < oldest or number <= len(files) - MOST_SESSIONS:
                path.unlink(missing_ok=True)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
