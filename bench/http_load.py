"""Requests over HTTP, as a process of its own: connections that each wait for an answer before they ask again.

Reads a JSON object from standard input and answers with one. See `Order` and `Outcome`.
"""

import json
import select
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from bench.http_client import TIMEOUT_SECONDS, KeptAlive, request_bytes


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask: `rate` a second altogether, or 0 for as fast as the answers come. `status` is the right answer."""

    port: int
    method: str
    path: str
    body: str
    connections: int
    seconds: float
    rate: float = 0.0
    status: int = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. Latencies in ms; when there is a rate they count from when the request was due."""

    requests: int
    failures: int
    first_failure: str
    seconds: float
    processor_seconds: float
    latency_median: float
    latency_p99: float

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


def run(order: Order) -> Outcome:
    """Carries out an order."""
    request = request_bytes(order.port, order.method, order.path, order.body)
    poll = select.epoll()
    clients: dict[int, KeptAlive] = {}
    for _ in range(order.connections):
        client = KeptAlive(order.port)
        clients[client.socket.fileno()] = client
        poll.register(client.socket.fileno(), select.EPOLLIN)
    idle = list(clients.values())
    since: dict[KeptAlive, float] = {}
    latencies: list[float] = []
    failures, first_failure = 0, ""
    asked = 0
    began, spent = time.perf_counter(), time.process_time()
    end = last_answer = began + order.seconds
    while True:
        now = time.perf_counter()
        while idle and now < end:
            due = began + asked / order.rate if order.rate else now
            if due > now:
                break
            client = idle.pop()
            since[client] = due
            client.send(request)
            asked += 1
            now = time.perf_counter()
        if not since and now >= end:
            break
        if now > last_answer + TIMEOUT_SECONDS:
            raise RuntimeError(f"{len(since)} requests got no answer within {TIMEOUT_SECONDS:g} s")
        wait = began + asked / order.rate - now if order.rate and idle and now < end else end - now
        for descriptor, _ in poll.poll(max(0.001 if now >= end else 0.0, wait)):
            client = clients[descriptor]
            answer = client.read()
            if answer is None:
                continue
            last_answer = time.perf_counter()
            latencies.append(1000 * (last_answer - since.pop(client)))
            if answer[0] != order.status:
                failures += 1
                first_failure = first_failure or f"{answer[0]}: {answer[1][:300].decode(errors='replace')}"
            idle.append(client)
    return Outcome(
        requests=len(latencies),
        failures=failures,
        first_failure=first_failure,
        seconds=time.perf_counter() - began,
        processor_seconds=time.process_time() - spent,
        latency_median=statistics.median(latencies),
        latency_p99=statistics.quantiles(latencies, n=100)[98],
    )


def main() -> None:
    """Order in, outcome out."""
    print(json.dumps(asdict(run(Order(**json.loads(sys.stdin.readline()))))), flush=True)


if __name__ == "__main__":
    main()
