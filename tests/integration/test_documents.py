"""The documents server as a real process: uploads that break off, many writers, outages, S3."""

import hashlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import redis
from moto.server import ThreadedMotoServer

from tests.processes import RedisServer, Server, wait_until

Client = httpx.Client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@pytest.fixture(scope="module")
def server(redis_server: RedisServer, folder: Path) -> Iterator[Server]:
    environment = {
        "AGENT_ORCHESTRATOR_NAMESPACE": "it-documents",
        "AGENT_ORCHESTRATOR_MAX_UPLOAD_BYTES": str(8 * 1024 * 1024),
        "DOCUMENT_SERVER_PUBLIC_URL": "https://docs.example/",
    }
    with Server("documents", redis_server.url, folder, environment) as server:
        yield server
    assert "Traceback" not in server.output


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def database(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis(port=redis_server.port) as database:
        yield database


def upload(client: Client, content: bytes = b"x", filename: str = "a.txt", **fields: str) -> dict[str, Any]:
    answer = client.post("/documents", files={"file": (filename, content)}, data=fields)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def tags_of(client: Client) -> dict[str, int]:
    return {tag["name"]: tag["count"] for tag in client.get("/documents/tags").json()["tags"]}


def blobs_in(folder: Path) -> set[Path]:
    return {path for path in (folder / ".agent-orchestrator" / "blobs").rglob("*") if path.is_file()}


def documents_in(database: "redis.Redis") -> set[bytes]:
    return set(database.scan_iter("it-documents:document:*"))


def test_a_document_lives_from_upload_to_deletion(client: Client, folder: Path) -> None:
    content = os.urandom(7 * 1024 * 1024)
    document = upload(client, content, "Größe.bin", tags="life,big", metadata='{"a": "b"}')
    url = f"/documents/{document['id']}"
    assert document["checksum"] == hashlib.sha256(content).hexdigest()
    assert document["url"] == f"https://docs.example{url}"
    assert client.get(url).content == content
    assert client.get(url, headers={"range": "bytes=6000000-6000009"}).content == content[6_000_000:6_000_010]
    assert tags_of(client)["big"] == 1
    patched = client.patch(url, json={"tags": ["life"], "description": "d"}).json()
    assert (patched["tags"], patched["metadata"]) == (["life"], {"a": "b", "description": "d"})
    assert "big" not in tags_of(client)
    assert [d["id"] for d in client.get("/documents", params={"filename": "GRÖSSE", "tags": "life"}).json()] == [
        document["id"]
    ]
    assert client.delete(url).json()["success"] is True
    assert client.get(url).status_code == 404
    assert not any(document["id"] in path.name for path in blobs_in(folder))


@pytest.mark.parametrize(
    "filename",
    [
        "../../../etc/passwd",
        "a\\..\\b",
        'quote".txt',
        "semi;colon",
        "日本語.txt",
        "emoji 😀.png",
        "%0d%0aX-Evil: 1",
        "-rf",
    ],
)
def test_a_hostile_file_name_stays_data(client: Client, folder: Path, filename: str) -> None:
    document = upload(client, b"x", filename)
    answer = client.get(f"/documents/{document['id']}")
    assert answer.content == b"x"
    assert "x-evil" not in answer.headers
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    (blob,) = [path for path in blobs_in(folder) if path.name == document["id"]]
    assert blob.parent.parent.name == "it-documents"


def test_an_upload_that_breaks_off_leaves_nothing(
    server: Server, client: Client, folder: Path, database: "redis.Redis"
) -> None:
    upload(client)
    blobs, documents = blobs_in(folder), documents_in(database)
    head = (
        f"POST /documents HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 7000000\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\n\r\n"
        '--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + b"x" * 6_000_000)
        # The mark of the upload shows that the server is at it.
        wait_until(lambda: documents_in(database) - documents, "the upload to begin")
    wait_until(lambda: documents_in(database) == documents, "the upload's mark to go")
    assert blobs_in(folder) == blobs


def test_an_upload_over_the_limit_is_answered_and_leaves_nothing(
    client: Client, folder: Path, database: "redis.Redis"
) -> None:
    blobs, documents = blobs_in(folder), documents_in(database)
    answer = client.post("/documents", files={"file": ("a", b"x" * (8 * 1024 * 1024 + 1))})
    assert answer.status_code == 413
    assert str(8 * 1024 * 1024) in answer.json()["detail"]
    answer = client.post("/documents", files={"file": ("a", b"x" * (10 * 1024 * 1024))})
    assert answer.status_code == 413
    assert (blobs_in(folder), documents_in(database)) == (blobs, documents)


def test_an_upload_is_never_whole_in_memory(redis_server: RedisServer, tmp_path: Path) -> None:
    size = 192 * 1024 * 1024
    environment = {"AGENT_ORCHESTRATOR_NAMESPACE": "it-memory"}
    with (
        Server("documents", redis_server.url, tmp_path, environment) as server,
        Client(base_url=server.url, timeout=60) as client,
    ):
        upload(client, b"x" * 1_000_000)
        before = peak_memory(server.popen.pid)

        def body() -> Iterator[bytes]:
            yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(size // 65536):
                yield b"x" * 65536
            yield b"\r\n--B--\r\n"

        headers = {"content-type": "multipart/form-data; boundary=B"}
        answer = client.post("/documents", content=body(), headers=headers)
        assert answer.json()["size_bytes"] == size
        with client.stream("GET", f"/documents/{answer.json()['id']}") as download:
            assert sum(len(chunk) for chunk in download.iter_raw()) == size
        assert peak_memory(server.popen.pid) - before < size // 2


def peak_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def test_fifty_writers_of_one_tag_end_with_the_right_count(server: Server, client: Client) -> None:
    def write(number: int) -> None:
        with Client(base_url=server.url, timeout=60) as own:
            document = upload(own, b"x", tags="many" if number % 2 else "few")
            if not number % 2:
                own.patch(f"/documents/{document['id']}", json={"tags": ["many", "few"]})
            # A client that has just written sees its own write counted.
            assert tags_of(own)["many"] >= 1

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(write, range(50)))
    tags = tags_of(client)
    assert (tags["many"], tags["few"]) == (50, 25)
    assert client.get("/documents?tags=many").headers["x-total-count"] == "50"


def test_without_workers_tags_are_right_and_jobs_do_not_pile_up(client: Client, database: "redis.Redis") -> None:
    for number in range(5):
        upload(client, tags=f"alone,a{number}")
        assert tags_of(client)["alone"] == number + 1
    wait_until(lambda: database.llen("rq:queue:it-documents-tags") == 1, "one job to wait")


def test_two_servers_see_each_others_documents(
    redis_server: RedisServer, server: Server, client: Client, folder: Path
) -> None:
    environment = {"AGENT_ORCHESTRATOR_NAMESPACE": "it-documents"}
    with Server("documents", redis_server.url, folder, environment) as other, Client(base_url=other.url) as second:
        document = upload(client, b"shared", tags="shared")
        assert second.get(f"/documents/{document['id']}").content == b"shared"
        assert tags_of(second)["shared"] == 1


def test_an_outage_of_redis_is_told_and_heals(own_redis_server: RedisServer, tmp_path: Path) -> None:
    with Server("documents", own_redis_server.url, tmp_path) as server, Client(base_url=server.url) as client:
        document = upload(client, b"kept", tags="a")
        own_redis_server.kill()
        refused = client.get("/documents", timeout=30)
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert client.get("/health").json()["redis"] == "unreachable"
        own_redis_server.start()

        def healed() -> bool:
            return client.get("/documents").status_code == 200

        wait_until(healed, "the server to find Redis again")
        assert client.get(f"/documents/{document['id']}").content == b"kept"
        assert tags_of(client) == {"a": 1}
        own_redis_server.pause()
        try:
            assert client.get("/health").json()["redis"] == "unreachable"
        finally:
            own_redis_server.resume()


def test_sigterm_ends_the_server_cleanly(redis_server: RedisServer, tmp_path: Path) -> None:
    with Server("documents", redis_server.url, tmp_path, {"AGENT_ORCHESTRATOR_NAMESPACE": "it-term"}) as server:
        with Client(base_url=server.url) as client:
            upload(client, b"x" * 100_000, tags="a")
        assert server.stop() == 0
        assert "Traceback" not in server.output


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, dict[str, str]]]:
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    _, port = s3.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AGENT_ORCHESTRATOR_BLOB_STORE_URL": "s3://documents/prefix",
        "AGENT_ORCHESTRATOR_NAMESPACE": "it-s3",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=url)
    client.create_bucket(Bucket="documents")
    yield client, environment
    client.close()
    s3.stop()


def test_documents_live_in_s3(redis_server: RedisServer, tmp_path: Path, bucket: tuple[Any, dict[str, str]]) -> None:
    s3, environment = bucket

    def objects() -> list[str]:
        return [item["Key"] for item in s3.list_objects_v2(Bucket="documents").get("Contents", [])]

    with Server("documents", redis_server.url, tmp_path, environment) as server, Client(base_url=server.url) as client:
        content = os.urandom(12 * 1024 * 1024)
        document, empty = upload(client, content), upload(client, b"")
        url = f"/documents/{document['id']}"
        assert set(objects()) == {f"prefix/it-s3/{d['id'][:2]}/{d['id']}" for d in (document, empty)}
        assert client.get(url).content == content
        assert client.get(f"/documents/{empty['id']}").content == b""
        assert client.get(url, headers={"range": "bytes=-10"}).content == content[-10:]
        for refused in ("no good", "a,b_"):
            answer = client.post("/documents", files={"file": ("a", content)}, data={"tags": refused})
            assert answer.status_code == 422
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(
                b"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000000\r\n"
                b"Content-Type: multipart/form-data; boundary=B\r\n\r\n"
                b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 12_000_000
            )
            wait_until(lambda: s3.list_multipart_uploads(Bucket="documents").get("Uploads"), "the upload to begin")
        wait_until(lambda: not s3.list_multipart_uploads(Bucket="documents").get("Uploads"), "it to be given up")
        assert len(objects()) == 2
        for each in (document, empty):
            client.delete(f"/documents/{each['id']}")
        assert objects() == []
