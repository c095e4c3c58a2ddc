"""What the suites of the bus share: driving the scripts the way the API and the bridge do."""

import json
from typing import Any

import orjson
import pytest

from agent_bus.bus import Bus
from agent_bus.commands import Appended
from agent_bus.event_records import EventRecord, tool_outcome
from agent_bus.events import Events, Producer
from agent_bus.sessions import Sessions
from agent_bus.timestamps import microseconds, now


def record(event_type: str, session_id: str = "s", **fields: Any) -> EventRecord:
    """An event as the API makes it."""
    at = fields.pop("timestamp", None) or now()
    described = {name: fields.get(name) or "" for name in ("project_dir", "agent_name")}
    body = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": at} | fields
    outcome = tool_outcome(event_type, fields.get("tool_name"), fields.get("error"))
    tail = orjson.dumps(body)[1:]
    return EventRecord(event_type, at, microseconds(at), body["session_name"], tail, **described, outcome=outcome)


class Driver:
    """Appends events the way the API does, and reads back what browsers would see."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.events, self.sessions = bus, Events(bus), Sessions(bus)

    async def post(
        self, event_type: str, session_id: str = "s", producer: Producer | None = None, **fields: Any
    ) -> Appended:
        return await self.append([record(event_type, session_id, **fields)], session_id, producer)

    async def append(
        self, events: list[EventRecord], session_id: str = "s", producer: Producer | None = None
    ) -> Appended:
        await self.bus.load("append_events")
        call = self.events.append_call(session_id, events, producer)
        return self.events.read_append(await self.bus.redis.execute_command("EVALSHA", *call))

    async def get(self, session_id: str = "s") -> dict[str, Any] | None:
        found = await self.sessions.get(session_id)
        return json.loads(found) if found is not None else None

    async def status(self, session_id: str = "s") -> tuple[str, bool | None]:
        session = await self.get(session_id)
        assert session is not None
        return session["status"], session["stop_confirmed"]

    async def messages(self, after: int = 0) -> list[dict[str, Any]]:
        return [json.loads(message.json) for message in await self.bus.read(after, limit=10_000)]

    async def expire_lease(self, session_id: str = "s") -> None:
        """What time does to a lease that nobody renews."""
        keys = self.bus.keys
        if await self.bus.redis.zscore(keys.leases, session_id) is not None:
            await self.bus.redis.hset(keys.session(session_id), "lease_until", "1")
            await self.bus.redis.zadd(keys.leases, {session_id: 1})


@pytest.fixture
def driver(bus: Bus) -> Driver:
    return Driver(bus)
