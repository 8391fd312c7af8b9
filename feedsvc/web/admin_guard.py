"""Who may change things: the token or a session, from our own pages, not too many guesses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from feedsvc.logs import logger
from feedsvc.web.admin_throttle import Throttle
from feedsvc.web.fair_use import Clients
from feedsvc.web.front import is_only_here
from feedsvc.web.sessions import LIFETIME, Sessions, Token

SECURE_COOKIE = "__Host-feedsvc"
"""RFC 6265bis §4.1.3.2: only from this very host, only encrypted."""
LOCAL_COOKIE = "feedsvc-admin"
"""On this machine, without encryption, where browsers refuse the prefix."""

log = logger(__name__)


class Refused(Exception):
    """A request that is not answered as asked, and what the client is told."""

    def __init__(
        self, status: int, title: str, detail: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers or {}


class NotSignedIn(Refused):
    """Whoever asks has to sign in first."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "Sign in first",
            "This is for who runs the site: sign in at /admin/sign-in, or send "
            "`Authorization: Bearer` and the token.",
            headers={"www-authenticate": 'Bearer realm="feedsvc"'},
        )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may change things."""

    who: str
    """As the audit log names them: `admin@192.0.2.7`."""
    by_cookie: bool


class Guard:
    """Decides about every request for /admin."""

    def __init__(
        self,
        token: Token,
        sessions: Sessions,
        throttle: Throttle,
        clients: Clients,
        *,
        base_url: str,
    ) -> None:
        self._token = token
        self._sessions = sessions
        self._throttle = throttle
        self._clients = clients
        parts = urlsplit(base_url)
        self._base = (parts.scheme, parts.netloc.lower())

    def visitor(self, request: Request) -> Visitor:
        """Return who asks. Raises NotSignedIn, or Refused for wrong tokens and forged requests."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self._refuse_open_wire(request)
            self._check(request, given.strip())
            return Visitor(self._who(request), by_cookie=False)
        if not self._sessions.holds(self._cookie(request)):
            raise NotSignedIn
        if request.method not in {"GET", "HEAD"}:
            self.refuse_forged(request)
        return Visitor(self._who(request), by_cookie=True)

    def sign_in(self, request: Request, given: str) -> str:
        """Return the cookie line of a new session. Raises Refused for a wrong token."""
        self._refuse_open_wire(request)
        self._check(request, given)
        try:
            cookie = self._sessions.begin(instead_of=self._cookie(request))
        except OSError as error:
            log.warning("admin.read_only", reason=str(error))
            raise Refused(
                503,
                "This site is read-only",
                "Its folder data/ cannot be written here, so nobody can sign in.",
            ) from error
        log.info("admin.signed_in", who=self._who(request))
        return self._cookie_line(request, cookie, seconds=int(LIFETIME.total_seconds()))

    def sign_out(self, request: Request) -> str:
        """End the session; return the line that takes its cookie away."""
        self._sessions.end(self._cookie(request))
        return self._cookie_line(request, "", seconds=0)

    def has_cookie(self, request: Request) -> bool:
        """Tell whether a client brought a cookie of ours, whatever it is worth."""
        return self._cookie(request) is not None

    def refuse_forged(self, request: Request) -> None:
        """Raise Refused unless one of our own pages sent this; no token in a form is needed.

        Browsers tell where a request comes from in Sec-Fetch-Site, which no page can forge, or
        in Origin; who sends neither is no browser, and uses the token itself.
        """
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        known = origin is not None and self._is_ours(origin, request)
        # `null` is what browsers say where a policy hides the origin.
        contradicts = origin not in {None, "null"} and not known
        if contradicts or (site is None and not known) or site not in {None, "same-origin"}:
            log.warning("admin.forged", site=site or "", origin=origin or "")
            raise Refused(
                403,
                "This did not come from here",
                "The browser says that another site sent this request, or does not say who did, "
                "so nothing was done. If you pressed a button on this site, "
                "set site.base_url to the address in your browser.",
            )

    def _check(self, request: Request, given: str) -> None:
        client = self._address(request)
        wait = self._throttle.guess(
            self._clients.key(client, None, None) or client, lambda: self._token.fits(given)
        )
        if wait is None:
            return
        log.warning("admin.wrong_token", address=client)
        if wait > 0:
            seconds = math.ceil(wait)
            raise Refused(
                429,
                "Too many wrong tokens",
                f"Wait {seconds} s before the next one.",
                headers={"retry-after": str(seconds)},
            )
        raise Refused(
            401,
            "This is not the token",
            "The token stands in the site's settings: admin.token, or the file that "
            "admin.token_file names.",
            headers={"www-authenticate": 'Bearer realm="feedsvc"'},
        )

    def _refuse_open_wire(self, request: Request) -> None:
        if self._wire(request) == "open":
            raise Refused(
                403,
                "The connection is not encrypted",
                "Anybody on the way could read the token. Use https, with site.base_url saying "
                "so, or http on this machine itself (http://localhost).",
            )

    def _wire(self, request: Request) -> str:
        """Return `https`, `local` for this machine only, or `open`."""
        host = request.headers.get("host", "").lower()
        peer = request.client.host if request.client else ""
        forwarded = request.headers.get("x-forwarded-proto", "")
        if self._base == ("https", host) or (
            forwarded == "https" and self._clients.is_trusted(peer)
        ):
            return "https"
        return "local" if is_only_here(_hostname(host)) else "open"

    def _is_ours(self, origin: str, request: Request) -> bool:
        try:
            parts = urlsplit(origin.lower())
        except ValueError:
            return False
        host = request.headers.get("host", "").lower()
        scheme = "https" if self._wire(request) == "https" else "http"
        return (parts.scheme, parts.netloc) in {self._base, (scheme, host)}

    def _cookie(self, request: Request) -> str | None:
        name = SECURE_COOKIE if self._wire(request) == "https" else LOCAL_COOKIE
        return request.cookies.get(name)

    def _cookie_line(self, request: Request, value: str, *, seconds: int) -> str:
        made = Response()
        is_secure = self._wire(request) == "https"
        made.set_cookie(
            SECURE_COOKIE if is_secure else LOCAL_COOKIE,
            value,
            max_age=seconds,
            path="/",
            secure=is_secure,
            httponly=True,
            samesite="strict",
        )
        return made.headers["set-cookie"]

    def _address(self, request: Request) -> str:
        peer = request.client.host if request.client else "unknown"
        headers = request.headers
        return self._clients.address(peer, headers.get("x-forwarded-for"), headers.get("forwarded"))

    def _who(self, request: Request) -> str:
        return f"admin@{self._address(request)[:64]}"


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
