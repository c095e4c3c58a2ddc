"""The `/sessions` routes."""

import asyncio
import logging
from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from redis.exceptions import RedisError

from agent_bus.identifiers import NAME_LENGTH
from agent_bus.messages import Name, Session, SessionId, Status
from agent_bus.sessions import MAX_PAGE
from api.coordinator.cursors import InvalidCursor, decode_cursor, encode_cursor
from api.coordinator.finding import Filter, find_sessions
from api.coordinator.services import Services, WithServices
from api.coordinator.stopping import StopAnswer, as_json
from api.errors import DETAIL, problem

logger = logging.getLogger(__name__)
router = APIRouter(tags=["sessions"])

# More requests at once than there are connections would only wait for each other.
STOPS_AT_ONCE = 32
MAX_STOP_IDS = 1000

# As in ids, NUL ends strings in too many places to be kept.
Text = Annotated[str, StringConstraints(max_length=NAME_LENGTH, pattern=r"^[^\x00]*$")]
JSON = "application/json"


class SessionList(BaseModel):
    """A page of sessions, newest first; `total` counts all that match, `next` is the cursor of the next page."""

    sessions: list[Session]
    total: int
    next: str | None


class MetadataPatch(BaseModel):
    """What to change; a field that is not named stays, null clears it where it may be empty."""

    model_config = ConfigDict(strict=True)

    session_name: Name | None = None
    project_dir: Text | None = None
    agent_name: Text | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("name at least one of session_name, project_dir, agent_name")
        if "session_name" in self.model_fields_set and self.session_name is None:
            raise ValueError("session_name can't be null")
        return self


class MetadataPatched(BaseModel):
    """The session after the change."""

    ok: Literal[True]
    session: Session


class DeletedCounts(BaseModel):
    """What went."""

    session: bool
    events_count: int


class SessionDeleted(BaseModel):
    """What a deletion removed."""

    ok: Literal[True] = True
    session_id: str
    deleted: DeletedCounts


class StopResult(BaseModel):
    """What became of stopping one session; `ok` repeats `success`."""

    success: bool
    ok: bool
    session_id: str
    status: str
    message: str


class StopFilter(BaseModel):
    """Which running sessions to stop; what is named must all be true. `all` alone means every one."""

    model_config = ConfigDict(strict=True, extra="forbid")

    agent_name: Text | None = None
    project_dir: Text | None = None
    session_ids: Annotated[list[SessionId], Field(min_length=1, max_length=MAX_STOP_IDS)] | None = None
    all: bool = False

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        named = (self.agent_name, self.project_dir, self.session_ids)
        if not self.all and all(value is None for value in named):
            raise ValueError('say which: agent_name, project_dir, session_ids, or "all": true')
        return self


class StopResults(BaseModel):
    """What became of each session, and how many are known to be over."""

    sessions: list[StopResult]
    requested: int
    stopped: int


def _unknown(session_id: str) -> HTTPException:
    return HTTPException(404, f"No session {session_id!r}")


@router.get("/sessions", response_model=SessionList, responses={422: DETAIL})
async def list_sessions(
    services: WithServices,
    status: Status | None = None,
    agent_name: Text | None = None,
    project_dir: Text | None = None,
    q: Annotated[Text | None, Query(description="part of the name, id, project or agent, in any case")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    cursor: Annotated[str | None, Query(max_length=1024, description="`next` of the page before")] = None,
) -> Response:
    """The sessions, newest first."""
    try:
        after = decode_cursor(cursor) if cursor is not None else None
    except InvalidCursor as error:
        return problem(422, str(error))
    found = await find_sessions(services.sessions, Filter(status, agent_name, project_dir, q), limit=limit, after=after)
    tail = orjson.dumps({"total": found.total, "next": encode_cursor(found.next) if found.next else None})
    return Response(b'{"sessions":[' + b",".join(found.sessions) + b"]," + tail[1:], media_type=JSON)


@router.get("/sessions/{session_id}", response_model=Session, responses={404: DETAIL})
async def get_session(session_id: str, services: WithServices) -> Response:
    """One session."""
    session = await services.sessions.get(session_id)
    if session is None:
        raise _unknown(session_id)
    return Response(session, media_type=JSON)


@router.patch("/sessions/{session_id}/metadata", response_model=MetadataPatched, responses={404: DETAIL, 422: DETAIL})
async def patch_metadata(session_id: str, patch: MetadataPatch, services: WithServices) -> Response:
    """Renames a session, or says where and by whom it runs. A name given here is kept whatever events say later."""
    changes = {name: getattr(patch, name) or None for name in patch.model_fields_set}
    session = await services.sessions.patch(session_id, changes)
    if session is None:
        raise _unknown(session_id)
    return Response(b'{"ok":true,"session":' + session + b"}", media_type=JSON)


@router.delete("/sessions/{session_id}", responses={404: DETAIL})
async def delete_session(session_id: str, services: WithServices) -> SessionDeleted:
    """Removes a session and its events for good."""
    events = await services.sessions.delete(session_id)
    if events is None:
        raise _unknown(session_id)
    return SessionDeleted(session_id=session_id, deleted=DeletedCounts(session=True, events_count=events))


@router.post("/sessions/stop", responses={422: DETAIL})
async def stop_sessions(which: StopFilter, services: WithServices) -> StopResults:
    """Stops several sessions at once, or everything."""
    wanted = Filter("running", which.agent_name, which.project_dir)
    session_ids = await _running(services, wanted) if which.session_ids is None else which.session_ids
    if which.session_ids is not None and (which.agent_name is not None or which.project_dir is not None):
        running = set(await _running(services, wanted))
        session_ids = [session_id for session_id in session_ids if session_id in running]
    turns = asyncio.Semaphore(STOPS_AT_ONCE)

    async def stop(session_id: str) -> StopResult:
        try:
            answer = await services.stopper.stop(session_id, turns)
        except (RedisError, OSError) as error:
            # The others have their answers; this one may be asked for again.
            logger.warning("redis did not answer to the stop of session %r: %s", session_id, error)
            answer = StopAnswer(False, "unknown", "Redis did not answer; ask again shortly")
        known = answer or StopAnswer(False, "unknown", f"No session {session_id!r}")
        return StopResult.model_validate(as_json(session_id, known))

    results = await asyncio.gather(*(stop(session_id) for session_id in dict.fromkeys(session_ids)))
    return StopResults(sessions=results, requested=len(results), stopped=sum(result.success for result in results))


async def _running(services: Services, wanted: Filter) -> list[str]:
    session_ids: list[str] = []
    after = None
    while True:
        found = await find_sessions(services.control, wanted, limit=MAX_PAGE, after=after)
        session_ids += [orjson.loads(session)["session_id"] for session in found.sessions]
        if found.next is None:
            return session_ids
        after = found.next


_STOP_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": StopResult, "description": "The agent has been told and has not confirmed yet"},
    404: DETAIL,
}


@router.post("/sessions/{session_id}/stop", response_model=StopResult, responses=_STOP_ANSWERS)
async def stop_session(session_id: str, services: WithServices) -> Response:
    """Stops the agent of the session's current run, wherever it is attached."""
    return await answer_stop(services, session_id)


async def answer_stop(services: Services, session_id: str) -> Response:
    """What `POST /sessions/{id}/stop` does, whichever way the request came. Raises HTTPException or RedisError."""
    answer = await services.stopper.stop(session_id)
    if answer is None:
        raise _unknown(session_id)
    return Response(orjson.dumps(as_json(session_id, answer)), answer.http_status, media_type=JSON)
