"""The load for fan-out, as a process of its own: many browsers on one server, and a publisher through Redis.

Reads a JSON object from standard input, says `ready` when all browsers are connected, begins when it reads a line, and
answers with a JSON object. See `Order` and `Outcome`.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from bench.crowd import BrowserSocket, Crowd, frames, open_browser
from bench.publisher import Publisher, number_in
from bench.ways import WAYS, payload_bytes

# How long messages that are under way may take to arrive when publishing has ended.
SETTLE_SECONDS = 20.0
WARM_UP_SECONDS = 5.0
# Messages that are published together under saturation.
BURST = 16


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: `way` names whom to talk to; `rate` a second, or as fast as with `window` messages under way."""

    way: str
    port: int
    redis_url: str
    browsers: int
    seconds: float
    rate: float = 0.0
    window: int = 0
    message_bytes: int = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. Latencies are in ms, from publishing to a browser's reading, over all browsers."""

    published: int
    delivered: int
    seconds: float
    processor_seconds: float
    correct: bool
    why: str
    latency_median: float | None
    latency_p99: float | None


def verdict(crowd: Crowd, published: int) -> str:
    """What is wrong with what the browsers received; '' if each has every message once and in order."""
    reference = crowd.browsers[0]
    assert reference.kept is not None
    numbers = [
        number_in(data) for opcode, data in frames(bytes(reference.kept)) if opcode in (1, 2) and b'"n":"' in data
    ]
    if numbers != list(range(published)):
        return f"the reference has {len(numbers)} messages of {published}, or not in order"
    counts = {browser.messages for browser in crowd.browsers}
    if counts != {published}:
        return f"browsers have between {min(counts)} and {max(counts)} messages of {published}"
    return "" if crowd.alike() else "browsers differ in what they received"


def saturate(crowd: Crowd, publisher: Publisher, seconds: float, window: int) -> float:
    """Publishes as fast as a bounded number of messages under way allows. Returns how long all of it took."""
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        under_way = publisher.published - crowd.messages // len(crowd.browsers)
        if under_way + BURST <= window:
            publisher.publish(BURST)
        # With room left, what is there is read without waiting for more.
        crowd.read(0.0 if under_way + 2 * BURST <= window else 0.005)
    crowd.wait_for(publisher.published, SETTLE_SECONDS)
    return time.perf_counter() - began


def pace(crowd: Crowd, publisher: Publisher, seconds: float, rate: float) -> list[float]:
    """Publishes at a rate. Returns the latency of each message at each browser, in ms."""
    sent: list[float] = []
    latencies: list[float] = []

    def read(browser: BrowserSocket, new: int) -> None:
        now = time.perf_counter()
        # The first message of all was the warm-up.
        latencies.extend(1000 * (now - sent[number - 1]) for number in range(browser.messages - new, browser.messages))

    began = time.perf_counter()
    for number in range(round(seconds * rate)):
        due = began + number / rate
        while (left := due - time.perf_counter()) > 0:
            crowd.read(left, read)
        sent.append(time.perf_counter())
        publisher.publish(1)
    deadline = time.perf_counter() + SETTLE_SECONDS
    while crowd.messages < publisher.published * len(crowd.browsers) and time.perf_counter() < deadline:
        crowd.read(0.05, read)
    return latencies


@contextmanager
def connected(order: Order) -> Iterator[tuple[Crowd, Publisher]]:
    """The browsers and the publisher."""
    way = WAYS[order.way]
    publisher = Publisher(order.redis_url, way.publish, payload_bytes(order.way, order.message_bytes))
    browsers = [
        open_browser(order.port, way.path, way.hello, way.greetings, keep=number == 0)
        for number in range(order.browsers)
    ]
    crowd = Crowd(browsers)
    try:
        yield crowd, publisher
    finally:
        crowd.close()
        publisher.close()


def run(order: Order) -> Outcome:
    """Carries out an order."""
    with connected(order) as (crowd, publisher):
        # Some relays begin to listen with their first browser or their first message.
        publisher.publish(1)
        if not crowd.wait_for(1, WARM_UP_SECONDS):
            raise RuntimeError(f"{order.way}: the first message did not reach every browser")
        print("ready", flush=True)
        sys.stdin.readline()
        latencies: list[float] = []
        began, spent = time.perf_counter(), time.process_time()
        if order.window:
            seconds = saturate(crowd, publisher, order.seconds, order.window)
        else:
            latencies = pace(crowd, publisher, order.seconds, order.rate)
            seconds = time.perf_counter() - began
        spent = time.process_time() - spent
        why = verdict(crowd, publisher.published)
        return Outcome(
            published=publisher.published - 1,
            delivered=crowd.messages - order.browsers,
            seconds=seconds,
            processor_seconds=spent,
            correct=not why,
            why=why,
            latency_median=statistics.median(latencies) if latencies else None,
            latency_p99=statistics.quantiles(latencies, n=100)[98] if len(latencies) > 1 else None,
        )


def main() -> None:
    """Order in, outcome out."""
    outcome = run(Order(**json.loads(sys.stdin.readline())))
    print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
