"""Moving quiet histories out of Redis: as many as fit into one job, whatever is wrong with some of them."""

import logging
from time import monotonic

from agent_bus.archive_format import Damaged
from agent_bus.archiving import Archiving
from agent_bus.events import ArchivedObjectGone

logger = logging.getLogger(__name__)

# A worker at this job does no other; what is left is the next job's, a minute later.
SECONDS_A_JOB = 60.0


class HistoriesStayed(Exception):
    """Some histories could not be moved; all are where they were."""


async def archive_quiet(archiving: Archiving, silence_seconds: float, seconds: float = SECONDS_A_JOB) -> int:
    """Moves histories until none is left or the time is over; returns how many.

    Raises HistoriesStayed once the others are done, RedisError or BlobStoreFailed.
    """
    ends_at = monotonic() + seconds
    moved = failed = 0
    async for session_id in archiving.quiet(silence_seconds):
        try:
            moved += await archiving.move(session_id, silence_seconds)
        except (Damaged, ArchivedObjectGone):
            logger.exception("the history of session %r stays in redis", session_id)
            failed += 1
        if monotonic() > ends_at:
            break
    if failed:
        raise HistoriesStayed(f"{failed} histories could not be moved to the archive; the log says why ({moved} were)")
    return moved
