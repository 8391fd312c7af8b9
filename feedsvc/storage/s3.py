"""A bucket of an S3-compatible object store, through obstore; every refusal is explained."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any, TypeVar

from feedsvc.errors import ConfigurationError, FeedsvcError, Temporary
from feedsvc.storage.s3_access import SCHEME, Credentials, S3Access, StoredObject
from feedsvc.storage.s3_failures import explained

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta, UpdateVersion
    from obstore.store import S3Store

PART = 8 << 20
"""Bytes of one part of a large object: never more of them are in memory than `_AT_ONCE` parts."""
_AT_ONCE = 4
_TRIES = 8
_PAUSES = (0.2, 1.0, None)
"""Seconds before another try of what the client does not try again by itself."""
_FRESH = 30.0
"""Seconds after which files with credentials are read again: they may have been replaced."""
_PAGE = 1000

T = TypeVar("T")


class Bucket:
    """Objects below a prefix of a bucket. Nothing is asked before the first call.

    Raises ConfigurationError where the library is not installed.
    """

    def __init__(self, name: str, prefix: str, access: S3Access) -> None:
        self.name = name
        self.prefix = prefix
        self.access = access
        self._store: S3Store | None = None
        self._signing: Credentials | None = None
        self._looked = 0.0
        self._lock = threading.Lock()
        if find_spec("obstore") is None:
            raise ConfigurationError(
                f"{self.place()}: an object store needs obstore: run `pip install 'feedsvc[fleet]'`"
            )

    def __reduce__(self) -> tuple[object, ...]:
        return (Bucket, (self.name, self.prefix, self.access))

    def place(self, key: str = "") -> str:
        """Return the address of an object, or of all of them."""
        return SCHEME + "/".join(part for part in (self.name, self.prefix, key) if part)

    def head(self, key: str) -> StoredObject:
        """Return what is known of an object. Raises NotFound."""
        import obstore

        return _described(self._ask("looked at", key, lambda store: obstore.head(store, key)))

    def objects(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """Yield objects whose keys begin so and follow ``after``, in order of their keys."""
        import obstore

        folder = prefix.rpartition("/")[0]

        def page(store: S3Store) -> Sequence[ObjectMeta]:
            pages = obstore.list(store, folder or None, offset=after or None, chunk_size=_PAGE)
            return next(pages, [])

        while found := self._again(lambda: self._ask("listed", folder, page)):
            for one in found:
                if one["path"].startswith(prefix):
                    yield _described(one)
                elif one["path"] > prefix:
                    return
            if len(found) < _PAGE:
                return
            after = found[-1]["path"]

    def level(self, folder: str = "") -> tuple[list[str], list[StoredObject]]:
        """Return the folders and the objects of one level. Raises ValueError for odd keys."""
        import obstore

        found = self._ask(
            "listed", folder, lambda store: obstore.list_with_delimiter(store, folder or None)
        )
        return list(found["common_prefixes"]), [_described(one) for one in found["objects"]]

    def fetch(
        self, key: str, start: int, length: int, *, etag: str = ""
    ) -> tuple[StoredObject, bytes]:
        """Return at most ``length`` bytes from ``start`` on; fewer, or none, at the end.

        Raises NotFound, and Temporary if the object is not any more what ``etag`` names.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        def get(store: S3Store) -> tuple[StoredObject, bytes]:
            options: GetOptions = {"range": (start, start + length)}
            if etag:
                options["if_match"] = etag
            found = obstore.get(store, key, options=options)
            return _described(found.meta), bytes(found.bytes())

        try:
            return self._again(lambda: self._ask("read", key, get, also=PreconditionError))
        except PreconditionError:
            raise Temporary(
                f"{self.place(key)} changed while it was read; it is read again later"
            ) from None
        except _BeyondEnd:
            return self.head(key), b""

    def put(
        self,
        key: str,
        data: bytes,
        *,
        etag: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> bool:
        """Store an object, replacing any; with ``etag`` only that one: else False.

        ``attributes``: headers that the store is to serve it with.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        def replace(store: S3Store) -> object:
            if etag is None:
                said: Any = dict(attributes) if attributes else None
                return obstore.put(store, key, data, use_multipart=False, attributes=said)
            version: UpdateVersion = {"e_tag": etag}
            return obstore.put(store, key, data, use_multipart=False, mode=version)

        try:
            self._ask("written", key, replace, also=PreconditionError)
        except PreconditionError:
            return self._holds(key, data)
        return True

    def create(self, key: str, data: bytes) -> bool:
        """Store a new object; False if there is one of that name with other bytes."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        def create(store: S3Store) -> object:
            return obstore.put(store, key, data, mode="create", use_multipart=False)

        try:
            self._again(lambda: self._ask("written", key, create, also=AlreadyExistsError))
        except AlreadyExistsError:
            # It may be ours: the answer to an earlier try got lost.
            return self._holds(key, data)
        return True

    def upload(self, key: str, file: IO[bytes]) -> None:
        """Store a large object in parts, replacing any; it appears whole or not at all."""
        import obstore

        def put(store: S3Store) -> object:
            file.seek(0)
            return obstore.put(
                store, key, file, use_multipart=True, chunk_size=PART, max_concurrency=_AT_ONCE
            )

        self._ask("written", key, put)

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        import obstore

        self._again(lambda: self._ask("deleted", key, lambda store: obstore.delete(store, key)))

    def _holds(self, key: str, data: bytes) -> bool:
        if self.head(key).size != len(data):
            return False
        return self.fetch(key, 0, len(data) + 1)[1] == data

    def _again(self, ask: Callable[[], T]) -> T:
        """Ask again where the client itself does not, such as in the middle of an answer."""
        ending = time.monotonic() + 2 * self.access.timeout
        for pause in _PAUSES:
            try:
                return ask()
            except Temporary:
                if pause is None or time.monotonic() + pause > ending:
                    raise
                time.sleep(pause)
        raise AssertionError  # pragma: no cover - the last pause is None

    def _ask(
        self,
        doing: str,
        key: str,
        ask: Callable[[S3Store], T],
        *,
        also: type[Exception] = FeedsvcError,
    ) -> T:
        """Return what the store answers; an error of ``also`` passes as it is."""
        from obstore.exceptions import BaseError, InvalidPathError

        store = self._client()
        try:
            return ask(store)
        except also:
            raise
        except InvalidPathError:
            raise ValueError(f"{self.place(key)}: a key in it is no path") from None
        except (BaseError, OSError) as error:
            if "status code: 416" in str(error):
                raise _BeyondEnd from None
            # The library's own words hold the whole answer, which is for nobody's log.
            raise explained(error, doing=doing, place=self.place(key)) from None

    def _client(self) -> S3Store:
        with self._lock:
            now = time.monotonic()
            if self._store is None or (self.access.is_named and now - self._looked > _FRESH):
                signing = self.access.credentials() if self.access.is_named else None
                if self._store is None or signing != self._signing:
                    self._store, self._signing = self._connect(signing), signing
                self._looked = now
            return self._store

    def _connect(self, signing: Credentials | None) -> S3Store:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        access = self.access
        config: dict[str, Any] = {"disable_bulk_delete": True}
        config |= {"endpoint": access.endpoint} if access.endpoint else {}
        config |= {"region": access.region} if access.region else {}
        if signing is not None:
            # A provider rather than keys: with those, a token of the environment would go along.
            config["credential_provider"] = lambda: {
                "access_key_id": signing.key_id,
                "secret_access_key": signing.secret_key,
                "token": signing.token,
                "expires_at": None,
            }
        seconds = timedelta(seconds=access.timeout)
        try:
            return S3Store(
                self.name,
                prefix=self.prefix or None,
                client_options={
                    "allow_http": access.endpoint.startswith("http://"),
                    "connect_timeout": min(seconds, timedelta(seconds=5)),
                    "timeout": seconds,
                },
                retry_config={
                    "max_retries": _TRIES,
                    "retry_timeout": 2 * seconds,
                    "backoff": {
                        "init_backoff": timedelta(seconds=0.1),
                        "max_backoff": min(seconds, timedelta(seconds=5)),
                    },
                },
                **config,
            )
        except (BaseError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"{self.place()}: the store's settings do not fit together "
                f"({type(error).__name__}): check s3.endpoint and s3.region"
            ) from None


class _BeyondEnd(Exception):
    """A range was asked for that begins behind the end."""


def _described(meta: ObjectMeta) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"] or "")
