"""`POST /hooks/claude-code`: Claude Code's own hooks, as they are."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from agent_bus.coordinator_address import CLAUDE_CODE_HOOK_PATH
from agent_bus.log_lines import about
from api.coordinator.claude_hooks import Hook, HookInput
from api.coordinator.events import over_the_rate
from api.coordinator.ingest import InvalidEvent
from api.coordinator.services import Services, WithServices
from api.errors import DETAIL, problem

logger = logging.getLogger(__name__)

router = APIRouter(tags=["events"])

# A tool's result may hold a picture. What is larger than an event may be is cut, rather than refused: with an error for
# an answer the program would go on, and nobody would know.
MAX_HOOK_BYTES = 32 * 1024 * 1024


@router.post(
    CLAUDE_CODE_HOOK_PATH,
    summary="A hook of Claude Code",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
        "schema": HookInput.model_json_schema(ref_template="#/components/schemas/{model}")}}}},
    response_model=dict[str, Any],
    responses={413: DETAIL, 422: DETAIL, 429: DETAIL, 503: DETAIL},
)  # fmt: skip
async def post_hook(
    request: Request,
    services: WithServices,
    x_session_name: Annotated[str | None, Header(description="What the session is to be called")] = None,  # noqa: ARG001  read below
    x_agent_name: Annotated[str | None, Header(description="The agent's name")] = None,  # noqa: ARG001  likewise
    x_bridged_session: Annotated[str | None, Header(description="The program is reported on by a bridge")] = None,  # noqa: ARG001  likewise
) -> Response:
    """Takes the JSON of any hook event and answers in Claude Code's format: `{}`, or the order to stop.

    Answered once Redis has it; a 503 means that it may not have been kept, and Claude Code goes on.
    """
    return await accept_hook(services, request.headers, await request.body())


async def accept_hook(services: Services, headers: Headers, body: bytes) -> Response:
    """What the route does, whichever way the body came. Raises RedisError."""
    if headers.get("x-bridged-session"):
        # A bridge inside the program that drives Claude Code reports, and stops it, already.
        return Response(b"{}", media_type="application/json")
    try:
        hook = Hook(
            body,
            session_name=_decoded(headers.get("x-session-name", "")),
            agent_name=_decoded(headers.get("x-agent-name", "")),
            max_event_bytes=services.settings.max_event_bytes,
        )
    except InvalidEvent as error:
        services.metrics.invalid_events.inc()
        return problem(422, error.detail)
    # One that reports nothing asks whether to go on, which is as much work.
    wait = services.session_events.take(hook.report.session_id, max(1, len(hook.report.events)))
    with about(session_id=hook.report.session_id):
        if wait:
            halted = await services.hooks.halt(hook.report)
            if halted is None:
                return await over_the_rate(services, hook.report.session_id, wait)
            outcome = halted
        else:
            outcome = await services.hooks.report(hook.report)
    services.metrics.hook_kept(len(hook.report.events))
    answer = orjson.dumps(hook.answer(go=outcome.go))
    if outcome.go:
        return Response(answer, media_type="application/json")
    return StopOrder(answer, partial(services.hooks.note_halt, hook.report.session_id, outcome.run))


def _decoded(value: str) -> str:
    """A header's text. Headers are read as Latin-1, which some clients write; others write UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


class StopOrder(Response):
    """Tells a program not to go on, and notes that it has been told: not if nobody is there to hear it."""

    def __init__(self, content: bytes, note: Callable[[], Awaitable[None]]) -> None:
        """note: called when the answer has been sent."""
        super().__init__(content, media_type="application/json")
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        if await _has_gone(receive):
            return
        await super().__call__(scope, receive, send)
        try:
            await self._note()
        except (RedisError, OSError) as error:
            # The stop stays unconfirmed until the program's next hook.
            logger.warning("that a program was told to stop could not be noted: %s", error)


async def _has_gone(receive: Receive) -> bool:
    """Whether the client has hung up by now, as one whose time ran out does."""
    hearing = asyncio.ensure_future(receive())
    done, _ = await asyncio.wait({hearing}, timeout=0)
    if not done:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
        return False
    return bool(hearing.result()["type"] == "http.disconnect")
