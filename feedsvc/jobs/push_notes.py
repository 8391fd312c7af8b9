"""What a publication leaves to be told: noted in its own transaction, told by another job."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from feedsvc.model import Kind, Task, is_topic, own_hub
from feedsvc.runtime import Runtime
from feedsvc.storage.store import Store


def note_pushes(
    runtime: Runtime,
    store: Store,
    changed: Mapping[str, tuple[str, int]],
    *,
    gone: Collection[str] = (),
) -> int:
    """Owe the feed files that changed, or are gone, to hubs and subscribers; return how many calls.

    ``changed``: name -> SHA-256 and size. Archive pages and private feeds are told to nobody.
    Once the transaction is committed, set ``runtime.push_news``.
    """
    websub = runtime.settings.websub
    hubs = [hub for hub in dict.fromkeys(websub.hubs) if hub != own_hub(runtime.site.base_url)]
    digests = {name: digest for name, (digest, _) in changed.items() if is_topic(name)}
    noted = store.note_gone([name for name in gone if is_topic(name)], now=runtime.now())
    if digests and (hubs or websub.enabled):
        noted += store.note_published(
            digests, hubs=hubs, subscribed=websub.enabled, now=runtime.now()
        )
    if noted:
        store.wanted.add(Task(Kind.PUSH))
    return noted
