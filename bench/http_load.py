"""Requests over HTTP, as a process of its own: connections that each wait for an answer before they ask again.

Reads a JSON object from standard input and answers with one. See `Order` and `Outcome`.
"""

import json
import select
import socket
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field

TIMEOUT_SECONDS = 20.0


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


@dataclass(slots=True)
class Client:
    """One connection that is kept alive."""

    socket: socket.socket
    since: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def complete(self) -> bool:
        """Whether the answer has been read to its end. Raises RuntimeError for one that tells no length."""
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return False
        at = head.lower().find(b"content-length:")
        if at < 0:
            raise RuntimeError(f"an answer without a length: {bytes(head[:200])!r}")
        return len(body) >= int(head[at + 15 :].split(b"\r\n", 1)[0])


def request_bytes(order: Order) -> bytes:
    """The request, which is always the same."""
    body = order.body.encode()
    head = f"{order.method} {order.path} HTTP/1.1\r\nHost: localhost:{order.port}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def run(order: Order) -> Outcome:
    """Carries out an order."""
    request, expected = request_bytes(order), b"HTTP/1.1 %d " % order.status
    poll = select.epoll()
    clients: dict[int, Client] = {}
    for _ in range(order.connections):
        connection = socket.create_connection(("127.0.0.1", order.port), timeout=TIMEOUT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[connection.fileno()] = Client(connection)
        poll.register(connection.fileno(), select.EPOLLIN)
    idle = list(clients.values())
    latencies: list[float] = []
    failures, first_failure = 0, ""
    began, spent = time.perf_counter(), time.process_time()
    asked, busy = 0, 0
    last_answer = began
    while True:
        now = time.perf_counter()
        open_for_more = now < began + order.seconds
        while idle and open_for_more:
            due = began + asked / order.rate if order.rate else now
            if due > now:
                break
            client = idle.pop()
            client.since = due
            client.socket.sendall(request)
            asked += 1
            busy += 1
            now = time.perf_counter()
        if not busy and not open_for_more:
            break
        if busy and now > last_answer + TIMEOUT_SECONDS:
            raise RuntimeError(f"{busy} requests got no answer within {TIMEOUT_SECONDS:g} s")
        wait = began + asked / order.rate - now if order.rate and idle else TIMEOUT_SECONDS
        for descriptor, _ in poll.poll(max(0.0, min(wait, max(0.001, began + order.seconds - now)))):
            client = clients[descriptor]
            data = client.socket.recv(1 << 20)
            if not data:
                raise RuntimeError("the server closed a connection")
            client.received += data
            if not client.complete():
                continue
            last_answer = time.perf_counter()
            latencies.append(1000 * (last_answer - client.since))
            if not client.received.startswith(expected):
                failures += 1
                first_failure = first_failure or bytes(client.received[:300]).decode(errors="replace")
            client.received.clear()
            busy -= 1
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
