"""Counts over time: the same suite on fakeredis and on a real server."""

from datetime import datetime

import pytest

from agent_bus.bus import Bus
from agent_bus.events import Producer
from agent_bus.hooks import HookKind, HookReport, Hooks
from agent_bus.lost_runs import LostRuns
from agent_bus.statistics import COUNTED_SECONDS, MOST_TOOLS, OTHER, Statistics, read_statistics
from tests.unit.agent_bus.conftest import Driver, record

DAY = 24 * 3600


def summed(statistics: Statistics) -> tuple[int, int, dict[str, tuple[int, int]]]:
    """Events, sessions, and each tool's uses and errors, over all buckets: what is counted may fall into two."""
    tools: dict[str, tuple[int, int]] = {}
    for bucket in statistics.buckets:
        for name, count in bucket.tools.items():
            uses, errors = tools.get(name, (0, 0))
            tools[name] = (uses + count.uses, errors + count.errors)
    return sum(b.events for b in statistics.buckets), sum(b.sessions for b in statistics.buckets), tools


async def counted_buckets(bus: Bus) -> list[str]:
    prefix = bus.keys.statistics(0).removesuffix("0")
    return [key.decode() async for key in bus.redis.scan_iter(f"{prefix}*")]


async def let_pass(bus: Bus, seconds: int) -> None:
    """Moves what has been counted into the past by whole buckets."""
    assert seconds % COUNTED_SECONDS == 0
    for key in sorted(await counted_buckets(bus)):
        await bus.redis.rename(key, bus.keys.statistics(int(key.rpartition(":")[2]) - seconds))


async def test_events_runs_and_tools_are_counted(driver: Driver, bus: Bus) -> None:
    await driver.post("session_start")
    await driver.post("pre_tool", tool_name="Bash")
    await driver.post("post_tool", tool_name="Bash", tool_output="x")
    await driver.post("post_tool", tool_name="Bash", error="exit 1")
    await driver.post("post_tool", tool_name="My tool", error=None)
    await driver.post("post_tool")
    await driver.post("session_stop")
    await driver.post("session_start")
    expected = {"Bash": (2, 1), "My tool": (1, 0), OTHER: (1, 0)}
    assert summed(await read_statistics(bus, 1)) == (8, 2, expected)
    await driver.sessions.delete("s")
    assert summed(await read_statistics(bus, 1)) == (8, 2, expected), "what has happened stays"


async def test_a_batch_that_a_bridge_sends_again_is_counted_once(driver: Driver, bus: Bus) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.enter("s", "b", record("session_start"))
    batch = [record("post_tool", tool_name="Bash", error=error) for error in (None, "exit 1", None)]
    for sent in (batch[:2], batch):
        await driver.append(sent, producer=Producer(lease.run, "b", 1))
    assert summed(await read_statistics(bus, 1)) == (4, 1, {"Bash": (3, 1)})


async def test_a_bridge_that_acknowledges_a_stop_reports_one_more_event(driver: Driver, bus: Bus) -> None:
    lease = await driver.sessions.enter("s", "b", record("session_start"))
    await driver.sessions.request_stop("s", "c")
    for _ in range(2):
        await driver.sessions.acknowledge_stop("s", lease.run, record("session_stop"))
    assert summed(await read_statistics(bus, 1)) == (2, 1, {})


async def test_hooks_count_with_the_runs_that_they_begin_and_end(driver: Driver, bus: Bus) -> None:
    hooks = Hooks(bus)
    ends = record("session_stop"), record("session_stop")
    reports: list[tuple[HookKind, dict[str, str]]] = [
        ("prompt", {}), ("used", {"tool_name": "Read"}), ("used", {"tool_name": "Read", "error": "gone"}), ("end", {}),
    ]  # fmt: skip
    for kind, fields in reports:
        event = record("post_tool" if fields else "message", **fields)
        await hooks.report(HookReport("s", kind, [event], record("session_start"), *ends, "p1"))
    assert summed(await read_statistics(bus, 1)) == (6, 1, {"Read": (2, 1)})


async def test_a_stop_by_hooks_that_is_confirmed_counts_its_closing_event(driver: Driver, bus: Bus) -> None:
    hooks = Hooks(bus)
    ends = record("session_stop"), record("session_stop")
    kinds: list[HookKind] = ["prompt", "batch"]
    for kind in kinds:
        outcome = await hooks.report(HookReport("s", kind, [record("x")], record("session_start"), *ends, "p1"))
        await driver.sessions.request_stop("s", "c")
    await hooks.note_halt("s", outcome.run)
    assert await hooks.confirm_halts(0) == 1
    assert summed(await read_statistics(bus, 1)) == (4, 1, {})


async def test_the_end_of_a_lost_run_counts(driver: Driver, bus: Bus) -> None:
    await driver.post("session_start")
    await bus.redis.hset(bus.keys.session("s"), "modified_at", "2020-01-24T10:00:00.000000+00:00")
    assert await LostRuns(bus).end(DAY) == 1
    assert summed(await read_statistics(bus, 1)) == (2, 1, {})


@pytest.mark.parametrize(("hours", "length", "count"), [(1, 300, 12), (24, 300, 288), (25, 3600, 25), (168, 3600, 168)])
async def test_buckets_are_aligned_without_gaps_and_end_with_the_current_one(
    bus: Bus, hours: int, length: int, count: int
) -> None:
    before, _ = await bus.redis.time()
    statistics = await read_statistics(bus, hours)
    after, _ = await bus.redis.time()
    starts = [round(datetime.fromisoformat(bucket.start).timestamp()) for bucket in statistics.buckets]
    assert statistics.bucket_seconds == length
    assert len(starts) == count
    assert starts == list(range(starts[0], starts[-1] + 1, length))
    assert starts[-1] % length == 0
    assert starts[-1] <= after
    assert before < starts[-1] + length
    assert summed(statistics) == (0, 0, {})


async def test_what_is_past_is_in_its_bucket_and_what_is_too_old_in_none(driver: Driver, bus: Bus) -> None:
    await driver.post("post_tool", tool_name="Bash")
    ago = await counted_buckets(bus)
    await let_pass(bus, 2 * 3600)
    await driver.post("message")
    day = await read_statistics(bus, 24)
    (start,) = (bucket.start for bucket in day.buckets if bucket.tools)
    assert datetime.fromisoformat(start).timestamp() == int(ago[0].rpartition(":")[2]) - 2 * 3600
    assert summed(day) == (2, 1, {"Bash": (1, 0)})
    assert summed(await read_statistics(bus, 1)) == (1, 0, {})


async def test_an_hour_adds_up_its_parts_and_keeps_to_as_many_tools(driver: Driver, bus: Bus) -> None:
    for part in range(3):
        names = [f"t{part}-{number}" for number in range(60)]
        await driver.append([record("post_tool", tool_name=name, error="e") for name in [*names, "Bash"]])
        await let_pass(bus, COUNTED_SECONDS)
    await let_pass(bus, 26 * 3600)
    statistics = await read_statistics(bus, 168)
    events, sessions, tools = summed(statistics)
    assert (events, sessions) == (183, 1)
    assert tools["Bash"] == (3, 3)
    assert sum(uses for uses, _ in tools.values()) == sum(errors for _, errors in tools.values()) == 183
    full = [bucket for bucket in statistics.buckets if OTHER in bucket.tools]
    assert full, "two of the parts at least are in one hour"
    assert all(len(bucket.tools) == MOST_TOOLS + 1 for bucket in full)


async def test_a_bucket_holds_so_many_tools_and_counts_the_rest_as_other(driver: Driver, bus: Bus) -> None:
    names = [f"tool-{number}" for number in range(MOST_TOOLS + 20)]
    for start in range(0, len(names), 40):
        await driver.append([record("post_tool", tool_name=name) for name in names[start : start + 40]])
    await driver.append([record("post_tool", tool_name=name, error="e") for name in names])
    for bucket in (await read_statistics(bus, 1)).buckets:
        if bucket.events == 2 * len(names):
            assert len(bucket.tools) == MOST_TOOLS + 1
            assert bucket.tools[OTHER].uses == 40
            assert bucket.tools[OTHER].errors == 20
    fields = [await bus.redis.hlen(key) for key in await counted_buckets(bus)]
    assert max(fields) <= 2 * (MOST_TOOLS + 1) + 3
    _, _, tools = summed(await read_statistics(bus, 1))
    assert sum(uses for uses, _ in tools.values()) == 2 * len(names)


async def test_counts_are_kept_for_eight_days_and_go_by_themselves(driver: Driver, bus: Bus) -> None:
    for _ in range(3):
        await driver.post("message")
    for key in await counted_buckets(bus):
        assert 7 * DAY < await bus.redis.ttl(key) <= 8 * DAY


async def test_namespaces_count_apart(driver: Driver, bus: Bus) -> None:
    await driver.post("message")
    other = Bus(bus.redis, type(bus.keys)(bus.keys.namespace + "-other"))
    assert summed(await read_statistics(other, 1)) == (0, 0, {})
