"""Histories that a real worker moves out of Redis, read through a real coordinator."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from agent_bus.jobs import ARCHIVE_HISTORIES, REMOVE_ORPHANED_BLOBS
from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.processes import Process, RedisServer, Server, all_of, wait_until, worker

EVENTS = 400


class System:
    """A coordinator, its data, and workers on demand, in a namespace of their own."""

    def __init__(self, redis_server: RedisServer, folder: Path, keys: Keys) -> None:
        self.redis_server, self.folder, self.keys = redis_server, folder, keys
        self.environment = {
            "AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace,
            "AGENT_ORCHESTRATOR_ARCHIVE_AFTER_SECONDS": "0.5",
        }
        self.database = redis.Redis(port=redis_server.port)
        self.server = Server("coordinator", redis_server.url, folder, self.environment)
        self.client = httpx.AsyncClient(base_url=self.server.url, timeout=30)

    def worker(self) -> Process:
        return worker(self.redis_server.url, self.folder, self.environment)

    async def post(self, event_type: str, **fields: object) -> None:
        head = {"event_type": event_type, "session_id": "s", "session_name": "Fix the login", "timestamp": now()}
        answer = await self.client.post("/events", json=head | fields)
        assert answer.status_code == 200, answer.text

    async def run(self, *marks: int) -> None:
        await self.post("session_start")
        for start in range(0, len(marks), 50):
            await asyncio.gather(*(self.post("message", n=mark) for mark in marks[start : start + 50]))
        await self.post("session_stop")

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def history(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = (await self.get("/events/s?limit=10000"))["events"]
        return events

    def objects(self) -> list[Path]:
        return list((self.folder / ".agent-orchestrator" / "blobs").rglob("history/*/*"))

    async def until(self, condition: Callable[[], bool], job: str, what: str) -> None:
        """Waits, and lets the job be due again and again meanwhile."""

        def holds() -> bool:
            self.database.delete(self.keys.due(job))
            return condition()

        await asyncio.to_thread(wait_until, holds, what)

    async def moved(self) -> None:
        gone = self.keys.history("s")
        await self.until(lambda: not self.database.exists(gone), ARCHIVE_HISTORIES.name, "the history to move")

    async def close(self) -> None:
        await self.client.aclose()
        self.database.close()
        self.server.stop()


@pytest.fixture
async def system(redis_server: RedisServer, tmp_path: Path, keys: Keys) -> AsyncIterator[System]:
    system = System(redis_server, tmp_path, keys)
    yield system
    await system.close()


async def test_a_session_over_and_quiet_moves_and_nobody_notices(system: System) -> None:
    await system.run(*range(EVENTS))
    before, session = await system.history(), await system.get("/sessions/s")
    outline = await system.get("/events/s/outline")
    with system.worker():
        await system.moved()
    assert len(system.objects()) == 1
    assert await system.history() == before
    assert await system.get("/sessions/s") == session
    assert await system.get("/events/s/outline") == outline
    page = await system.get(f"/events/s?limit=7&before={before[100]['id']}")
    assert page == {"events": before[93:100], "has_more": True, "next": before[93]["id"]}


async def test_a_resumed_session_continues_and_moves_again(system: System) -> None:
    with system.worker():
        await system.run(1, 2)
        await system.moved()
        await system.run(3)
        before = await system.history()
        assert [event.get("n") for event in before] == [None, 1, 2, None, None, 3, None]
        await system.moved()
    assert await system.history() == before
    assert (await system.get("/sessions/s"))["events"] == 7


async def test_two_workers_at_once_move_each_history_once(system: System) -> None:
    await system.run(*range(50))
    before = await system.history()
    with all_of(system.worker(), system.worker()):
        await system.moved()
    assert await system.history() == before


async def test_a_worker_killed_at_it_loses_nothing_and_leaves_nothing(system: System) -> None:
    await system.run(*range(50))
    before = await system.history()
    # An object that a move left behind which was killed before it had told Redis, long ago.
    left = system.folder / ".agent-orchestrator" / "blobs" / system.keys.namespace / "history" / "00" / ("0" * 32)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of it")
    os.utime(left, (1, 1))
    with system.worker():
        await system.until(lambda: not left.exists(), REMOVE_ORPHANED_BLOBS.name, "what was left behind to go")
        await system.moved()
    assert await system.history() == before


async def test_a_blob_store_that_is_away_and_an_object_that_is_gone_are_told_apart(system: System) -> None:
    await system.run(1)
    with system.worker():
        await system.moved()
    (path,) = system.objects()
    blobs = system.folder / ".agent-orchestrator" / "blobs"
    away = blobs.rename(blobs.with_name("away"))
    blobs.write_text("no folder")
    answer = await system.client.get("/events/s")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["detail"] == "The blob store is not reachable; try again shortly"
    blobs.unlink()
    away.rename(blobs)
    hidden = path.rename(path.with_name("hidden"))
    answer = await system.client.get("/events/s")
    assert answer.status_code == 500
    assert "archive" in answer.json()["detail"]
    hidden.rename(path)
    assert len(await system.history()) == 3
