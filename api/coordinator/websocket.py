"""`WS /ws`: one browser, from its handshake to its close."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from agent_bus.identifiers import ID_LENGTH
from agent_bus.tasks import end
from api.coordinator.outbox import INTERNAL_ERROR, Outbox
from api.coordinator.relay import Relay
from api.websocket_protocol import wire_of

logger = logging.getLogger(__name__)

BAD_REQUEST = 4400
"""The query can't be understood; coming back with the same one won't help."""
# A browser that watches more than this many sessions is better served by all of them.
MAX_FILTERS = 100


class InvalidQuery(ValueError):
    """The handshake's query can't be understood; the message goes into the close frame."""


def read_query(query: QueryParams, limit: int) -> Outbox:
    """What the browser asks for: `?since=<seq>&epoch=&resumed=1`, `?session_id=` (repeatable). Raises InvalidQuery.

    Its `ticket`, where it brings one, was taken before: see `api.authentication`.
    """
    since = query.get("since")
    if since is not None and not (since.isascii() and since.isdigit() and len(since) <= len(str(2**53))):
        raise InvalidQuery("since must be the seq of the last message that was received")
    sessions = frozenset(query.getlist("session_id"))
    if len(sessions) > MAX_FILTERS:
        raise InvalidQuery(f"at most {MAX_FILTERS} session_id filters; leave them out for all sessions")
    if any(not 0 < len(session_id) <= ID_LENGTH for session_id in sessions):
        raise InvalidQuery("session_id must not be empty or longer than an id can be")
    seq = int(since) if since is not None else None
    return Outbox(limit, sessions, seq, query.get("epoch"), tell_resumed=query.get("resumed") == "1")


async def serve_browser(scope: Scope, receive: Receive, send: Send, relay: Relay, *, buffer_bytes: int) -> None:
    """Sends the browser what it asked for until either side closes. ASGI, for one WebSocket."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        outbox = read_query(QueryParams(scope["query_string"]), buffer_bytes)
    except InvalidQuery as error:
        await send({"type": "websocket.close", "code": BAD_REQUEST, "reason": str(error)})
        return
    outbox.wire = wire = wire_of(scope)
    if wire is not None:
        wire.on_ready = outbox.resume
    with relay.connected(outbox):
        tasks = [_task(outbox, relay.join(outbox))]
        # A wire is written to by the relay itself; `receive` tells when it has closed.
        if wire is None:
            tasks.append(_task(outbox, _send(send, outbox)))
        try:
            await _left(receive)
        finally:
            await end(tasks)


def _task(outbox: Outbox, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Does the work beside; the browser is closed should it fail."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("serving a browser failed; it may come back", exc_info=error)
            outbox.close(INTERNAL_ERROR)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


async def _left(receive: Receive) -> None:
    # What a browser sends is ignored; reading it is how its leaving is noticed.
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _send(send: Send, outbox: Outbox) -> None:
    # A browser may leave while something is being sent to it; then the server raises an OSError.
    with suppress(OSError):
        while texts := await outbox.take():
            for text in texts:
                await send({"type": "websocket.send", "text": text.decode()})
        await send({"type": "websocket.close", "code": outbox.close_code})
