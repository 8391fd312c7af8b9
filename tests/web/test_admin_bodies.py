"""Laws of what is sent to the admin: nothing breaks it, nothing is read further than it may go."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedsvc.errors import SeedRejected
from feedsvc.jobs.upload import upload_name
from feedsvc.web import create_app
from feedsvc.web.admin import MOST_UPLOADED
from feedsvc.web.admin_bodies import MOST_BYTES, MULTIPART_BYTES
from tests.web.admin_rig import (
    BEARER,
    SEED,
    TOKEN,
    OpenSite,
    call,
    done,
    open_admin_site,
    problem,
    send,
    sign_in,
)
from tests.web.conftest import Library, Served, Servers, opened

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def site(open_site: OpenSite) -> tuple[Library, Served]:
    return open_admin_site(open_site, seeds={"max_size": 200_000})


def upload(served: Served, data: bytes, *, name: str = "a.md", kind: str = "text/plain") -> str:
    url = f"/admin/api/upload?name={name}"
    headers = BEARER | {"content-type": kind}
    answer = served.client.post(url, content=data, headers=headers)
    return problem(answer, answer.status_code)


def seeds(library: Library) -> list[str]:
    return [one.name for one in (library.runtime.root / "seeds").rglob("*") if one.is_file()]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "the file is empty. Write", id="empty"),
        pytest.param(b"\x00\x01\xfe\xff" * 1000, "a.md: ", id="binary"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(500), "a.md: ", id="a-picture"),
        pytest.param(b"---\ntitle: [\n---\n", "line 3", id="broken-front-matter"),
        pytest.param(b"# Only a title\n", "neither a text nor the address", id="no-text"),
    ],
)
def test_garbage_is_refused_with_place_and_remedy_and_leaves_no_file(
    site: tuple[Library, Served], data: bytes, said: str
) -> None:
    library, served = site
    detail = upload(served, data)
    assert said in detail
    assert seeds(library) == []


def test_a_name_that_no_seed_has_is_refused(site: tuple[Library, Served]) -> None:
    for name in ("a.exe", "a", "", ".md.exe", "%00"):
        assert "ends in .txt" in upload(site[1], SEED, name=name)


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_an_uploads_name_is_always_a_plain_name(name: str) -> None:
    try:
        stem, suffix = upload_name(f"{name}.md")
    except SeedRejected:
        return
    assert suffix == ".md"
    assert 1 <= len(stem.encode()) <= 80
    assert not set(stem) & set('/\\.\0\n :*?"<>|')
    assert not stem.startswith("-")


def test_too_much_is_refused_before_it_is_sent(site: tuple[Library, Served]) -> None:
    library, served = site
    head = (
        f"POST /admin/api/upload?name=a.md HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {1 << 40}\r\n\r\n"
    )
    answer = served.raw(head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer
    assert b"At most 200000 bytes" in answer
    assert seeds(library) == []


def test_too_much_that_was_not_announced_is_refused(site: tuple[Library, Served]) -> None:
    library, served = site
    headers = BEARER | {"content-type": "text/plain"}
    pieces = iter([SEED, *[b"x" * 10_000] * 21])
    answer = served.client.post("/admin/api/upload?name=a.md", content=pieces, headers=headers)
    assert "At most 200000 bytes" in problem(answer, 413)
    assert seeds(library) == []


def test_a_body_without_an_end_is_cut_off(site: tuple[Library, Served]) -> None:
    _, served = site
    head = (
        "POST /admin/api/upload?name=a.md HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: text/plain\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(head.encode())
        try:
            while sent < 100 * len(chunk):
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 100 * len(chunk)
    assert served.get("/healthz").status_code == 200


def test_who_has_not_signed_in_is_refused_before_anything_is_read(
    site: tuple[Library, Served],
) -> None:
    _, served = site
    head = (
        "POST /admin/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {MOST_UPLOADED}\r\n\r\n"
    )
    answer = served.raw(head.encode().replace(b"Connection: close\r\n", b""))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer


def test_an_upload_may_be_larger_than_any_other_request(site: tuple[Library, Served]) -> None:
    _, served = site
    large = SEED + b"\n" + b"A long text. " * 12_000
    assert len(large) > MOST_BYTES
    headers = BEARER | {"content-type": "text/markdown"}
    answer = served.client.post("/admin/api/upload?name=long.md", content=large, headers=headers)
    assert done(served, answer)["state"] in {"done", "partial"}
    over = b"url=" + b"x" * (MOST_BYTES + 1)
    for path in ("/admin/api/add", "/admin/api/rebuild"):
        answer = served.client.post(path, content=over, headers=BEARER | {"content-type": FORM})
        assert "At most" in problem(answer, 413)


def test_a_file_in_a_form_has_the_same_limit(site: tuple[Library, Served]) -> None:
    sign_in(site[1])
    for size in (200_001, 200_000 + 2 * MULTIPART_BYTES):
        answer = send(site[1], "/admin/upload", files={"file": ("a.md", b"x" * size)})
        assert answer.status_code == 413
        assert "too large" in answer.text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        pytest.param("application/xml", b"<a/>", 415, id="xml"),
        pytest.param("", b"url=x", 413, id="no-type"),
        pytest.param("application/json", b"{", 400, id="broken-json"),
        pytest.param("application/json", b"[]", 400, id="no-object"),
        pytest.param("application/json", b'{"url": 7}', 400, id="a-number"),
        pytest.param("application/json", b'{"url": {"a": "b"}}', 400, id="nested"),
        pytest.param("application/json", b'{"url": "\\ud800"}', 400, id="half-a-character"),
        pytest.param("application/json", b"[" * 30_000, 400, id="deep"),
        pytest.param(FORM, b"url=%ff", 400, id="not-utf-8"),
        pytest.param(FORM, b"&".join([b"a=b"] * 100), 400, id="many-fields"),
        pytest.param("multipart/form-data", b"x", 400, id="no-boundary"),
        pytest.param("multipart/form-data; boundary=b", b"--b\r\n\r\n", 400, id="no-end"),
        pytest.param("multipart/form-data; boundary=b", b"--b\r\n" * 100, 400, id="many-parts"),
        pytest.param("multipart/form-data; boundary=" + "b" * 99, b"--b--", 400, id="odd"),
    ],
)
def test_what_cannot_be_understood_is_told(
    site: tuple[Library, Served], kind: str, body: bytes, status: int
) -> None:
    headers = BEARER | ({"content-type": kind} if kind else {})
    assert problem(site[1].client.post("/admin/api/add", content=body, headers=headers), status)


@given(body=st.binary(max_size=400), boundary=st.sampled_from(["b", "----x", "'"]))
@settings(max_examples=60, deadline=None)
def test_no_form_breaks_it(shelf_admin: Served, body: bytes, boundary: str) -> None:
    kind = f'multipart/form-data; boundary="{boundary}"'
    content = body.replace(b"|", f"\r\n--{boundary}".encode())
    headers = BEARER | {"content-type": kind}
    answer = shelf_admin.client.post("/admin/api/upload", content=content, headers=headers)
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "GET"])
def test_other_methods_are_told_which_is_right(site: tuple[Library, Served], method: str) -> None:
    answer = site[1].client.request(method, "/admin/api/add", headers=BEARER)
    assert "This address takes POST" in problem(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/admin/api/", "/admin/api/none", "/admin/api/a/b/../c"])
def test_unknown_addresses_of_the_api_are_problems_too(
    site: tuple[Library, Served], path: str
) -> None:
    assert problem(site[1].client.post(path, json={}, headers=BEARER), 404)
    assert problem(site[1].client.post(path, json={}), 401)


@pytest.mark.parametrize("id_", ["none", "0" * 32, "..%2f..%2fsessions", "%00", "A" * 32])
def test_unknown_tasks_are_told(site: tuple[Library, Served], id_: str) -> None:
    _, served = site
    for path in (f"/admin/tasks/{id_}", f"/admin/tasks/{id_}/events"):
        assert served.get(path, headers=BEARER).status_code == 404
    assert problem(served.get(f"/admin/api/tasks/{id_}", headers=BEARER), 404)


def test_the_same_form_sent_twice_is_one_task(site: tuple[Library, Served]) -> None:
    library, served = site
    with library.runtime.lock("publish"):
        threads, ids = [], list[str]()
        for _ in range(5):
            threads.append(
                threading.Thread(target=lambda: ids.append(call(served, "rebuild").json()["id"]))
            )
            threads[-1].start()
        for thread in threads:
            thread.join(20)
    assert len(ids) == 5
    assert len(set(ids)) == 1
    done(served, call(served, "rebuild"))


@pytest.fixture(scope="module")
def shelf_admin(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Iterator[Served]:
    """One site for many requests."""
    root = tmp_path_factory.mktemp("admin")
    (root / "seeds").mkdir()
    with (
        opened(root, admin={"token": TOKEN}) as runtime,
        servers.serving(create_app(runtime)) as web,
    ):
        yield web
