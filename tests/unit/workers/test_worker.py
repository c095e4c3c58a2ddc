import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest
from redis import Redis as ThreadRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Worker
from rq.exceptions import StopRequested
from rq.job import JobStatus
from rq.worker import WorkerStatus

from agent_bus.connection import connect_threaded
from agent_bus.jobs import (
    JOBS,
    MAINTENANCE,
    MATERIALISE_TAGS,
    SERIALIZER,
    TAGS,
    KnownJob,
    enqueue,
    queue_key,
    queue_name,
)
from agent_bus.keys import Keys
from tests.metrics import Metrics
from tests.processes import RedisServer
from workers import worker as worker_module
from workers.metrics import Pulse, WorkerMetrics
from workers.worker import LOOK_UP_SECONDS, DocumentsWorker

PERIODIC = [job for job in JOBS if job.every_seconds is not None]


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[ThreadRedis]:
    client = connect_threaded(redis_server.url, name="test")
    yield client
    client.close()


@pytest.fixture
def worker(connection: ThreadRedis, keys: Keys) -> DocumentsWorker:
    return DocumentsWorker(connection, keys, threading.Event())


def test_periodic_jobs_are_enqueued_once_however_many_workers(
    connection: ThreadRedis, keys: Keys, worker: DocumentsWorker
) -> None:
    for each in (worker, DocumentsWorker(connection, keys, threading.Event())):
        each.run_maintenance_tasks()
    assert connection.llen(queue_key(keys, MAINTENANCE)) == len(PERIODIC)
    connection.delete(keys.due(PERIODIC[0].name))
    worker.run_maintenance_tasks()
    assert connection.llen(queue_key(keys, MAINTENANCE)) == len(PERIODIC) + 1


def test_a_periodic_job_that_could_not_be_enqueued_stays_due(
    connection: ThreadRedis, keys: Keys, worker: DocumentsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RedisConnectionError("away")

    monkeypatch.setattr(worker_module, "enqueue", fail)
    with pytest.raises(RedisConnectionError):
        worker.run_maintenance_tasks()
    assert not any(connection.exists(keys.due(job.name)) for job in PERIODIC)


def test_a_retry_whose_time_has_come_is_enqueued(connection: ThreadRedis, keys: Keys, worker: DocumentsWorker) -> None:
    job_id = enqueue(connection, keys, MATERIALISE_TAGS)
    connection.delete(queue_key(keys, TAGS))
    connection.zadd(f"rq:scheduled:{queue_name(keys, TAGS)}", {job_id: 1})
    worker.run_maintenance_tasks()
    assert connection.lrange(queue_key(keys, TAGS), 0, -1) == [job_id.encode()]


def test_aggregates_come_before_maintenance_and_names_are_unique(
    connection: ThreadRedis, keys: Keys, worker: DocumentsWorker
) -> None:
    assert worker.queue_names() == [queue_name(keys, TAGS), queue_name(keys, MAINTENANCE)]
    assert worker.name != DocumentsWorker(connection, keys, threading.Event()).name
    assert worker.dequeue_timeout == LOOK_UP_SECONDS


def test_a_stop_that_comes_while_the_worker_is_set_up_is_not_lost(connection: ThreadRedis, keys: Keys) -> None:
    """RQ puts its own signal handlers in place late; a SIGTERM before that once left the worker running for ever."""
    stop = threading.Event()
    stop.set()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        DocumentsWorker(connection, keys, stop).work(logging_level="WARNING")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_stop_whose_error_is_lost_is_not(connection: ThreadRedis, keys: Keys, worker: DocumentsWorker) -> None:
    """The race: the signal came while a destructor ran, which swallows errors, and the worker went on for ever."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(StopRequested):
            worker.request_stop(signal.SIGTERM, None)
        # What RQ's loop looks at before it waits for the next job.
        assert worker._stop_requested
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (JobStatus.FINISHED, "done"), (JobStatus.FAILED, "failed"), (JobStatus.STOPPED, "failed"),
        (JobStatus.SCHEDULED, "retried"), (JobStatus.QUEUED, "retried"), (None, "done"),
    ],
)  # fmt: skip
def test_what_came_of_a_job_is_read_from_what_is_left_of_it(
    connection: ThreadRedis, keys: Keys, worker: DocumentsWorker, status: JobStatus | None, outcome: str
) -> None:
    job_id = enqueue(connection, keys, MATERIALISE_TAGS)
    job = KnownJob.fetch(job_id, connection=connection, serializer=SERIALIZER)
    if status is None:
        # What is done leaves nothing behind.
        connection.delete(job.key)
    else:
        job.set_status(status)
    assert worker._outcome(job) == outcome


def test_a_job_is_counted_and_the_worker_is_well_while_it_speaks(
    connection: ThreadRedis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, stop = WorkerMetrics(), threading.Event()
    pulse = Pulse(stop, connection.ping)
    worker = DocumentsWorker(connection, keys, stop, metrics, pulse)
    worker.heartbeat()
    assert set(pulse.checks().values()) == {"ok"}
    job = KnownJob.fetch(enqueue(connection, keys, MATERIALISE_TAGS), connection=connection, serializer=SERIALIZER)

    def broken(*_: object) -> None:
        raise RedisConnectionError("away")

    monkeypatch.setattr(Worker, "execute_job", broken)
    with pytest.raises(RedisConnectionError):
        worker.execute_job(job, worker.queues[0])
    assert Metrics(metrics.text().decode()).value("jobs_total", job=MATERIALISE_TAGS.name, outcome="lost") == 1


def test_a_worker_that_waits_for_a_job_looks_whether_it_is_to_end(connection: ThreadRedis, keys: Keys) -> None:
    stop = threading.Event()
    worker = DocumentsWorker(connection, keys, stop)
    worker.heartbeat()
    stop.set()
    worker._state = WorkerStatus.BUSY
    worker.heartbeat()
    worker._state = WorkerStatus.IDLE
    with pytest.raises(StopRequested):
        worker.heartbeat()


def test_a_job_that_goes_on_for_too_long_is_given_up_and_redis_is_not_asked_by_the_signal_handler(
    connection: ThreadRedis, worker: DocumentsWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "JOB_PATIENCE_SECONDS", 0.0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as horse:
        worker._horse_pid = horse.pid
        worker._state = WorkerStatus.BUSY
        connection.close()
        monkeypatch.setattr(worker, "connection", None)
        try:
            worker.request_stop(signal.SIGTERM, None)
            assert horse.wait(20) == -signal.SIGKILL
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            horse.kill()
