"""`GET /statistics` with real parts: what comes in, whichever way, is counted once and told by every replica."""

import httpx
import pytest

from agent_bridge import AgentBridge
from agent_bus.timestamps import now
from tests.processes import RedisServer

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]


async def uses(client: httpx.AsyncClient, tool: str) -> tuple[int, int]:
    """How often the tool was used, and how often it failed, in the last hours: more than one, should it be its turn."""
    answer = await client.get("/statistics", params={"hours": 2})
    assert answer.status_code == 200, answer.text
    counts = [bucket["tools"][tool] for bucket in answer.json()["buckets"] if tool in bucket["tools"]]
    return sum(count["uses"] for count in counts), sum(count["errors"] for count in counts)


async def test_a_tool_is_counted_whichever_way_it_is_reported(
    http: Clients, session_id: str, redis_server: RedisServer
) -> None:
    tool = f"tool-{session_id}"
    head = {"session_id": f"{session_id}-http", "session_name": "n", "timestamp": now(), "tool_name": tool}
    for event in ({"event_type": "pre_tool"}, {"event_type": "post_tool"}, {"event_type": "post_tool", "error": "e"}):
        assert (await http[0].post("/events", json=head | event)).status_code == 200
    assert await uses(http[1], tool) == (2, 1)

    hook = {"session_id": f"{session_id}-hook", "cwd": "/", "prompt_id": "p", "tool_name": tool, "tool_use_id": "t"}
    for said in (
        {"hook_event_name": "PreToolUse"},
        {"hook_event_name": "PostToolUse", "tool_response": "x"},
        {"hook_event_name": "PostToolUseFailure", "error": "e"},
    ):
        assert (await http[1].post("/hooks/claude-code", json=hook | said)).status_code == 200
    assert await uses(http[0], tool) == (4, 2)

    async with AgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
        await bridge.pre_tool(tool, {})
        await bridge.post_tool(tool, {}, "x")
        await bridge.post_tool(tool, {}, error="e")
    for client in http:
        assert await uses(client, tool) == (6, 3)


@pytest.mark.parametrize(("hours", "buckets", "seconds"), [(None, 288, 300), (1, 12, 300), (168, 168, 3600)])
async def test_the_answer_is_as_long_as_was_asked_for(
    http: Clients, hours: int | None, buckets: int, seconds: int
) -> None:
    answer = (await http[0].get("/statistics", params={} if hours is None else {"hours": hours})).json()
    assert (len(answer["buckets"]), answer["bucket_seconds"]) == (buckets, seconds)
    assert all(set(bucket) == {"start", "events", "sessions", "tools"} for bucket in answer["buckets"])


@pytest.mark.parametrize("hours", ["0", "169", "-1", "1.5", "many"])
async def test_more_than_is_kept_is_refused(http: Clients, hours: str) -> None:
    answer = await http[0].get("/statistics", params={"hours": hours})
    assert answer.status_code == 422
    assert "detail" in answer.json()
