"""`GET /health`: the process is alive; what it works with is told beside that. `GET /ready`: whether it can serve."""

import asyncio
from dataclasses import asdict
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError

from agent_bus.jobs import work_health
from api.application import VERSION
from api.bus_contract import contract
from api.documents.failures import problems
from api.documents.services import ServicesOf
from api.readiness import readiness

router = APIRouter(tags=["health"])

# A health check that waits as long as Redis is given to answer would be taken for a dead process.
PATIENCE_SECONDS = 0.5


class WorkersHealth(BaseModel):
    """How many workers have spoken lately."""

    alive: int


class QueueState(BaseModel):
    """How many jobs wait in a queue, and how many failed for good within the last days."""

    length: int
    failed: int


class Health(BaseModel):
    """`status` is the process's own; workers and queues are null while Redis is unreachable."""

    status: Literal["healthy"] = "healthy"
    service: Literal["documents"] = "documents"
    version: str = VERSION
    redis: Literal["ok", "unreachable"]
    workers: WorkersHealth | None = None
    queues: dict[str, QueueState] | None = None


@router.get("/ready", responses=problems())
async def ready(services: ServicesOf) -> JSONResponse:
    """Whether this server can serve: Redis answers and the blob store takes bytes."""
    return readiness(await services.readiness.checks() | {"contract": await contract(services.bus)})


@router.get("/health", responses=problems())
async def health(services: ServicesOf) -> Health:
    """Says that the process is alive, whether Redis answers, and how the workers are doing."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            work = await work_health(services.bus.redis, services.bus.keys)
    except (RedisError, TimeoutError):
        return Health(redis="unreachable")
    return Health(
        redis="ok",
        workers=WorkersHealth(alive=work.workers_alive),
        queues={name: QueueState(**asdict(queue)) for name, queue in work.queues.items()},
    )
