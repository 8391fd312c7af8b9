"""OpenStack Swift with its S3 interface in one process: run by the object stores' environment.

Called as `python tests/swift_server.py FOLDER`; prints the port once it listens on loopback.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

KEY_ID, SECRET_KEY = "test:tester", "secret-of-the-tests"

_PROXY = f"""
[pipeline:main]
pipeline = catch_errors cache s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 1048576
[filter:tempauth]
use = egg:swift#tempauth
user_{KEY_ID.replace(":", "_")} = {SECRET_KEY} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
"""
_STORES = ("account", "container", "object")


def main(folder: Path) -> None:
    """Serve as long as whoever started this lives; what is stored lies below ``folder``."""
    eventlet: Any = import_module("eventlet")
    eventlet.monkey_patch()
    settings = folder / "settings"
    settings.mkdir()
    (folder / "disks" / "disk").mkdir(parents=True)
    (settings / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    import_module("swift.common.utils").set_swift_dir(str(settings))
    import_module("swift.common.storage_policy").reload_storage_policies()
    sockets = {name: eventlet.listen(("127.0.0.1", 0), backlog=128) for name in (*_STORES, "proxy")}
    for name in _STORES:
        _place(settings, name, sockets[name].getsockname()[1])
    common = (
        f"[DEFAULT]\nswift_dir = {settings}\ndevices = {folder}/disks\nmount_check = false\n"
        f"workers = 0\nlog_level = ERROR\nlog_address = {folder}/log\n"
    )
    load = import_module("swift.common.wsgi").loadapp
    for name, socket in sockets.items():
        alone = f"[pipeline:main]\npipeline = one\n[app:one]\nuse = egg:swift#{name}\n"
        path = settings / f"{name}.conf"
        path.write_text(common + (_PROXY if name == "proxy" else alone))
        eventlet.spawn(
            import_module("eventlet.wsgi").server,
            socket,
            load(str(path)),
            logging.getLogger(name),
            log_output=False,
        )
    sys.stdout.write(f"{sockets['proxy'].getsockname()[1]}\n")
    sys.stdout.flush()
    starter = os.getppid()
    while os.getppid() == starter:
        eventlet.sleep(1)


def _place(settings: Path, name: str, port: int) -> None:
    """Write the ring that says where one of the three kinds of servers is."""
    builder = import_module("swift.common.ring.builder").RingBuilder(0, 1, 0)
    here = {"ip": "127.0.0.1", "port": port}
    there = {"replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev(
        {"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1.0, **here, **there}
    )
    builder.rebalance()
    builder.get_ring().save(str(settings / f"{name}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
