"""A way past the framework for the requests that come by the thousand.

Each of its layers is cheap; all of them together cost more than accepting an event does. What is odd in any way (a body
without a length, one that is too large, a web page's request, which needs CORS) takes the long way instead, and both
end in the same function.
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.body_limit import BodyRoom
from api.errors import answer_to
from api.noted import ensure_name

logger = logging.getLogger(__name__)

Find = Callable[[Scope], ASGIApp | None]


class Shortcuts:
    """ASGI middleware: requests for which `find` knows a handler go there, all others on."""

    def __init__(self, app: ASGIApp, find: Find) -> None:
        self._app = app
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request to where it belongs."""
        await (self._find(scope) or self._app)(scope, receive, send)


def plain_length(scope: Scope) -> int | None:
    """How long the body is; None if the request does not say so, or comes from a web page."""
    length: int | None = 0
    for name, value in scope["headers"]:
        if name == b"origin" or name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) <= 18 else None
    return length


async def read_body(receive: Receive, limit: int, room: BodyRoom) -> bytes:
    """The whole body, for which room is taken; to be given back by who is done with it, unless this raises.

    Raises ClientDisconnect, or HTTPException for one that is longer than was announced, or has no room.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and message["type"] != "http.disconnect" and len(body) <= limit:
        room.take(len(body))
        return body
    return await _read_on(message, receive, limit, room)


async def _read_on(message: Message, receive: Receive, limit: int, room: BodyRoom) -> bytes:
    body = bytearray()
    try:
        while True:
            piece: bytes = message.get("body", b"")
            room.take(len(piece))
            # In place: adding to bytes would copy all of it for each of a million pieces.
            body += piece
            if len(body) > limit:
                raise HTTPException(413, f"The body is larger than the limit of {limit} bytes", {"Connection": "close"})
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if not message.get("more_body", False):
                return bytes(body)
            message = await receive()
    except BaseException:
        room.used -= len(body)
        raise


def answering(handle: Callable[[Scope, bytes], Awaitable[Response]], limit: int, room: BodyRoom) -> ASGIApp:
    """A handler of bodies as an ASGI application, with errors answered as they are everywhere.

    limit: the largest body, in bytes. room: for all of them.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        held = 0
        try:
            body = await read_body(receive, limit, room)
            held = len(body)
            response = await handle(scope, body)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - told to the client and to the log
            ensure_name(scope)
            response = answer_to(error, scope["method"], scope["path"])
        finally:
            room.used -= held
        await response(scope, receive, send)

    return app
