"""The background service: scheduler, watcher and web server under one set of signals."""

from feedsvc.daemon.lock import single_instance
from feedsvc.daemon.service import Service

__all__ = ["Service", "single_instance"]
