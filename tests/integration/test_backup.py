"""Backups taken of a whole system at work, and what comes of them in another one."""

import asyncio
import gzip
import hashlib
import json
import os
import random
import signal
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import redis
from moto.server import ThreadedMotoServer

from agent_bridge import AgentBridge
from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.jobs import ARCHIVE_HISTORIES
from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.browser import Browser
from tests.processes import DEADLINE_SECONDS, Process, RedisServer, Server, wait_until, worker
from tests.unit.agent_bus.conftest import Driver, record
from tests.unit.proxy import Proxy

Event = dict[str, Any]
TAGS = ["red", "green", "blue"]


class System:
    """A coordinator, a document server and a worker on one Redis, with a project folder."""

    def __init__(self, redis_server: RedisServer, folder: Path, namespace: str, **environment: str) -> None:
        self.redis_server, self.folder, self.keys = redis_server, folder, Keys(namespace)
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "AGENT_ORCHESTRATOR_NAMESPACE": namespace,
            "AGENT_ORCHESTRATOR_ARCHIVE_AFTER_SECONDS": "0.2",
            "DOCUMENT_SERVER_PUBLIC_URL": "https://docs.example",
        } | environment
        self.database = redis.Redis(port=redis_server.port)

    async def __aenter__(self) -> "System":
        url = self.redis_server.url
        self._open = AsyncExitStack()
        self.coordinator = self._open.enter_context(Server("coordinator", url, self.folder, self.environment))
        self.files = self._open.enter_context(Server("documents", url, self.folder, self.environment))
        self._open.enter_context(worker(url, self.folder, self.environment))
        self._open.callback(self.database.close)
        client = httpx.AsyncClient
        self.http = await self._open.enter_async_context(client(base_url=self.coordinator.url, timeout=30))
        self.documents = await self._open.enter_async_context(client(base_url=self.files.url, timeout=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def command(self, *arguments: str | Path) -> Process:
        """A command of ours on this system, as a process."""
        return Process(
            ["-m", "api.cli", *map(str, arguments), "--redis-url", self.redis_server.url],
            self.environment | {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(self.folder)},
            self.folder / f"{arguments[0]}-{random.randrange(10**9)}.log",
        )

    async def done(self, *arguments: str | Path) -> str:
        """What a command has said that must end well."""
        process = self.command(*arguments)
        await asyncio.to_thread(process.popen.wait, 120)
        assert process.popen.returncode == 0, process.output
        return process.output

    async def post(self, event_type: str, session_id: str, **fields: object) -> None:
        head = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": now()}
        answer = await self.http.post("/events", json=head | fields)
        assert answer.status_code == 200, answer.text

    async def upload(self, content: bytes, tags: str = "") -> dict[str, Any]:
        answer = await self.documents.post("/documents", files={"file": ("a.bin", content)}, data={"tags": tags})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def sessions(self) -> dict[str, dict[str, Any]]:
        found = (await self.http.get("/sessions", params={"limit": 1000})).json()["sessions"]
        return {session["session_id"]: session for session in found}

    async def history(self, session_id: str) -> list[Event]:
        answer = await self.http.get(f"/events/{session_id}", params={"limit": 10_000})
        assert answer.status_code == 200, answer.text
        events: list[Event] = answer.json()["events"]
        return events

    async def tags(self) -> dict[str, int]:
        return {tag["name"]: tag["count"] for tag in (await self.documents.get("/documents/tags")).json()["tags"]}

    async def all_documents(self) -> dict[str, dict[str, Any]]:
        found = (await self.documents.get("/documents", params={"limit": 1000})).json()
        return {document["id"]: document for document in found}


@asynccontextmanager
async def system(redis_server: RedisServer, folder: Path, namespace: str, **environment: str) -> AsyncIterator[System]:
    """A system that runs."""
    async with System(redis_server, folder, namespace, **environment) as running:
        yield running


@dataclass
class Load:
    """What clients do to a system until they are told to end, and what they were told."""

    system: System
    draw: random.Random = field(default_factory=lambda: random.Random(7))
    over: asyncio.Event = field(default_factory=asyncio.Event)
    versions: dict[str, list[list[str]]] = field(default_factory=dict)
    """The tags that each document has had, or may have had, one after the other."""
    deleted: set[str] = field(default_factory=set)
    contents: dict[str, bytes] = field(default_factory=dict)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(self._report(number))
            tasks.create_task(self._upload())
            tasks.create_task(self._retag())
            tasks.create_task(self._archive())

    async def _report(self, number: int) -> None:
        run = 0
        while not self.over.is_set():
            session_id = f"s{number}-{run % 4}"
            await self.system.post("session_start", session_id)
            for mark in range(20):
                await self.system.post("message", session_id, n=f"{run}-{mark}")
            await self.system.post("session_stop", session_id)
            run += 1
            if self.draw.random() < 0.1:
                await self.system.http.delete(f"/sessions/{session_id}")
                self.deleted.add(session_id)

    async def _upload(self) -> None:
        while not self.over.is_set():
            content = self.draw.randbytes(self.draw.randrange(200_000))
            document = await self.system.upload(content, "red")
            self.contents[document["id"]] = content
            self.versions[document["id"]] = [["red"]]

    async def _retag(self) -> None:
        while not self.over.is_set():
            await asyncio.sleep(0)
            if not self.versions:
                continue
            document_id = self.draw.choice(list(self.versions))
            tags = self.draw.sample(TAGS, self.draw.randrange(len(TAGS)))
            self.versions[document_id].append(tags)
            await self.system.documents.patch(f"/documents/{document_id}", json={"tags": tags})

    async def _archive(self) -> None:
        while not self.over.is_set():
            self.system.database.delete(self.system.keys.due(ARCHIVE_HISTORIES.name))
            await asyncio.sleep(0.05)


def unpacked(file: Path) -> tuple[dict[str, list[Event]], dict[str, tuple[dict[str, str], bytes]], dict[str, Any]]:
    """Sessions' events, documents with their bytes, and the manifest, read with what any program has."""
    with tarfile.open(file) as tar:

        def data(name: str) -> bytes:
            member = tar.extractfile(name)
            assert member is not None
            return member.read()

        names = tar.getnames()
        histories = {}
        for name in (name for name in names if name.startswith("sessions/") and name.endswith(".json")):
            lines = gzip.decompress(data(name.replace(".json", ".jsonl.gz"))).splitlines()
            histories[json.loads(data(name))["session"]["session_id"]] = [json.loads(line) for line in lines]
        documents = {}
        for name in (name for name in names if name.startswith("documents/") and name.endswith(".json")):
            fields = json.loads(data(name))["document"]
            documents[fields["id"]] = (fields, data(name.replace(".json", ".bytes")))
        return histories, documents, json.loads(data("manifest.json"))


def is_prefix(part: list[Event], whole: list[Event]) -> bool:
    return [event["id"] for event in part] == [event["id"] for event in whole[: len(part)]] and all(
        event[name] == value
        for event, other in zip(part, whole, strict=False)
        for name, value in other.items()
        if name in event
    )


async def test_a_system_at_work_is_backed_up_and_stands_elsewhere_as_it_was(
    redis_server: RedisServer, own_redis_server: RedisServer, tmp_path: Path, keys: Keys
) -> None:
    file = tmp_path / "backup.tar"
    async with system(redis_server, tmp_path / "source", keys.namespace) as source:
        load = Load(source)
        working = asyncio.create_task(load.run())
        while len(load.contents) < 5 or len(await source.sessions()) < 12:
            await asyncio.sleep(0)
        said = await source.done("backup", file)
        load.over.set()
        await working
        before, histories_before = await source.sessions(), {}
        for session_id in before:
            histories_before[session_id] = await source.history(session_id)
    histories, documents, manifest = unpacked(file)
    assert f"backed up {manifest['sessions']} sessions" in said
    assert (manifest["left_out"], len(histories), len(documents)) == ([], manifest["sessions"], manifest["documents"])
    assert manifest["sessions"] >= 6
    for session_id, events in histories.items():
        if session_id not in load.deleted:
            assert is_prefix(events, histories_before[session_id]), session_id
        ids = [event["id"] for event in events]
        assert ids == sorted(set(ids))
    for document_id, (fields, content) in documents.items():
        assert content == load.contents[document_id]
        assert fields["tags"].split(",") in load.versions[document_id] or fields["tags"] == ""

    async with (
        system(own_redis_server, tmp_path / "target", "elsewhere") as target,
        Browser(target.coordinator.ws_url) as browser,
    ):
        await target.done("restore", file)
        assert await browser.closed() == 4009
        after = await target.sessions()
        assert set(after) == set(histories)
        for session_id, events in histories.items():
            assert after[session_id]["events"] == len(events)
            assert is_prefix(events, await target.history(session_id))
        there = await target.all_documents()
        assert {document_id: document["checksum"] for document_id, document in there.items()} == {
            document_id: hashlib.sha256(content).hexdigest() for document_id, (_, content) in documents.items()
        }
        for document_id, (fields, content) in documents.items():
            assert there[document_id]["tags"] == [tag for tag in fields["tags"].split(",") if tag]
            assert (await target.documents.get(f"/documents/{document_id}")).content == content
        counted = {tag: sum(tag in document["tags"] for document in there.values()) for tag in TAGS}
        assert await target.tags() == {tag: count for tag, count in counted.items() if count}
        async with Browser(target.coordinator.ws_url) as anew:
            assert {session["session_id"] for session in anew.messages[0]["sessions"]} == set(histories)
            session_id = next(iter(histories))
            await target.post("message", session_id, n="later")
            (message,) = await anew.until(lambda message: message["type"] == "event")
            highest = max(event["id"] for events in histories_before.values() for event in events)
            assert message["data"]["id"] > highest
        # What was restored goes on like anything else.
        await target.post("session_stop", session_id)
        assert is_prefix(histories[session_id], await target.history(session_id))
        (some, *_) = there
        assert (await target.documents.patch(f"/documents/{some}", json={"tags": ["new"]})).status_code == 200
        assert (await target.tags())["new"] == 1


@pytest.mark.parametrize("later", [False, True], ids=["the same run", "a later run"])
async def test_a_bridge_that_goes_on_comes_back_in_the_restored_system(
    redis_server: RedisServer,
    own_redis_server: RedisServer,
    tmp_path: Path,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    later: bool,
) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", keys.namespace)
    file, namespace = tmp_path / "backup.tar", keys.namespace
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(system(redis_server, tmp_path / "source", namespace))
        proxy = await stack.enter_async_context(Proxy(redis_server.port))
        if later:
            async with AgentBridge(session_id="s", redis_url=redis_server.url) as bridge:
                await bridge.message("assistant", "the run before")
            await source.done("backup", file)
        async with AgentBridge(session_id="s", redis_url=proxy.url, lease_seconds=2) as bridge:
            await bridge.message("assistant", "before")
            while "before" not in str(await source.history("s")):
                await asyncio.sleep(0)
            if not later:
                await source.done("backup", file)
            proxy.go_down()
            target = await stack.enter_async_context(system(own_redis_server, tmp_path / "target", namespace))
            await target.done("restore", file)
            restored = (await target.sessions())["s"]
            assert (restored["status"], restored["presence"]) == ("finished" if later else "running", "none")
            proxy._target_port = own_redis_server.port
            proxy.come_back()
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (await target.sessions())["s"]["presence"] != "connected":
                    await asyncio.sleep(0)
            await bridge.message("assistant", "after")
            stop = asyncio.create_task(target.http.post("/sessions/s/stop"))
            await asyncio.wait_for(bridge.wait_for_stop(), DEADLINE_SECONDS)
        assert (await stop).json()["status"] == "stopped"
        session = (await target.sessions())["s"]
        assert (session["stop_confirmed"], session["run"] == restored["run"]) == (True, not later)
        words = [event["content"] for event in await target.history("s") if event["event_type"] == "message"]
        assert ("after" in str(words), "before" in str(words)) == (True, True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The settings of a bucket that is there."""
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    _, port = s3.get_host_and_port()
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=environment["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="backups")
    yield environment | {"AGENT_ORCHESTRATOR_BLOB_STORE_URL": "s3://backups/prefix"}
    client.close()
    s3.stop()


async def test_a_backup_goes_from_a_folder_to_s3_and_back(
    redis_server: RedisServer, tmp_path: Path, keys: Keys, bucket: dict[str, str]
) -> None:
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    content = os.urandom(7 * 1024 * 1024)
    async with system(redis_server, tmp_path / "source", keys.namespace) as source:
        for number in range(30):
            await source.post("message", "s", n=number)
        document, empty = await source.upload(content, "a,b"), await source.upload(b"")
        history = await source.history("s")
        await source.done("backup", first)
    async with system(redis_server, tmp_path / "s3", f"{keys.namespace}-s3", **bucket) as target:
        await target.done("restore", first)
        assert await target.history("s") == history
        assert await target.all_documents() == {document["id"]: document, empty["id"]: empty}
        assert (await target.documents.get(f"/documents/{document['id']}")).content == content
        await target.done("backup", second)
    async with system(redis_server, tmp_path / "back", f"{keys.namespace}-back") as back:
        await back.done("restore", second)
        assert await back.history("s") == history
        assert (await back.documents.get(f"/documents/{document['id']}")).content == content
        assert await back.tags() == {"a": 1, "b": 1}
    (events, documents, _), (events_2, documents_2, _) = unpacked(first), unpacked(second)
    assert (events, documents) == (events_2, documents_2)


# Enough for a command to be met in the middle.
MANY, EVENTS_EACH = 500, 10


async def fill(system: System, sessions: int = MANY) -> None:
    """By the script that the coordinator runs, too, without a request for each event."""
    async with connect(system.redis_server.url, name="test") as client:
        driver = Driver(Bus(client, system.keys))
        for number in range(sessions):
            session_id = f"s{number}"
            await driver.append([record("message", session_id, n=n) for n in range(EVENTS_EACH)], session_id)


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ends", ["SIGKILL", "SIGTERM", "SIGINT"])
async def test_a_backup_that_is_ended_leaves_nothing_that_looks_like_one(
    own_redis_server: RedisServer, tmp_path: Path, keys: Keys, ends: str
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    source = System(own_redis_server, tmp_path / "source", keys.namespace)
    await fill(source, 3 * MANY)
    process = source.command("backup", folder / "a.tar")
    await asyncio.to_thread(wait_until, lambda: parts(folder), "the backup to begin")
    own_redis_server.pause()
    try:
        assert process.popen.poll() is None
        (part,) = parts(folder)
        if ends == "SIGKILL":
            process.kill()
        else:
            process.popen.send_signal(signal.Signals[ends])
            assert await asyncio.to_thread(process.popen.wait, DEADLINE_SECONDS) == 1
            assert process.output.splitlines() == ["Error: ended before it was done; no backup was made"]
    finally:
        own_redis_server.resume()
    assert parts(folder) == ([part] if ends == "SIGKILL" else [])
    assert part.startswith(".a.tar.")
    assert part.endswith(".part")
    await source.done("backup", folder / "a.tar")
    assert unpacked(folder / "a.tar")[2]["sessions"] == 3 * MANY


async def test_a_restore_that_is_killed_goes_on_again_and_again(
    redis_server: RedisServer, tmp_path: Path, keys: Keys
) -> None:
    file = tmp_path / "backup.tar"
    source = System(redis_server, tmp_path / "source", keys.namespace)
    await fill(source)
    await source.done("backup", file)
    histories, _, _ = unpacked(file)
    async with system(redis_server, tmp_path / "target", f"{keys.namespace}-2") as target:

        def so_many() -> int:
            return int(target.database.hget(target.keys.restoration, "done") or 0)

        for wanted in (50, 120, 250):
            process = target.command("restore", file)
            await asyncio.to_thread(wait_until, lambda wanted=wanted: so_many() >= wanted, f"{wanted} entries")
            process.kill()
            assert so_many() < MANY
        refused = target.command("restore", await _another(file, tmp_path))
        assert await asyncio.to_thread(refused.popen.wait, DEADLINE_SECONDS) == 1
        assert "another backup" in refused.output
        await target.done("restore", file)
        assert not target.database.exists(target.keys.restoration)
        events = {name: session["events"] for name, session in (await target.sessions()).items()}
        assert events == dict.fromkeys(histories, EVENTS_EACH)
        for session_id in list(histories)[:: MANY // 20]:
            assert is_prefix(histories[session_id], await target.history(session_id))
        # Whoever was killed between an object and its session left one that nobody has.
        objects = list((target.folder / ".agent-orchestrator" / "blobs").rglob("history/*/*"))
        assert MANY <= len(objects) <= MANY + 3


async def _another(file: Path, folder: Path) -> Path:
    """A backup that differs from a file in nothing but its id."""
    with tarfile.open(file) as tar:
        member = tar.extractfile("backup.json")
        assert member is not None
        about = member.read()
    other = about.replace(json.loads(about)["id"].encode(), b"f" * 32)
    data = file.read_bytes()
    for old, new in ((about, other), (_sum(about), _sum(other))):
        data = data.replace(old, new)
    path = folder / "another.tar"
    path.write_bytes(data)
    return path


def _sum(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
