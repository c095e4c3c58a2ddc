"""Connections that tests hold both ends of: a wire in memory, and a browser that reads only when told to."""

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

DEADLINE_SECONDS = 20.0
PIECE = 64 * 1024


def _parser(url: str = "ws://localhost/", state: State = State.CONNECTING) -> ClientProtocol:
    return ClientProtocol(parse_uri(url), state=state, max_size=None)


def texts_in(frames: bytes) -> list[bytes]:
    """The messages that these frames carry; fails if they are not whole text frames."""
    parser = _parser(state=State.OPEN)
    parser.receive_data(frames)
    found = [event for event in parser.events_received() if isinstance(event, Frame)]
    assert parser.parser_exc is None, parser.parser_exc
    assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in found)
    again = b"".join(Frame(Opcode.TEXT, frame.data).serialize(mask=False) for frame in found)
    assert again == frames, "the frames are not whole"
    return [bytes(frame.data) for frame in found]


class MemoryWire:
    """A browser's connection in memory; `takes` is how many more writes go through, None for any number."""

    def __init__(self, takes: int | None = None, on_write: Callable[[], None] = lambda: None) -> None:
        self.takes = takes
        self.writes: list[bytes] = []
        self.codes: list[int] = []
        self._on_write = on_write

    @property
    def ready(self) -> bool:
        return not self.codes and self.takes != 0

    def write(self, frames: bytes) -> None:
        assert not self.codes, "nothing may follow the close"
        self._on_write()
        if self.takes is not None:
            self.takes -= 1
        self.writes.append(frames)

    def end(self, code: int) -> None:
        self.codes.append(code)

    @property
    def texts(self) -> list[bytes]:
        return texts_in(b"".join(self.writes))


class RawBrowser:
    """A WebSocket client over a bare socket: it reads and answers when the test says so, and not otherwise."""

    def __init__(self, url: str, *, buffer_bytes: int | None = None) -> None:
        self._url = url
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if buffer_bytes is not None:
            # It has to be small before the connection is made, for its window to be.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.protocol = _parser(url)
        self.frames: list[Frame] = []
        self.ended = False

    async def __aenter__(self) -> Self:
        address = urlsplit(self._url)
        await asyncio.get_running_loop().sock_connect(self.socket, (address.hostname, address.port))
        self.protocol.send_request(self.protocol.connect())
        await self.answer()
        # The answer byte by byte: what follows it stays unread.
        await self.until(lambda: self.protocol.state is not State.CONNECTING, "the handshake", piece=1)
        assert self.protocol.handshake_exc is None, self.protocol.handshake_exc
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    async def answer(self) -> None:
        """Sends what the protocol has to say: pongs, and the answer to a close."""
        await self.send(b"".join(self.protocol.data_to_send()))

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def say(self, opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> None:
        """Sends one frame."""
        await self.send(Frame(opcode, data, fin).serialize(mask=True))

    async def read(self, piece: int = PIECE) -> None:
        """Reads up to so many bytes; at the end of the stream, `ended` is true."""
        # What is there already is read without a turn of the loop; timers want theirs.
        await asyncio.sleep(0)
        try:
            data = await asyncio.get_running_loop().sock_recv(self.socket, piece)
        except ConnectionResetError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.ended = True
            self.protocol.receive_eof()
        self.frames += [event for event in self.protocol.events_received() if isinstance(event, Frame)]

    async def until(self, condition: Callable[[], bool], what: str, piece: int = PIECE) -> None:
        """Reads until the condition holds."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not condition():
                    assert not self.ended, f"the stream ended before {what}"
                    await self.read(piece)
        except TimeoutError:
            raise AssertionError(f"waited {DEADLINE_SECONDS} s for {what}") from None

    async def to_the_end(self, piece: int = PIECE) -> None:
        """Reads until the server has closed the stream."""
        await self.until(lambda: self.ended, "the end", piece)

    @property
    def texts(self) -> list[bytes]:
        """The text messages that came so far; fails if what came was not a WebSocket's."""
        exc = self.protocol.parser_exc
        assert exc is None or isinstance(exc, EOFError), exc
        return [bytes(frame.data) for frame in self.frames if frame.opcode is Opcode.TEXT]

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame, once it has come."""
        return self.protocol.close_rcvd.code if self.protocol.close_rcvd is not None else None

    def vanish(self) -> None:
        """Resets the connection, as a browser that was killed does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()
