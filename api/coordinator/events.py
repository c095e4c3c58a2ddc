"""`POST /events` and `GET /events/{id}`."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel

from agent_bus.allowances import SESSION_EVENTS_VARIABLE
from agent_bus.messages import Event, StoredEvent
from api.coordinator.ingest import InvalidEvent, parse_event
from api.coordinator.services import Services, WithServices
from api.errors import DETAIL, problem
from api.noted import NotedResponse
from api.rate_limits import too_many

router = APIRouter(tags=["events"])

# One page of 1 KB events is about a megabyte; the largest one about ten.
DEFAULT_EVENTS, MAX_EVENTS = 1000, 10_000
LARGEST_ID = 2**53


class EventAccepted(BaseModel):
    """The event is in Redis and on its way. `stop_requested`: somebody wants the agent's run to end."""

    ok: Literal[True]
    id: int
    stop_requested: bool


class EventPage(BaseModel):
    """Some of a session's events, oldest first."""

    events: list[StoredEvent]
    has_more: bool
    next: int | None


# The body is read as bytes and validated by hand; its schema refers to those that EventPage brings along.
_EVENT = Event.model_json_schema(ref_template="#/components/schemas/{model}")
_EVENT.pop("$defs", None)


@router.post(
    "/events",
    summary="Report an event",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _EVENT}}}},
    response_model=EventAccepted,
    responses={413: DETAIL, 422: DETAIL, 429: DETAIL, 503: DETAIL},
)
async def post_event(request: Request, services: WithServices) -> Response:
    """Keeps an event and relays it. `stop_requested` tells the agent that somebody wants its run to end.

    Answered once Redis has it; a 503 means that it may not have been kept.
    """
    return await accept_event(services, await request.body())


async def accept_event(services: Services, body: bytes) -> Response:
    """What `POST /events` does, whichever way the body came. Raises RedisError."""
    try:
        session_id, record = parse_event(body)
    except InvalidEvent as error:
        services.metrics.invalid_events.inc()
        return problem(422, error.detail)
    if wait := services.session_events.take(session_id):
        return await over_the_rate(services, session_id, wait)
    appended = await services.writer.append(session_id, [record])
    stop = b"true" if appended.command else b"false"
    return NotedResponse(
        b'{"ok":true,"id":%d,"stop_requested":%s}' % (appended.last_id or 0, stop), media_type="application/json"
    )


async def over_the_rate(services: Services, session_id: str, wait: float) -> Response:
    """The answer for a session that says too much; counted. It, too, says whether the agent is to stop.

    That is looked up a few times a second at most, so that a flood stays cheap. Raises RedisError.
    """
    services.metrics.rate_limited.inc()
    limit = f"{services.session_events.per_second:g} events"
    looks = not services.stop_looks.take(session_id)
    stop = {"stop_requested": True} if looks and await services.control.stop_waits(session_id) else {}
    return too_many(f"The session {session_id!r}", limit, SESSION_EVENTS_VARIABLE, wait, **stop)


@router.get(
    "/events/{session_id}",
    summary="A session's events",
    response_model=EventPage,
    responses={404: DETAIL},
)
async def get_events(
    session_id: str,
    services: WithServices,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = DEFAULT_EVENTS,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    after: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
) -> Response:
    """The newest events, oldest first; fewer than `limit` where they are large.

    While `has_more`, pass `next` as `before` for older ones.

    With `after`, the events that follow that id instead; then pass `next` as `after`.
    """
    page = await services.events.page(session_id, limit=limit, before=before, after=after)
    if page is None:
        raise HTTPException(404, f"No session {session_id!r}")
    edge = page.first_id if after is None else page.last_id
    tail = orjson.dumps({"has_more": page.has_more, "next": edge if page.has_more else None})
    return Response(b'{"events":[' + b",".join(page.events) + b"]," + tail[1:], media_type="application/json")
