"""`GET /events/{id}/outline`."""

from typing import Annotated

import orjson
from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel

from agent_bus.outline import Search, read_outline
from api.coordinator.events import LARGEST_ID, MAX_EVENTS
from api.coordinator.services import WithServices
from api.errors import DETAIL

router = APIRouter(tags=["events"])

DEFAULT_EVENTS = 5000
LONGEST_SEARCH = 200


class OutlineEvent(BaseModel):
    """One event in short. `error`: it reports a failure, or an end with an exit code other than 0."""

    id: int
    timestamp: str
    event_type: str
    tool_name: str | None
    tool_use_id: str | None
    agent_id: str | None
    error: bool


class EventOutline(BaseModel):
    """Some of a session's events in short, oldest first; `scanned` is how many were looked at for it."""

    events: list[OutlineEvent]
    has_more: bool
    next: int | None
    scanned: int


@router.get(
    "/events/{session_id}/outline",
    summary="A session's events in short",
    response_model=EventOutline,
    responses={404: DETAIL},
)
async def get_outline(
    session_id: str,
    services: WithServices,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS, description="how many events to look at")] = DEFAULT_EVENTS,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    after: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=LONGEST_SEARCH,
            pattern=r"^[^\x00]+$",
            description="part of a text in the event, in any case",
        ),
    ] = None,
) -> Response:
    """What happened and when, without what was said: enough to draw a long run and to jump into it.

    The newest events, oldest first; looks at fewer than `limit` where they are large.

    While `has_more`, pass `next` as `before` for older ones.

    With `after`, the events that follow that id instead; then pass `next` as `after`.

    With `q`, only those of the events looked at that say it. A page may then be empty while there are more.
    """
    search = Search(q) if q is not None else None
    outline = await read_outline(services.events, session_id, limit=limit, before=before, after=after, search=search)
    if outline is None:
        raise HTTPException(404, f"No session {session_id!r}")
    tail = orjson.dumps({"has_more": outline.next is not None, "next": outline.next, "scanned": outline.scanned})
    return Response(b'{"events":[' + b",".join(outline.events) + b"]," + tail[1:], media_type="application/json")
