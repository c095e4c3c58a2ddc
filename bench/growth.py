"""Growth: the same questions with a thousand times as many sessions and events."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis as redis_client

from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.event_records import EventRecord
from agent_bus.events import Events
from agent_bus.timestamps import now_and_microseconds
from bench.crowd import open_browser
from bench.http_client import KeptAlive, request_bytes
from bench.ingest import BODY, EVENT
from bench.programs import REST, Program, on_processor, our, redis_server
from bench.rows import Effort, Incorrect, Row, ratio_row, value_row

PAGE = 100
ASKS, WARM_UP = 100, 50
BATCH = 200
LANES = 8
TAIL = json.dumps(EVENT | {"session_id": "long", "session_name": "long"}).encode()[1:]

Sizes = tuple[int, int]
"""How many sessions and events there are."""


async def _append(redis_url: str, calls: Iterator[tuple[str, int]]) -> None:
    """Appends so many events to each session."""
    redis = connect(redis_url, name="bench")
    bus = Bus(redis)
    events = Events(bus)
    await bus.load("append_events")

    async def lane() -> None:
        for session_id, count in calls:
            timestamp, score = now_and_microseconds()
            record = EventRecord("post_tool", timestamp, score, session_id, TAIL, "/src", f"agent-{len(session_id)}")
            await redis.execute_command("EVALSHA", *events.append_call(session_id, [record] * count))

    await asyncio.gather(*(lane() for _ in range(LANES)))
    await redis.aclose()


def _grow(redis_url: str, before: Sizes, after: Sizes) -> None:
    batches = ((f"s-{number}", 1) for number in range(before[0], after[0]))
    asyncio.run(_append(redis_url, batches))
    events = range(before[1], after[1], BATCH)
    asyncio.run(_append(redis_url, (("long", min(BATCH, after[1] - first)) for first in events)))


def _median_ms(ask: Callable[[], None]) -> float:
    for _ in range(WARM_UP):
        ask()
    took = []
    for _ in range(ASKS):
        began = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def _questions(server: Program, asking: KeptAlive) -> dict[str, Callable[[], None]]:
    def get(path: str, count: Callable[[dict[str, list[object]]], int]) -> Callable[[], None]:
        request = request_bytes(server.port, "GET", path)

        def ask() -> None:
            status, body = asking.ask(request)
            if status != 200 or count(json.loads(body)) != PAGE:
                raise Incorrect(f"GET {path} was answered {status} with {len(body)} bytes")

        return ask

    event = request_bytes(server.port, "POST", "/events", BODY)

    def post() -> None:
        status, body = asking.ask(event)
        if status != 200:
            raise Incorrect(f"POST /events was answered {status}: {body[:200]!r}")

    return {
        "GET /sessions": get(f"/sessions?limit={PAGE}", lambda body: len(body["sessions"])),
        "GET /events/{id}": get(f"/events/long?limit={PAGE}", lambda body: len(body["events"])),
        "POST /events": post,
        "init": lambda: open_browser(server.port, "/ws").socket.close(),
    }


def growth(effort: Effort, folder: Path) -> Iterator[Row]:
    """Rows of each question at the largest sizes to the smallest, and what Redis keeps for an event and a session."""
    measured: dict[str, list[list[float]]] = {}
    memory: list[int] = []
    sizes = list(zip(effort.sessions, effort.events, strict=True))
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        our("coordinator", redis.url, folder, {"AGENT_ORCHESTRATOR_INIT_SESSIONS": str(PAGE)}) as server,
        redis_client.Redis.from_url(redis.url) as client,
        on_processor(REST),
    ):
        before = (0, 0)
        for size in sizes:
            _grow(redis.url, before, size)
            before = size
            # Growing takes longer than the server keeps a silent connection.
            asking = KeptAlive(server.port)
            memory.append(int(client.info("memory")["used_memory"]))
            for name, ask in _questions(server, asking).items():
                runs = [_median_ms(ask) for _ in range(effort.runs)]
                measured.setdefault(name, []).append(runs)
            asking.close()
        each_event = float(client.memory_usage("ao:events:long", samples=0)) / sizes[-1][1]
        each_session = sum(float(client.memory_usage(key) or 0) for key in ("ao:session:s-1", "ao:events:s-1"))
    for name, values in measured.items():
        yield ratio_row(
            f"growth_{name.split()[-1].strip('/').split('/')[0]}_{name.split()[0].lower()}",
            f"{name}, ms, {sizes[-1][1]:,} events vs {sizes[0][1]:,}",
            values[-1],
            values[0],
            target=2.0,
            better="lower",
            note=" → ".join(f"{statistics.median(runs):.2f}" for runs in values) + " ms",
        )
    yield value_row(
        "memory_event", f"Redis memory of an event of {len(TAIL):,} bytes", [each_event],
        target=2.0 * len(TAIL), better="lower", unit="bytes",
        note="; ".join(f"{sessions:,} sessions, {events:,} events" for sessions, events in sizes),
    )  # fmt: skip
    yield value_row(
        "memory_session", "Redis memory of a session with one such event", [each_session],
        target=8192.0, better="lower", unit="bytes",
    )  # fmt: skip
