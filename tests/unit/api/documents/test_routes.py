from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent_bus.settings import Settings
from api.application import VERSION
from api.documents.app import create_documents_api
from tests.processes import free_port

CONTENT = b"0123456789"


async def upload(client: httpx.AsyncClient, filename: str = "a.txt", tags: str = "", **fields: str) -> dict[str, Any]:
    answer = await client.post(
        "/documents", files={"file": (filename, CONTENT, "text/html")}, data={"tags": tags, **fields}
    )
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_download_can_neither_run_nor_be_taken_for_another_type(client: httpx.AsyncClient) -> None:
    document = await upload(client, "a“b”.html")
    answer = await client.get(f"/documents/{document['id']}")
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["content-length"] == "10"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{document["checksum"]}"'


@pytest.mark.parametrize(
    ("header", "content", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=5-500", b"56789", "bytes 5-9/10"),
    ],
)
async def test_a_range_is_served(client: httpx.AsyncClient, header: str, content: bytes, content_range: str) -> None:
    document = await upload(client)
    answer = await client.get(f"/documents/{document['id']}", headers={"range": header})
    assert (answer.status_code, answer.content) == (206, content)
    assert answer.headers["content-range"] == content_range
    assert answer.headers["content-length"] == str(len(content))


async def test_ranges_that_are_not_served_as_such(client: httpx.AsyncClient) -> None:
    document = await upload(client)
    url, tag = f"/documents/{document['id']}", f'"{document["checksum"]}"'
    several = await client.get(url, headers={"range": "bytes=0-1,3-4"})
    assert (several.status_code, several.content) == (200, CONTENT)
    beyond = await client.get(url, headers={"range": "bytes=10-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == "bytes */10"
    assert "detail" in beyond.json()
    stale = await client.get(url, headers={"range": "bytes=0-1", "if-range": '"old"'})
    assert (stale.status_code, stale.content) == (200, CONTENT)
    fresh = await client.get(url, headers={"range": "bytes=0-1", "if-range": tag})
    assert (fresh.status_code, fresh.content) == (206, b"01")


async def test_bytes_that_the_client_has_are_not_sent_again(client: httpx.AsyncClient) -> None:
    document = await upload(client)
    for method in ("GET", "HEAD"):
        answer = await client.request(
            method, f"/documents/{document['id']}", headers={"if-none-match": f'W/"{document["checksum"]}"'}
        )
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == f'"{document["checksum"]}"'


async def test_a_head_request_says_what_a_download_would(client: httpx.AsyncClient) -> None:
    document = await upload(client)
    head = await client.head(f"/documents/{document['id']}", headers={"range": "bytes=0-1"})
    get = await client.get(f"/documents/{document['id']}")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


async def test_missing_or_changed_bytes_are_an_error_and_not_half_an_answer(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    document = await upload(client)
    (blob,) = [path for path in tmp_path.rglob(document["id"]) if path.is_file()]
    blob.write_bytes(b"short")
    answer = await client.get(f"/documents/{document['id']}")
    assert answer.status_code == 500
    assert "not those that were uploaded" in answer.json()["detail"]
    blob.unlink()
    answer = await client.get(f"/documents/{document['id']}")
    assert answer.status_code == 500
    assert "missing" in answer.json()["detail"]


async def test_metadata_carries_the_version(client: httpx.AsyncClient) -> None:
    document = await upload(client)
    answer = await client.get(f"/documents/{document['id']}/metadata")
    assert answer.json() == document
    assert answer.headers["etag"] == '"1"'


@pytest.mark.parametrize("document_id", ["0" * 32, "x", "*", "..%2f..", "%00", "é"])
@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("GET", "/metadata"), ("PATCH", ""), ("DELETE", ""), ("HEAD", "")]
)
async def test_an_unknown_document_is_not_found(
    client: httpx.AsyncClient, method: str, suffix: str, document_id: str
) -> None:
    json: Any = {"tags": []} if method == "PATCH" else None
    answer = await client.request(method, f"/documents/{document_id}{suffix}", json=json)
    assert answer.status_code == 404
    if method != "HEAD":
        assert "detail" in answer.json()


async def test_a_patch_touches_only_what_it_names(client: httpx.AsyncClient) -> None:
    document = await upload(client, tags="a,b", metadata='{"who": "Ann"}')
    url = f"/documents/{document['id']}"
    described = (await client.patch(url, json={"description": "d", "id": "other", "size_bytes": 0})).json()
    assert described["updated_at"] > document["updated_at"]
    assert described == document | {
        "metadata": {"who": "Ann", "description": "d"},
        "updated_at": described["updated_at"],
    }
    assert (await client.patch(url, json={"tags": ["c", "c"]})).json()["tags"] == ["c"]
    assert (await client.patch(url, json={"tags": "d, e"})).json()["tags"] == ["d", "e"]
    cleared = await client.patch(url, json={"description": None, "tags": []})
    assert cleared.json()["metadata"] == {"who": "Ann"}
    assert cleared.json()["tags"] == []
    assert cleared.headers["etag"] == '"5"'


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "tags, description"),
        ({"filename": "b"}, "tags, description"),
        ({"tags": ["good", "no good"]}, "no good"),
        ({"tags": "no good"}, "no good"),
        ({"tags": None}, "can't be null"),
        ({"tags": 1}, "tags"),
        ({"tags": ["a"] * 50 + [f"t{n}" for n in range(100)]}, "at most 100"),
        ({"description": 1}, "description"),
        ([], "body"),
    ],
)
async def test_a_patch_that_is_not_valid_changes_nothing(client: httpx.AsyncClient, body: Any, says: str) -> None:
    document = await upload(client, tags="a")
    answer = await client.patch(f"/documents/{document['id']}", json=body)
    assert answer.status_code == 422
    assert says in answer.text
    assert (await client.get(f"/documents/{document['id']}/metadata")).json() == document


async def test_a_change_of_another_version_is_refused(client: httpx.AsyncClient) -> None:
    document = await upload(client)
    url = f"/documents/{document['id']}"
    assert (await client.patch(url, json={"tags": ["a"]}, headers={"if-match": '"1"'})).status_code == 200
    for refused in (
        await client.patch(url, json={"tags": ["b"]}, headers={"if-match": '"1"'}),
        await client.delete(url, headers={"if-match": '"1"'}),
    ):
        assert refused.status_code == 412
        assert refused.headers["etag"] == '"2"'
    assert (await client.patch(url, json={"tags": ["b"]}, headers={"if-match": "*"})).status_code == 200


async def test_a_deleted_document_is_gone_with_its_bytes(client: httpx.AsyncClient, tmp_path: Path) -> None:
    document = await upload(client)
    url = f"/documents/{document['id']}"
    answer = await client.delete(url)
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["document_id"] == document["id"]
    assert isinstance(answer.json()["message"], str)
    assert (await client.delete(url)).status_code == 404
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_lists_are_filtered_paged_and_counted(client: httpx.AsyncClient) -> None:
    for name, tags in (("one.txt", "a"), ("two.md", "a,b"), ("Three.TXT", "b,a")):
        await upload(client, name, tags)

    async def names(**query: str | int) -> tuple[list[str], str]:
        answer = await client.get("/documents", params=query)
        return [d["filename"] for d in answer.json()], answer.headers["x-total-count"]

    assert await names() == (["Three.TXT", "two.md", "one.txt"], "3")
    assert await names(limit=1, offset=1) == (["two.md"], "3")
    assert await names(tags="a, b") == (["Three.TXT", "two.md"], "2")
    assert await names(filename="*.txt") == (["Three.TXT", "one.txt"], "2")
    assert await names(filename="T", tags="b", limit=1) == (["Three.TXT"], "2")
    assert await names(tags="no such tag") == ([], "0")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "offset=-1", "offset=99999999999999999999"])
async def test_a_page_that_cannot_be_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/documents?{query}")
    assert answer.status_code == 422
    assert "detail" in answer.json()


async def test_tags_are_never_taken_for_an_id(client: httpx.AsyncClient) -> None:
    await upload(client, tags="b,a")
    await upload(client, tags="b")
    answer = await client.get("/documents/tags")
    assert answer.json() == {"tags": [{"name": "b", "count": 2}, {"name": "a", "count": 1}]}


async def test_health_tells_of_workers_and_queues(client: httpx.AsyncClient, settings: Settings) -> None:
    answer = await client.get("/health")
    assert answer.json() == {
        "status": "healthy",
        "service": "documents",
        "version": VERSION,
        "redis": "ok",
        "workers": {"alive": 0},
        "queues": {f"{settings.namespace}-{kind}": {"length": 0, "failed": 0} for kind in ("tags", "maintenance")},
    }


async def test_health_answers_while_redis_is_away_and_the_rest_says_so(tmp_path: Path) -> None:
    settings = Settings(project_dir=tmp_path).with_redis(f"redis://127.0.0.1:{free_port()}/0")
    app = create_documents_api(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        answer = await client.get("/health")
        assert answer.status_code == 200
        assert answer.json() == {
            "status": "healthy", "service": "documents", "version": VERSION, "redis": "unreachable", "workers": None,
            "queues": None,
        }  # fmt: skip
        refused = await client.post("/documents", files={"file": ("a", b"x")})
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_body_that_is_no_upload_is_limited(client: httpx.AsyncClient, settings: Settings) -> None:
    document = await upload(client)
    body = {"description": "x" * settings.max_event_bytes}
    assert (await client.patch(f"/documents/{document['id']}", json=body)).status_code == 413


async def test_errors_are_json_from_every_route(client: httpx.AsyncClient) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/documents", 405), ("POST", "/health", 405)):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert "detail" in answer.json()


def test_the_api_describes_itself(app: FastAPI) -> None:
    schema = app.openapi()
    upload_body = schema["paths"]["/documents"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert upload_body["required"] == ["file"]
    assert set(schema["components"]["schemas"]["Document"]["properties"]) == {
        "id", "filename", "content_type", "size_bytes", "checksum", "created_at", "updated_at", "tags", "metadata",
        "url",
    }  # fmt: skip
