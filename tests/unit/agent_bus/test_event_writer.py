"""Group commit: answers match their calls, nothing is written twice, and what can't be written is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from agent_bus import event_writer
from agent_bus.bus import Bus
from agent_bus.commands import Appended
from agent_bus.connection import connect
from agent_bus.event_records import EventRecord
from agent_bus.event_writer import EventWriter, WriterFull
from agent_bus.events import Events
from agent_bus.tasks import end
from tests.processes import RedisServer
from tests.unit.live import eventually
from tests.unit.proxy import Proxy


def record(mark: object, session_id: str = "s") -> EventRecord:
    body = {"event_type": "message", "session_id": session_id, "mark": mark}
    return EventRecord("message", "2026-01-24T10:00:00+00:00", 1769248800000000, session_id, orjson.dumps(body)[1:])


@asynccontextmanager
async def writing(bus: Bus, url: str) -> AsyncIterator[EventWriter]:
    redis = connect(url, name="test-writer", retries=0, max_connections=2)
    writer = EventWriter(bus, redis)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        await end([task])
        await redis.aclose()


@pytest.fixture
async def writer(real_bus: Bus, redis_server: RedisServer) -> AsyncIterator[EventWriter]:
    async with writing(real_bus, redis_server.url) as writer:
        yield writer


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[Proxy]:
    async with Proxy(redis_server.port) as proxy:
        yield proxy


async def marks(bus: Bus, session_id: str = "s") -> list[object]:
    page = await Events(bus).page(session_id, limit=10_000)
    return [orjson.loads(event)["mark"] for event in page.events] if page else []


async def test_each_answer_belongs_to_its_call_and_events_keep_the_order_of_the_calls(
    real_bus: Bus, writer: EventWriter
) -> None:
    calls = [(f"s{number % 7}", number) for number in range(600)]
    answers = await asyncio.gather(*(writer.append(name, [record(mark, name)]) for name, mark in calls))
    for name in {name for name, _ in calls}:
        page = await Events(real_bus).page(name, limit=1000)
        assert page is not None
        stored = {orjson.loads(event)["mark"]: orjson.loads(event)["id"] for event in page.events}
        expected = {mark: answer.last_id for (own, mark), answer in zip(calls, answers, strict=True) if own == name}
        assert stored == expected
        assert list(stored) == sorted(stored)


async def test_a_server_that_forgot_the_script_is_taught_and_nothing_is_lost_or_doubled(
    real_bus: Bus, writer: EventWriter
) -> None:
    for round_number in range(3):
        await real_bus.redis.script_flush()
        answers = await asyncio.gather(*(writer.append("s", [record([round_number, n])]) for n in range(20)))
        assert all(answer.accepted == 1 for answer in answers)
    assert await marks(real_bus) == [[round_number, n] for round_number in range(3) for n in range(20)]


async def test_a_command_that_redis_refuses_fails_alone(real_bus: Bus, writer: EventWriter) -> None:
    await real_bus.redis.set(real_bus.keys.session("broken"), "not a hash")
    good, bad = await asyncio.gather(
        writer.append("s", [record(1)]), writer.append("broken", [record(2)]), return_exceptions=True
    )
    assert isinstance(good, Appended)
    assert isinstance(bad, RedisError)


async def test_a_connection_that_breaks_before_the_answer_refuses_and_writes_nothing_twice(
    real_bus: Bus, proxy: Proxy
) -> None:
    async with writing(real_bus, proxy.url) as writer:
        await writer.append("s", [record("before")])
        proxy.cut_on_answer = True
        lost = await asyncio.gather(*(writer.append("s", [record(n)]) for n in range(3)), return_exceptions=True)
        assert all(isinstance(answer, RedisConnectionError) for answer in lost)
        await writer.append("s", [record("after")])
    assert await marks(real_bus) == ["before", 0, 1, 2, "after"]


async def test_redis_away_refuses_and_its_return_heals(real_bus: Bus, proxy: Proxy) -> None:
    async with writing(real_bus, proxy.url) as writer:
        proxy.go_down()
        for _ in range(3):
            with pytest.raises(RedisError):
                await writer.append("s", [record("lost")])
        proxy.come_back()
        await writer.append("s", [record("kept")])
    assert await marks(real_bus) == ["kept"]


async def test_a_full_queue_refuses_at_once(
    real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "MAX_WAITING", 3)
    redis = connect(redis_server.url, name="test-writer", retries=0)
    writer = EventWriter(real_bus, redis)
    waiting = [asyncio.create_task(writer.append("s", [record(n)])) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(WriterFull):
        await writer.append("s", [record("too many")])
    task = asyncio.create_task(writer.run())
    await asyncio.gather(*waiting)
    await end([task])
    await redis.aclose()
    assert await marks(real_bus) == [0, 1, 2]


async def test_cancelling_refuses_what_waits_and_what_is_under_way(real_bus: Bus, proxy: Proxy) -> None:
    async with writing(real_bus, proxy.url) as writer:
        await writer.append("s", [record("before")])
        proxy.hold()
        under_way = asyncio.create_task(writer.append("s", [record("under way")]))
        await asyncio.sleep(0)
        await eventually(lambda: not writer._waiting, "the write to be under way")
        waiting = asyncio.create_task(writer.append("s", [record("waiting")]))
        await asyncio.sleep(0)
    results = await asyncio.gather(under_way, waiting, return_exceptions=True)
    assert all(isinstance(result, RedisError) for result in results)
    assert "waiting" not in await marks(real_bus)


async def test_a_caller_that_leaves_disturbs_nobody(real_bus: Bus, writer: EventWriter) -> None:
    calls = [asyncio.create_task(writer.append("s", [record(n)])) for n in range(10)]
    await asyncio.sleep(0)
    calls[3].cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert all(isinstance(result, Appended) for n, result in enumerate(results) if n != 3)
    assert await marks(real_bus) == list(range(10))


async def test_what_was_accepted_and_refused_is_counted(
    real_bus: Bus, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with writing(real_bus, proxy.url) as writer:
        await asyncio.gather(*(writer.append("s", [record(n)]) for n in range(20)))
        assert (writer.accepted, writer.refused, writer.waiting) == (20, 0, 0)
        monkeypatch.setattr(event_writer, "MAX_WAITING", 0)
        with pytest.raises(WriterFull):
            await writer.append("s", [record("too many")])
        monkeypatch.undo()
        proxy.go_down()
        with pytest.raises(RedisError):
            await writer.append("s", [record("away")])
        assert (writer.accepted, writer.refused) == (20, 2)


def large(mark: int, size: int) -> EventRecord:
    return record([mark, "x" * size])


async def test_large_events_go_out_in_batches_that_leave_redis_time_for_others(
    real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "BATCH_BYTES", 2500)
    redis = connect(redis_server.url, name="test-writer", retries=0)
    writer = EventWriter(real_bus, redis)
    sizes: list[int] = []
    send = writer._send

    async def noted(batch: list[event_writer.Waiting]) -> None:
        sizes.append(len(batch))
        await send(batch)

    monkeypatch.setattr(writer, "_send", noted)
    waiting = [asyncio.create_task(writer.append("s", [large(n, size)])) for n, size in enumerate([1000] * 5 + [9000])]
    await asyncio.sleep(0)
    task = asyncio.create_task(writer.run())
    await asyncio.gather(*waiting)
    await end([task])
    await redis.aclose()
    assert sizes == [2, 2, 1, 1]
    assert writer._bytes == 0


async def test_a_redis_that_does_not_keep_up_costs_bounded_memory_and_loses_nothing_that_was_accepted(
    real_bus: Bus, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limit = 200_000
    monkeypatch.setattr(event_writer, "MAX_WAITING_BYTES", limit)
    monkeypatch.setattr(event_writer, "BATCH_BYTES", 50_000)
    async with writing(real_bus, proxy.url) as writer:
        await writer.append("s", [record("first")])
        proxy.hold()
        calls = [asyncio.create_task(writer.append("s", [large(n, 10_000)])) for n in range(100)]
        await eventually(lambda: sum(call.done() for call in calls) >= 80, "most to be refused")
        assert 100_000 < writer._bytes <= limit
        assert [record.message for record in caplog.records].count(caplog.records[0].message) == 1
        assert "wait for redis; more are refused" in caplog.records[0].message
        proxy.release()
        results = await asyncio.gather(*calls, return_exceptions=True)
        accepted = [n for n, result in enumerate(results) if isinstance(result, Appended)]
        assert all(isinstance(result, Appended | WriterFull) for result in results)
        assert writer.crowded_out == writer.refused == 100 - len(accepted)
        await eventually(lambda: writer._bytes == 0, "all bytes to be given back")
    assert await marks(real_bus) == ["first", *([n, "x" * 10_000] for n in accepted)]


async def test_callers_that_leave_give_back_no_room_before_their_event_is_gone(real_bus: Bus, proxy: Proxy) -> None:
    async with writing(real_bus, proxy.url) as writer:
        await writer.append("s", [record("first")])
        proxy.hold()
        calls = [asyncio.create_task(writer.append("s", [large(n, 1000)])) for n in range(10)]
        await asyncio.sleep(0)
        held = writer._bytes
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert writer._bytes == held > 10_000
        proxy.release()
        await eventually(lambda: writer._bytes == 0, "the bytes to be given back")
