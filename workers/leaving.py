"""Ending in time: RQ's own way out asks Redis several times over, and one that does not answer can take minutes."""

import logging
import os
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

# Operators are told to give a worker 30 s (docs/operations.md): what is left of them is for a loaded machine.
LEAVE_SECONDS = 25.0


def end_in_time(
    stop: threading.Event, seconds: float = LEAVE_SECONDS, leave: Callable[[int], object] = os._exit
) -> threading.Thread:
    """Ends the process so many seconds after it was told to stop, whatever it waits for then.

    Nothing is lost: a worker that does not sign off is taken for dead a little later, and a job that nobody has done is
    done again.
    """

    def watch() -> None:
        stop.wait()
        # Ends with the process, which as a rule has ended by then.
        threading.Event().wait(seconds)
        logger.warning("redis did not let the worker sign off within %g s; going without", seconds)
        leave(0)

    thread = threading.Thread(target=watch, name="worker leaving", daemon=True)
    thread.start()
    return thread
