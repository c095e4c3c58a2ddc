"""Clients that break off, stop reading, or send a byte a second: nobody else is to notice."""

import asyncio
import socket

import psutil

from tests.faults.documents import upload
from tests.faults.faults import Fault
from tests.faults.workload import until
from tests.processes import Process

BROKEN, STALLED, SLOW = 8, 20, 40
LARGE_BYTES = 8 * 1024 * 1024
SENT_BYTES = 300_000
# A server holds a few pieces for each download that stands still, and no download whole.
MOST_MEMORY_BYTES = STALLED * 2 * 1024 * 1024
# Of a server's own: connections to Redis come and go.
SPARE_DESCRIPTORS = 12
FORM = (
    b"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    b"Content-Length: %d\r\n\r\n"
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="broken.bin"\r\n\r\n'
)


def connect_to(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _process(part: Process) -> psutil.Process:
    return psutil.Process(part.popen.pid)


class BrokenUploads(Fault):
    """They leave neither a document nor bytes."""

    name = "broken-uploads"
    title = "uploads that break off"
    holds_seconds = (0.0, 0.3)

    async def inject(self) -> None:
        """Sends the first part of some files, and hangs up in one way or another."""
        for number in range(BROKEN):
            with await asyncio.to_thread(connect_to, self.system.documents.port) as client:
                await asyncio.to_thread(client.sendall, FORM % LARGE_BYTES + bytes(SENT_BYTES))
                if number % 2:
                    # A close that throws away what is on its way, as a client that was killed does.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async def heal(self) -> None:
        """They are gone already."""

    async def healed(self) -> None:
        """What was written of them is removed."""
        left = self.system.unfinished_uploads()
        await until(lambda: not left & self.system.unfinished_uploads(), "what is left of broken uploads to be removed")


class StalledDownloads(Fault):
    """They cost a bounded amount of memory, and others read meanwhile."""

    name = "stalled-downloads"
    title = "clients that stop reading a download"
    holds_seconds = (2.0, 3.0)

    async def inject(self) -> None:
        """Asks for a large file many times, and reads nothing."""
        self._document = await upload(self.load.history, self.load.documents, self.rng, size=LARGE_BYTES)
        self._memory = _process(self.system.documents).memory_info().rss
        self._clients = []
        for _ in range(STALLED):
            client = await asyncio.to_thread(connect_to, self.system.documents.port)
            client.sendall(b"GET /documents/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % self._id)
            self._clients.append(client)

    @property
    def _id(self) -> bytes:
        return (self._document.document_id or "").encode()

    async def look(self) -> None:
        """Somebody else gets the file, and the memory stays bounded."""
        answer = await self.load.documents.ask("GET", f"/documents/{self._document.document_id}")
        if answer.outcome != "acknowledged" or len(answer.content) != LARGE_BYTES:
            self.complain(f"beside stalled downloads one is answered {answer.status}")
        grown = _process(self.system.documents).memory_info().rss - self._memory
        self.notes.append(f"{STALLED} stalled downloads of {LARGE_BYTES >> 20} MiB took {grown / 2**20:.0f} MiB")
        if grown > MOST_MEMORY_BYTES:
            self.complain(f"{STALLED} stalled downloads took {grown} bytes of memory")

    async def heal(self) -> None:
        """Hangs up."""
        for client in self._clients:
            client.close()


class SlowClients(Fault):
    """Each costs a connection, which is given back."""

    name = "slow-clients"
    title = "clients that send a byte a second"
    holds_seconds = (3.0, 4.0)

    async def inject(self) -> None:
        """Opens many connections to each server; each sends a request as slowly as can be."""
        self._servers = [self.system.documents, *self.system.coordinators]
        self._descriptors = [_process(server).num_fds() for server in self._servers]
        request = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b" " * 100
        self._clients = []
        for server in self._servers:
            for number in range(SLOW):
                client = await asyncio.to_thread(connect_to, server.port)
                # Some are within their headers, some within their body.
                client.sendall(request[: len(request) * number // SLOW])
                client.setblocking(False)
                self._clients.append(client)
        self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while True:
            await asyncio.sleep(1)
            for client in self._clients:
                # One that was let go by the server is of no interest any more.
                try:
                    client.send(b" ")
                except OSError:
                    continue

    async def look(self) -> None:
        """Others are served."""
        await self.load.comes_through()

    async def heal(self) -> None:
        """Hangs up."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        for client in self._clients:
            client.close()

    async def healed(self) -> None:
        """The servers have let go of them."""

        def given_back() -> bool:
            now = [_process(server).num_fds() for server in self._servers]
            return all(n <= before + SPARE_DESCRIPTORS for n, before in zip(now, self._descriptors, strict=True))

        await until(given_back, "the servers to give their descriptors back")
