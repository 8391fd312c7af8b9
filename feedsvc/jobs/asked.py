"""The audit log of what people had done from afar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedsvc.model import AuditEntry
from feedsvc.runtime import Runtime


def note_request(
    runtime: Runtime, action: str, *, who: str, subject: str = "", details: Mapping[str, Any]
) -> AuditEntry:
    """Write down who asked for what, before it is done; return the entry."""
    entry = AuditEntry(runtime.now(), who, action, subject, "", dict(details))
    with runtime.database.transaction() as store:
        store.put_audit(entry)
    return entry
