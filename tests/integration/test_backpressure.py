"""A Redis that does not keep up, behind a slow proxy: bounded memory, 503 for the rest, and what was accepted kept."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from agent_bridge import AgentBridge
from agent_bus.event_writer import MAX_WAITING_BYTES
from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.faults.proxy import Proxy
from tests.metrics import read_metrics
from tests.processes import DEADLINE_SECONDS, RedisServer, Server

MIB = 1024 * 1024
EVENT_BYTES = 256 * 1024
# Half as much again as may wait.
POSTS = 3 * MAX_WAITING_BYTES // 2 // EVENT_BYTES
# What waits is held as it came, as it will be kept, and in the pipeline under way; the rest is for the allocator.
MOST_BYTES = 6 * MAX_WAITING_BYTES


async def test_what_does_not_fit_is_refused_and_what_was_accepted_is_there(
    redis_server: RedisServer, keys: Keys, tmp_path: Path
) -> None:
    async with Proxy(redis_server.port) as proxy:
        environment = {"AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace}
        url = f"redis://127.0.0.1:{proxy.port}/0"
        with await asyncio.to_thread(Server, "coordinator", url, tmp_path, environment) as server:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
                await _post(client, -1)
                process = psutil.Process(server.popen.pid)
                before = largest = process.memory_info().rss
                # Each round trip takes two seconds of the five that it may.
                proxy.delay_seconds = 1.0
                posts = [asyncio.create_task(_post(client, number)) for number in range(POSTS)]
                async with asyncio.timeout(DEADLINE_SECONDS):
                    while not any(post.done() and post.result().status_code == 503 for post in posts):
                        largest = max(largest, process.memory_info().rss)
                        await asyncio.sleep(0.01)
                # What keeps the system in hand stands in no queue. (A new connection takes several round trips.)
                proxy.delay_seconds = 0.1
                assert (await client.get("/health")).status_code == 200
                stopped = await client.post("/sessions/quiet/stop")
                assert stopped.status_code == 404
                proxy.delay_seconds = 0.0
                answers = await asyncio.gather(*posts)
                largest = max(largest, process.memory_info().rss)
                statuses = Counter(answer.status_code for answer in answers)
                assert set(statuses) == {200, 503}
                for answer in answers:
                    if answer.status_code == 503:
                        assert answer.headers["retry-after"] == "1"
                        assert "Redis does not keep up" in answer.json()["detail"]
                print(f"memory grew by {(largest - before) / MIB:.0f} MiB, {statuses}")
                assert largest - before < MOST_BYTES
                metrics = await asyncio.to_thread(read_metrics, server.url)
                assert metrics.value("events_refused_total", reason="full") == statuses[503]
                assert metrics.value("events_refused_total", reason="redis") == 0
                accepted = {number for number, answer in enumerate(answers) if answer.status_code == 200}
                assert await _kept(client) == accepted | {-1}
            assert server.output.count("more are refused") == 1


async def _post(client: httpx.AsyncClient, number: int) -> httpx.Response:
    event = {
        "event_type": "message", "session_id": "busy", "session_name": "busy", "timestamp": now(), "number": number,
        "text": "x" * EVENT_BYTES,
    }  # fmt: skip
    return await client.post("/events", json=event)


async def _kept(client: httpx.AsyncClient) -> set[int]:
    numbers: list[int] = []
    after = 0
    while True:
        page = (await client.get("/events/busy", params={"after": after})).json()
        numbers += [event["number"] for event in page["events"]]
        if not page["has_more"]:
            assert len(numbers) == len(set(numbers)), "an event is there twice"
            return set(numbers)
        after = page["next"]


async def test_a_bridge_on_a_slow_redis_keeps_what_it_is_told_and_loses_nothing(
    redis_server: RedisServer, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", keys.namespace)
    async with Proxy(redis_server.port) as proxy:
        async with AgentBridge(session_id="slow", redis_url=f"redis://127.0.0.1:{proxy.port}/0") as bridge:
            proxy.delay_seconds = 0.2
            assert all([await bridge.event("step", number=number) for number in range(1000)])
            # Not a longer farewell than it takes; everything was kept meanwhile.
            proxy.delay_seconds = 0.0
        with await asyncio.to_thread(
            Server, "coordinator", redis_server.url, tmp_path, {"AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace}
        ) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
                page = (await client.get("/events/slow", params={"limit": 2000})).json()
            told = [event["number"] for event in page["events"] if event["event_type"] == "step"]
            assert told == list(range(1000))
