"""Taking events in: over HTTP, and in bulk through the bridge."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import redis as redis_client

from agent_bus.keys import Keys
from bench.http_load import Order, Outcome
from bench.programs import Load, Program, our, peer, redis_server
from bench.rows import Effort, Incorrect, Row, in_turn, ratio_row, value_row
from tests.processes import REPOSITORY, RedisServer

CONNECTIONS = 16
# What a tool's result looks like; the whole body has about a kilobyte.
EVENT = {
    "event_type": "post_tool",
    "session_id": "bench",
    "session_name": "bench",
    "timestamp": "2026-01-24T10:00:00+00:00",
    "tool_name": "Bash",
    "tool_input": {"command": "x" * 200},
    "tool_output": {"stdout": "y" * 580},
}
BODY = json.dumps(EVENT)
BULK_EVENTS = 8000


def post(server: Program, seconds: float, *, rate: float = 0.0, connections: int = CONNECTIONS) -> Outcome:
    """Posts events to a server. Raises Incorrect if one is refused."""
    load = Load("bench.http_load", Order(server.port, "POST", "/events", BODY, connections, seconds, rate))
    outcome = load.outcome(Outcome)
    if outcome.failures:
        raise Incorrect(f"{outcome.failures} of {outcome.requests} events were refused: {outcome.first_failure}")
    return outcome


def stored_events(server: RedisServer, session_id: str) -> int:
    """How many events Redis has of a session."""
    with redis_client.Redis.from_url(server.url) as client:
        return int(client.xlen(Keys().history(session_id)))


def bulk(redis: RedisServer, session_id: str) -> float:
    """Events a second that one agent reports through the bridge, from the first until all are in Redis."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.chatty", redis.url, session_id, str(BULK_EVENTS)],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    # A start and an end are events too.
    if (kept := stored_events(redis, session_id)) != BULK_EVENTS + 2:
        raise Incorrect(f"the bridge reported {BULK_EVENTS} events and Redis has {kept - 2}")
    return BULK_EVENTS / float(done.stdout)


def http(effort: Effort, folder: Path) -> Iterator[Row]:
    """`POST /events` against a route that only validates, against a server on SQLite, and its latency under load."""
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        our("coordinator", redis.url, folder) as coordinator,
        peer("bare_route", folder) as bare,
        peer("sqlite_server", folder, "--data", str(folder)) as sqlite,
    ):
        for server in (coordinator, bare):
            post(server, 0.5)
        mine, bares, sqlites, alone = list[Outcome](), list[Outcome](), list[Outcome](), list[Outcome]()
        bulks: list[float] = []
        for _ in range(effort.runs):
            mine.append(post(coordinator, effort.seconds))
            bares.append(post(bare, effort.seconds))
            sqlites.append(post(sqlite, effort.seconds))
            bulks.append(bulk(redis, f"bulk-{time.monotonic_ns()}"))
            alone.append(post(coordinator, effort.seconds, connections=1))
        most = statistics.median(outcome.per_second for outcome in mine)
        half = [post(coordinator, effort.seconds, rate=most / 2) for _ in range(effort.runs)]
        accepted = sum(outcome.requests for outcome in (*mine, *alone, *half))
        if (kept := stored_events(redis, "bench")) < accepted:
            raise Incorrect(f"{accepted} events were answered with 200 and Redis has {kept}")
    rates = [outcome.per_second for outcome in mine]
    busy = statistics.median(outcome.processor_seconds / outcome.seconds for outcome in mine)
    yield ratio_row(
        "ingest_vs_bare_route",
        "POST /events/s of 1 KB, vs a route that only validates",
        rates,
        [outcome.per_second for outcome in bares],
        target=0.6,
        better="higher",
        note=f"the load generator took {busy:.0%} of its processor",
    )
    yield ratio_row(
        "ingest_vs_sqlite",
        "POST /events/s of 1 KB, vs a commit to SQLite for each",
        rates,
        [outcome.per_second for outcome in sqlites],
        target=5.0,
        better="higher",
    )
    yield ratio_row(
        "ingest_p99",
        "POST /events at half of the most, ms: p99 vs median",
        [outcome.latency_p99 for outcome in half],
        [outcome.latency_median for outcome in half],
        target=3.0,
        better="lower",
    )
    yield ratio_row(
        "bulk_vs_http",
        "events/s through one bridge, vs all that a coordinator is POSTed",
        bulks,
        rates,
        target=10.0,
        better="higher",
        note=f"{statistics.median(bulks) / statistics.median(o.per_second for o in bares):.1f} times the bare route's",
    )
    yield ratio_row(
        "bulk_vs_http_agent",
        "events/s through one bridge, vs one agent that POSTs in a row",
        bulks,
        [outcome.per_second for outcome in alone],
        target=10.0,
        better="higher",
    )


def bridge(effort: Effort, folder: Path) -> Iterator[Row]:
    """What the bridge costs the agent."""
    with redis_server(folder / f"redis-{time.monotonic_ns()}") as redis:
        calls = []
        for number in range(max(3, 2 * effort.runs + 1)):
            done = subprocess.run(
                [sys.executable, "-m", "bench.chatty", redis.url, f"calls-{number}", "1000", "--pause"],
                capture_output=True, text=True, check=True, cwd=REPOSITORY,
            )  # fmt: skip
            calls.append(float(done.stdout))
    yield value_row(
        "bridge_call",
        "a pre_tool report, on the caller's loop",
        calls,
        target=30.0,
        better="lower",
        unit="µs",
    )
    imports, bare = in_turn(max(5, effort.runs), lambda: _start("import agent_bridge"), lambda: _start("pass"))
    yield value_row(
        "bridge_import",
        "import agent_bridge",
        [1000 * (mine - other) for mine, other in zip(imports, bare, strict=True)],
        target=100.0,
        better="lower",
        unit="ms",
    )


def _start(program: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=REPOSITORY)
    return time.perf_counter() - began
