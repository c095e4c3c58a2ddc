"""What a server counts and times, and how Prometheus reads it.

Where several processes serve behind one port, whichever is asked answers for all: their values lie in files of one
folder (the library's multiprocess mode), named for the process's place rather than for its pid, so that one that is
started again goes on where it was. Values that are read rather than counted are then written there every second.
"""

import asyncio
import os
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic

from fastapi import FastAPI, Request, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    values,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

PREFIX = "agent_orchestrator"
FOLDER_VARIABLE, PROCESS_VARIABLE = "AGENT_ORCHESTRATOR_METRICS_FOLDER", "AGENT_ORCHESTRATOR_PROCESS"
"""What a supervisor of several processes behind one port tells each of them."""
_LIBRARYS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

SAMPLE_SECONDS = 1.0

# From a script on an idle Redis to a stop that waits for its agent.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROUND_TRIP_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0)
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Registry:
    """The metrics of one process, or its share of those of several."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        # One more line for each counter, which only some readers know what to do with.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._counted: list[Callable[[], None]] = []
        self._folder, process = environ.get(FOLDER_VARIABLE), environ.get(PROCESS_VARIABLE)
        if self._folder and process:
            os.environ[_LIBRARYS_VARIABLE] = self._folder
            values.ValueClass = values.MultiProcessValue(lambda: process)
            self._own: _Process | None = _Process(self.registry)
        else:
            # Whatever the environment says to other programs that use the library.
            values.ValueClass = values.MutexValue
            self._own = None
            ProcessCollector(registry=self.registry)
        self.tasks = self.gauge("asyncio_tasks", "Tasks of the event loops; one that grows for ever is a leak.")

    @property
    def shared(self) -> bool:
        """Whether others answer for this process, so that its values must be written down before anyone asks."""
        return self._own is not None

    def when_sampled(self, write_down: Callable[[], None]) -> None:
        """Called before anyone reads: for what is counted by plain numbers, where the library would cost too much."""
        self._counted.append(write_down)

    def sample(self) -> None:
        """Reads what the process uses, and what was counted by plain numbers."""
        for write_down in self._counted:
            write_down()
        if self._own is not None:
            self._own.sample()

    def text(self, accept: str) -> tuple[bytes, str]:
        """All metrics as Prometheus reads them, and the content type; of all processes that share them."""
        encode, content_type = choose_encoder(accept)
        registry = self.registry
        if self._own is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)
        return encode(registry), content_type

    def counter(self, name: str, says: str, labels: Iterable[str] = ()) -> Counter:
        """A number that grows; `_total` is put behind its name."""
        return Counter(f"{PREFIX}_{name}", says, labels, registry=self.registry)

    def gauge(self, name: str, says: str, labels: Iterable[str] = (), *, largest: bool = False) -> Gauge:
        """A number that rises and falls. Several processes' are added up, or the largest is told."""
        mode = "livemax" if largest else "livesum"
        # The library names the modes by a type of its own.
        return Gauge(f"{PREFIX}_{name}", says, labels, registry=self.registry, multiprocess_mode=mode)  # type: ignore[arg-type]

    def seconds(
        self, name: str, says: str, labels: Iterable[str] = (), *, buckets: Iterable[float] = SECONDS
    ) -> Histogram:
        """How long something took; `_seconds` is put behind its name."""
        return Histogram(f"{PREFIX}_{name}_seconds", says, labels, registry=self.registry, buckets=tuple(buckets))


class Growth:
    """A counter of what is counted elsewhere, by a plain number: that costs nothing where it is counted."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._seen = 0.0

    def reached(self, total: float) -> None:
        """The number stands there now."""
        self._counter.inc(total - self._seen)
        self._seen = total


class _Process:
    """What a process uses, in the library's own names, for processes that share their metrics."""

    _GAUGES = ("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds", "process_max_fds",
               "process_start_time_seconds")  # fmt: skip

    def __init__(self, registry: CollectorRegistry) -> None:
        self._source = ProcessCollector(registry=None)
        self._cpu = Growth(
            Counter("process_cpu_seconds", "User and system CPU time, of all processes.", registry=registry)
        )
        self._gauges = {
            name: Gauge(name, f"{name.replace('_', ' ').capitalize()}, by process.", registry=registry,
                        multiprocess_mode="liveall")
            for name in self._GAUGES
        }  # fmt: skip

    def sample(self) -> None:
        """Reads it."""
        for family in self._source.collect():
            for sample in family.samples:
                if sample.name == "process_cpu_seconds_total":
                    self._cpu.reached(sample.value)
                elif sample.name in self._gauges:
                    self._gauges[sample.name].set(sample.value)


class _Answers:
    """The answers of one route with one status. Plain numbers: the library's own cost more than the rest together."""

    __slots__ = ("buckets", "counter", "histogram", "sum")

    def __init__(self, counter: Counter, histogram: Histogram) -> None:
        self.counter, self.histogram = counter, histogram
        self.buckets = [0] * (len(SECONDS) + 1)
        self.sum = 0.0

    def write_down(self) -> None:
        """Hands what was counted since the last time on to the library."""
        self.counter.inc(sum(self.buckets))
        # What `observe` does, for many at once; the library has no public way.
        self.histogram._sum.inc(self.sum)  # noqa: SLF001
        for bucket, count in zip(self.histogram._buckets, self.buckets, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        self.buckets = [0] * len(self.buckets)
        self.sum = 0.0


class RequestMetrics:
    """Requests and WebSockets as they come, whichever way they take through the application."""

    def __init__(self, registry: Registry) -> None:
        self._requests = registry.counter(
            "http_requests",
            "Requests, by method, route and status; status none: the client left.",
            ("method", "route", "status"),
        )
        self._seconds = registry.seconds(
            "http_request", "From a request to the end of its answer.", ("method", "route")
        )
        self._closed = registry.counter(
            "websockets_closed",
            "WebSockets that ended, by the code that we closed with; left: the browser did.",
            ("code",),
        )
        self._known: dict[tuple[str, str, int], _Answers] = {}
        registry.when_sampled(self._write_down)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request is over. route: its template, so that there are few. status: 0 for no answer."""
        answers = self._known.get((method, route, status))
        if answers is None:
            answers = self._new(method if method in METHODS else "other", route, status)
        answers.sum += seconds
        answers.buckets[bisect_left(SECONDS, seconds)] += 1

    def _new(self, method: str, route: str, status: int) -> _Answers:
        key = method, route, status
        if key not in self._known:
            counter = self._requests.labels(method, route, str(status) if status else "none")
            self._known[key] = _Answers(counter, self._seconds.labels(method, route))
        return self._known[key]

    def _write_down(self) -> None:
        for answers in self._known.values():
            answers.write_down()

    def closed(self, code: int | None) -> None:
        """A WebSocket is over. code: as we closed it; None if the browser left."""
        self._closed.labels("left" if code is None else str(code)).inc()


class RedisMetrics:
    """Round trips to Redis; a pipeline is one."""

    def __init__(self, registry: Registry) -> None:
        self._seconds = registry.seconds(
            "redis_round_trip", "From a command, or a pipeline of them, to its answer.", buckets=ROUND_TRIP_SECONDS
        )
        errors = registry.counter(
            "redis_errors", "Round trips that failed: no answer in time, no connection, or refused.", ("kind",)
        )
        self._errors = {kind: errors.labels(kind) for kind in ("timeout", "connection", "refused", "other")}

    def observe(self, seconds: float, error: Exception | None) -> None:
        """A round trip is over."""
        self._seconds.observe(seconds)
        # A server that does not know a script is taught it.
        if error is not None and not isinstance(error, NoScriptError):
            self._errors[_kind(error)].inc()


def _kind(error: Exception) -> str:
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return "timeout"
    if isinstance(error, RedisConnectionError | OSError):
        return "connection"
    return "refused" if isinstance(error, ResponseError) else "other"


Sample = Callable[[], Awaitable[None]]


async def _sample(registry: Registry, sample: Sample) -> None:
    await sample()
    registry.tasks.set(len(asyncio.all_tasks()))
    registry.sample()


def add_metrics_route(app: FastAPI, registry: Registry, sample: Sample) -> None:
    """`GET /metrics`. sample: reads what is read rather than counted, and does not fail."""

    # Not part of the description of the API: it is no JSON, and clients have no use for it.
    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        await _sample(registry, sample)
        # Hundreds of lines of text take milliseconds, in which others are served.
        text, content_type = await asyncio.to_thread(registry.text, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


async def keep_sampled(registry: Registry, sample: Sample) -> None:
    """Writes down what is read rather than counted, as often as another process may be asked for it."""
    while registry.shared:
        began = monotonic()
        await _sample(registry, sample)
        await asyncio.sleep(max(0.0, SAMPLE_SECONDS - (monotonic() - began)))


def forget_process(folder: str, process: str) -> None:
    """A process has ended: what it held, connections and memory among it, is no more; what it counted stays."""
    mark_process_dead(process, folder)
