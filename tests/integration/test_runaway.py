"""Agents that say as much as they can: another one is stopped meanwhile, and nothing of a third is lost."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from subprocess import PIPE, Popen

import httpx
import pytest

from agent_bus.keys import Keys
from agent_bus.timestamps import now
from bench.http_load import Order
from tests.browser import Browser
from tests.integration.test_stories import agent
from tests.processes import DEADLINE_SECONDS, REPOSITORY, RedisServer, Server

CONNECTIONS = 8
# Longer than all else here takes; it is ended when that is done.
FLOOD_SECONDS = 300.0
THIRD_EVENTS = 300


def body(session_id: str, number: int = 0) -> dict[str, object]:
    at = {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return at | {"number": number, "text": "x" * 200}


@contextmanager
def flooding(module: str, *arguments: str, say: str = "", **environment: str) -> Iterator[Popen[str]]:
    with Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | environment, stdin=PIPE, stdout=PIPE, text=True, cwd=REPOSITORY,
    ) as process:  # fmt: skip
        try:
            assert process.stdin is not None
            process.stdin.write(say)
            process.stdin.flush()
            yield process
        finally:
            process.kill()


async def events_of(client: httpx.AsyncClient, session_id: str) -> int:
    answer = await client.get(f"/sessions/{session_id}")
    return int(answer.json()["events"]) if answer.status_code == 200 else 0


async def grows_beyond(client: httpx.AsyncClient, session_id: str, count: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await events_of(client, session_id) <= count:
            await asyncio.sleep(0.01)


# Less than they try, so that both are over it on any machine; and none, so that they say what the machine can take.
@pytest.mark.parametrize("limit", ["200", "0"])
async def test_a_runaway_neither_delays_another_s_stop_nor_costs_a_third_an_event(
    redis_server: RedisServer, keys: Keys, tmp_path: Path, limit: str
) -> None:
    environment = {
        "AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace, "AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND": limit,
        "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": "20",
    }  # fmt: skip
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        order = Order(server.port, "POST", "/events", json.dumps(body("by-http")), CONNECTIONS, FLOOD_SECONDS)
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            with (
                agent("work", "victim", redis_server.url, **environment) as victim,
                flooding("bench.http_load", say=json.dumps(asdict(order)) + "\n") as by_http,
                flooding("tests.runaway_program", "by-bridge", REDIS_URL=redis_server.url, **environment) as by_bridge,
            ):
                # Both have said all that they may at once.
                await grows_beyond(client, "by-http", 2000)
                await grows_beyond(client, "by-bridge", 2000)
                async with Browser(f"{server.ws_url}?session_id=third") as browser:
                    third = asyncio.create_task(_say_all(server, "third"))
                    stopped = await client.post("/sessions/victim/stop")
                    assert stopped.json()["message"] == "Session stopped successfully", stopped.text
                    assert await asyncio.to_thread(victim.wait, DEADLINE_SECONDS) == 3
                    assert by_http.poll() is by_bridge.poll() is None, "the flood has ended too soon"
                    for name in "by-http", "by-bridge":
                        await grows_beyond(client, name, await events_of(client, name))
                    assert await third == list(range(THIRD_EVENTS))
                    seen = await browser.until(lambda message: message["type"] == "event", count=THIRD_EVENTS)
                    assert [message["data"]["number"] for message in seen] == list(range(THIRD_EVENTS))
                page = (await client.get("/events/third")).json()
                assert [event["number"] for event in page["events"]] == list(range(THIRD_EVENTS))


async def _say_all(server: Server, session_id: str) -> list[int]:
    """The numbers of the events that were answered with 200."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        # As many as its session may say at once; the limit is the flood's, too.
        statuses = [
            (await client.post("/events", json=body(session_id, number))).status_code for number in range(THIRD_EVENTS)
        ]
    return [number for number, status in enumerate(statuses) if status == 200]
