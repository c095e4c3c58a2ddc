"""The bus: positions, the replay window, and scripts that the server must be taught."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus.bus import Bus, BusMessage, Position, parse_live
from agent_bus.scripts import script
from tests.unit.live import emit


async def test_a_fresh_redis_has_an_epoch_before_its_first_message(bus: Bus) -> None:
    fresh = await bus.position()
    assert fresh.seq == 0
    assert fresh.epoch
    assert await bus.position() == fresh
    await emit(bus)
    assert await bus.position() == Position(fresh.epoch, 1)


async def test_messages_are_read_in_order_after_a_number_and_in_parts(bus: Bus) -> None:
    for number in range(5):
        await emit(bus, f"s{number}", f'"n":{number}}}')
    assert [message.seq for message in await bus.read(0, limit=100)] == [1, 2, 3, 4, 5]
    assert await bus.read(2, limit=1) == [BusMessage(3, "s2", b'{"type":"note","seq":3,"n":2}')]
    assert await bus.read(5, limit=100) == []


async def test_the_window_keeps_at_least_what_it_says(bus: Bus) -> None:
    small = Bus(bus.redis, bus.keys, replay_window=150)
    for _ in range(500):
        await emit(small)
    kept = [message.seq for message in await small.read(0, limit=1000)]
    assert kept == list(range(kept[0], 501))
    assert 150 <= len(kept) < 500


async def test_what_is_published_reads_as_what_is_stored(real_bus: Bus) -> None:
    async with real_bus.redis.pubsub() as listener:
        await listener.subscribe(real_bus.keys.live)
        await emit(real_bus, "a 1 b: ä😀", '"x":" 2 "}')
        while (heard := await listener.get_message(timeout=5.0)) is None or heard["type"] != "message":
            pass
    epoch, message = parse_live(heard["data"])
    assert epoch == (await real_bus.position()).epoch
    assert [message] == await real_bus.read(0, limit=1)
    assert message.session_id == "a 1 b: ä😀"


@given(epoch=st.from_regex(r"[0-9a-f]{8}", fullmatch=True), seq=st.integers(0), session_id=st.text(), json=st.binary())
def test_a_live_message_is_taken_apart_as_it_was_put_together(
    epoch: str, seq: int, session_id: str, json: bytes
) -> None:
    encoded = session_id.encode()
    payload = f"{epoch} {seq} {len(encoded)} ".encode() + encoded + json
    assert parse_live(payload) == (epoch, BusMessage(seq, session_id, json))


async def test_a_server_that_forgot_the_scripts_is_taught_again(real_bus: Bus) -> None:
    seen = await real_bus.position()
    for _ in range(2):
        await real_bus.redis.script_flush()
        seen = Position(await real_bus.renew_epoch(seen), 0)
    assert await real_bus.position() == seen


async def test_readers_of_one_lost_past_renew_the_epoch_once_and_above_what_was_seen(bus: Bus) -> None:
    for _ in range(3):
        await emit(bus)
    here = await bus.position()
    renewed = await bus.renew_epoch(Position(here.epoch, 7))
    assert renewed != here.epoch
    assert await bus.position() == Position(renewed, 7)
    assert await bus.renew_epoch(Position(here.epoch, 9)) == renewed
    assert await bus.position() == Position(renewed, 7)
    assert await emit(bus) == 8


async def test_renewing_never_takes_the_counter_back(bus: Bus) -> None:
    for _ in range(3):
        await emit(bus)
    here = await bus.position()
    renewed = await bus.renew_epoch(Position(here.epoch, 2))
    assert await bus.position() == Position(renewed, 3)
    assert await emit(bus) == 4


async def test_an_epoch_is_renewed_where_redis_has_none_left(bus: Bus) -> None:
    renewed = await bus.renew_epoch(Position("gone", 4))
    assert await bus.position() == Position(renewed, 4)


@pytest.mark.parametrize("name", ["renew_epoch", "append_events"])
async def test_loading_makes_scripts_known(bus: Bus, name: str) -> None:
    await bus.load(name)
    assert await bus.redis.script_exists(script(name).sha) == [True]


async def test_what_is_due_is_told_by_redis_clock(real_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    moments_key = real_bus.keys.leases
    seconds, _ = await real_bus.redis.time()
    moments = {"past": seconds - 3600, "older": seconds - 7200, "future": seconds + 3600}
    await real_bus.redis.zadd(moments_key, {name: at * 1000 for name, at in moments.items()})
    now = time.time()
    for offset in (0, -100_000, 100_000):
        with monkeypatch.context() as patch:
            patch.setattr("time.time", lambda offset=offset: now + offset)
            assert await real_bus.due(moments_key, limit=10) == ["older", "past"]
            assert await real_bus.due(moments_key, limit=1) == ["older"]
            assert await real_bus.due(moments_key, ago_ms=5_000_000, limit=10) == ["older"]
