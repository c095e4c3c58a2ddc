"""The outline over HTTP: a long session read as a picture, searched, and joined to the events themselves."""

from typing import Any

import httpx
import pytest

from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.timestamps import now
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import Driver, record

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]
EVENTS = 2500


async def get(client: httpx.AsyncClient, path: str, **params: str | int) -> dict[str, Any]:
    response = await client.get(path, params=params)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def post(client: httpx.AsyncClient, session_id: str, event_type: str, **fields: object) -> int:
    head = {"event_type": event_type, "session_id": session_id, "session_name": "Fix the login", "timestamp": now()}
    response = await client.post("/events", json=head | fields)
    assert response.status_code == 200, response.text
    return int(response.json()["id"])


async def test_pages_of_the_outline_are_the_history(http: Clients, session_id: str, redis_server: RedisServer) -> None:
    redis = connect(redis_server.url, name="test")
    driver = Driver(Bus(redis))
    for start in range(0, EVENTS, 500):
        await driver.append([record("pre_tool", session_id, n=n) for n in range(start, start + 500)], session_id)
    await redis.aclose()
    back: list[dict[str, Any]] = []
    scanned: list[int] = []
    before: dict[str, int] = {}
    while not scanned or before:
        page = await get(http[len(scanned) % 2], f"/events/{session_id}/outline", limit=1000, **before)
        back = page["events"] + back
        scanned.append(page["scanned"])
        before = {"before": page["next"]} if page["has_more"] else {}
        assert (page["next"] is None) is (not page["has_more"])
    assert scanned == [1000, 1000, 500]
    stored = (await get(http[0], f"/events/{session_id}", limit=10_000))["events"]
    assert [(line["id"], line["timestamp"], line["event_type"]) for line in back] == [
        (event["id"], event["timestamp"], event["event_type"]) for event in stored
    ]
    assert (await get(http[1], f"/events/{session_id}/outline"))["events"] == back
    forward = await get(http[0], f"/events/{session_id}/outline", after=back[9]["id"], limit=20)
    assert forward["events"] == back[10:30]
    assert (forward["has_more"], forward["next"], forward["scanned"]) == (True, back[29]["id"], 20)


async def test_errors_show_and_words_are_found(http: Clients, session_id: str) -> None:
    a, b = http
    path = f"/events/{session_id}/outline"
    use = {"tool_name": "Bash", "tool_use_id": "toolu_1", "agent_id": "a1"}
    start = await post(a, session_id, "session_start")
    tool = await post(b, session_id, "post_tool", **use, tool_input={"command": 'echo "Grüße\n"'}, error="exit 2")
    said = await post(a, session_id, "message", role="assistant", content=[{"type": "text", "text": "Login is FIXED"}])
    end = await post(b, session_id, "session_stop", exit_code=3)
    page = await get(a, path)
    assert (page["has_more"], page["next"], page["scanned"]) == (False, None, 4)
    assert [(line["id"], line["error"]) for line in page["events"]] == [
        (start, False), (tool, True), (said, False), (end, True),
    ]  # fmt: skip
    bare = dict.fromkeys(("tool_name", "tool_use_id", "agent_id"))
    assert [{name: line[name] for name in bare} for line in page["events"]] == [bare, use, bare, bare]
    for q, found in {'"GRÜSSE\n"': [tool], "login": [said], "fix the": [], "event_type": [], "exit_code": []}.items():
        page = await get(b, path, q=q)
        assert ([line["id"] for line in page["events"]], page["scanned"]) == (found, 4), q


@pytest.mark.parametrize(
    "params",
    [{"limit": 0}, {"limit": 10_001}, {"before": 0}, {"after": -1}, {"q": ""}, {"q": "x" * 201}, {"q": "\x00"}],
)
async def test_what_is_out_of_range_is_refused(http: Clients, session_id: str, params: dict[str, str | int]) -> None:
    response = await http[0].get(f"/events/{session_id}/outline", params=params)
    assert response.status_code == 422
    assert [item["loc"] for item in response.json()["detail"]] == [["query", *params]]


async def test_a_session_never_heard_of_is_not_found(http: Clients, session_id: str) -> None:
    response = await http[0].get(f"/events/{session_id}/outline")
    assert response.status_code == 404
    assert response.json() == {"detail": f"No session {session_id!r}"}
