"""A TCP proxy between the system and its Redis: slow, silent, or cut."""

import asyncio
import contextlib
from typing import Self

CHUNK = 65_536


class _Pair:
    """One connection through the proxy."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.writers = writers
        self.silent = False

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Use as `async with Proxy(port) as proxy` and connect to `proxy.port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay_seconds = 0.0
        """How long what passes is kept, each way."""
        self._severed = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Resets every connection; new ones may come."""
        for pair in self._pairs:
            pair.cut()
        self._pairs.clear()

    def forget(self) -> None:
        """From now on nothing passes over the connections that there are, and nobody is told: both ends wait."""
        for pair in self._pairs:
            pair.silent = True

    def sever(self) -> None:
        """A partition: nothing passes over any connection, and a new one is not answered."""
        self._severed = True
        self.forget()

    def mend(self) -> None:
        """The partition is over; what went silent stays so until its ends give up, as after a real one."""
        self._severed = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._severed:
            self._pairs.add(_Pair(writer))
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, upstream_writer)
        self._pairs.add(pair)
        for source, sink in ((reader, upstream_writer), (upstream_reader, writer)):
            queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1024)
            for work in (self._read(source, queue), self._write(pair, sink, queue)):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _read(self, source: asyncio.StreamReader, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        now = asyncio.get_running_loop().time
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await queue.put((now() + self.delay_seconds, data))
        await queue.put((now() + self.delay_seconds, b""))

    async def _write(self, pair: _Pair, sink: asyncio.StreamWriter, queue: asyncio.Queue[tuple[float, bytes]]) -> None:
        now = asyncio.get_running_loop().time
        with contextlib.suppress(OSError):
            while True:
                due, data = await queue.get()
                if (wait := due - now()) > 0:
                    await asyncio.sleep(wait)
                if pair.silent:
                    # Not even that one end has gone is told to the other.
                    continue
                if not data:
                    break
                sink.write(data)
                await sink.drain()
        pair.cut()
        self._pairs.discard(pair)
