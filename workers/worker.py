"""RQ's worker as we run it: our jobs only, JSON only, and periodic work without a scheduler process."""

import logging
import os
import socket
import threading
import uuid
from time import monotonic
from types import FrameType
from typing import Any

from redis import Redis as ThreadRedis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import DeserializationError, InvalidJobOperation, StopRequested
from rq.job import Job, JobStatus
from rq.scheduler import RQScheduler
from rq.utils import now
from rq.worker import WorkerStatus

from agent_bus import tracing
from agent_bus.jobs import JOB_MONITORING_SECONDS, JOBS, SERIALIZER, KnownJob, enqueue, queue_names
from agent_bus.keys import Keys
from agent_bus.log_lines import about
from workers.metrics import JobOutcome, Pulse, WorkerMetrics

logger = logging.getLogger(__name__)

# RQ waits for a job for its worker's lifetime less 15 s: a waiting worker looks up, and speaks, this often.
LOOK_UP_SECONDS = 5
ANSWER_SECONDS = 3
WORKER_TTL_SECONDS = 15 + LOOK_UP_SECONDS
# A job that goes on for longer after a stop was asked for is given up, and done again by another worker.
JOB_PATIENCE_SECONDS = 15.0
# RQ would wait up to a minute for Redis to come back; a worker that is told to end in the meantime sleeps on.
RECONNECT_CAP_SECONDS = 5.0
# Abandoned jobs are found this often.
CLEANING_SECONDS = 60.0


class DocumentsWorker(Worker):
    """A worker of one namespace, named for its host and process.

    Whenever it looks up, it also enqueues the retries and the periodic jobs whose time has come; guarded in Redis, so
    that one of many workers does. RQ would fork a scheduler for that, which outlives a killed worker.
    """

    def __init__(
        self,
        connection: ThreadRedis,
        keys: Keys,
        stop_requested: threading.Event,
        metrics: WorkerMetrics | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        super().__init__(
            queue_names(keys),
            name=f"{keys.namespace}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            connection=connection,
            job_class=KnownJob,
            serializer=SERIALIZER,
            worker_ttl=WORKER_TTL_SECONDS,
            maintenance_interval=LOOK_UP_SECONDS,
            job_monitoring_interval=JOB_MONITORING_SECONDS,
            log_job_description=False,
        )
        self._keys = keys
        self._requested = stop_requested
        self._metrics = metrics or WorkerMetrics()
        self.max_connection_wait_time = RECONNECT_CAP_SECONDS
        self._pulse = pulse or Pulse(stop_requested, connection.ping)
        self._cleaned_at = 0.0
        self._retries = RQScheduler(
            self.queues, connection=connection, serializer=SERIALIZER, logging_level=logging.WARNING
        )

    @property
    def connection_timeout(self) -> int:
        """Seconds that any answer of Redis is waited for: longer than a job is, and no longer than it must be."""
        return LOOK_UP_SECONDS + ANSWER_SECONDS

    def heartbeat(self, *arguments: Any, **options: Any) -> None:
        """Says in Redis that the worker lives. Raises StopRequested where it waits for a job and is to end."""
        if self._requested.is_set() and self.get_state() == WorkerStatus.IDLE:
            # RQ looks at its own mark only between two jobs, and never while Redis is away.
            raise StopRequested
        super().heartbeat(*arguments, **options)
        self._pulse.beat()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Has a job done in a process of its own."""
        function, began = _function_of(job), monotonic()
        outcome: JobOutcome = "lost"
        parent = {name: value for name, value in job.meta.items() if isinstance(value, str)}
        self._metrics.begun()
        with about(job_id=job.id), tracing.span(f"job {function}", "CONSUMER", parent=parent) as span:
            try:
                super().execute_job(job, queue)
                outcome = self._outcome(job)
            finally:
                self._metrics.ended(function, outcome, monotonic() - began)
                span.set(tracing.OUTCOME, outcome)
                if outcome != "done":
                    span.fail(outcome)

    @staticmethod
    def _outcome(job: Job) -> JobOutcome:
        try:
            status = job.get_status()
        except InvalidJobOperation:
            # What is done leaves nothing behind.
            return "done"
        except RedisError as error:
            logger.warning("what came of job %s is not known: %s", job.id, error)
            return "lost"
        if status == JobStatus.FINISHED:
            return "done"
        return "failed" if status in (JobStatus.FAILED, JobStatus.STOPPED) else "retried"

    def run_maintenance_tasks(self) -> None:
        """Looks after retries, periodic jobs, and now and then after abandoned jobs."""
        self._enqueue_retries()
        self._enqueue_due()
        moment = now()
        if moment.timestamp() - self._cleaned_at >= CLEANING_SECONDS:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]  # RQ is typed in part
            self._cleaned_at = moment.timestamp()
        self.last_cleaned_at = moment  # type: ignore[assignment]  # RQ gives it None first

    def _enqueue_retries(self) -> None:
        if not self._retries.acquire_locks():
            return
        try:
            self._retries.enqueue_scheduled_jobs()
        finally:
            self._retries.release_locks()

    def _enqueue_due(self) -> None:
        for job in JOBS:
            if job.every_seconds is None:
                continue
            key = self._keys.due(job.name)
            if self.connection.set(key, self.name, nx=True, ex=job.every_seconds):
                try:
                    enqueue(self.connection, self._keys, job)
                except BaseException:
                    self.connection.delete(key)
                    raise

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        # A signal that came while the worker was being set up reached the handlers before these.
        self._stop_requested = self._requested.is_set()

    def request_stop(self, signum: Any, frame: FrameType | None) -> None:
        """Ends the worker once the job that it is at is done."""
        self._requested.set()
        # RQ raises an error out of its signal handler, and that is lost where it hits a destructor.
        self._stop_requested = True
        patience = threading.Timer(JOB_PATIENCE_SECONDS, self._give_up_job)
        patience.daemon = True
        patience.start()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def set_shutdown_requested_date(self) -> None:
        """Nothing: RQ would ask Redis, out of a signal handler, and wait for its answer there."""

    def _give_up_job(self) -> None:
        if self.horse_pid:
            logger.warning("the job at hand takes too long; it is given up, and done again by another worker")
            self.kill_horse()


def _function_of(job: Job) -> str:
    """The dotted name of what a job calls; empty for one that can't be read."""
    try:
        return str(job.func_name)
    except DeserializationError:
        return ""
