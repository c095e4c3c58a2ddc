"""Many browsers in one process, cheap enough not to be what is measured.

Frames are not parsed: a browser counts how often a byte that stands once in each message went by, and keeps a checksum
of everything. One browser, the reference, keeps what it received. If its messages are complete and in order, and every
other browser has the same number of bytes with the same checksum, then all of them are right. (A checksum costs a
nanosecond a byte; parsing JSON would cost more than what is measured.) A run ends before the server sends pings, which
differ from browser to browser.
"""

import base64
import os
import select
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

READ_BYTES = 1 << 20
HANDSHAKE_SECONDS = 20.0
TEXT_FRAME = 0x81
# Stands once in every message that is counted, and neither in an envelope nor in a frame's header.
MARK = b"^"

OnRead = Callable[["BrowserSocket", int], None]
"""Called with a browser that has read something, and how many messages that were."""


class Refused(Exception):
    """The server did not accept the WebSocket; the message is its answer."""


def text_frame(text: str) -> bytes:
    """A client's text frame, masked with zeros (RFC 6455 section 5.3), of less than 126 bytes."""
    payload = text.encode()
    assert len(payload) < 126
    return bytes((TEXT_FRAME, 0x80 | len(payload))) + bytes(4) + payload


def frames(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each complete frame that a server sent."""
    at = 0
    while len(stream) - at >= 2:
        size, head = stream[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(stream[at + 2 : at + 4]), 4
        elif size == 127:
            size, head = int.from_bytes(stream[at + 2 : at + 10]), 10
        if len(stream) - at < head + size:
            return
        yield stream[at] & 0x0F, stream[at + head : at + head + size]
        at += head + size


def _frames_end(stream: bytes, count: int) -> int | None:
    """Where the first `count` frames end, or None if they are not complete yet."""
    at = 0
    for number, (_, payload) in enumerate(frames(stream), 1):
        at += 2 + (0 if len(payload) < 126 else 2 if len(payload) < 65536 else 8) + len(payload)
        if number == count:
            return at
    return 0 if count == 0 else None


@dataclass(eq=False, slots=True)
class BrowserSocket:
    """One browser: its connection, and what it has received since its greetings."""

    socket: socket.socket
    greeting: bytes
    messages: int = 0
    bytes: int = 0
    checksum: int = 0
    kept: bytearray | None = None
    ended: bool = False

    def take(self, buffer: bytearray, size: int) -> None:
        """Counts what was read."""
        self.messages += buffer.count(MARK, 0, size)
        self.bytes += size
        with memoryview(buffer)[:size] as view:
            self.checksum = zlib.crc32(view, self.checksum)
            if self.kept is not None:
                self.kept += view


def open_browser(
    port: int, path: str, hello: tuple[str, ...] = (), greetings: int = 1, *, keep: bool = False
) -> BrowserSocket:
    """Connects a browser and reads its greetings: the frames that come before what is measured. Raises Refused.

    keep: whether it keeps what it receives afterwards.
    """
    connection = socket.create_connection(("127.0.0.1", port), timeout=HANDSHAKE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    stream = b""
    while b"\r\n\r\n" not in stream:
        stream += _read(connection)
    head, _, stream = stream.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise Refused(head.partition(b"\r\n")[0].decode())
    for text in hello:
        connection.sendall(text_frame(text))
    while (end := _frames_end(stream, greetings)) is None:
        stream += _read(connection)
    connection.setblocking(False)
    browser = BrowserSocket(connection, stream[:end], kept=bytearray() if keep else None)
    rest = bytearray(stream[end:])
    browser.take(rest, len(rest))
    return browser


def _read(connection: socket.socket) -> bytes:
    data = connection.recv(READ_BYTES)
    if not data:
        raise Refused("the server closed the connection during the handshake")
    return data


@dataclass
class Crowd:
    """Browsers that are read together."""

    browsers: list[BrowserSocket]
    _poll: select.epoll = field(default_factory=select.epoll)
    _buffer: bytearray = field(default_factory=lambda: bytearray(READ_BYTES))
    _by_descriptor: dict[int, BrowserSocket] = field(default_factory=dict)
    messages: int = 0
    """Received by all of them together."""

    def __post_init__(self) -> None:
        for browser in self.browsers:
            self._by_descriptor[browser.socket.fileno()] = browser
            self._poll.register(browser.socket.fileno(), select.EPOLLIN)
            self.messages += browser.messages

    def watch(self, connection: socket.socket, events: int = select.EPOLLIN) -> None:
        """Has `read` also return when this socket is ready; it is left for the caller to read."""
        self._poll.register(connection.fileno(), events)

    def read(self, seconds: float, on_read: OnRead | None = None) -> int:
        """Waits for at most so long and reads what is there. Returns how many browsers had something."""
        ready = self._poll.poll(max(0.0, seconds))
        found = 0
        for descriptor, _ in ready:
            browser = self._by_descriptor.get(descriptor)
            if browser is None:
                continue
            found += 1
            try:
                size = browser.socket.recv_into(self._buffer)
            except BlockingIOError:
                continue
            except ConnectionError:
                size = 0
            if size == 0:
                self._poll.unregister(descriptor)
                browser.ended = True
                continue
            before = browser.messages
            browser.take(self._buffer, size)
            self.messages += browser.messages - before
            if on_read is not None:
                on_read(browser, browser.messages - before)
        return found

    def wait_for(self, messages: int, seconds: float) -> bool:
        """Reads until every browser has had so many messages; False if that takes longer."""
        deadline = time.perf_counter() + seconds
        while any(browser.messages < messages for browser in self.browsers if not browser.ended):
            if time.perf_counter() > deadline:
                return False
            self.read(0.05)
        return True

    def alike(self) -> bool:
        """Whether every browser has received the very bytes that the reference has."""
        first = self.browsers[0]
        return all((b.bytes, b.checksum, b.ended) == (first.bytes, first.checksum, False) for b in self.browsers)

    def close(self) -> None:
        """Hangs up."""
        for browser in self.browsers:
            browser.socket.close()
        self._poll.close()
