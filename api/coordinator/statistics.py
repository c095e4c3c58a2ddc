"""`GET /statistics`."""

from typing import Annotated

from fastapi import APIRouter, Query

from agent_bus.statistics import FINE_HOURS, MAX_HOURS, Statistics, read_statistics
from api.coordinator.services import WithServices
from api.errors import DETAIL

router = APIRouter(tags=["sessions"])


@router.get("/statistics", responses={422: DETAIL})
async def get_statistics(
    services: WithServices, hours: Annotated[int, Query(ge=1, le=MAX_HOURS, description="how far back")] = FINE_HOURS
) -> Statistics:
    """How many events came, how many runs began and which tools were used, over time by the server's clock.

    Buckets of 5 minutes up to 24 hours, of an hour beyond; they end with the current one.
    """
    return await read_statistics(services.bus, hours)
