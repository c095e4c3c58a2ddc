"""uvicorn's WebSocket protocol, opened so that an application may write frames that are ready.

An ASGI `send` costs a frame, a join and a write for each message and each browser. A relay encodes a frame once for all
browsers and joins what goes out together, so it writes to the transport itself. Frames of both kinds keep their order,
since each is written whole and at once. Under any other server `wire_of` returns None, and `send` is the way.

The subclass touches what uvicorn does not call public, so `pyproject.toml` names the versions that this is tested with.
"""

from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

from api.doors import Doors

_KEY = "agent_orchestrator.wire"

# Nothing is expected of a browser, but pings and pongs; so many frames are taken from it on average and at once.
FRAMES_PER_SECOND, BURST_FRAMES = 100, 1000
TOO_MUCH = 1008
"""RFC 6455's "policy violation": the browser sends more than anybody asked for."""

# A browser that reads takes what is buffered (64 KB by the loop's own limit, and one batch) and a close frame in less.
CLOSE_SECONDS = 1.0


def _nothing() -> None:
    return None


class WireProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. An application finds it by `wire_of(scope)` and may write once it has accepted."""

    on_ready: Callable[[], None] = staticmethod(_nothing)
    """Called whenever the transport has room again."""
    ended_with: int | None = None
    """The code that `end` has closed with."""
    _cut_off: TimerHandle | None = None
    # When the browser may have sent nothing for long enough that its allowance is whole again, by the loop's clock.
    _whole_at = 0.0
    _flooding = False

    def __init__(self, *arguments: Any, doors: Doors | None = None, **options: Any) -> None:
        """The arguments are uvicorn's. doors: where it is counted."""
        super().__init__(*arguments, **options)
        self._doors = Doors() if doors is None else doors

    def connection_made(self, transport: BaseTransport) -> None:
        """A handshake has come."""
        self._doors.websockets += 1
        super().connection_made(transport)

    def handle_connect(self, event: Request) -> None:
        """Puts itself into the scope."""
        self.app_state = {**self.app_state, _KEY: self}
        super().handle_connect(event)

    @property
    def open(self) -> bool:
        """Whether frames still make sense."""
        return self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())

    @property
    def ready(self) -> bool:
        """Whether what is written goes out at once, or at least does not pile up."""
        return self.open and self.writable.is_set()

    def write(self, frames: bytes) -> None:
        """Writes one or several whole frames, behind all that was written before."""
        self.transport.write(frames)

    def end(self, code: int) -> None:
        """Closes with a code behind all that was written; a browser that does not take it in time is cut off."""
        if not self.open:
            return
        self.stop_keepalive()
        try:
            self.conn.send_close(code)
        except InvalidState:
            # The browser was faster.
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent, self.ended_with = True, code
        if self.read_paused:
            # Its answer to the close has to be heard.
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The transport has room again."""
        super().resume_writing()
        self.on_ready()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._doors.websockets -= 1
        if self._cut_off is not None:
            self._cut_off.cancel()
        super().connection_lost(exc)
        self.on_ready = _nothing

    # A browser's frames are small and are read as fast as they come: without a bound on their number, fragments without
    # end and answers to pings that nobody reads would fill the memory.

    def _expected(self) -> bool:
        """Whether another frame is taken; a browser that sends too many is let go."""
        now = self.loop.time()
        self._whole_at = max(self._whole_at, now) + 1 / FRAMES_PER_SECOND
        if self._whole_at - now > BURST_FRAMES / FRAMES_PER_SECOND and not self._flooding:
            self._flooding = True
            self.frames = []
            self.end(TOO_MUCH)
        return not self._flooding

    def handle_text(self, event: Frame) -> None:
        """A text has begun."""
        if self._expected():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Something that is no text has begun."""
        if self._expected():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """What has begun goes on."""
        if self._expected():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """The browser wants to know whether we live."""
        if self._expected() and self.writable.is_set():
            super().handle_ping()
        else:
            # It does not read: the answer would only pile up.
            self.conn.data_to_send()

    def handle_pong(self, event: Frame) -> None:
        """The browser lives."""
        if self._expected():
            super().handle_pong(event)

    # What follows closes the transport, which waits for its buffer to drain; a browser that has stopped reading would
    # keep the connection, and what waits for it, for as long as its TCP lives.

    def _cut_off_soon(self) -> None:
        if self._cut_off is None and not self.disconnected:
            self._cut_off = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def handle_close(self, event: Frame) -> None:
        """The browser closes, or answers a close."""
        super().handle_close(event)
        self._cut_off_soon()

    def handle_parser_exception(self) -> None:
        """The browser sent what is no WebSocket."""
        super().handle_parser_exception()
        self._cut_off_soon()

    def keepalive_timeout(self) -> None:
        """The browser has not answered a ping."""
        super().keepalive_timeout()
        self._cut_off_soon()

    def eof_received(self) -> None:
        """The browser sends nothing more."""
        super().eof_received()
        self._cut_off_soon()

    def shutdown(self) -> None:
        """The server goes down."""
        super().shutdown()
        self._cut_off_soon()


def wire_of(scope: Scope) -> WireProtocol | None:
    """The protocol that serves this WebSocket, if it is of this kind."""
    wire = scope.get("state", {}).get(_KEY)
    return wire if isinstance(wire, WireProtocol) else None
