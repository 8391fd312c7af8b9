"""What an object store's refusals mean, and what to do about each; no answer is quoted whole."""

from __future__ import annotations

import re

from feedsvc.errors import ConfigurationError, FeedsvcError, NotFound, OutOfSpace, Temporary

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,60})\s*</Code>")
# Where machines and containers are told the credentials of their role; nothing else is asked there.
_ROLE = re.compile(r"Error performing \w+ https?://[^/\s]+/(?:latest/|v2/credentials)")
_KEYS = "correct s3.key_id and s3.secret_key_file, or s3.credentials_file"

_CREDENTIALS = {
    "SignatureDoesNotMatch": f"the store does not know this secret; {_KEYS}",
    "InvalidAccessKeyId": f"the store does not know this key; {_KEYS}",
    "AuthFailure": f"the store does not know this key; {_KEYS}",
    "InvalidToken": f"the session token is not accepted; {_KEYS}",
    "ExpiredToken": f"the session token has expired; {_KEYS}",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it, or run an NTP client",
}
_PLACE = {
    "NoSuchBucket": "there is no such bucket: make it, or correct the address",
    "PermanentRedirect": "the bucket is in another region: correct s3.region or s3.endpoint",
    "TemporaryRedirect": "the bucket is in another region: correct s3.region or s3.endpoint",
    "AuthorizationHeaderMalformed": "the bucket is in another region: correct s3.region",
    "IllegalLocationConstraintException": "the bucket is in another region: correct s3.region",
    "InvalidBucketName": "no bucket is called so: correct the address",
    "NotImplemented": "the store cannot do this: use one that takes conditional writes",
}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "EntityTooLargeForQuota", "InsufficientStorage"}
# Names of Rust's error kinds, which the client library shows behind its own sentence.
_SET_UP = {
    "InvalidContentType": (
        "what answers there speaks no TLS: correct s3.endpoint, http:// for a store without it"
    ),
    "InvalidCertificate": (
        "the store's certificate is not trusted here: correct s3.endpoint, or install the "
        "certificate of its authority on this machine"
    ),
    "UnknownIssuer": (
        "the store's certificate is not trusted here: correct s3.endpoint, or install the "
        "certificate of its authority on this machine"
    ),
    "scheme is not allowed": "s3.endpoint has to begin with https://, or with http://",
}
_BROKEN = {
    "source: TimedOut": "the store does not answer in time",
    "kind: Timeout": "the store does not answer in time",
    "kind: ConnectionRefused": "nothing answers at the store's address",
    '"dns error"': "the name in s3.endpoint is not known to DNS",
}
_ELSE = "the connection to the store broke"
_BUSY = {408, 409, 425, 429}


def explained(error: Exception, *, doing: str, place: str) -> FeedsvcError:
    """Return what to raise for an error of the client library; ``doing`` is what was tried."""
    text = str(error)
    if _ROLE.search(text):
        return ConfigurationError(
            f"{place}: no credentials are configured, and this machine gives none: set s3.key_id "
            "and s3.secret_key_file, s3.credentials_file, or the AWS_ variables"
        )
    status = int(found[1]) if (found := _STATUS.search(text)) else None
    code = found[1] if (found := _CODE.search(text)) else ""
    if code in _CREDENTIALS | _PLACE:
        return ConfigurationError(f"{place}: {(_CREDENTIALS | _PLACE)[code]}")
    if status == 507 or code in _FULL:
        return OutOfSpace(
            f"{place}: the store is full or its quota is used up; make room there, what was there "
            "is kept"
        )
    if status == 404 or isinstance(error, FileNotFoundError):
        return NotFound(f"{place} is missing")
    if status in {401, 403} or _is_forbidden(error):
        return ConfigurationError(
            f"{place}: may not be {doing}: give the key that right, or {_KEYS}"
        )
    if status in {301, 307, 308}:
        return ConfigurationError(
            f"{place}: the store is elsewhere: correct s3.endpoint or s3.region"
        )
    if status is not None and 400 <= status < 500 and status not in _BUSY:
        said = f" ({code})" if code else ""
        return ConfigurationError(
            f"{place}: the store refuses to have it {doing}, status {status}{said}: check "
            "s3.endpoint, s3.region and the address"
        )
    return _unanswered(text, status, doing=doing, place=place)


def _is_forbidden(error: Exception) -> bool:
    return type(error).__name__ in {"PermissionDeniedError", "UnauthenticatedError"}


def _unanswered(text: str, status: int | None, *, doing: str, place: str) -> FeedsvcError:
    """Return what to raise where no answer came, or none that says anything about the request."""
    for sign, remedy in _SET_UP.items():
        if sign in text:
            return ConfigurationError(f"{place}: {remedy}")
    reason = next((words for sign, words in _BROKEN.items() if sign in text), _ELSE)
    if status is not None:
        reason = f"the store answers with status {status}"
    return Temporary(f"{place}: could not be {doing}: {reason}; it is tried again later")
