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
from starlette.types import ASGIApp, Receive, Scope, Send

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


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises ClientDisconnect, or HTTPException for one that is longer than was announced."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= limit:
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    if len(body) > limit:
        raise HTTPException(413, f"The body is larger than the limit of {limit} bytes", {"Connection": "close"})
    return body


def answering(handle: Callable[[Scope, bytes], Awaitable[Response]], limit: int) -> ASGIApp:
    """A handler of bodies as an ASGI application, with errors answered as they are everywhere.

    limit: the largest body, in bytes.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await handle(scope, await read_body(receive, limit))
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - told to the client and to the log
            ensure_name(scope)
            response = answer_to(error, scope["method"], scope["path"])
        await response(scope, receive, send)

    return app
