"""Stopping an agent: how soon it is told and how soon its end is confirmed, at rest and while the system is busy."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from bench import http_load
from bench.fanout_load import Order, Outcome
from bench.http_client import KeptAlive, request_bytes
from bench.ingest import BODY, CONNECTIONS, stored_events
from bench.programs import REST, Load, Program, on_processor, our, peer, redis_server
from bench.rows import Effort, Incorrect, Row, in_turn, ratio_row
from bench.ways import OURS
from tests.processes import REPOSITORY, RedisServer, wait_until

EVENTS_PER_SECOND = 1000.0
# More than one replica takes.
FLOOD_EVENTS_PER_SECOND = 10_000.0
CONFIRMED = b"Session stopped successfully"
# The crowd only makes the load; what is measured on the same processor goes first.
CROWD_NICENESS = 10


class Echo:
    """The least that telling somebody over Redis takes: PUBLISH to a subscriber, with the client that all use."""

    def __init__(self, redis_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._redis = Redis.from_url(redis_url)
        self._pubsub = self._redis.pubsub()
        self._channel = f"bench:{uuid.uuid4().hex}"
        self._loop.run_until_complete(self._pubsub.subscribe(self._channel))
        self._loop.run_until_complete(self._pubsub.get_message(timeout=5))

    def once(self) -> float:
        """Seconds from publishing to having the message."""
        return self._loop.run_until_complete(self._once())

    async def _once(self) -> float:
        began = time.perf_counter()
        publishing = asyncio.ensure_future(self._redis.publish(self._channel, b"stop"))
        while await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=5) is None:
            pass
        took = time.perf_counter() - began
        await publishing
        return took

    def close(self) -> None:
        """Hangs up."""
        self._loop.run_until_complete(self._pubsub.aclose())
        self._loop.run_until_complete(self._redis.aclose())
        self._loop.close()


class Agent:
    """The agent process that is stopped again and again."""

    def __init__(self, redis_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.stoppable", redis_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )  # fmt: skip

    def say(self, line: str) -> None:
        """A line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        """A line from it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise Incorrect(f"the agent ended with {self._process.wait()}")
        return line

    def close(self) -> None:
        """Lets it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Times:
    """Medians of one run, in ms; `bare_http` and `publish` were measured in the same moments."""

    told: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    bare_http: list[float] = field(default_factory=list)
    publish: list[float] = field(default_factory=list)
    flood: float = 0.0
    """Events a second that the server took in meanwhile."""

    def median(self, name: str) -> float:
        """The median of one of them."""
        return float(statistics.median(getattr(self, name)))


def _stops(redis_url: str, server: Program, bare: Program, samples: int) -> Times:
    times, agent, echo = Times(), Agent(redis_url), Echo(redis_url)
    asking, bare_asking = KeptAlive(server.port), KeptAlive(bare.port)
    simple = request_bytes(bare.port, "GET", "/")
    for _ in range(samples):
        session_id = uuid.uuid4().hex
        stop = request_bytes(server.port, "POST", f"/sessions/{session_id}/stop")
        agent.say(session_id)
        if agent.hear() != "ready":
            raise Incorrect("the agent did not start")
        began = time.perf_counter()
        status, body = asking.ask(stop)
        ended = time.perf_counter()
        told = float(agent.hear())
        agent.say("leave")
        if status != 200 or CONFIRMED not in body:
            raise Incorrect(f"a stop was answered {status}: {body[:200]!r}")
        times.told.append(1000 * (told - began))
        times.confirmed.append(1000 * (ended - began))
        began = time.perf_counter()
        bare_asking.ask(simple)
        times.bare_http.append(1000 * (time.perf_counter() - began))
        times.publish.append(1000 * echo.once())
    for each in (agent, echo, asking, bare_asking):
        each.close()
    return times


def _busy_stops(effort: Effort, redis_url: str, server: Program, bare: Program) -> Times:
    # Ten milliseconds a stop are more than any takes.
    seconds = max(effort.seconds, 2 + effort.samples * 0.01)
    order = Order(OURS, server.port, redis_url, effort.browsers, seconds, rate=EVENTS_PER_SECOND)
    load = Load("bench.fanout_load", order)
    os.setpriority(os.PRIO_PROCESS, load.pid, CROWD_NICENESS)
    load.wait_ready()
    load.begin()
    times = _stops(redis_url, server, bare, effort.samples)
    outcome = load.outcome(Outcome)
    if not outcome.correct:
        raise Incorrect(f"while agents were stopped: {outcome.why}")
    return times


def _flooded_stops(effort: Effort, redis: RedisServer, server: Program, bare: Program) -> Times:
    events_before = stored_events(redis, "bench")
    # A stop of the flooded server takes tens of milliseconds.
    seconds = max(effort.seconds, 2 + effort.samples * 0.1)
    order = http_load.Order(
        server.port, "POST", "/events", BODY, CONNECTIONS, seconds, rate=FLOOD_EVENTS_PER_SECOND
    )  # fmt: skip
    load = Load("bench.http_load", order)
    wait_until(lambda: stored_events(redis, "bench") > events_before, "the flood to begin")
    times = _stops(redis.url, server, bare, effort.samples)
    outcome = load.outcome(http_load.Outcome)
    if outcome.failures:
        raise Incorrect(f"while agents were stopped: {outcome.first_failure}")
    times.flood = outcome.per_second
    return times


def stop(effort: Effort, folder: Path) -> Iterator[Row]:
    """Rows of both times against the bare ones, and of a busy system against one at rest."""
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        our("coordinator", redis.url, folder) as server,
        peer("bare_route", folder) as bare,
        on_processor(REST),
    ):
        rest, busy, flooded = in_turn(
            effort.runs,
            lambda: _stops(redis.url, server, bare, effort.samples),
            lambda: _busy_stops(effort, redis.url, server, bare),
            lambda: _flooded_stops(effort, redis, server, bare),
        )
    yield ratio_row(
        "stop_notified",
        "stop until the agent is told, ms, vs HTTP round trip + PUBLISH",
        [times.median("told") for times in rest],
        [times.median("bare_http") + times.median("publish") for times in rest],
        target=2.0,
        better="lower",
    )
    yield ratio_row(
        "stop_confirmed",
        "stop until confirmed, ms, vs HTTP round trip + 2 PUBLISH",
        [times.median("confirmed") for times in rest],
        [times.median("bare_http") + 2 * times.median("publish") for times in rest],
        target=2.0,
        better="lower",
    )
    for name in ("told", "confirmed"):
        yield ratio_row(
            f"stop_{name}_under_load",
            f"stop until {name}, ms, with {EVENTS_PER_SECOND:,.0f} events/s to {effort.browsers} browsers vs at rest",
            [times.median(name) for times in busy],
            [times.median(name) for times in rest],
            target=2.0,
            better="lower",
        )
    yield ratio_row(
        "stop_confirmed_under_flood",
        f"stop until confirmed, ms, with another agent at {FLOOD_EVENTS_PER_SECOND:,.0f} events/s or all it can, "
        "vs at rest",
        [times.median("confirmed") for times in flooded],
        [times.median("confirmed") for times in rest],
        target=10.0,
        better="lower",
        note=f"{statistics.median(times.flood for times in flooded):,.0f} events/s were taken in",
    )
