"""What has happened over time, by the server's clock, as `scripts/statistics.lua` counts what is accepted."""

from collections import Counter
from typing import Any, Literal

from agent_bus.bus import Bus
from agent_bus.messages import Message
from agent_bus.timestamps import as_agreed

HOUR_SECONDS = 3600
# What the script counts into, and keeps for a day longer than is ever asked for.
COUNTED_SECONDS = 300
KEPT_SECONDS = 8 * 86400
MAX_HOURS = 168
# Up to here buckets are as fine as they are counted: 288 of them; beyond, one an hour.
FINE_HOURS = 24
# In each of the script's, and in each that is answered; what is beyond is in OTHER, as are tools without a name.
MOST_TOOLS = 100
OTHER = "other"
# One round trip reads so many, which takes a few milliseconds even when there are very many tools.
PART = 96


class ToolCount(Message):
    """How often a tool's use has ended, and how often with an `error`."""

    uses: int
    errors: int


class Bucket(Message):
    """What was accepted from `start` on until the next bucket's."""

    start: str
    events: int
    sessions: int
    """Runs begun: a session that is resumed counts again."""
    tools: dict[str, ToolCount]
    """By name, cut after 100 characters. `other`: tools without a name, and those beyond the 100 that come first."""


class Statistics(Message):
    """Counts over time, oldest first, without gaps; the last bucket is the current one. They outlive their sessions."""

    bucket_seconds: Literal[300, 3600]
    buckets: list[Bucket]


async def stored_statistics(bus: Bus) -> dict[int, dict[str, int]]:
    """All that is still kept, as the script has counted it, by when it was begun (s since 1970). Raises RedisError."""
    clock: Any = await bus.redis.time()
    newest = clock[0] - clock[0] % COUNTED_SECONDS
    starts = range(newest - KEPT_SECONDS, newest + 1, COUNTED_SECONDS)
    found: dict[int, dict[str, int]] = {}
    for place in range(0, len(starts), PART):
        part = starts[place : place + PART]
        async with bus.redis.pipeline(transaction=False) as pipe:
            for start in part:
                pipe.hgetall(bus.keys.statistics(start))
            counted = await pipe.execute()
        found |= {
            start: {name.decode(): int(count) for name, count in fields.items()}
            for start, fields in zip(part, counted, strict=True)
            if fields
        }
    return found


async def put_back_statistics(bus: Bus, start: int, counts: dict[str, int]) -> None:
    """Keeps what was counted in another Redis, as long as it would be kept there. Raises RedisError."""
    key = bus.keys.statistics(start)
    # What is counted here already, for the same minutes, is not the less true; the two can't be told apart later.
    if await bus.redis.exists(key):
        return
    async with bus.redis.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping={name: str(count) for name, count in counts.items()})
        pipe.expireat(key, start + KEPT_SECONDS)
        await pipe.execute()


async def read_statistics(bus: Bus, hours: int) -> Statistics:
    """The counts of the hours up to now, of which the current bucket's has only begun. Raises RedisError."""
    clock: Any = await bus.redis.time()
    now: int = clock[0]
    length: Literal[300, 3600] = 300 if hours <= FINE_HOURS else 3600
    current = now - now % length
    starts = range(current + length - hours * HOUR_SECONDS, current + 1, length)
    sums = {start: Counter[bytes]() for start in starts}
    counted = range(starts[0], now + 1, COUNTED_SECONDS)
    for place in range(0, len(counted), PART):
        part = counted[place : place + PART]
        async with bus.redis.pipeline(transaction=False) as pipe:
            for start in part:
                pipe.hgetall(bus.keys.statistics(start))
            found = await pipe.execute()
        for start, fields in zip(part, found, strict=True):
            sums[start - start % length].update({name: int(count) for name, count in fields.items()})
    return Statistics(bucket_seconds=length, buckets=[_bucket(start, counts) for start, counts in sums.items()])


def _bucket(start: int, counts: Counter[bytes]) -> Bucket:
    uses, errors = _by_tool(counts, b"uses:"), _by_tool(counts, b"errors:")
    # An hour may have more tools than each of its parts.
    beyond = [name for name, _ in uses.most_common() if name != OTHER][MOST_TOOLS:]
    for counter in (uses, errors):
        counter[OTHER] += sum(counter.pop(name, 0) for name in beyond)
    tools = {name: ToolCount(uses=n, errors=errors[name]) for name, n in sorted(uses.items()) if n}
    return Bucket(start=as_agreed(start), events=counts[b"events"], sessions=counts[b"sessions"], tools=tools)


def _by_tool(counts: Counter[bytes], kind: bytes) -> Counter[str]:
    return Counter({name.removeprefix(kind).decode(): n for name, n in counts.items() if name.startswith(kind)})
