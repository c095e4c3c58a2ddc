"""Putting a backup into a namespace that is empty, whether servers run on it or not. See docs/operations.md.

The file is read through before the first write. After that every step is a script that also notes how far it has come,
so that a restoration which broke off goes on from there, and nothing of it happens twice.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agent_bus.archive import Archive
from agent_bus.backup import Progress
from agent_bus.backup_format import (
    BackupReader,
    BlueprintsEntry,
    DocumentEntry,
    LeftOut,
    Manifest,
    SessionEntry,
    StatisticsEntry,
)
from agent_bus.blobs import Blobs
from agent_bus.bus import Bus
from agent_bus.document_index import DocumentIndex
from agent_bus.statistics import put_back_statistics

# Clients may know numbers that were given after the backup. None of them is given again, unless there were so many.
SKIPPED_NUMBERS = 1_000_000_000


class Occupied(Exception):
    """There are sessions or documents already."""

    def __init__(self, sessions: int, documents: int) -> None:
        super().__init__(f"{sessions} sessions and {documents} documents are there already")
        self.sessions, self.documents = sessions, documents


class AnotherRestoration(Exception):
    """The restoration of another backup broke off, and has not been gone on with."""


class Restoration:
    """Puts one backup back; use it once."""

    def __init__(self, bus: Bus, archive: Archive, blobs: Blobs, progress: Progress) -> None:
        self._bus = bus
        self._keys = bus.keys
        self._archive = archive
        self._blobs = blobs
        self._progress = progress
        self.left_out: list[LeftOut] = []
        """What had begun anew meanwhile, in a way that its past can't be put beneath."""

    async def run(self, backup: BackupReader) -> Manifest:
        """Puts all of it back. Once it has returned everything is there, and every browser begins anew.

        Raises BackupDamaged, Occupied or AnotherRestoration before the first write, RedisError, BlobStoreFailed, and
        OSError where the file can't be read.
        """
        for read in backup.check():
            self._progress("bytes checked", read, backup.size)
            # Whoever wants it to end is heard.
            await asyncio.sleep(0)
        manifest = backup.manifest
        done = await self._begin(backup.about.id, manifest.last_id)
        documents = sessions = 0
        for number, entry in enumerate(backup.entries(), start=1):
            match entry:
                case DocumentEntry():
                    documents += 1
                    self._progress("documents", documents, manifest.documents)
                case SessionEntry():
                    sessions += 1
                    self._progress("sessions", sessions, manifest.sessions)
            if number > done:
                await self._put_back(number, entry)
        await DocumentIndex(self._bus).rebuild()
        await self._bus.run("end_restoration", [self._keys.restoration], [backup.about.id])
        return manifest

    async def _begin(self, backup_id: str, last_id: int) -> int:
        outcome, *numbers = await self._bus.run(
            "begin_restoration",
            [self._keys.restoration, self._keys.sessions, self._keys.documents],
            [backup_id, last_id, SKIPPED_NUMBERS],
        )
        if outcome == b"occupied":
            raise Occupied(*numbers)
        if outcome == b"another":
            raise AnotherRestoration
        return int(numbers[0])

    async def _put_back(self, number: int, entry: Any) -> None:
        match entry:
            case SessionEntry():
                await self._put_back_session(number, entry)
            case DocumentEntry():
                await self._put_back_document(number, entry)
            case BlueprintsEntry():
                await self._put_back_blueprints(number, entry)
            case StatisticsEntry():
                for line in entry.lines:
                    await put_back_statistics(self._bus, line.start, line.counts)

    async def _put_back_blueprints(self, number: int, entry: BlueprintsEntry) -> None:
        # What servers have imported from folders meanwhile gives way: somebody may have changed or deleted it since.
        async with self._bus.redis.pipeline(transaction=True) as pipe:
            for line in entry.lines:
                if line.blueprint is None:
                    pipe.hdel(self._keys.blueprints, line.name)
                    pipe.sadd(self._keys.deleted_blueprints, line.name)
                else:
                    pipe.hset(self._keys.blueprints, line.name, line.blueprint.model_dump_json())
            pipe.hset(self._keys.restoration, "done", str(number))
            await pipe.execute()

    async def _put_back_document(self, number: int, entry: DocumentEntry) -> None:
        fields = entry.record.document
        await self._blobs.put(fields["id"], _each(entry.content))
        await self._bus.run(
            "restore_document", [self._keys.document(fields["id"]), self._keys.restoration], [number, *_flat(fields)]
        )

    async def _put_back_session(self, number: int, entry: SessionEntry) -> None:
        keys, fields = self._keys, entry.record.session
        session_id = fields["session_id"]
        archived = await self._archive.write(_each(entry.events))
        put_back = await self._bus.run(
            "restore_session",
            [
                *(keys.session(session_id), keys.history(session_id), keys.sessions, keys.leases),
                *(keys.archived, keys.halted, keys.restoration),
            ],
            [session_id, number, str(archived or ""), *_flat(fields)],
        )
        if put_back == 1:
            return
        if archived is not None:
            await self._archive.blobs.delete(archived.name)
        if put_back < 0:
            self.left_out.append(LeftOut(kind="session", id=session_id, why="it has begun anew, and was archived"))


def _flat(fields: dict[str, str]) -> Iterator[str]:
    for name, value in fields.items():
        yield name
        yield value


async def _each(given: Iterator[bytes]) -> AsyncIterator[bytes]:
    for one in given:
        yield one
