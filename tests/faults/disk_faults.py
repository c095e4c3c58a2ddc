"""Disks that are full."""

import asyncio
import contextlib

import redis

from tests.faults.documents import upload
from tests.faults.faults import Fault
from tests.faults.history import DocumentHistory
from tests.faults.system import Layout
from tests.faults.workload import until


class BlobDiskFull(Fault):
    """Uploads are refused and leave nothing; what is there can be read, and events go on."""

    name = "blob-disk-full"
    title = "disk full under the blob store"
    layout = Layout(small_disk="blobs")
    holds_seconds = (1.0, 2.0)

    async def inject(self) -> None:
        """Fills it."""
        self._before = await self._upload()
        self.system.fill_disk()

    async def _upload(self) -> DocumentHistory:
        return await upload(self.load.history, self.load.documents, self.rng, size=100_000)

    async def look(self) -> None:
        """An upload is refused with a reason, a download is served, and events are taken."""
        refused = await self._upload()
        if refused.uploaded != "unknown":
            self.complain(f"an upload to a full disk is {refused.uploaded}")
        answer = await self.load.documents.ask("GET", f"/documents/{self._before.document_id}")
        if answer.outcome != "acknowledged":
            self.complain(f"a download from a full disk is answered {answer.status}: {answer.text}")
        await self.load.comes_through()

    async def heal(self) -> None:
        """Gives the space back."""
        self.system.free_disk()

    async def healed(self) -> None:
        """An upload is taken."""
        taken = await self._upload()
        if taken.uploaded != "acknowledged":
            self.complain(f"an upload after the disk was full is {taken.uploaded}")


class AofDiskFull(Fault):
    """Redis refuses what it can't write down; reads go on."""

    name = "aof-disk-full"
    title = "disk full under Redis' append-only file"
    layout = Layout(small_disk="redis")
    holds_seconds = (1.5, 3.0)

    async def inject(self) -> None:
        """Fills it."""
        self.system.fill_disk()

    async def look(self) -> None:
        """What is there is shown, and writes are refused with a reason."""
        answer = await self.load.coordinators.ask("GET", "/sessions")
        if answer.outcome != "acknowledged":
            self.complain(f"GET /sessions is answered {answer.status} with a full disk: {answer.text}")

        async def refused() -> bool:
            answer = await self.load.coordinators.ask("POST", "/events", json=self.load.event("full"))
            return answer.status in (503, 507)

        for _ in range(200):
            if await refused():
                return
            await asyncio.sleep(0.02)
        self.complain("events are taken with a full disk under the append-only file")

    async def heal(self) -> None:
        """Gives the space back, and restarts Redis once it writes: what it had answered for must be on the disk."""
        self.system.free_disk()
        await until(self._writes, "Redis to take writes again")
        await asyncio.to_thread(self.system.redis.kill)
        await asyncio.to_thread(self.system.redis.start)

    def _writes(self) -> bool:
        with contextlib.suppress(redis.ResponseError):
            return bool(self.system.ask_redis("SET", "test:written", "1"))
        return False
