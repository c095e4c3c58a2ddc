"""Following the bus: every message once and in order, or starting over when something can't be had."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio.client import PubSub

from agent_bus.bus import Bus, Position
from agent_bus.connection import TIMEOUT_SECONDS, connect
from agent_bus.keys import Keys
from agent_bus.tasks import end
from tests.processes import RedisServer
from tests.unit.live import DEADLINE_SECONDS, Follower, emit, eventually
from tests.unit.proxy import Proxy


@pytest.fixture
def follower(real_bus: Bus, redis_server: RedisServer) -> Follower:
    return Follower(real_bus, redis_server.url)


@pytest.fixture
async def proxy(redis_server: RedisServer) -> AsyncIterator[Proxy]:
    async with Proxy(redis_server.port) as proxy:
        yield proxy


async def lose_subscription(bus: Bus) -> None:
    assert await bus.redis.execute_command("CLIENT KILL TYPE pubsub") > 0


async def test_it_begins_at_the_newest_message_and_delivers_what_follows(real_bus: Bus, follower: Follower) -> None:
    assert await emit(real_bus) == 1
    with pytest.raises(RuntimeError, match="not been connected"):
        _ = follower.subscriber.position
    async with follower.running():
        assert follower.subscriber.position.seq == 1
        assert await emit(real_bus, "a b: ä", '"x":"y z"}') == 2
        await follower.hears(2)
    message = follower.messages[0]
    assert (message.session_id, message.json) == ("a b: ä", b'{"type":"note","seq":2,"x":"y z"}')
    assert follower.heard == [2]


async def test_what_comes_while_it_is_away_is_read_from_the_stream(real_bus: Bus, proxy: Proxy) -> None:
    follower = Follower(real_bus, proxy.url)
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        proxy.go_down()
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
        for _ in range(5):
            await emit(real_bus)
        proxy.come_back()
        await follower.hears(*range(1, 7))
    assert follower.started_over == []


async def test_live_notifications_that_were_lost_on_the_way_are_made_up_for(real_bus: Bus, follower: Follower) -> None:
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        # Written without being published: what a notification lost looks like.
        for number in (2, 3, 4):
            await real_bus.redis.xadd(real_bus.keys.stream, {"s": "s", "m": "{}"}, id=f"{number}-0")
            await real_bus.redis.incr(real_bus.keys.counter)
        await emit(real_bus)
        await follower.hears(1, 2, 3, 4, 5)
    assert follower.started_over == []


async def test_repeated_and_old_notifications_are_left_out(real_bus: Bus, follower: Follower) -> None:
    async with follower.running():
        await emit(real_bus)
        epoch = follower.subscriber.position.epoch.encode()
        for number in (b"1", b"0", b"1"):
            await real_bus.redis.publish(real_bus.keys.live, epoch + b" " + number + b" 1 s{}")
        await emit(real_bus)
        await follower.hears(1, 2)


async def test_what_is_no_message_ends_nothing_and_is_an_occasion_to_look(real_bus: Bus, follower: Follower) -> None:
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        # Written without being published, so that only looking finds it.
        await real_bus.redis.xadd(real_bus.keys.stream, {"s": "s", "m": "{}"}, id="2-0")
        await real_bus.redis.incr(real_bus.keys.counter)
        for odd in (b"", b"x", b"a b c d", b"\xff 3 1 s{}", b"e 9 x s{}", b"e 3 1 \xff{}", b"1" * 5000 + b" 1 1 s"):
            await real_bus.redis.publish(real_bus.keys.live, odd)
        await follower.hears(1, 2)
        assert await emit(real_bus) == 3
        await follower.hears(1, 2, 3)


async def test_behind_the_replay_window_it_starts_over_at_the_newest(real_bus: Bus, proxy: Proxy) -> None:
    follower = Follower(real_bus, proxy.url)
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        epoch = follower.subscriber.position.epoch
        proxy.go_down()
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
        for _ in range(9):
            await emit(real_bus)
        await real_bus.redis.xtrim(real_bus.keys.stream, maxlen=8, approximate=False)
        proxy.come_back()
        await eventually(lambda: follower.started_over, "starting over")
        await emit(real_bus)
        await follower.hears(1, 11)
    assert follower.heard == [1, Position(epoch, 10), 11]


async def test_the_last_message_before_the_window_is_enough_to_go_on_from(real_bus: Bus, proxy: Proxy) -> None:
    follower = Follower(real_bus, proxy.url)
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        proxy.go_down()
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
        for _ in range(9):
            await emit(real_bus)
        await real_bus.redis.xtrim(real_bus.keys.stream, maxlen=9, approximate=False)
        proxy.come_back()
        await follower.hears(*range(1, 11))
    assert follower.started_over == []


async def test_a_redis_that_lost_everything_makes_it_start_over_at_the_next_message(
    real_bus: Bus, follower: Follower
) -> None:
    keys = real_bus.keys
    async with follower.running():
        for _ in range(3):
            await emit(real_bus)
        await follower.hears(1, 2, 3)
        await real_bus.redis.delete(keys.counter, keys.epoch, keys.stream)
        await emit(real_bus)
        await eventually(lambda: follower.started_over, "starting over")
        await emit(real_bus)
        await eventually(lambda: len(follower.messages) == 4, "the flow to go on")
        new = await real_bus.position()
    assert follower.heard == [1, 2, 3, Position(new.epoch, 1), 2]


async def test_a_redis_that_lost_everything_is_noticed_on_a_reconnect_without_any_message(
    real_bus: Bus, follower: Follower
) -> None:
    keys = real_bus.keys
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        old = follower.subscriber.position
        await real_bus.redis.delete(keys.counter, keys.epoch, keys.stream)
        await lose_subscription(real_bus)
        await eventually(lambda: follower.started_over, "starting over")
        (position,) = follower.started_over
    assert position.seq == 0
    assert position.epoch != old.epoch


async def test_a_counter_that_went_back_gets_a_new_epoch_above_what_was_seen(real_bus: Bus, follower: Follower) -> None:
    keys = real_bus.keys
    async with follower.running():
        for _ in range(5):
            await emit(real_bus)
        await follower.hears(1, 2, 3, 4, 5)
        old = follower.subscriber.position
        # As after a failover to a replica that had not got the last two.
        await real_bus.redis.xdel(keys.stream, "4-0", "5-0")
        await real_bus.redis.set(keys.counter, 3)
        await lose_subscription(real_bus)
        await eventually(lambda: follower.started_over, "starting over")
        assert await emit(real_bus) == 6
        await eventually(lambda: len(follower.messages) == 6, "the flow to go on")
    (position,) = follower.started_over
    assert position == Position((await real_bus.position()).epoch, 5)
    assert position.epoch != old.epoch
    assert follower.heard[-2:] == [position, 6]


async def test_two_readers_of_a_lost_past_agree_on_the_new_epoch(real_bus: Bus, redis_server: RedisServer) -> None:
    first, second = Follower(real_bus, redis_server.url), Follower(real_bus, redis_server.url)
    async with first.running(), second.running():
        for _ in range(3):
            await emit(real_bus)
        await first.hears(1, 2, 3)
        await second.hears(1, 2, 3)
        await real_bus.redis.delete(real_bus.keys.stream)
        await real_bus.redis.set(real_bus.keys.counter, 1)
        await lose_subscription(real_bus)
        await eventually(lambda: first.started_over and second.started_over, "both to start over")
        await emit(real_bus)
        await eventually(lambda: first.heard[-1] == second.heard[-1] == 4, "both to go on")
    assert first.heard == second.heard
    assert len(first.started_over) == 1


async def test_a_probe_that_is_heard_before_its_publishing_is_answered_counts(
    real_bus: Bus, redis_server: RedisServer, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    slow = connect(proxy.url, name="test-slow")
    follower = Follower(Bus(slow, real_bus.keys), redis_server.url, probe_after=0.01, probe_wait=0.1)
    listener = real_bus.redis.pubsub()
    async with follower.running(), slow, listener:
        await listener.subscribe(follower.subscriber._probe_channel)
        for _ in range(20):
            await eventually_heard(listener)
    assert "subscription lost" not in caplog.text


async def eventually_heard(listener: PubSub) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await listener.get_message(ignore_subscribe_messages=True, timeout=1.0) is None:
            pass


async def test_the_watch_can_be_cancelled_while_news_arrive(follower: Follower) -> None:
    """Else a connection that breaks right after a message is replaced half a minute later, and so is shutdown."""
    for ticks in range(4):
        waiting = asyncio.create_task(follower.subscriber._quiet(0.2))
        for _ in range(3):
            await asyncio.sleep(0)
        follower.subscriber._heard.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
    await follower.live.aclose()


async def test_a_subscription_that_is_silently_broken_is_noticed_and_replaced(
    real_bus: Bus, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower(real_bus, proxy.url, probe_after=0.05, probe_wait=0.3)
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        proxy.hold()
        await emit(real_bus)
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the silence to be noticed")
        assert "no probe came back" in caplog.text
        proxy.release()
        await follower.hears(1, 2)
    assert follower.started_over == []
    assert proxy.accepted >= 2


async def test_a_connection_that_is_never_answered_is_given_up(real_bus: Bus, proxy: Proxy) -> None:
    follower = Follower(real_bus, proxy.url)
    proxy.blackhole_next = True
    task = asyncio.create_task(follower.subscriber.run())
    try:
        await asyncio.wait_for(follower.subscriber.connected.wait(), TIMEOUT_SECONDS + 3)
    finally:
        await end([task])
        await follower.live.aclose()


async def test_a_busy_live_channel_lets_others_on_the_loop_have_their_turn(real_bus: Bus, follower: Follower) -> None:
    async with follower.running():
        async with real_bus.redis.pipeline(transaction=False) as pipe:
            for number in range(2000):
                pipe.publish(real_bus.keys.live, f"{follower.subscriber.position.epoch} {-number} 0 {{}}")
            await pipe.execute()
        await emit(real_bus)
        await follower.hears(1)


async def test_numbers_given_anew_after_a_failover_do_not_pass_for_those_that_were_seen(
    real_bus: Bus, proxy: Proxy
) -> None:
    keys = real_bus.keys
    follower = Follower(real_bus, proxy.url)
    async with follower.running():
        for _ in range(5):
            await emit(real_bus, rest='"past":"lost"}')
        await follower.hears(1, 2, 3, 4, 5)
        proxy.go_down()
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
        # A replica that lacks 4 and 5 takes over, and others write before this reader is back.
        await real_bus.redis.delete(keys.stream)
        await real_bus.redis.set(keys.counter, 3)
        for _ in range(3):
            await emit(real_bus, rest='"past":"new"}')
        proxy.come_back()
        await eventually(follower.subscriber.connected.is_set, "the reconnect")
    new = [message for message in follower.messages if b'"new"' in message.json]
    assert follower.started_over or [message.seq for message in new] == [4, 5, 6]


async def test_a_new_epoch_is_begun_once_and_not_at_every_reconnect(real_bus: Bus, proxy: Proxy) -> None:
    keys = real_bus.keys
    follower = Follower(real_bus, proxy.url)
    async with follower.running():
        for _ in range(2):
            await emit(real_bus, rest='"past":"lost"}')
        await follower.hears(1, 2)
        proxy.go_down()
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
        await real_bus.redis.delete(keys.stream)
        await real_bus.redis.set(keys.counter, 1)
        await emit(real_bus, rest='"past":"new"}')
        for _ in range(3):
            proxy.come_back()
            await eventually(follower.subscriber.connected.is_set, "the reconnect")
            proxy.go_down()
            await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
    assert len(follower.started_over) == 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(1, 4)),
        st.tuples(st.just("unheard"), st.integers(1, 3)),
        st.tuples(st.just("cut"), st.just(0)),
        st.tuples(st.just("trim"), st.integers(0, 3)),
        st.tuples(st.just("flush"), st.just(0)),
    ),
    max_size=10,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_on_a_real_server_every_message_comes_once_in_order_or_it_starts_over(
    redis_server: RedisServer, real_bus: Bus, steps: list[tuple[str, int]]
) -> None:
    bus = Bus(real_bus.redis, Keys(f"t-{uuid.uuid4().hex[:12]}"))
    deadline = time.monotonic() + DEADLINE_SECONDS
    follower = Follower(bus, redis_server.url)
    async with follower.running():
        loss_possible = False
        for kind, count in steps:
            if kind == "emit":
                for _ in range(count):
                    await emit(bus)
            elif kind == "unheard":
                for _ in range(count):
                    number = await bus.redis.incr(bus.keys.counter)
                    await bus.redis.xadd(bus.keys.stream, {"s": "", "m": "{}"}, id=f"{number}-0")
            elif kind == "cut":
                await bus.redis.execute_command("CLIENT KILL TYPE pubsub")
            elif kind == "trim":
                await bus.redis.xtrim(bus.keys.stream, maxlen=count, approximate=False)
                loss_possible = True
            else:
                await bus.redis.delete(bus.keys.counter, bus.keys.epoch, bus.keys.stream)
                loss_possible = True
        last = await emit(bus)
        while not (follower.subscriber.connected.is_set() and follower.subscriber.position == await bus.position()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.002)
    for before, after in itertools.pairwise(follower.heard):
        if isinstance(after, int):
            assert after == (before.seq if isinstance(before, Position) else before) + 1
    if not loss_possible:
        assert follower.heard == list(range(1, last + 1))


async def test_how_far_it_is_behind_is_known_also_while_it_is_away(real_bus: Bus, proxy: Proxy) -> None:
    follower = Follower(real_bus, proxy.url)
    assert await follower.subscriber.behind() == 0
    async with follower.running():
        await emit(real_bus)
        await follower.hears(1)
        assert await follower.subscriber.behind() == 0
        proxy.go_down()
        await eventually(lambda: not follower.subscriber.connected.is_set(), "the loss to be noticed")
        for _ in range(3):
            await emit(real_bus)
        assert await follower.subscriber.behind() == 3
        proxy.come_back()
        await follower.hears(*range(1, 5))
        assert await follower.subscriber.behind() == 0
