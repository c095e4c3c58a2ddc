"""What the routes work with, opened in the lifespan."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from agent_bus.blobs import Blobs
from agent_bus.bus import Bus
from agent_bus.connection import connect, connect_threaded
from agent_bus.documents import Documents
from agent_bus.settings import Settings
from agent_bus.tags import TagAggregate
from api.documents.metrics import DocumentsMetrics
from api.documents.readiness import Readiness
from api.documents.tag_jobs import TagJobs
from api.documents.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Services:
    """The open resources of one documents server."""

    settings: Settings
    bus: Bus
    documents: Documents
    blobs: Blobs
    uploads: Uploads
    tags: TagAggregate
    tag_jobs: TagJobs
    readiness: Readiness
    metrics: DocumentsMetrics


@asynccontextmanager
async def open_services(settings: Settings, metrics: DocumentsMetrics) -> AsyncIterator[Services]:
    """Opens everything; Redis is connected to by the first command. Raises BlobStoreFailed."""
    blobs = Blobs.from_settings(settings)
    redis = connect(settings.redis_url, name="documents", on_round_trip=metrics.redis.observe)
    thread_redis = connect_threaded(settings.redis_url, name="documents-jobs")
    bus = Bus(redis, settings.keys, replay_window=settings.replay_window, replication=settings.replication)
    documents = Documents(bus, settings.document_server_public_url)
    tags = TagAggregate(bus)
    tag_jobs = TagJobs(thread_redis, settings.keys, tags)
    try:
        yield Services(
            settings=settings,
            bus=bus,
            documents=documents,
            blobs=blobs,
            uploads=Uploads(
                documents, blobs, settings.max_upload_bytes, metrics.uploaded.inc, at_once=settings.max_uploads
            ),
            tags=tags,
            tag_jobs=tag_jobs,
            readiness=Readiness(redis, blobs),
            metrics=metrics,
        )
    finally:
        await tag_jobs.aclose()
        thread_redis.close()
        await redis.aclose()


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesOf = Annotated[Services, Depends(_services)]
