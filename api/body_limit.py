"""A limit on request bodies, so that one request can't fill the memory."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem


class BodyLimit:
    """ASGI middleware: bodies over `limit` bytes get 413. `exempt` says which requests limit themselves."""

    def __init__(self, app: ASGIApp, *, limit: int, exempt: Callable[[Scope], bool] = lambda _: False) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, counting."""
        if scope["type"] != "http" or self._exempt(scope):
            await self._app(scope, receive, send)
            return
        detail = f"The body is larger than the limit of {self._limit} bytes"
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > self._limit):
            await problem(413, detail, {"Connection": "close"})(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        await self._app(scope, counted, send)
