"""A Redis without memory left, and one that has lost its past: reading and stopping go on, and bridges come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import redis

from agent_bridge import AgentBridge, SessionStopped
from tests.browser import Browser, is_status
from tests.processes import DEADLINE_SECONDS, RedisServer, Server

NAMESPACE = {"AGENT_ORCHESTRATOR_NAMESPACE": "ao"}


@asynccontextmanager
async def coordinator(redis_server: RedisServer, folder: Path) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """A coordinator, and a client for it."""
    with Server("coordinator", redis_server.url, folder, NAMESPACE) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            yield server, http


async def test_without_memory_events_are_refused_and_agents_are_stopped_in_sight_of_browsers(
    own_redis_server: RedisServer, tmp_path: Path, session_id: str
) -> None:
    stopped = asyncio.Event()

    async def agent() -> None:
        try:
            async with AgentBridge(session_id=session_id, redis_url=own_redis_server.url) as bridge:
                await bridge.run(asyncio.Event().wait())
        except SessionStopped:
            stopped.set()

    async with coordinator(own_redis_server, tmp_path) as (server, http):
        async with Browser(server.ws_url) as browser:
            # After `init`, or what is waited for may be in there.
            working = asyncio.create_task(agent())
            await browser.until(lambda message: message.get("session", {}).get("presence") == "connected")
            with redis.Redis(port=own_redis_server.port) as administrator:
                administrator.config_set("maxmemory", 1)
                event = {"event_type": "message", "session_id": session_id, "session_name": session_id,
                         "timestamp": "2026-01-24T10:00:00+00:00", "role": "user", "content": []}  # fmt: skip
                refused = await http.post("/events", json=event)
                assert refused.status_code in (503, 507), refused.text
                assert "Retry-After" in refused.headers
                assert (await http.get(f"/events/{session_id}")).status_code == 200
                async with Browser(server.ws_url) as late:
                    assert late.messages[0]["total"] == 1
                answer = await http.post(f"/sessions/{session_id}/stop")
                assert answer.status_code in (200, 202), answer.text
                await asyncio.wait_for(stopped.wait(), DEADLINE_SECONDS)
                administrator.config_set("maxmemory", 0)
            await browser.until(is_status(session_id, "stopped"))
        await working


async def test_a_bridge_that_says_nothing_is_shown_again_by_a_redis_that_has_lost_its_past(
    own_redis_server: RedisServer, tmp_path: Path, session_id: str
) -> None:
    async with coordinator(own_redis_server, tmp_path) as (_, http):
        async with AgentBridge(session_id=session_id, redis_url=own_redis_server.url, lease_seconds=2) as bridge:
            with redis.Redis(port=own_redis_server.port) as administrator:
                administrator.flushall()
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (await http.get(f"/sessions/{session_id}")).status_code != 200:
                    pass
            stop = asyncio.create_task(http.post(f"/sessions/{session_id}/stop"))
            await asyncio.wait_for(bridge.wait_for_stop(), DEADLINE_SECONDS)
        assert (await stop).json()["success"]
