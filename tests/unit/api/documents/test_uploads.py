import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from agent_bus.bus import Bus
from agent_bus.keys import Keys
from api.documents.uploads import checked_content_type, checked_filename, checked_metadata, checked_tags


async def left_behind(app: FastAPI, folder: Path) -> list[str]:
    bus: Bus = app.state.services.bus
    keys = [key.decode() async for key in bus.redis.scan_iter(match=f"{bus.keys.namespace}:*")]
    return keys + [str(path) for path in folder.rglob("*") if path.is_file()]


def form(*parts: tuple[str, str | None, bytes], end: str = "--B--\r\n") -> bytes:
    body = b""
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename is not None else ""
        body += f'--B\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"
    return body + end.encode()


async def send(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    return await client.post("/documents", content=body, headers={"content-type": "multipart/form-data; boundary=B"})


async def test_an_upload_is_stored_as_sent(client: httpx.AsyncClient) -> None:
    content = bytes(range(256)) * 300
    answer = await client.post(
        "/documents",
        files={"file": ("../dir/é x.bin", content, "image/x-thing; a=b")},
        data={"tags": " b,a,,b", "metadata": json.dumps({"who": "Ann", "description": "d"})},
    )
    assert answer.status_code == 201
    document = answer.json()
    assert document == {
        "id": document["id"],
        "filename": "é x.bin",
        "content_type": "image/x-thing; a=b",
        "size_bytes": len(content),
        "checksum": hashlib.sha256(content).hexdigest(),
        "created_at": document["created_at"],
        "updated_at": document["created_at"],
        "tags": ["b", "a"],
        "metadata": {"who": "Ann", "description": "d"},
        "url": f"http://localhost:8766/documents/{document['id']}",
    }
    assert answer.headers["etag"] == '"1"'
    downloaded = await client.get(answer.headers["location"])
    assert downloaded.content == content
    assert downloaded.headers["content-type"] == "image/x-thing; a=b"


async def test_the_fields_may_follow_the_file(client: httpx.AsyncClient) -> None:
    answer = await send(
        client, form(("file", "a", b"x"), ("tags", None, b"a"), ("tags", None, b"b"), ("other", None, b""))
    )
    assert answer.status_code == 201
    assert answer.json()["tags"] == ["a", "b"]
    assert answer.json()["content_type"] == "application/octet-stream"
    assert answer.json()["metadata"] == {}


async def test_an_empty_file_is_a_document(client: httpx.AsyncClient) -> None:
    document = (await send(client, form(("file", "a", b"")))).json()
    assert document["size_bytes"] == 0
    answer = await client.get(f"/documents/{document['id']}")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


FILE = ("file", "a.txt", b"x" * 50_000)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (form(FILE, ("tags", None, b"good,no good")), 422, "no good"),
        (form(("tags", None, b"b_d"), FILE), 422, "b_d"),
        (form(FILE, ("metadata", None, b'{"a": 1}')), 422, "a: "),
        (form(FILE, ("metadata", None, b"[]")), 422, "JSON object of strings"),
        (form(FILE, ("metadata", None, b"{")), 422, "JSON object of strings"),
        (form(FILE, ("metadata", None, b"\xff")), 422, "UTF-8"),
        (form(FILE, ("tags", None, b"a" * 70_000)), 413, "'tags'"),
        (form(FILE, FILE), 422, "more than one"),
        (form(("file", None, b"x")), 422, "no name"),
        (form(("file", "", b"x")), 422, "no name"),
        (form(("file", "a/..", b"x")), 422, "no name"),
        (form(("file", "a" * 256, b"x")), 422, "255"),
        (form(("other", "a", b"x")), 422, "no part named 'file'"),
        (form(), 422, "no part named 'file'"),
        (form(("file", "a", b"x" * 100_001)), 413, "100000 bytes"),
        (form(("file", "a", b"x" * 1_200_000)), 413, "100000 bytes"),
        (form(FILE, end=""), 400, "last boundary"),
        (form(FILE, end="--B\r\n"), 400, "last boundary"),
        (b"nonsense", 400, "can't be read"),
        (b"", 400, "can't be read"),
    ],
)
async def test_a_refused_upload_says_why_and_leaves_nothing(
    app: FastAPI, client: httpx.AsyncClient, tmp_path: Path, body: bytes, status: int, says: str
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    for sent in (body, chunks()):
        answer = await send(client, sent)
        assert answer.status_code == status
        assert says in answer.json()["detail"]
        assert await left_behind(app, tmp_path) == []


async def test_what_is_no_form_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/documents", json={})
    assert answer.status_code == 422
    assert "multipart/form-data" in answer.json()["detail"]


async def test_a_mark_that_is_lost_fails_the_upload_and_leaves_nothing(
    app: FastAPI, client: httpx.AsyncClient, keys: Keys, tmp_path: Path
) -> None:
    bus: Bus = app.state.services.bus

    async def chunks() -> AsyncIterator[bytes]:
        body = form(FILE)
        yield body[:30_000]
        async for key in bus.redis.scan_iter(match=f"{keys.document_prefix}*"):
            await bus.redis.delete(key)
        yield body[30_000:]

    answer = await send(client, chunks())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await left_behind(app, tmp_path) == []


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("a.txt", "a.txt"),
        ("/etc/passwd", "passwd"),
        ("C:\\dir\\a.txt", "a.txt"),
        ("..a", "..a"),
        ("日本.txt", "日本.txt"),
    ],
)
def test_a_file_name_is_its_last_part(sent: str, name: str) -> None:
    assert checked_filename(sent) == name


@pytest.mark.parametrize("sent", [None, "", " ", ".", "..", "a/", "a\\..", "a\0b", "a" * 256])
def test_what_is_no_file_name_is_refused(sent: str | None) -> None:
    with pytest.raises(HTTPException):
        checked_filename(sent)


@pytest.mark.parametrize("sent", ["text", "a/b\r\nX: 1", "a/b; \x00", "é/b", "a/" + "b" * 300])
def test_what_is_no_content_type_is_refused(sent: str) -> None:
    with pytest.raises(HTTPException):
        checked_content_type(sent)


def test_blank_fields_are_as_good_as_none() -> None:
    assert checked_tags(" ,, ") == []
    assert checked_metadata("") == {}
    assert checked_content_type("") == "application/octet-stream"


async def test_no_more_uploads_are_taken_than_may_be_under_way(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state.services.uploads, "_at_once", 1)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        body = form(FILE)
        yield body[:1000]
        begun.set()
        await may_end.wait()
        yield body[1000:]

    first = asyncio.create_task(send(client, slowly()))
    await begun.wait()
    refused = await send(client, form(FILE))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "1 uploads are under way" in refused.json()["detail"]
    may_end.set()
    assert (await first).status_code == 201
    assert (await send(client, form(FILE))).status_code == 201
