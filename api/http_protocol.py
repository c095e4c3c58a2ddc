"""uvicorn's HTTP protocol with bounds on what a client may send, and on how long it may take over it.

uvicorn has none of its own: a head that never ends is collected for ever, and so is a request a byte a minute. Here a
head is bounded in bytes, fields and seconds, a body and the reading of an answer in how long nothing may move, and a
connection in how many requests wait on it. None of this starts a timer, or looks at a byte, for a request that comes
whole; one timer a connection looks now and then whether it is the client that is being waited for.

The subclass touches what uvicorn does not call public, so `pyproject.toml` names the versions that this is tested with.
"""

import asyncio
import json
import math
from asyncio import TimerHandle, Transport
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.doors import WEBSOCKETS_SETTING, Doors
from api.errors import RETRY_AFTER_SECONDS

# What a head may have altogether; servers and proxies usually take 8 to 64 KiB.
HEAD_BYTES = 64 * 1024
# RFC 9110 section 4.1 wants 8,000 to be taken. websockets, which reads a handshake again, takes lines of 8 KiB.
URL_BYTES = 8000
WEBSOCKET_FIELD_BYTES = 8000
# As many as websockets takes.
FIELDS = 128
# From the first byte of a head, or from the connection, to its last one.
HEAD_SECONDS = 15.0
# Within a body, and while an answer waits to be read: for so long nothing may move. The form of an upload says the same
# a little sooner and in its own words.
STALL_SECONDS = 65.0
# Requests that wait for the one before them on the same connection.
PIPELINED = 32
# How long a client that is refused may take to hear it, while what it sends is thrown away.
LINGER_SECONDS = 1.0


class _Over:
    """In the place of a request, once none is answered any more."""

    response_started = response_complete = disconnected = True
    more_body = False

    def __init__(self) -> None:
        self.message_event = asyncio.Event()


class BoundedProtocol(HttpToolsProtocol):
    """One HTTP connection, until it ends or becomes a WebSocket."""

    def __init__(self, *arguments: Any, doors: Doors | None = None, **options: Any) -> None:
        """The arguments are uvicorn's. doors: of the process; without, nobody is turned away."""
        super().__init__(*arguments, **options)
        self._doors = Doors(10**9, 10**9) if doors is None else doors
        self._refused = False
        self._upgraded = False
        self._in_head = False
        # Bytes that came since the head began, and those that it began with, not all of which need be its own.
        self._head_bytes = 0
        self._first_bytes = 0
        self._fed = 0
        # Bytes of a body's framing that brought nothing of the body: extensions of chunks, and trailers.
        self._barren_bytes = 0
        # Since when, and for how long at most, the client is waited for.
        self._waiting_since: float | None = None
        self._patience = HEAD_SECONDS
        self._watchdog: TimerHandle | None = None
        self._unsent = 0.0
        self._write_watchdog: TimerHandle | None = None
        self._linger: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        others = len(self.connections) - self._doors.websockets
        if self._doors.full(others):
            if self._doors.overrun(others):
                self._refused = True
                transport.abort()
                return
            self.app = self._doors.refusing(self.app)
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._forget_timers()
        super().connection_lost(exc)

    def _forget_timers(self) -> None:
        for timer in (self._watchdog, self._write_watchdog, self._linger):
            if timer is not None:
                timer.cancel()
        self._watchdog = self._write_watchdog = self._linger = None

    # What comes in.

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        self._fed = len(data)
        before = self.cycle
        had = 0 if before is None else len(before.body)
        super().data_received(data)
        cycle = self.cycle
        if self._refused or self._upgraded:
            return
        if self._in_head:
            if len(self.url) > URL_BYTES:
                self._refuse(414, f"The URL is longer than the limit of {URL_BYTES} bytes")
            elif self._head_bytes > HEAD_BYTES:
                self._refuse(431, f"The head of the request is larger than the limit of {HEAD_BYTES} bytes")
            else:
                self._wait(HEAD_SECONDS)
        elif cycle is None or cycle.response_complete:
            self._wait(HEAD_SECONDS)
        elif cycle.more_body:
            # Nobody has taken any of it in between.
            self._look_at_body(came=cycle is not before or len(cycle.body) > had)
        else:
            self._waiting_since = None

    def _look_at_body(self, *, came: bool) -> None:
        if came:
            self._barren_bytes = 0
            self._waiting_since = None
        else:
            self._barren_bytes += self._fed
        self._wait(STALL_SECONDS)
        if self._barren_bytes > HEAD_BYTES or len(self.headers) > FIELDS:
            self._refuse(431, f"What the body is framed with is larger than the limit of {HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._head_bytes, self._first_bytes, self._barren_bytes = True, 0, self._fed, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._waiting_since = None
        if self._refused:
            return
        if (fault := self._fault()) is not None:
            self._refuse(*fault)
            return
        self._in_head = False
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            # Nobody could tell to which of them an answer belongs.
            self._refused = True
            self.transport.abort()

    def _fault(self) -> tuple[int, str] | None:
        """What is wrong with the head's size, as a status and a detail."""
        if len(self.url) > URL_BYTES:
            return 414, f"The URL is longer than the limit of {URL_BYTES} bytes"
        if len(self.headers) > FIELDS:
            return 431, f"The request has more than {FIELDS} header fields"
        # Only one that came with much else can be too large and yet complete.
        if self._first_bytes + self._head_bytes > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES:
                return 431, f"The head of the request is larger than the limit of {HEAD_BYTES} bytes"
        return None

    def handle_websocket_upgrade(self) -> None:
        """The request wants to become a WebSocket."""
        if self._refused:
            return
        if any(len(name) + len(value) > WEBSOCKET_FIELD_BYTES for name, value in self.headers):
            self._refuse(
                431, f"A header field of the handshake is longer than the limit of {WEBSOCKET_FIELD_BYTES} bytes"
            )
        elif not self._doors.let_in():
            most = self._doors.most_websockets
            self._refuse(503, f"{most} WebSockets are open, as many as this server takes ({WEBSOCKETS_SETTING})")
        else:
            # From here on the connection is another protocol's.
            self._upgraded = True
            self._forget_timers()
            super().handle_websocket_upgrade()

    # Refusing.

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP."""
        self._refuse(400, msg)

    def _refuse(self, status: int, detail: str) -> None:
        """Answers in the place of the application, and ends the connection once the client can have heard it."""
        self._refused = True
        # What is left of the bytes at hand belongs to nobody.
        cycle, self.cycle = self.cycle, cast(RequestResponseCycle, _Over())
        # In the middle of an answer, or before the one to an earlier request, this one would be taken for that.
        confusing = cycle is not None and not cycle.response_complete and (cycle.response_started or self._in_head)
        for given_up in [cycle, *(waiting for waiting, _ in self.pipeline)]:
            if given_up is not None:
                # The application hears that the client has gone; what it still answers goes nowhere.
                given_up.disconnected = True
                given_up.message_event.set()
        self.pipeline.clear()
        if self.transport.is_closing():
            return
        if confusing:
            self.transport.abort()
            return
        body = json.dumps({"detail": detail}).encode()
        again = f"retry-after: {RETRY_AFTER_SECONDS}\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{again}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # A connection that is closed while there is something to read is reset, and the answer lost. So what comes is
        # read, and thrown away, until the client closes or its time is over.
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    # Waiting.

    def _wait(self, patience: float) -> None:
        """The client is waited for, from now on unless it is already."""
        if self._waiting_since is not None and patience == self._patience:
            return
        now = self.loop.time()
        self._patience, self._waiting_since = patience, now
        if self._watchdog is not None:
            if self._watchdog.when() <= now + patience:
                return
            self._watchdog.cancel()
        self._watchdog = self.loop.call_later(patience, self._look_at_client)

    def _look_at_client(self) -> None:
        self._watchdog = None
        if self._refused or self.transport.is_closing() or self._waiting_since is None:
            return
        left = self._waiting_since + self._patience - self.loop.time()
        if self.flow.read_paused:
            # It is not the client who is slow.
            left = self._patience
        if left > 0:
            self._watchdog = self.loop.call_later(left, self._look_at_client)
        elif self._in_head:
            self._refuse(408, f"The head of the request did not come within {HEAD_SECONDS:g} s")
        elif self.cycle is None or self.cycle.response_complete:
            self._refused = True
            self.transport.close()
            self._watch_writing()
        else:
            self._refuse(408, f"Nothing of the body has come for {STALL_SECONDS:g} s")

    # What goes out.

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._unsent = math.inf

    def on_response_complete(self) -> None:
        """An answer has been written."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has been asked for long."""
        super().timeout_keep_alive_handler()
        self._watch_writing()

    def _watch_writing(self) -> None:
        if self._write_watchdog is None and (unsent := self.transport.get_write_buffer_size()):
            self._unsent = unsent
            self._write_watchdog = self.loop.call_later(STALL_SECONDS, self._look_at_writing)

    def _look_at_writing(self) -> None:
        self._write_watchdog = None
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent >= self._unsent:
            # Closing would wait for the buffer to drain, as long as the client's TCP lives.
            self.transport.abort()
        elif self.flow.write_paused or self.transport.is_closing():
            self._watch_writing()
