"""A bridge's conversation with Redis while the agent says more than its session may; on a real Redis."""

import asyncio
import json
import logging
from typing import Any

import pytest

from agent_bridge import AgentBridge, SessionStopped
from agent_bridge.outgoing import BATCH_EVENTS, MAX_EVENTS
from agent_bus.allowances import SESSION_EVENTS_VARIABLE, InvalidLimit
from agent_bus.bus import Bus
from agent_bus.events import Events
from agent_bus.sessions import Sessions
from tests.processes import DEADLINE_SECONDS, RedisServer
from tests.unit.live import eventually


@pytest.fixture
def one_a_second(real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten at once, and a batch that begins within them; the next is due after minutes."""
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", real_bus.keys.namespace)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv(SESSION_EVENTS_VARIABLE, "1")


async def events(bus: Bus) -> list[dict[str, Any]]:
    page = await Events(bus).page("s", limit=10_000)
    return [json.loads(event) for event in page.events] if page else []


async def until_kept(bus: Bus, count: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(await events(bus)) < count:
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("one_a_second")
async def test_a_runaway_waits_in_its_buffer_and_is_stopped_without_waiting_for_it(
    real_bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    sessions, count = Sessions(real_bus), 3 * BATCH_EVENTS
    with pytest.raises(SessionStopped):
        async with AgentBridge(session_id="s") as bridge:
            for number in range(count):
                await bridge.event("step", number=number)
            await eventually(
                lambda: "says more than 1 events a second" in caplog.text, "the bridge to say that it waits"
            )
            kept = len(await events(real_bus))
            assert 0 < kept < count
            # The lease is kept, and the stop heard, all the same.
            assert (await sessions.request_stop("s", "c")).outcome == "sent"
            await bridge.run(asyncio.Event().wait())
    assert [event["number"] for event in await events(real_bus) if event["event_type"] == "step"] == list(range(count))
    assert (await events(real_bus))[-1]["event_type"] == "session_stop"
    stopped = json.loads(await sessions.get("s") or b"{}")
    assert (stopped["status"], stopped["stop_confirmed"]) == ("stopped", True)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1


@pytest.mark.usefixtures("one_a_second")
async def test_leaving_does_not_wait_either(real_bus: Bus) -> None:
    async with AgentBridge(session_id="s") as bridge:
        for number in range(3 * BATCH_EVENTS):
            await bridge.event("step", number=number)
    told = await events(real_bus)
    assert len([event for event in told if event["event_type"] == "step"]) == 3 * BATCH_EVENTS
    assert told[-1]["event_type"] == "session_stop"


@pytest.mark.usefixtures("one_a_second")
async def test_what_does_not_fit_into_the_buffer_is_dropped_and_the_number_told(real_bus: Bus) -> None:
    async with AgentBridge(session_id="s") as bridge:
        await bridge.event("step", number=0)
        await until_kept(real_bus, 1)
        kept = [await bridge.event("step", number=number) for number in range(1, 2 * MAX_EVENTS)]
        assert not all(kept)
    told = await events(real_bus)
    missing = sum(event["count"] for event in told if event["event_type"] == "events_dropped")
    assert missing == kept.count(False) > 0


async def test_as_much_as_it_likes_where_there_is_no_limit(
    real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", real_bus.keys.namespace)
    monkeypatch.setenv(SESSION_EVENTS_VARIABLE, "0")
    async with AgentBridge(session_id="s", redis_url=redis_server.url) as bridge:
        for number in range(3 * BATCH_EVENTS):
            await bridge.event("step", number=number)
        await until_kept(real_bus, 3 * BATCH_EVENTS)


def test_a_limit_that_is_none_is_said_before_the_agent_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SESSION_EVENTS_VARIABLE, "plenty")
    with pytest.raises(InvalidLimit, match=SESSION_EVENTS_VARIABLE):
        AgentBridge(session_id="s")
