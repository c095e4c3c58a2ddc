"""What a stop means to an asyncio agent: handlers, cancelled work, endings; on a real Redis, without a coordinator."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from agent_bridge import AgentBridge, BridgeError, SessionStopped, StopCommand, attachment
from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.events import Events
from agent_bus.keys import Keys
from agent_bus.sessions import Sessions
from tests.processes import DEADLINE_SECONDS, RedisServer, free_port
from tests.unit.live import eventually


class Watch:
    """What people would see of one session."""

    def __init__(self, bus: Bus, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions, self.events, self.url = Sessions(bus), Events(bus), url
        monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", bus.keys.namespace)

    def bridge(self, **options: Any) -> AgentBridge:
        return AgentBridge(session_id="s", redis_url=self.url, **options)

    async def session(self) -> dict[str, Any]:
        found = await self.sessions.get("s")
        assert found is not None
        session: dict[str, Any] = json.loads(found)
        return session

    async def last_event(self) -> dict[str, Any]:
        page = await self.events.page("s", limit=1)
        assert page is not None
        event: dict[str, Any] = json.loads(page.events[-1])
        return event

    async def stop(self) -> None:
        assert (await self.sessions.request_stop("s", "c")).outcome == "sent"

    async def until_stopped(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (session := await self.session())["status"] != "stopped":
                await asyncio.sleep(0.01)
        return session


@pytest.fixture
def watch(real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(real_bus, redis_server.url, monkeypatch)


@pytest.mark.parametrize("kind", ["function", "coroutine function"])
async def test_a_stop_is_acknowledged_when_the_handler_has_returned(watch: Watch, kind: str) -> None:
    may_return, called = asyncio.Event(), []

    async def patient(command: StopCommand) -> None:
        called.append(command)
        await may_return.wait()

    async with watch.bridge() as bridge:
        bridge.on_stop(called.append if kind == "function" else patient)
        await watch.stop()
        assert (await bridge.wait_for_stop()).command_id == "c"
        if kind == "coroutine function":
            await eventually(lambda: called, "the call")
            assert (await watch.session())["status"] == "running"
            may_return.set()
        assert (await watch.until_stopped())["stop_confirmed"] is True
    assert len(called) == 1
    assert (await watch.last_event())["reason"] == "stopped"


async def test_a_handler_that_fails_leaves_the_acknowledgement_to_the_end_of_the_block(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: StopCommand) -> None:
        raise RuntimeError("no")

    async with watch.bridge() as bridge:
        bridge.on_stop(fail)
        await watch.stop()
        await eventually(lambda: "on_stop handler" in caplog.text, "the failure to be logged")
        assert (await watch.session())["status"] == "running"
    assert (await watch.session())["stop_confirmed"] is True


async def test_run_cancels_and_waits_for_what_it_runs_before_it_says_stopped(watch: Watch) -> None:
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append((await watch.session())["status"])

    async with watch.bridge() as bridge:
        task = asyncio.create_task(bridge.run(work()))
        await asyncio.sleep(0)
        await watch.stop()
        with pytest.raises(SessionStopped) as stopped:
            await task
        assert stopped.value.command.command_id == "c"
        await watch.until_stopped()
        with pytest.raises(SessionStopped):
            await bridge.run(work())
    assert cleaned == ["running"]


async def test_all_that_runs_must_end_before_the_stop_is_acknowledged(watch: Watch) -> None:
    release = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()

    async with watch.bridge() as bridge:
        tasks = [asyncio.create_task(bridge.run(coroutine)) for coroutine in (slow_to_end(), asyncio.Event().wait())]
        await asyncio.sleep(0)
        await watch.stop()
        await asyncio.wait([tasks[1]])
        assert (await watch.session())["status"] == "running"
        release.set()
        assert all(isinstance(error, SessionStopped) for error in await asyncio.gather(*tasks, return_exceptions=True))
        await watch.until_stopped()


async def test_work_that_swallowed_a_stop_gets_the_next_one(watch: Watch) -> None:
    swallowed = asyncio.Event()

    async def deaf_once() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.Event().wait()

    async with watch.bridge() as bridge:
        task = asyncio.create_task(bridge.run(deaf_once()))
        await asyncio.sleep(0)
        await watch.stop()
        await asyncio.wait_for(swallowed.wait(), DEADLINE_SECONDS)
        await watch.stop()
        with pytest.raises(SessionStopped):
            await task


async def test_a_result_comes_through(watch: Watch) -> None:
    async with watch.bridge() as bridge:
        assert await bridge.run(asyncio.sleep(0, "result")) == "result"
        with pytest.raises(ZeroDivisionError):
            await bridge.run(divide())
    assert (await watch.session())["status"] == "finished"


async def divide() -> float:
    return 1 / 0


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ValueError("no"), 1, "ValueError: no"), (SystemExit(3), 3, None), (SystemExit("bye"), 1, "bye"),
        (asyncio.CancelledError(), 1, "CancelledError"), (None, 0, None),
    ],
    ids=str,
)  # fmt: skip
async def test_how_the_block_was_left_is_told(
    watch: Watch, error: BaseException | None, code: int, reason: str | None
) -> None:
    with pytest.raises(type(error)) if error is not None else nullcontext():
        async with watch.bridge():
            if error is not None:
                raise error
    told = await watch.last_event()
    assert (told["event_type"], told["exit_code"], told["reason"]) == ("session_stop", code, reason)


async def test_an_agent_that_is_cancelled_still_tells_its_end(watch: Watch) -> None:
    entered = asyncio.Event()

    async def agent() -> None:
        async with watch.bridge():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(agent())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await watch.session())["status"] == "finished"


async def test_what_could_not_be_ended_leaves_the_stop_unconfirmed(watch: Watch) -> None:
    async with watch.bridge(lease_seconds=0.3) as bridge:
        await watch.stop()
        await bridge.wait_for_stop()
        bridge.report_end(exit_code=137, reason="stopped", ceased=False, survivors=[1])
    told = await watch.last_event()
    assert (told["event_type"], told["survivors"]) == ("stop_incomplete", [1])
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await watch.sessions.lapse_leases():
            await asyncio.sleep(0.01)
    session = await watch.session()
    assert (session["status"], session["stop_confirmed"]) == ("stopped", False)


async def test_a_handler_that_reports_what_has_not_ceased_does_not_confirm_by_returning(watch: Watch) -> None:
    called = asyncio.Event()
    async with watch.bridge(lease_seconds=0.3) as bridge:

        def leave_something(_: StopCommand) -> None:
            bridge.report_end(reason="stopped", ceased=False, survivors=[1])
            called.set()

        bridge.on_stop(leave_something)
        await watch.stop()
        await asyncio.wait_for(called.wait(), DEADLINE_SECONDS)
    told = await watch.last_event()
    assert (told["event_type"], told["survivors"]) == ("stop_incomplete", [1])
    assert (await watch.session())["stop_confirmed"] is False


async def test_an_agent_without_redis_goes_on_and_leaves(caplog: pytest.LogCaptureFixture) -> None:
    async with AgentBridge(session_id="s", redis_url=f"redis://127.0.0.1:{free_port()}/0") as bridge:
        assert await bridge.message("assistant", "said to nobody")
        assert await bridge.run(asyncio.sleep(0, "done")) == "done"
    assert "redis is away" in caplog.text
    assert "were not told" in caplog.text


async def test_a_block_that_was_left_takes_no_more_reports(watch: Watch) -> None:
    async with watch.bridge() as bridge:
        pass
    with pytest.raises(BridgeError, match="with"):
        await bridge.message("assistant", "late")


def test_an_id_that_can_not_be_one_is_refused_at_once() -> None:
    for session_id in ("", "a/b", "..", "x" * 201):
        with pytest.raises(ValueError, match="session id"):
            AgentBridge(session_id=session_id)


@pytest.fixture(autouse=True)
def _hear_the_bridge(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agent_bridge")


async def test_a_bridge_that_has_lived_through_a_restoration_still_gives_way_to_the_next(
    watch: Watch, real_bus: Bus
) -> None:
    async with watch.bridge(lease_seconds=0.5) as first:
        assert first._link is not None
        attachment = first._link._attachment
        assert attachment is not None
        await real_bus.redis.set(real_bus.keys.epoch, "another")
        await eventually(lambda: attachment._epoch == "another", "the bridge to renew its lease in the new epoch")
        async with watch.bridge() as second:
            await eventually(lambda: first.superseded, "the first to give way")
            assert not second.superseded
            assert (await watch.session())["presence"] == "connected"


@pytest.fixture
async def limited(
    own_redis_server: RedisServer, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Watch, Bus]]:
    """A session on a Redis that can be left without memory."""
    client = connect(own_redis_server.url, name="test")
    await client.config_set("maxmemory-policy", "noeviction")
    bus = Bus(client, keys)
    yield Watch(bus, own_redis_server.url, monkeypatch), bus
    await client.aclose()


async def test_the_end_of_a_stopped_agent_does_not_wait_for_events_that_redis_refuses(
    limited: tuple[Watch, Bus], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "REFUSED_SECONDS", 0.05)
    watch, bus = limited
    async with watch.bridge() as bridge:
        await bus.redis.config_set("maxmemory", 1)
        for n in range(3):
            await bridge.event("step", n=n)
        await watch.stop()
        with pytest.raises(SessionStopped):
            await bridge.run(asyncio.Event().wait())
        session = await watch.until_stopped()
        assert session["stop_confirmed"] is True
        closing = await watch.last_event()
        assert (closing["event_type"], closing["events_pending"]) == ("session_stop", 3)
        await bus.redis.config_set("maxmemory", 0)
    # What was refused has come after all, once and in order.
    page = await watch.events.page("s", limit=100)
    assert page is not None
    events = [json.loads(event) for event in page.events]
    assert [event.get("n") for event in events] == [None, None, 0, 1, 2]
    assert (await watch.session())["status"] == "stopped"


async def test_leaving_without_memory_confirms_the_stop_and_says_what_is_missing(
    limited: tuple[Watch, Bus], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attachment, "REFUSED_SECONDS", 0.05)
    monkeypatch.setattr("agent_bridge.reporting.CLOSE_SECONDS", 1.0)
    watch, bus = limited
    async with watch.bridge() as bridge:
        await bus.redis.config_set("maxmemory", 1)
        await bridge.event("step")
        await watch.stop()
        await bridge.wait_for_stop()
    session = await watch.session()
    assert (session["status"], session["stop_confirmed"]) == ("stopped", True)
    assert (await watch.last_event())["events_pending"] == 1
    assert "redis took no more while session s ended: 1 events were not told" in caplog.text


async def test_a_bridge_does_not_enter_beside_a_newer_version_and_says_so(
    watch: Watch, real_bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    await real_bus.redis.set(real_bus.keys.contract, "99.0")
    async with watch.bridge() as bridge:
        await bridge.event("step")
    assert await watch.sessions.get("s") is None
    assert "session s is not shown and can't be stopped: A newer version of this software" in caplog.text


async def test_with_replicas_wanted_and_none_there_events_wait_and_the_stop_is_known(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_MIN_REPLICAS", "1")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_REPLICATION_TIMEOUT_MS", "1")
    monkeypatch.setattr(attachment, "REFUSED_SECONDS", 0.05)
    monkeypatch.setattr("agent_bridge.reporting.CLOSE_SECONDS", 1.0)
    async with watch.bridge() as bridge:
        await bridge.event("step")
        await watch.stop()
        await bridge.wait_for_stop()
    session = await watch.session()
    assert (session["status"], session["stop_confirmed"]) == ("stopped", True)
    page = await watch.events.page("s", limit=100)
    assert page is not None
    assert [json.loads(event)["event_type"] for event in page.events] == ["session_start", "step", "session_stop"]
