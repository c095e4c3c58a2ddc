"""Sessions on the scripts: the same suite on fakeredis and on a real server."""

import json
from typing import Any

import orjson
import pytest

from agent_bus.bus import Bus
from agent_bus.event_records import EventRecord
from agent_bus.events import Events, Producer
from agent_bus.sessions import Sessions
from agent_bus.timestamps import now, microseconds


def record(event_type: str, session_id: str = "s", **fields: Any) -> EventRecord:
    at = fields.pop("timestamp", None) or now()
    body = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": at} | fields
    return EventRecord(event_type, at, microseconds(at), body["session_name"], orjson.dumps(body)[1:])


@pytest.fixture
def sessions(bus: Bus) -> Sessions:
    return Sessions(bus)


@pytest.fixture
def events(bus: Bus) -> Events:
    return Events(bus)


class Driver:
    """Appends events the way the API does, and reads sessions back."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.events, self.sessions = bus, Events(bus), Sessions(bus)

    async def post(self, event_type: str, session_id: str = "s", producer: Producer | None = None, **fields: Any) -> Any:
        await self.bus.load("append_events")
        call = self.events.append_call(session_id, [record(event_type, session_id, **fields)], producer)
        return self.events.read_append(await self.bus.redis.execute_command("EVALSHA", *call))

    async def get(self, session_id: str = "s") -> dict[str, Any]:
        found = await self.sessions.get(session_id)
        assert found is not None
        session: dict[str, Any] = json.loads(found)
        return session

    async def messages(self) -> list[dict[str, Any]]:
        return [json.loads(message.json) for message in await self.bus.read(0, limit=1000)]


@pytest.fixture
def driver(bus: Bus) -> Driver:
    return Driver(bus)


async def test_start_creates_a_running_session_and_tells_it_before_the_event(driver: Driver) -> None:
    appended = await driver.post("session_start", timestamp="2026-01-24T10:00:00+00:00")
    session = await driver.get()
    assert session == {
        "session_id": "s", "session_name": "s", "status": "running", "created_at": "2026-01-24T10:00:00+00:00",
        "modified_at": session["modified_at"], "project_dir": None, "agent_name": None, "presence": "hooks",
        "stop_confirmed": None,
    }  # fmt: skip
    created, event = await driver.messages()
    assert (created["type"], created["seq"], created["session"]) == ("session_created", 1, session)
    assert (event["type"], event["seq"], event["data"]["id"]) == ("event", 2, 2)
    assert appended.last_id == 2


async def test_a_stop_without_an_agent_waits_for_the_run_and_not_for_the_next(driver: Driver) -> None:
    await driver.post("session_start")
    request = await driver.sessions.request_stop("s", "c1")
    assert request.outcome == "unattended"
    session = await driver.get()
    assert (session["status"], session["stop_confirmed"], session["presence"]) == ("stopped", False, "none")
    assert (await driver.post("message")).command is not None
    lease = await driver.sessions.enter("s", "b1", record("session_start"))
    assert lease.command is not None
    assert lease.command.command_id == "c1"
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stopped"
    assert (await driver.get())["stop_confirmed"] is True
    again = await driver.sessions.enter("s", "b2", record("session_start"))
    assert again.command is None
    assert again.run != lease.run
    assert (await driver.get())["status"] == "running"
    assert await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop")) == "stale"
    assert (await driver.get())["status"] == "running"
