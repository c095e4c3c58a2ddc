"""The signals that ask a supervisor to stop everything, and to hurry when they come again."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine, Iterator

from agent_bus.tasks import end
from api.supervisor import Supervisor

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# timeout(1), among others, signals a process and then its group: so quick a second signal is no person's.
SAME_REQUEST_SECONDS = 0.5


@contextlib.contextmanager
def stop_signals(stop: asyncio.Event, supervisor: Supervisor, *, what: str) -> Iterator[None]:
    """While the block runs, the first signal sets `stop`, and a later one hurries the supervisor.

    what: what is stopped and in which order, for the log.
    """
    loop = asyncio.get_running_loop()
    asked = 0.0

    def ask_to_stop() -> None:
        nonlocal asked
        if not stop.is_set():
            logger.info("stopping: %s; Ctrl-C again hurries", what)
            stop.set()
            asked = loop.time()
        elif loop.time() > asked + SAME_REQUEST_SECONDS:
            logger.info("hurrying")
            supervisor.hurry()

    for sig in SIGNALS:
        loop.add_signal_handler(sig, ask_to_stop)
    try:
        yield
    finally:
        for sig in SIGNALS:
            loop.remove_signal_handler(sig)


async def unless(stop: asyncio.Event, work: Coroutine[None, None, object]) -> bool:
    """Does the work, or gives it up once `stop` is set; tells whether it was done. Raises what the work raises."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait(), name="await a signal")
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        doing.result()
        return True
    await end([doing])
    return False
