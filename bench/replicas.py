"""More coordinators on one Redis: what they cost beside the work that they share."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.crowd import Crowd, open_browser
from bench.programs import REST, on_processor, our, processor_seconds, redis_server
from bench.publisher import Publisher
from bench.rows import Effort, Incorrect, Row, in_turn, value_row
from bench.ways import OURS, WAYS, payload_bytes

# So few that none wait for each other: a busier single process would send several in one write, and cost less.
MESSAGES_PER_SECOND = 50
SETTLE_SECONDS = 10.0


def _run(replicas: int, effort: Effort, folder: Path) -> tuple[float, float]:
    """Processor µs of the coordinators for a delivered message, and of Redis for a published one."""
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        ExitStack() as stack,
    ):
        servers = [stack.enter_context(our("coordinator", redis.url, folder)) for _ in range(replicas)]
        with on_processor(REST):
            browsers = [
                open_browser(servers[number % replicas].port, "/ws", keep=number == 0)
                for number in range(effort.browsers)
            ]
            crowd = Crowd(browsers)
            publisher = Publisher(redis.url, WAYS[OURS].publish, payload_bytes(OURS, 200))
            publisher.publish(1)
            if not crowd.wait_for(1, SETTLE_SECONDS):
                raise Incorrect("a browser did not get the first message")
            assert redis.process is not None
            pid = redis.process.pid
            spent, redis_spent = sum(server.processor_seconds() for server in servers), processor_seconds(pid)
            count = int(MESSAGES_PER_SECOND * effort.seconds)
            began = time.perf_counter()
            for number in range(count):
                while (left := began + number / MESSAGES_PER_SECOND - time.perf_counter()) > 0:
                    crowd.read(left)
                publisher.publish(1)
            complete = crowd.wait_for(count + 1, SETTLE_SECONDS)
            spent = sum(server.processor_seconds() for server in servers) - spent
            redis_spent = processor_seconds(pid) - redis_spent
            # Replicas do not tell their browsers the same `init`, but the same messages.
            alike = complete and crowd.alike()
            crowd.close()
            publisher.close()
        if not alike:
            raise Incorrect("browsers of several replicas did not get the same messages")
        return 1e6 * spent / (count * effort.browsers), 1e6 * redis_spent / count


def replicas(effort: Effort, folder: Path) -> Iterator[Row]:
    """Rows of the most replicas to one."""
    runs = in_turn(effort.runs, *(partial(_run, count, effort, folder) for count in effort.replicas))
    results = dict(zip(effort.replicas, runs, strict=True))
    first, last = effort.replicas[0], effort.replicas[-1]

    def median(count: int, which: int) -> float:
        return statistics.median(result[which] for result in results[count])

    numbers = " and ".join(map(str, effort.replicas))
    yield value_row(
        "replica_cost",
        f"coordinators' µs for a delivered message, {last} vs {first}",
        [mine[0] / one[0] for mine, one in zip(results[last], results[first], strict=True)],
        ours=median(last, 0),
        theirs=median(first, 0),
        target=1.15,
        better="lower",
        note=f"µs with {numbers}: " + ", ".join(f"{median(count, 0):.2f}" for count in effort.replicas),
    )
    pushes = [
        (mine[1] - one[1]) / (last - first) / one[1] for mine, one in zip(results[last], results[first], strict=True)
    ]
    yield value_row(
        "redis_cost_a_replica",
        "what one more coordinator adds to Redis' µs for a message",
        pushes,
        ours=median(last, 1),
        theirs=median(first, 1),
        target=0.25,
        better="lower",
        note=f"µs with {numbers}: " + ", ".join(f"{median(count, 1):.0f}" for count in effort.replicas),
    )
