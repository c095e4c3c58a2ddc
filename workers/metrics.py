"""What a worker counts and times, and whether it works. Kept by the worker's own process, not by those of its jobs."""

import logging
import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from redis.exceptions import RedisError

from agent_bus.contract import NewerContract
from agent_bus.jobs import JOBS, WORKER_SILENCE_SECONDS

logger = logging.getLogger(__name__)

JobOutcome = Literal["done", "retried", "failed", "lost"]
"""`retried`: it failed and is tried again. `failed`: for good. `lost`: Redis went away before that was known."""
UNKNOWN_JOB = "other"
OK = "ok"

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_NAMES = {job.path: job.name for job in JOBS}


class WorkerMetrics:
    """One worker's metrics; `docs/operations.md` has the table."""

    def __init__(self) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._jobs = Counter(
            "agent_orchestrator_jobs", "Jobs that were worked on, by what came of them.", ("job", "outcome"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "agent_orchestrator_job_seconds", "From a job's begin to its end, its process included.", ("job",),
            registry=self.registry, buckets=SECONDS,
        )  # fmt: skip
        self._busy = Gauge("agent_orchestrator_worker_busy", "1 while a job is worked on.", registry=self.registry)

    def begun(self) -> None:
        """A job is worked on."""
        self._busy.set(1)

    def ended(self, function: str, outcome: JobOutcome, seconds: float) -> None:
        """A job is over. function: its dotted name."""
        name = _NAMES.get(function, UNKNOWN_JOB)
        self._busy.set(0)
        self._jobs.labels(name, outcome).inc()
        self._seconds.labels(name).observe(seconds)

    def text(self) -> bytes:
        """All metrics as Prometheus reads them."""
        return generate_latest(self.registry)


class Pulse:
    """Whether the worker works: Redis answers, the worker has spoken lately, and it has not been told to stop."""

    def __init__(
        self, stop: threading.Event, ask: Callable[[], object], clock: Callable[[], float] = monotonic
    ) -> None:
        """ask: asks Redis for an answer; it raises RedisError, of which NewerContract is one."""
        self._stop = stop
        self._ask = ask
        self._clock = clock
        self._spoke: float | None = None

    def beat(self) -> None:
        """Redis has heard the worker."""
        self._spoke = self._clock()

    def checks(self) -> dict[str, str]:
        """What a worker needs, each `ok` or what is wrong with it."""
        return {
            "redis": self._redis(),
            "working": self._working(),
            "stopping": "The worker is going down" if self._stop.is_set() else OK,
        }

    def _redis(self) -> str:
        # RQ rides out an outage without a word.
        try:
            self._ask()
        except NewerContract as error:
            return str(error)
        except (RedisError, OSError) as error:
            logger.warning("redis does not answer a probe: %s", error)
            return "Redis does not answer: the log of the worker says why"
        return OK

    def _working(self) -> str:
        if self._spoke is None:
            return "The worker has not begun to work"
        silence = self._clock() - self._spoke
        return OK if silence <= WORKER_SILENCE_SECONDS else f"The worker has been silent for {silence:.0f} s"


def close_in_children(close: Callable[[], object]) -> None:
    """Jobs run in forks of the worker, which must not keep its port when it dies before them."""
    os.register_at_fork(after_in_child=close)
