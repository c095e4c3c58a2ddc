import threading

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from agent_bus.jobs import MATERIALISE_TAGS, WORKER_SILENCE_SECONDS
from tests.metrics import Metrics
from workers.metrics import Pulse, WorkerMetrics


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fails() -> None:
    raise RedisConnectionError("refused")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def pulse(clock: Clock, stop: threading.Event) -> Pulse:
    return Pulse(stop, lambda: None, clock)


def test_jobs_are_counted_by_name_and_outcome() -> None:
    metrics = WorkerMetrics()
    metrics.begun()
    assert Metrics(metrics.text().decode()).value("worker_busy") == 1
    metrics.ended(MATERIALISE_TAGS.path, "done", 0.2)
    metrics.ended("os.system", "failed", 0.1)
    found = Metrics(metrics.text().decode())
    assert found.value("worker_busy") == 0
    assert found.value("jobs_total", job="materialise_tags", outcome="done") == 1
    assert found.value("jobs_total", job="other", outcome="failed") == 1
    assert found.value("job_seconds_sum", job="materialise_tags") == pytest.approx(0.2)
    assert "os.system" not in metrics.text().decode()


def test_a_worker_that_has_spoken_lately_is_well(pulse: Pulse, clock: Clock) -> None:
    assert pulse.checks()["working"] != "ok"
    pulse.beat()
    clock.now = WORKER_SILENCE_SECONDS
    assert set(pulse.checks().values()) == {"ok"}
    clock.now += 1
    assert pulse.checks()["working"] == f"The worker has been silent for {WORKER_SILENCE_SECONDS + 1} s"


def test_an_outage_of_redis_is_told(stop: threading.Event) -> None:
    assert Pulse(stop, fails).checks()["redis"] == "Redis does not answer: the log of the worker says why"


def test_a_worker_that_is_told_to_stop_takes_no_more_work(pulse: Pulse, stop: threading.Event) -> None:
    pulse.beat()
    stop.set()
    assert pulse.checks()["stopping"] == "The worker is going down"
