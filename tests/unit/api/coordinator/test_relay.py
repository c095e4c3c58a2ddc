"""The relay on a real server: joining without gap or repeat under fire, starting over, draining."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from agent_bus.bus import Bus, BusMessage, Position
from agent_bus.connection import connect
from agent_bus.sessions import SessionPage
from agent_bus.subscriber import CHUNK
from agent_bus.tasks import end
from api.coordinator.outbox import CAN_NOT_KEEP_UP, SERVICE_RESTART, START_OVER, Outbox
from api.coordinator.relay import Relay
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import Driver
from tests.unit.live import emit, eventually

MIB = 1024 * 1024


class Browser:
    """An outbox that is joined and read, and what came out of it."""

    def __init__(self, relay: Relay, **how: Any) -> None:
        self.relay = relay
        self.outbox = Outbox(
            how.pop("limit", MIB),
            frozenset(how.pop("sessions", ())),
            how.get("since"),
            how.get("epoch"),
            tell_resumed=how.get("tell_resumed", False),
        )
        self.frames: list[dict[str, Any]] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.closed = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Browser"]:
        with self.relay.connected(self.outbox):
            tasks = [asyncio.create_task(self.relay.join(self.outbox)), asyncio.create_task(self._read())]
            try:
                yield self
            finally:
                await end(tasks)

    async def _read(self) -> None:
        while True:
            await self.reading.wait()
            frames = await self.outbox.take()
            if not frames:
                self.closed = True
                return
            self.frames += [json.loads(frame) for frame in frames]

    @property
    def inits(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == "init"]

    @property
    def seqs(self) -> list[int]:
        """The numbers since the last init."""
        seqs: list[int] = []
        for frame in self.frames:
            seqs = [] if frame["type"] == "init" else [*seqs, frame["seq"]]
        return seqs

    async def is_live(self) -> "Browser":
        await eventually(lambda: self.outbox.live, "the browser to be live")
        return self

    async def has_init(self) -> None:
        await eventually(lambda: self.inits, "init")

    async def reaches(self, seq: int) -> None:
        await eventually(lambda: self.seqs[-1:] == [seq], f"message {seq}")


@pytest.fixture
async def relay(real_bus: Bus, redis_server: RedisServer) -> AsyncIterator[Relay]:
    live = connect(redis_server.url, name="test-live", retries=0, timeout=None, max_connections=2)
    relay = Relay(real_bus, live, init_sessions=3)
    task = asyncio.create_task(relay.run())
    await eventually(lambda: relay.ready, "the relay")
    yield relay
    await end([task])
    await live.aclose()


async def test_init_comes_first_with_the_newest_sessions_and_where_to_go_on(real_bus: Bus, relay: Relay) -> None:
    driver = Driver(real_bus)
    for n in range(5):
        await driver.post("session_start", f"s{n}", timestamp=f"2026-01-24T10:00:0{n}+00:00")
    async with Browser(relay).open() as browser:
        await browser.is_live()
        await eventually(lambda: browser.inits, "init")
    (init,) = browser.inits
    position = await real_bus.position()
    assert (init["seq"], init["epoch"], init["total"]) == (position.seq, position.epoch, 5)
    assert [session["session_id"] for session in init["sessions"]] == ["s4", "s3", "s2"]
    assert init["next"]


async def test_browsers_that_join_under_fire_miss_and_repeat_nothing(real_bus: Bus, relay: Relay) -> None:
    total = 300
    first = await emit(real_bus)

    async def write() -> None:
        for n in range(total):
            await emit(real_bus, f"s{n % 3}")

    writing = asyncio.create_task(write())
    browsers: list[Browser] = []
    async with asyncio.TaskGroup() as group:

        async def join(at: int, **how: Any) -> None:
            await eventually(lambda: relay._source.position.seq >= at, "the moment to join")
            browser = Browser(relay, **how)
            browsers.append(browser)
            async with browser.open():
                await writing
                wanted = [n + 2 for n in range(total) if browser.outbox.wants(f"s{n % 3}")]
                await browser.reaches(wanted[-1])

        for at in range(first, total, 20):
            group.create_task(join(at))
            group.create_task(join(at, since=max(1, at - 15)))
            group.create_task(join(at, since=at, epoch=relay._source.position.epoch))
            group.create_task(join(at, sessions=["s1"]))
    for browser in browsers:
        begin = browser.inits[0]["seq"] if browser.inits else None
        assert len(browser.inits) <= 1
        assert not browser.inits or browser.frames[0]["type"] == "init"
        if begin is None:
            begin = browser.seqs[0] - 1
        assert browser.seqs == [n + 2 for n in range(total) if n + 2 > begin and browser.outbox.wants(f"s{n % 3}")]


@pytest.mark.parametrize("epoch", [None, "current"])
async def test_a_browser_that_comes_back_gets_what_it_missed_and_no_init(
    real_bus: Bus, relay: Relay, epoch: str | None
) -> None:
    for _ in range(10):
        await emit(real_bus)
    current = (await real_bus.position()).epoch
    async with Browser(relay, since=4, epoch=epoch and current).open() as browser:
        await browser.reaches(10)
        await emit(real_bus)
        await browser.reaches(11)
    assert (browser.inits, browser.seqs) == ([], list(range(5, 12)))


async def test_a_browser_that_missed_nothing_gets_nothing(real_bus: Bus, relay: Relay) -> None:
    await emit(real_bus)
    async with Browser(relay, since=1).open() as browser:
        await browser.is_live()
        await emit(real_bus)
        await browser.reaches(2)
    assert (browser.inits, browser.seqs) == ([], [2])


@pytest.mark.parametrize("since", [4, 10])
async def test_a_browser_that_asks_is_told_how_much_it_missed_before_it_comes(
    real_bus: Bus, relay: Relay, since: int
) -> None:
    for _ in range(10):
        await emit(real_bus)
    epoch = (await real_bus.position()).epoch
    async with Browser(relay, since=since, tell_resumed=True).open() as browser:
        await browser.is_live()
        await emit(real_bus)
        await browser.reaches(11)
    assert browser.frames[0] == {"type": "resumed", "seq": since, "head": 10, "epoch": epoch}
    assert [frame["seq"] for frame in browser.frames[1:]] == list(range(since + 1, 12))


async def test_a_browser_that_asks_and_can_not_go_on_is_told_nothing_but_init(real_bus: Bus, relay: Relay) -> None:
    await emit(real_bus)
    async with Browser(relay, since=99, tell_resumed=True).open() as browser:
        await browser.has_init()
    assert [frame["type"] for frame in browser.frames] == ["init"]


@pytest.mark.parametrize(
    ("since", "epoch"), [(2, None), (99, None), (8, "another"), (10, "another"), (0, None)],
    ids=["too old", "in the future", "other epoch", "other epoch at head", "from the beginning, which is gone"],
)  # fmt: skip
async def test_a_browser_that_can_not_go_on_from_where_it_was_begins_anew(
    real_bus: Bus, relay: Relay, since: int, epoch: str | None
) -> None:
    for _ in range(10):
        await emit(real_bus)
    await real_bus.redis.xtrim(real_bus.keys.stream, maxlen=5, approximate=False)
    async with Browser(relay, since=since, epoch=epoch).open() as browser:
        await browser.is_live()
        await emit(real_bus)
        await browser.reaches(11)
    assert [init["seq"] for init in browser.inits] == [10]
    assert browser.frames[0]["type"] == "init"
    assert browser.seqs == [11]


async def test_a_filtered_browser_gets_its_sessions_in_init_and_their_messages_only(
    real_bus: Bus, relay: Relay
) -> None:
    driver = Driver(real_bus)
    await driver.post("session_start", "a")
    await driver.post("session_start", "b")
    async with Browser(relay, sessions=["b", "unknown"]).open() as browser:
        await browser.is_live()
        await driver.post("message", "a")
        await driver.post("message", "b")
        await driver.post("session_start", "unknown")
        await eventually(lambda: len(browser.frames) == 4, "three messages after init")
    (init,) = browser.inits
    assert ([session["session_id"] for session in init["sessions"]], init["total"], init["next"]) == (["b"], 1, None)
    told = [(frame.get("session") or frame["data"])["session_id"] for frame in browser.frames[1:]]
    assert told == ["b", "unknown", "unknown"]


async def test_when_redis_lost_its_past_everyone_is_told_to_come_back_and_begin_anew(
    real_bus: Bus, relay: Relay
) -> None:
    keys = real_bus.keys
    for _ in range(3):
        await emit(real_bus)
    async with Browser(relay).open() as all_of_it, Browser(relay, sessions=["s"], since=2).open() as some:
        await all_of_it.is_live()
        await some.is_live()
        await real_bus.redis.delete(keys.counter, keys.epoch, keys.stream)
        await emit(real_bus)
        await eventually(lambda: all_of_it.closed and some.closed, "both to be closed")
        assert (all_of_it.outbox.close_code, some.outbox.close_code) == (START_OVER, START_OVER)
    assert (len(all_of_it.inits), len(some.inits)) == (1, 0)
    async with Browser(relay, since=3, epoch=all_of_it.inits[0]["epoch"]).open() as back:
        await back.is_live()
        await emit(real_bus)
        await back.reaches(2)
    assert [init["epoch"] for init in back.inits] == [(await real_bus.position()).epoch]


async def test_a_flow_that_starts_over_while_a_browser_joins_repeats_nothing(
    real_bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start-over between a browser's snapshot and its going live once sent it everything twice."""
    read = real_bus.read

    async def interrupted(after: int, *, limit: int) -> list[BusMessage]:
        found = await read(after, limit=limit)
        relay._start_over(relay._source.position)
        return found

    await emit(real_bus)
    await eventually(lambda: relay._source.position.seq == 1, "the relay to have it")
    monkeypatch.setattr(real_bus, "read", interrupted)
    async with Browser(relay, since=0).open() as browser:
        await eventually(lambda: browser.closed, "the close")
    assert browser.outbox.close_code == START_OVER
    assert len(browser.frames) == len({frame["seq"] for frame in browser.frames})


async def test_a_browser_that_comes_after_redis_lost_its_past_gets_its_init_without_any_message(
    real_bus: Bus, relay: Relay
) -> None:
    keys = real_bus.keys
    await emit(real_bus)
    await eventually(lambda: relay._source.position.seq == 1, "the relay to have it")
    await real_bus.redis.delete(keys.counter, keys.epoch, keys.stream)
    async with Browser(relay).open() as browser, asyncio.timeout(2):
        await browser.has_init()


async def test_a_browser_that_does_not_read_is_closed_and_slows_nobody(real_bus: Bus, relay: Relay) -> None:
    async with Browser(relay, limit=2000).open() as slow, Browser(relay, limit=2000).open() as quick:
        await slow.is_live()
        await quick.is_live()
        await eventually(lambda: slow.inits and quick.inits, "init")
        slow.reading.clear()
        # Its reader is inside take(); one message lets it out, the rest piles up.
        for number in range(1, 61):
            await emit(real_bus, rest='"x":"' + "x" * 100 + '"}')
            await quick.reaches(number)
        assert slow.outbox.close_code == CAN_NOT_KEEP_UP
        assert slow.outbox._size == 0
        assert quick.outbox.close_code is None
        slow.reading.set()
        await eventually(lambda: slow.closed, "the close")
    assert quick.seqs == list(range(1, 61))
    assert slow.seqs == list(range(1, len(slow.seqs) + 1))


async def test_a_long_replay_waits_for_its_reader_instead_of_closing_it(real_bus: Bus, relay: Relay) -> None:
    for _ in range(200):
        await emit(real_bus, rest='"x":"' + "x" * 100 + '"}')
    async with Browser(relay, since=0, limit=1000).open() as browser:
        for _ in range(50):
            await asyncio.sleep(0)
            browser.reading.clear()
            assert browser.outbox._size <= 1000
            await asyncio.sleep(0)
            browser.reading.set()
        await browser.reaches(200)
        await emit(real_bus)
        await browser.reaches(201)
    assert browser.seqs == list(range(1, 202))
    assert browser.outbox.close_code is None


async def test_what_a_slow_browser_has_no_room_for_is_not_held_for_it_and_keeps_no_other_waiting(
    real_bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(200):
        await emit(real_bus, rest='"x":"' + "x" * 1000 + '"}')
    monkeypatch.setattr(relay, "_replays", asyncio.Semaphore(1))
    read = real_bus.read
    asked: list[int] = []

    async def noted(after: int, *, limit: int) -> list[BusMessage]:
        asked.append(limit)
        return await read(after, limit=limit)

    monkeypatch.setattr(real_bus, "read", noted)
    async with Browser(relay, since=0, limit=4000).open() as slow:
        slow.reading.clear()
        await eventually(lambda: slow.outbox.crowded, "the slow browser to be full")
        async with Browser(relay, since=0, limit=4000).open() as quick:
            await quick.reaches(200)
        assert slow.outbox._size < 8000
        slow.reading.set()
        await slow.reaches(200)
    assert slow.seqs == quick.seqs == list(range(1, 201))
    # After the first of each, only about as many as have room.
    assert asked.count(CHUNK) == 2
    assert max(limit for limit in asked if limit != CHUNK) < 16


async def test_draining_sends_what_is_buffered_then_closes_with_service_restart(real_bus: Bus, relay: Relay) -> None:
    async with Browser(relay).open() as browser, Browser(relay, sessions=["s"]).open() as filtered:
        await browser.is_live()
        await filtered.is_live()
        for each in (browser, filtered):
            await each.has_init()
            each.reading.clear()
        for _ in range(5):
            await emit(real_bus)
        await eventually(lambda: relay._source.position.seq == 5, "the relay to have them")
        draining = asyncio.create_task(relay.drain())
        await asyncio.sleep(0)
        for each in (browser, filtered):
            assert each.outbox.close_code == SERVICE_RESTART
            each.reading.set()
        await asyncio.wait_for(draining, 5)
        await eventually(lambda: browser.closed and filtered.closed, "both to be closed")
        assert browser.seqs == filtered.seqs == [1, 2, 3, 4, 5]
        async with Browser(relay).open() as late:
            await eventually(lambda: late.closed, "the late one to be closed")
            assert late.outbox.close_code == SERVICE_RESTART


async def test_draining_does_not_wait_for_ever(real_bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.coordinator.relay.DRAIN_SECONDS", 0.05)
    async with Browser(relay).open() as browser:
        await browser.is_live()
        browser.reading.clear()
        await emit(real_bus)
        await emit(real_bus)
        await eventually(lambda: relay._source.position.seq == 2, "the messages")
        await asyncio.wait_for(relay.drain(), 5)


async def test_nothing_stays_behind_of_browsers_and_watchers_that_left(real_bus: Bus, relay: Relay) -> None:
    async with Browser(relay).open(), Browser(relay, sessions=["a", "b"]).open(), Browser(relay, sessions=["a"]).open():
        assert relay.connections == 3
    with relay.watching("a"), relay.watching("a"):
        pass
    assert relay.connections == 0
    assert relay._by_session == {}
    assert relay._watches == {}


async def test_a_watch_is_told_of_its_sessions_changes_and_when_the_flow_starts_over(
    real_bus: Bus, relay: Relay
) -> None:
    keys, driver = real_bus.keys, Driver(real_bus)
    with relay.watching("a") as watch, relay.watching("b") as other:
        await driver.post("session_start", "a")
        await asyncio.wait_for(watch.changed.wait(), 5)
        assert watch.latest is not None
        assert json.loads(watch.latest)["session"]["session_id"] == "a"
        assert not other.changed.is_set()
        await eventually(lambda: relay._source.position.seq == 2, "the relay to have the event as well")
        watch.changed.clear()
        await driver.post("message", "a")
        await driver.post("session_start", "c")
        await eventually(lambda: relay._source.position.seq == 5, "the relay to have them")
        assert not watch.changed.is_set()
        await real_bus.redis.delete(keys.counter, keys.epoch, keys.stream)
        await emit(real_bus, "c")
        await asyncio.wait_for(asyncio.gather(watch.changed.wait(), other.changed.wait()), 5)
        assert watch.latest is None


async def test_browsers_that_connect_together_share_one_snapshot(
    real_bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    page = relay._sessions.page

    async def counted(**how: Any) -> Any:
        nonlocal calls
        calls += 1
        return await page(**how)

    monkeypatch.setattr(relay._sessions, "page", counted)
    browsers = [Browser(relay) for _ in range(20)]
    async with asyncio.TaskGroup() as group:

        async def join(browser: Browser) -> None:
            async with browser.open():
                await browser.is_live()
                await eventually(lambda: browser.inits, "init")

        for browser in browsers:
            group.create_task(join(browser))
    assert calls == 1


async def test_a_snapshot_survives_the_browser_that_asked_for_it(real_bus: Bus, relay: Relay) -> None:
    async with Browser(relay).open():
        await asyncio.sleep(0)
        second = Browser(relay)
        opened = second.open()
        await opened.__aenter__()
    await second.is_live()
    await opened.__aexit__(None, None, None)


async def test_a_snapshot_of_a_past_that_was_left_already_does_not_leave_the_browser_waiting(
    real_bus: Bus, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, answers = relay._sessions.page, 0

    async def late(**how: Any) -> SessionPage:
        nonlocal answers
        answers += 1
        found = await page(**how)
        return replace(found, position=Position("left", 5)) if answers == 1 else found

    monkeypatch.setattr(relay._sessions, "page", late)
    async with Browser(relay).open() as browser:
        await eventually(lambda: browser.inits, "init")
        await emit(real_bus)
        async with asyncio.timeout(1):
            await browser.is_live()
