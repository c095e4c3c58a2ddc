"""Limits on request bodies, so that neither one request nor all of them together can fill the memory."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.control import is_control
from api.errors import RETRY_AFTER_SECONDS, problem

# The framework keeps the pieces as they come, and each is an object, however small it is.
PIECE_BYTES = 64


class BodyRoom:
    """What the bodies of all requests under way may take together, in bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, size: int) -> None:
        """Room for so much more, to be given back by taking it off `used`. Raises HTTPException where there is none."""
        if self.used + size > self.limit:
            detail = f"The requests under way have {self.used} bytes already, of {self.limit}; try again shortly"
            raise HTTPException(503, detail, {"Retry-After": RETRY_AFTER_SECONDS, "Connection": "close"})
        self.used += size


class BodyLimit:
    """ASGI middleware: bodies over `limit` bytes get 413. `exempt` says which requests limit themselves."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: int,
        room: BodyRoom,
        control_room: BodyRoom | None = None,
        exempt: Callable[[Scope], bool] = lambda _: False,
    ) -> None:
        """control_room: for what must get through where there is no room for anything else."""
        self._app = app
        self._limit = limit
        self._room = room
        self._control_room = control_room or room
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
        received, held = 0, 0
        room = self._control_room if is_control(scope["method"], scope["path"]) else self._room

        async def counted() -> Message:
            nonlocal received, held
            message = await receive()
            size = len(message.get("body", b""))
            if received + size > self._limit:
                raise HTTPException(413, detail, {"Connection": "close"})
            room.take(size + PIECE_BYTES)
            received, held = received + size, held + size + PIECE_BYTES
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            room.used -= held
