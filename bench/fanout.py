"""Fan-out: one message to many browsers through Redis."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.crowd import Crowd, open_browser
from bench.fanout_load import Order, Outcome
from bench.programs import REST, Load, NotAvailable, Program, on_processor, our, redis_server, serving
from bench.publisher import Publisher
from bench.rows import Effort, Incorrect, Row, in_turn, ratio_row, value_row
from bench.ways import OURS, WAYS, event_command

# So many messages may be under way when a way is driven as hard as it goes. Channels drops what goes beyond 100.
WINDOW = 200
WINDOWS = {"channels": 80}
SLOW_RATE = 20.0
BROWSERS_THAT_BREATHE = 100


def measure(way: str, effort: Effort, folder: Path, *, rate: float = 0.0) -> tuple[Outcome, float]:
    """One run of a way, and the processor seconds its server took. Raises Incorrect or NotAvailable."""
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        serving(WAYS[way], redis.url, folder) as server,
    ):
        order = Order(
            way,
            server.port,
            redis.url,
            effort.browsers,
            effort.seconds,
            rate=rate,
            window=0 if rate else WINDOWS.get(way, WINDOW),
        )
        load = Load("bench.fanout_load", order)
        load.wait_ready()
        spent = server.processor_seconds()
        load.begin()
        outcome = load.outcome(Outcome)
        if not outcome.correct:
            raise Incorrect(f"{way}: {outcome.why}")
        return outcome, server.processor_seconds() - spent


def _rate(outcome: Outcome) -> float:
    return outcome.delivered / outcome.seconds


def saturated(effort: Effort, folder: Path) -> Iterator[Row]:
    """Ours against each peer, as fast as each goes."""
    for peer, target in (
        ("socketio", 6.0), ("bare_relay", 0.8), ("fastapi_pubsub", 6.0), ("python_socketio", 6.0), ("channels", 6.0),
    ):  # fmt: skip
        try:
            ours, theirs = in_turn(
                effort.runs, partial(measure, OURS, effort, folder), partial(measure, peer, effort, folder)
            )
        except NotAvailable as error:
            print(f"skipped fanout_vs_{peer}: {error}")
            continue
        except Incorrect as error:
            print(f"no figure for fanout_vs_{peer}: {error}")
            continue
        busy = statistics.median(outcome.processor_seconds / outcome.seconds for outcome, _ in ours)
        yield ratio_row(
            f"fanout_vs_{peer}",
            f"fan-out to {effort.browsers} browsers, messages/s, vs {peer}",
            [_rate(outcome) for outcome, _ in ours],
            [_rate(outcome) for outcome, _ in theirs],
            target=target,
            better="higher",
            note=f"the load generator's processor was {busy:.0%} busy with ours",
        )


def slow(effort: Effort, folder: Path) -> Iterator[Row]:
    """The latency when there is little to do."""
    try:
        ours, theirs = in_turn(
            effort.runs,
            lambda: measure(OURS, effort, folder, rate=SLOW_RATE)[0],
            lambda: measure("socketio", effort, folder, rate=SLOW_RATE)[0],
        )
    except NotAvailable as error:
        print(f"skipped fanout_latency_vs_socketio: {error}")
        return
    yield ratio_row(
        "fanout_latency_vs_socketio",
        f"fan-out latency at {SLOW_RATE:g} messages/s, ms, vs socketio",
        [outcome.latency_median or 0.0 for outcome in ours],
        [outcome.latency_median or 0.0 for outcome in theirs],
        target=1.0,
        better="lower",
    )


@contextmanager
def _crowded(server: Program, count: int, path: str) -> Iterator[Crowd]:
    crowd = Crowd([open_browser(server.port, path, keep=number == 0) for number in range(count)])
    try:
        yield crowd
    finally:
        crowd.close()


def idle(effort: Effort, folder: Path) -> Iterator[Row]:
    """What a browser costs that only waits, and what it costs when others are told something."""
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        our("coordinator", redis.url, folder) as server,
    ):
        publisher = Publisher(redis.url, lambda payload: event_command("watched", payload.encode()[1:]))
        publisher.publish(1)
        with on_processor(REST), _crowded(server, BROWSERS_THAT_BREATHE, "/ws?session_id=others"):
            before = server.memory_bytes()
            alone = _cost(server, publisher, effort)
            with _crowded(server, effort.idle_browsers, "/ws?session_id=others"):
                each = (server.memory_bytes() - before) / effort.idle_browsers / 1024
                beside = _cost(server, publisher, effort)
        publisher.close()
    yield value_row(
        "idle_browser_memory",
        f"memory of an idle browser, one of {effort.idle_browsers:,}",
        [each],
        target=30.0,
        better="lower",
        unit="KB",
    )
    yield ratio_row(
        "filtered_message_cost",
        f"cost of a message for {WATCHERS} browsers, µs, with {effort.idle_browsers:,} idle ones vs without",
        beside,
        alone,
        target=1.25,
        better="lower",
        note="the idle ones asked for another session; their keep-alive pings are included",
    )


WATCHERS = 5
MESSAGES_PER_SECOND = 500


def _cost(server: Program, publisher: Publisher, effort: Effort) -> list[float]:
    """Processor µs of the server for a message to a session that a few watch, in each run."""
    costs = []
    for _ in range(max(2, effort.runs)):
        with _crowded(server, WATCHERS, "/ws?session_id=watched") as watchers:
            spent, count = server.processor_seconds(), int(MESSAGES_PER_SECOND * effort.seconds)
            began = time.perf_counter()
            for number in range(count):
                while (left := began + number / MESSAGES_PER_SECOND - time.perf_counter()) > 0:
                    watchers.read(left)
                publisher.publish(1)
            if not watchers.wait_for(count, 20.0) or not watchers.alike():
                raise Incorrect("watchers of one session did not get its messages once each")
            costs.append(1e6 * (server.processor_seconds() - spent) / count)
    return costs
