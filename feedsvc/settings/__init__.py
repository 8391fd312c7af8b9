"""Settings: `config/feedsvc.toml`, then `FEEDSVC_SECTION__KEY`, every key with a default.

Plain pydantic, not pydantic-settings: its import costs each command another 75 ms of CPU, and its
environment source stops at the first bad value, where we list every problem with its line.
"""

from feedsvc.settings.loading import (
    CONFIG_FILE,
    DEFAULT,
    FEEDS_FILE,
    TOPICS_FILE,
    find_root,
    load_settings,
)
from feedsvc.settings.sections import KEYS, SECTIONS, Settings
from feedsvc.settings.values import (
    Schedule,
    format_duration,
    format_size,
    parse_duration,
    parse_schedule,
    parse_size,
)

__all__ = [
    "CONFIG_FILE",
    "DEFAULT",
    "FEEDS_FILE",
    "KEYS",
    "SECTIONS",
    "TOPICS_FILE",
    "Schedule",
    "Settings",
    "find_root",
    "format_duration",
    "format_size",
    "load_settings",
    "parse_duration",
    "parse_schedule",
    "parse_size",
]
