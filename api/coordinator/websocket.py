"""`WS /ws`: one browser, from its handshake to its close."""

from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_bus.identifiers import ID_LENGTH
from agent_bus.tasks import run_together
from api.coordinator.relay import Outbox, Relay

BAD_REQUEST = 4400
"""The query can't be understood; coming back with the same one won't help."""
# A browser that watches more than this many sessions is better served by all of them.
MAX_FILTERS = 100


class InvalidQuery(ValueError):
    """The handshake's query can't be understood; the message goes into the close frame."""


def read_query(websocket: WebSocket, limit: int) -> Outbox:
    """What the browser asks for: `?since=<seq>`, `&epoch=`, `?session_id=` (repeatable). Raises InvalidQuery."""
    query = websocket.query_params
    since = query.get("since")
    if since is not None and not (since.isascii() and since.isdigit() and len(since) <= len(str(2**53))):
        raise InvalidQuery("since must be the seq of the last message that was received")
    sessions = frozenset(query.getlist("session_id"))
    if len(sessions) > MAX_FILTERS:
        raise InvalidQuery(f"at most {MAX_FILTERS} session_id filters; leave them out for all sessions")
    if any(not 0 < len(session_id) <= ID_LENGTH for session_id in sessions):
        raise InvalidQuery("session_id must not be empty or longer than an id can be")
    return Outbox(limit, sessions, int(since) if since is not None else None, query.get("epoch"))


async def serve_browser(websocket: WebSocket, relay: Relay, *, buffer_bytes: int) -> None:
    """Sends the browser what it asked for until either side closes."""
    await websocket.accept()
    try:
        outbox = read_query(websocket, buffer_bytes)
    except InvalidQuery as error:
        await websocket.close(BAD_REQUEST, str(error))
        return
    # A browser may leave while something is being sent to it.
    with relay.connected(outbox), suppress(WebSocketDisconnect):
        await run_together(ws_join=relay.join(outbox), ws_listen=_listen(websocket), ws_send=_send(websocket, outbox))


async def _listen(websocket: WebSocket) -> None:
    # What a browser sends is ignored; reading it is how its leaving is noticed.
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _send(websocket: WebSocket, outbox: Outbox) -> None:
    while frames := await outbox.take():
        for frame in frames:
            await websocket.send({"type": "websocket.send", "text": frame.decode()})
    if outbox.close_code is not None:
        await websocket.close(outbox.close_code)
