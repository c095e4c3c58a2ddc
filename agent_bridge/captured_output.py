"""What a command writes: passed on byte for byte, and shown to the session in pieces that can be afforded."""

import asyncio
import codecs
import contextlib
import os
import select
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

# The largest text of one event.
PIECE_BYTES = 16 * 1024
# An event's text is what was written within this time, in seconds: a person sees no difference, Redis does.
INTERVAL_SECONDS = 0.1
# Of what one interval brings, the beginning and the end are shown; together that is 640 KiB a second and stream.
HEAD_BYTES, TAIL_BYTES = 3 * PIECE_BYTES, PIECE_BYTES
_READ_BYTES = 64 * 1024
# How long a reader that has nothing to read goes without asking whether the command has ended.
_POLL_MILLISECONDS = 50
# Who reads our own output may hold it up for ever; when the end is urgent, it gets this long, in seconds.
_URGENT_SECONDS = 2.0
# The bytes of UTF-8 that do not begin a character.
_CONTINUATION = bytes(range(0x80, 0xC0))

Emit = Callable[..., Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Gap:
    """So many bytes were left out here."""

    size: int


class OutputWindow:
    """What one stream has brought since it was last taken, as UTF-8 with replacements; at most head and tail."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self._head, self._tail = bytearray(), bytearray()
        self._dropped = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Adds what was written. When there is too much, the middle goes."""
        room = self._head_bytes - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - self._tail_bytes
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def take(self, *, final: bool = False) -> list[str | Gap]:
        """What has come, in order, and starts afresh. A character that is not complete waits, unless it is the end."""
        head, tail, dropped = bytes(self._head), bytes(self._tail), self._dropped
        self._head, self._tail, self._dropped = bytearray(), bytearray(), 0
        if not dropped:
            return self._decode(head + tail, final)
        # Up to three bytes after a gap may belong to a character that began in it.
        whole = tail[:3].lstrip(_CONTINUATION) + tail[3:]
        return [*self._decode(head, True), Gap(dropped + len(tail) - len(whole)), *self._decode(whole, final)]

    def _decode(self, data: bytes, final: bool) -> list[str | Gap]:
        pieces = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
        texts = [self._decoder.decode(piece) for piece in pieces]
        if final:
            texts.append(self._decoder.decode(b"", final=True))
            self._decoder.reset()
        return [text for text in texts if text]


class CapturedOutput:
    """Pumps a command's pipes to our own output and tells the session; a thread a pipe, since any write may block."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._windows: dict[str, OutputWindow] = {}
        self._pumps: list[asyncio.Event] = []
        self._written = asyncio.Event()
        self._closing = asyncio.Event()
        self._command_ended = threading.Event()
        self._reporter = self._loop.create_task(self._report(), name="captured output")

    def attach(self, stream: str, source: int, destination: int) -> None:
        """Passes on what comes out of one descriptor, which is closed in the end, into another, which is not."""
        self._windows[stream] = OutputWindow()
        drained = asyncio.Event()
        self._pumps.append(drained)
        arguments = (stream, source, destination, drained)
        threading.Thread(target=self._pump, args=arguments, name=f"captured {stream}", daemon=True).start()

    async def close(self, urgent: asyncio.Event) -> None:
        """Call when the command has ended: passes on what it left in its pipes, and tells the session the rest.

        This takes as long as the reader of our output takes, or a short while once it is urgent. What the command left
        running may still hold the pipes; it is not waited for.
        """
        self._command_ended.set()
        drained = asyncio.create_task(self._drain(), name="drain captured output")
        hurried = asyncio.create_task(_set(urgent), name="urgent end")
        await asyncio.wait({drained, hurried}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({drained}, timeout=_URGENT_SECONDS)
        for waiting in (drained, hurried):
            waiting.cancel()
        await asyncio.gather(drained, hurried, return_exceptions=True)
        self._closing.set()
        self._written.set()
        await self._reporter
        await self._tell(final=True)

    async def _drain(self) -> None:
        for pump in self._pumps:
            await pump.wait()

    def _pump(self, stream: str, source: int, destination: int, drained: asyncio.Event) -> None:
        # Only this end of the pipe is ours alone: the other, and our own output, may be shared with anyone.
        os.set_blocking(source, False)
        readable = select.poll()
        readable.register(source, select.POLLIN)
        try:
            while True:
                ended = self._command_ended.is_set()
                if not readable.poll(0 if ended else _POLL_MILLISECONDS):
                    if ended:
                        return
                    continue
                data = os.read(source, _READ_BYTES)
                if not data:
                    return
                self._keep(stream, data)
                _write(destination, data)
        except BrokenPipeError:
            # Nobody reads our output: closing the pipe lets the command learn it the way it would have without us.
            return
        finally:
            os.close(source)
            self._in_loop(drained.set)

    def _keep(self, stream: str, data: bytes) -> None:
        with self._lock:
            self._windows[stream].feed(data)
        self._in_loop(self._written.set)

    def _in_loop(self, call: Callable[[], None]) -> None:
        # The loop is closed when our output was held up beyond an urgent end.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    async def _report(self) -> None:
        while not self._closing.is_set():
            await self._written.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), INTERVAL_SECONDS)
            self._written.clear()
            await self._tell()

    async def _tell(self, *, final: bool = False) -> None:
        for stream, window in self._windows.items():
            with self._lock:
                pieces = window.take(final=final)
            for piece in pieces:
                if isinstance(piece, Gap):
                    await self._emit("output_dropped", stream=stream, dropped_bytes=piece.size)
                else:
                    await self._emit("output", stream=stream, text=piece)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def _write(destination: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(destination, view) :]
        except BlockingIOError:
            # Someone we share our output with has made it so.
            writable = select.poll()
            writable.register(destination, select.POLLOUT)
            writable.poll()
