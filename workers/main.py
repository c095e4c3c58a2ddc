"""The worker process: it works until it is told to stop, through whatever outages Redis has."""

import logging
import signal
import sys
import threading
import time

from redis.exceptions import RedisError
from rq.exceptions import StopRequested

from agent_bus.connection import InvalidRedisUrl, connect_threaded, redact
from agent_bus.settings import Settings
from workers.worker import DocumentsWorker

logger = logging.getLogger(__name__)

# Redis that restarts is back within a second or two; nobody waits for a worker more urgently than that.
BACK_OFF_SECONDS, BACK_OFF_CAP_SECONDS = 0.5, 5.0


def run(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT; the job at hand is finished first."""
    stop = threading.Event()
    back_off = BACK_OFF_SECONDS
    while not stop.is_set():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        connection = connect_threaded(settings.redis_url, name="worker")
        try:
            worker = DocumentsWorker(connection, settings.keys, stop)
            logger.info("%s works on %s", worker.name, ", ".join(worker.queue_names()))
            # RQ's ten lines at each start say no more than this one; its complaints still come through.
            if worker.work(logging_level="WARNING"):
                back_off = BACK_OFF_SECONDS
        except StopRequested:
            logger.info("stopping")
        except RedisError as error:
            logger.warning("redis at %s: %s", redact(settings.redis_url), error)
        finally:
            connection.close()
        if not stop.is_set():
            logger.warning("going on in %g s", back_off)
            stop.wait(back_off)
            back_off = min(2 * back_off, BACK_OFF_CAP_SECONDS)


def _configure_log() -> None:
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def main() -> None:
    """Runs a worker on what the environment says."""
    _configure_log()
    try:
        settings = Settings().with_redis()
    except InvalidRedisUrl as error:
        sys.exit(str(error))
    run(settings)
