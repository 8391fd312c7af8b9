"""What articles are sorted and filed by, as a site's files say: vocabulary, rules, searches."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from feedsvc.errors import ConfigurationError
from feedsvc.settings import CONFIG_FILE, FEEDS_FILE, TOPICS_FILE

if TYPE_CHECKING:
    from feedsvc.classify import Classifier
    from feedsvc.classify.filing import Filing


def read_classifier(path: Path) -> Classifier:
    """Return the vocabulary and rules of a topics.toml, the built-in ones if there is no file.

    Raises ConfigurationError with file, line and remedy.
    """
    from feedsvc.classify import default_vocabulary, vocabulary_text

    content = _configured(path, TOPICS_FILE)
    if content is None:
        return _classifier(default_vocabulary(), "the built-in vocabulary")
    return _classifier(vocabulary_text(content, source=TOPICS_FILE), TOPICS_FILE)


@lru_cache(maxsize=2)
def _classifier(toml: str, source: str) -> Classifier:
    # 150 ms to make and the same for the same text, so that a reload of the settings keeps it.
    from feedsvc.classify import Classifier

    return Classifier(toml, source=source)


def read_filing(path: Path, *, also: Collection[str]) -> Filing:
    """Return what articles are filed by: the kinds turned on, and the searches of a feeds.toml.

    Raises ConfigurationError with file, line and remedy.
    """
    from feedsvc.classify.filing import FILED, Filing

    kinds = frozenset(FILED[name] for name in also if name in FILED)
    content = _configured(path, FEEDS_FILE)
    if content is None:
        return Filing(kinds)
    from feedsvc.classify import vocabulary_text
    from feedsvc.classify.searches import read_searches

    text = vocabulary_text(content, source=FEEDS_FILE)
    return Filing(kinds, read_searches(text, source=FEEDS_FILE))


def stamp_of(path: Path) -> object:
    """Return what changes whenever a file is edited; None for one that is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


class EditWatch:
    """Tells once of each edit of a site's configuration."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stamps = self._look()

    def edited(self) -> list[str]:
        """Return the files that changed since the last call."""
        before, self._stamps = self._stamps, self._look()
        return [name for name, stamp in self._stamps.items() if stamp != before[name]]

    def _look(self) -> dict[str, object]:
        return {
            name: stamp_of(self._root / name) for name in (CONFIG_FILE, TOPICS_FILE, FEEDS_FILE)
        }


def _configured(path: Path, name: str) -> bytes | None:
    """Return the bytes of a file that a site may do without. Raises ConfigurationError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise ConfigurationError(
            f"{name}: this is a folder; move it away, and write a file of that name or do without"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{name}: cannot be read: {error.strerror}; check its owner and permissions"
        ) from error
