"""Nothing lost while fast: connections to Redis killed, Redis restarted, a browser that does not read."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import redis as redis_client
from redis.backoff import NoBackoff
from redis.retry import Retry

from agent_bus.scripts import script
from bench.crowd import Crowd, frames, open_browser
from bench.http_client import KeptAlive, request_bytes
from bench.programs import REST, NotAvailable, Program, on_processor, our, redis_server, serving
from bench.publisher import Publisher, number_in, payload
from bench.rows import Effort, Incorrect, Row, in_turn, ratio_row, value_row
from bench.ways import OURS, WAYS, payload_bytes
from tests.processes import RedisServer

MESSAGES_PER_SECOND = 500
MESSAGES = 750
BROWSERS = 20
SETTLE_SECONDS = 15.0
# What has not come by then is lost, and no way takes longer to connect again.
LOST_SECONDS = 3.0


class SteadyPublisher(threading.Thread):
    """Publishes numbered messages at a steady rate, each tried once."""

    def __init__(self, redis_url: str, way: str) -> None:
        super().__init__(name="publisher")
        # Trying again would publish twice what Redis took without being able to say so.
        self._client = redis_client.Redis.from_url(redis_url, socket_timeout=5, retry=Retry(NoBackoff(), 0))
        self._way = way
        self.taken: list[int] = []
        """Numbers that Redis has answered for."""

    def run(self) -> None:
        """Publishes until all have been tried."""
        publish, size = WAYS[self._way].publish, payload_bytes(self._way, 200)
        began = time.monotonic()
        for number in range(MESSAGES):
            time.sleep(max(0.0, began + number / MESSAGES_PER_SECOND - time.monotonic()))
            command = publish(payload(size, b"%010d" % number))
            with suppress(redis_client.RedisError):
                try:
                    self._client.execute_command(*command)
                except redis_client.exceptions.NoScriptError:
                    self._client.script_load(script("append_events").text)
                    self._client.execute_command(*command)
                self.taken.append(number)
        self._client.close()


def _kill_all_connections(server: RedisServer) -> None:
    with redis_client.Redis.from_url(server.url) as client:
        for kind in ("normal", "pubsub"):
            client.execute_command("CLIENT KILL TYPE", kind, "SKIPME", "yes")


def _restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def disturbed(way: str, disturb: Callable[[RedisServer], None], times: int, folder: Path) -> dict[str, int]:
    """How much the browsers of a way lost, got repeated and out of order, together, while Redis was disturbed."""
    options = ("--appendonly", "yes")
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}", *options) as redis,
        serving(WAYS[way], redis.url, folder) as server,
    ):
        dialect = WAYS[way]
        browsers = [
            open_browser(server.port, dialect.path, dialect.hello, dialect.greetings, keep=True)
            for _ in range(BROWSERS)
        ]
        crowd = Crowd(browsers)
        warm = Publisher(redis.url, dialect.publish, payload_bytes(way, 200))
        warm.publish(1)
        crowd.wait_for(1, SETTLE_SECONDS)
        warm.close()
        for browser in browsers:
            browser.kept = bytearray()
        publisher = SteadyPublisher(redis.url, way)
        publisher.start()
        for turn in range(1, times + 1):
            while len(publisher.taken) < turn * MESSAGES // (times + 1):
                crowd.read(0.01)
            disturb(redis)
        while publisher.is_alive():
            crowd.read(0.01)
        crowd.wait_for(1 + len(publisher.taken), LOST_SECONDS)
        crowd.close()
        return _compare(crowd, set(publisher.taken))


def _compare(crowd: Crowd, taken: set[int]) -> dict[str, int]:
    lost = repeated = disordered = 0
    for browser in crowd.browsers:
        assert browser.kept is not None
        numbers = [number_in(data) for opcode, data in frames(bytes(browser.kept)) if opcode == 1 and b'"n":"' in data]
        lost += len(taken.difference(numbers))
        repeated += len(numbers) - len(set(numbers))
        disordered += sum(after < before for before, after in pairwise(numbers))
    return {"lost": lost, "repeated": repeated, "out of order": disordered}


def _as_told(result: tuple[str, dict[str, int]]) -> str:
    peer, counts = result
    return f"{peer}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"


def kept(effort: Effort, folder: Path) -> Iterator[Row]:
    """What is lost, repeated or out of order when Redis is disturbed."""
    for name, what, disturb, times in (
        ("killed", "connections to Redis killed twice", _kill_all_connections, 2),
        ("restarted", "Redis killed and restarted", _restart, 1),
    ):
        ours = [disturbed(OURS, disturb, times, folder) for _ in range(effort.runs)]
        told = []
        for peer in ("socketio", "bare_relay"):
            try:
                theirs = disturbed(peer, disturb, times, folder)
            except NotAvailable as error:
                print(f"{peer} left out of {name}: {error}")
                continue
            told.append((peer, theirs))
        yield value_row(
            f"redis_{name}",
            f"lost, repeated or out of order: {what}",
            [float(sum(result.values())) for result in ours],
            theirs=float(sum(told[0][1].values())) if told else 0.0,
            target=0.0,
            better="lower",
            unit="messages",
            note="; ".join([f"of {MESSAGES} to each of {BROWSERS} browsers", *map(_as_told, told)]),
        )


LARGE_MESSAGE = 1000
OTHERS = 50
WINDOW = 200
LOOK_SECONDS = 0.05


def _flood(server: Program, redis_url: str, seconds: float, *, beside_stalled: bool) -> tuple[float, float]:
    """Messages/s that reached browsers which read, and after how many seconds one that does not was let go."""
    asking, ready = KeptAlive(server.port), request_bytes(server.port, "GET", "/ready")
    crowd = Crowd([open_browser(server.port, "/ws", keep=number == 0) for number in range(OTHERS)])
    idle = open_browser(server.port, "/ws") if beside_stalled else None
    publisher = Publisher(redis_url, WAYS[OURS].publish, payload_bytes(OURS, LARGE_MESSAGE))
    let_go = float("inf")
    began = looked = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds:
        if publisher.published - crowd.messages // OTHERS + 16 <= WINDOW:
            publisher.publish(16)
        crowd.read(0.002)
        if now > looked + LOOK_SECONDS:
            looked = now
            connections = json.loads(asking.ask(ready)[1])["connections"]
            if connections == OTHERS and beside_stalled:
                let_go = min(let_go, now - began)
    complete = crowd.wait_for(publisher.published, SETTLE_SECONDS) and crowd.alike()
    rate = crowd.messages / (time.perf_counter() - began)
    if idle is not None:
        idle.socket.close()
    crowd.close()
    publisher.close()
    asking.close()
    if not complete:
        raise Incorrect("a browser beside a stalled one lost messages")
    if beside_stalled and let_go == float("inf"):
        raise Incorrect(f"a browser that reads nothing was still there after {seconds:g} s")
    return rate, let_go


def stalled(effort: Effort, folder: Path) -> Iterator[Row]:
    """A browser that reads nothing is let go, and the others do not notice."""
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        our("coordinator", redis.url, folder) as server,
        on_processor(REST),
    ):
        seconds = max(2.0, effort.seconds)

        without, beside = in_turn(
            max(2, 2 * effort.runs - 1),
            lambda: _flood(server, redis.url, seconds, beside_stalled=False),
            lambda: _flood(server, redis.url, seconds, beside_stalled=True),
        )
    yield value_row(
        "stalled_browser_let_go",
        "a browser that reads nothing is let go, from the first message",
        [let_go for _, let_go in beside],
        target=2.0,
        better="lower",
        unit="s",
    )
    yield ratio_row(
        "rate_beside_stalled",
        f"messages/s to {OTHERS} browsers, beside a stalled one vs without",
        [rate for rate, _ in beside],
        [rate for rate, _ in without],
        target=0.95,
        better="higher",
    )
