"""What one browser has yet to be sent: bounded, in order, and gone as soon as the browser can't keep up."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from websockets.frames import Frame, Opcode

from agent_bus.bus import BusMessage

# Close codes: 4000 to 4999 are for applications (RFC 6455 section 7.4.2); 1012 is "service restart" (IANA registry).
CAN_NOT_KEEP_UP = 4008
"""Come back with `?since=<seq>` of the last message."""
START_OVER = 4009
"""Come back without `since`: what followed the last message can't be had any more."""
SERVICE_RESTART = 1012
"""Come back, here or at another replica, with `?since=<seq>`."""
INTERNAL_ERROR = 1011
"""Something failed that should not have; the server's log says more."""


class Wire(Protocol):
    """A browser's connection that takes frames as they go over it; `api.websocket_protocol` has the real one."""

    @property
    def ready(self) -> bool:
        """Whether what is written goes out at once, or at least does not pile up."""

    def write(self, frames: bytes) -> None:
        """Writes whole frames."""

    def end(self, code: int) -> None:
        """Closes behind all that was written, and cuts off a browser that does not take it; may be said again."""


class Batch:
    """Messages that go out together: their JSON, and all of them as WebSocket frames, encoded once for all browsers."""

    __slots__ = ("json", "wire")

    def __init__(self, json: Sequence[bytes]) -> None:
        self.json = json
        self.wire = b"".join([Frame(Opcode.TEXT, text).serialize(mask=False) for text in json])


@dataclass(eq=False, slots=True)
class Outbox:
    """One browser's messages on their way.

    With a `wire` they are written at once, and wait here only while the browser is slower than they come; without one,
    whoever sends them takes them.

    sessions: the ids it asked for; empty for all. since: where it says it stands. tell_resumed: it wants to be told how
    far that is. begun: it has been sent something. live: it gets what the subscriber delivers after `seq`. gone: it has
    left.
    """

    limit: int
    sessions: frozenset[str] = frozenset()
    since: int | None = None
    epoch: str | None = None
    tell_resumed: bool = False
    wire: Wire | None = None
    seq: int = 0
    live: bool = False
    begun: bool = False
    gone: bool = False
    close_code: int | None = None
    _waiting: deque[Batch] = field(default_factory=deque)
    _size: int = 0
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def buffered(self) -> int:
        """How many bytes wait for the browser here."""
        return self._size

    def wants(self, session_id: str) -> bool:
        """Whether the browser asked for messages of this session."""
        return not self.sessions or session_id in self.sessions

    def offer(self, message: BusMessage) -> None:
        """Takes a message unless it was taken before, or is of a session that was not asked for."""
        if message.seq <= self.seq:
            return
        self.seq = message.seq
        if self.wants(message.session_id):
            self.put(Batch([message.json]))

    def put(self, batch: Batch) -> None:
        """Takes messages as they are; a full outbox is closed instead of growing."""
        if self.gone or self.close_code is not None:
            return
        if self.wire is not None and not self._waiting and self.wire.ready:
            self.wire.write(batch.wire)
            return
        # What is there decides, not what comes: an `init` or an event may by itself be larger than the limit.
        if self._size > self.limit:
            self._waiting.clear()
            self._size = 0
            self.close(CAN_NOT_KEEP_UP)
            return
        self._waiting.append(batch)
        self._size += len(batch.wire)
        self._empty.clear()
        self._ready.set()

    def close(self, code: int) -> None:
        """Ends the connection once what is buffered has been sent."""
        self.live = False
        if self.close_code is None:
            self.close_code = code
        self._ready.set()
        self.resume()

    def leave(self) -> None:
        """The browser has gone; nothing needs to be kept for it."""
        self.live, self.gone = False, True
        self._waiting.clear()
        self._size = 0
        self._empty.set()

    def resume(self) -> None:
        """Writes what waits, as far as the browser takes it now; to be called when its wire is ready again."""
        if self.wire is None:
            return
        while self._waiting and self.wire.ready:
            batch = self._waiting.popleft()
            self._size -= len(batch.wire)
            self.wire.write(batch.wire)
        if not self._waiting:
            self._empty.set()
            if self.close_code is not None:
                self.wire.end(self.close_code)

    async def take(self) -> list[bytes]:
        """The JSON of all messages that wait; none when the connection is to be closed."""
        while not self._waiting:
            self._empty.set()
            if self.close_code is not None:
                return []
            self._ready.clear()
            await self._ready.wait()
        texts = [text for batch in self._waiting for text in batch.json]
        self._waiting.clear()
        self._size = 0
        return texts

    @property
    def crowded(self) -> bool:
        """Whether a replay has to wait until the browser has taken some of it, so as not to close it."""
        return self._size > self.limit // 2

    async def room(self) -> None:
        """Waits until the browser has taken enough for a replay to go on without closing it."""
        if self.crowded:
            await self.drained()

    async def drained(self) -> None:
        """Waits until everything has been sent, or handed to a wire."""
        if self._waiting or (self.wire is None and not self._empty.is_set()):
            await self._empty.wait()
