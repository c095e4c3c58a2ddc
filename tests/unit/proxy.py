"""A TCP proxy in front of Redis that can hold answers back, swallow one, or cut and refuse connections."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class Proxy:
    """Use as `async with Proxy(port) as proxy` and connect to `proxy.url`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_on_answer = False
        """When the next answer comes, its connection is cut instead: the command has been carried out, unseen."""
        self.accepted = 0
        self.blackhole_next = False
        """The next connection is accepted and never answered."""
        self._refusing = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}/0"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """Answers no longer come through; nothing says so."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def go_down(self) -> None:
        """Cuts every connection and whatever comes, until `come_back`."""
        self._refusing = True
        self.cut()

    def come_back(self) -> None:
        self._refusing = False

    def cut(self) -> None:
        """Cuts every connection there is; new ones may come."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        self.accepted += 1
        if self.blackhole_next:
            self.blackhole_next = False
            self._writers.add(writer)
            return
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, upstream_writer}
        for pump in (self._requests(reader, upstream_writer), self._answers(upstream_reader, writer, upstream_writer)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                upstream.write(data)
                await upstream.drain()
        upstream.transport.abort()

    async def _answers(
        self, upstream_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await upstream_reader.read(65536):
                await self._flowing.wait()
                if self.cut_on_answer:
                    self.cut_on_answer = False
                    upstream.transport.abort()
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
