"""The worker process: it works until it is told to stop, through whatever outages Redis has."""

import argparse
import logging
import signal
import sys
import threading

from redis.exceptions import RedisError
from rq.exceptions import StopRequested

from agent_bus import tracing
from agent_bus.connection import InvalidRedisUrl, connect_threaded, redact
from agent_bus.contract import look
from agent_bus.log_lines import InvalidFormat, chosen_format, formatter
from agent_bus.refusals import explain_refusal
from agent_bus.settings import Settings
from workers.leaving import end_in_time
from workers.metrics import Pulse, WorkerMetrics
from workers.metrics_server import serve
from workers.worker import DocumentsWorker

logger = logging.getLogger(__name__)

# Redis that restarts is back within a second or two; nobody waits for a worker more urgently than that.
BACK_OFF_SECONDS, BACK_OFF_CAP_SECONDS = 0.5, 5.0
# A probe that asks whether the worker is well waits about as long.
PATIENCE_SECONDS = 1.0


def run(settings: Settings, stop: threading.Event, metrics: WorkerMetrics, pulse: Pulse) -> None:
    """Works until `stop` is set, as SIGTERM and SIGINT do; the job at hand is finished first."""
    back_off = BACK_OFF_SECONDS
    while not stop.is_set():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        connection = connect_threaded(settings.redis_url, name="worker", ending=stop)
        try:
            worker = DocumentsWorker(connection, settings.keys, stop, metrics, pulse)
            logger.info("%s works on %s", worker.name, ", ".join(worker.queue_names()))
            # RQ's ten lines at each start say no more than this one; its complaints still come through.
            if worker.work(logging_level="WARNING"):
                back_off = BACK_OFF_SECONDS
        except StopRequested:
            logger.info("stopping")
        except RedisError as error:
            away = f"redis at {redact(settings.redis_url)}: {error}"
            logger.warning("%s", explain_refusal(error, settings.redis_url) or away)
        finally:
            connection.close()
        if not stop.is_set():
            logger.warning("going on in %g s", back_off)
            stop.wait(back_off)
            back_off = min(2 * back_off, BACK_OFF_CAP_SECONDS)


def _configure_log() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(chosen_format()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _fail(error: Exception) -> None:
    print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - the one line that a person at a terminal is meant to read
    sys.exit(2)


def main() -> None:
    """Runs a worker on what the environment says."""
    parser = argparse.ArgumentParser(prog="workers", description=__doc__)
    parser.add_argument("--metrics-port", type=int, default=0, help="answer GET /metrics, /health, /ready there")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="the address for that")
    options = parser.parse_args()
    try:
        _configure_log()
        settings = Settings().with_redis(part="worker")
        tracing.start("worker")
    except (InvalidFormat, InvalidRedisUrl, tracing.NotInstalled) as error:
        _fail(error)
    stop = threading.Event()
    metrics = WorkerMetrics()
    asking = connect_threaded(settings.redis_url, name="worker-health", timeout=PATIENCE_SECONDS)
    pulse = Pulse(stop, lambda: look(asking, settings.keys))
    if options.metrics_port:
        try:
            serve(options.metrics_host, options.metrics_port, metrics, pulse)
        except OSError as error:
            sys.exit(f"can't answer for metrics on {options.metrics_host}, port {options.metrics_port}: {error}")
    end_in_time(stop)
    try:
        run(settings, stop, metrics, pulse)
    finally:
        asking.close()
        tracing.stop()
