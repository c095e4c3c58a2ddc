"""The jobs, by the names that `agent_bus.jobs` lists. Each runs in a process of its own and opens what it needs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent_bus.archive import Archive
from agent_bus.archiving import Archiving
from agent_bus.blobs import Blobs
from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.document_index import DocumentIndex
from agent_bus.documents import Documents
from agent_bus.lost_runs import LostRuns
from agent_bus.settings import Settings
from agent_bus.tags import TagAggregate
from workers.archive import archive_quiet
from workers.orphans import ORPHAN_AGE, remove_orphans

logger = logging.getLogger(__name__)


@asynccontextmanager
async def _open_bus(settings: Settings) -> AsyncIterator[Bus]:
    redis = connect(settings.redis_url, name="worker-job")
    try:
        yield Bus(redis, settings.keys, replay_window=settings.replay_window, replication=settings.replication)
    finally:
        await redis.aclose()


def materialise_tags() -> None:
    """Counts the tags and stores the aggregate. Raises RedisError."""

    async def run() -> None:
        async with _open_bus(Settings().with_redis(part="worker")) as bus:
            rounds = await TagAggregate(bus).materialise()
            logger.debug("tags materialised in %d rounds", rounds)

    asyncio.run(run())


def rebuild_index() -> None:
    """Makes the indexes say what the documents say. Raises RedisError."""

    async def run() -> None:
        async with _open_bus(Settings().with_redis(part="worker")) as bus:
            wrong = await DocumentIndex(bus).rebuild()
            if wrong:
                logger.warning("%d entries of the documents' indexes were wrong and are repaired", wrong)

    asyncio.run(run())


def remove_orphaned_blobs() -> None:
    """Removes bytes that belong to no document and no session. Raises RedisError, BlobStoreFailed or TooManyOrphans."""

    async def run() -> None:
        settings = Settings().with_redis(part="worker")
        async with _open_bus(settings) as bus:
            archive = Archive.from_settings(settings)
            archiving = Archiving(bus, archive)
            # First, since it is certain; the others may be too many to be true.
            histories = await archiving.remove_unused(ORPHAN_AGE.total_seconds())
            histories += await remove_orphans(archive.blobs, archiving.known)
            documents = await remove_orphans(Blobs.from_settings(settings), Documents(bus, "").known)
            if documents or histories:
                logger.info("removed %d uploads and documents, and %d histories, of nobody", documents, histories)

    asyncio.run(run())


def end_lost_runs() -> None:
    """Ends runs that nobody has heard of for too long. Raises RedisError."""

    async def run() -> None:
        settings = Settings().with_redis(part="worker")
        async with _open_bus(settings) as bus:
            ended = await LostRuns(bus).end(settings.lost_after_seconds)
            if ended:
                logger.info("ended %d runs that were lost", ended)

    asyncio.run(run())


def archive_histories() -> None:
    """Moves histories that have been quiet out of Redis. Raises RedisError, BlobStoreFailed or HistoriesStayed."""

    async def run() -> None:
        settings = Settings().with_redis(part="worker")
        if settings.archive_after_seconds == 0:
            return
        async with _open_bus(settings) as bus:
            archiving = Archiving(bus, Archive.from_settings(settings))
            moved = await archive_quiet(archiving, settings.archive_after_seconds)
            if moved:
                logger.info("moved the histories of %d sessions to the archive", moved)

    asyncio.run(run())
