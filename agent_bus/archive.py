"""Where histories go that nobody adds to any more: an object a session in the blob store (see `archive_format`)."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from agent_bus.archive_format import Block, Damaged, Packer, newer_first, older_first, read_index, unpack
from agent_bus.blobs import BlobMissing, Blobs, open_store
from agent_bus.events import ArchivedObjectGone, StoredEvents
from agent_bus.settings import Settings

# Beside the documents' bytes in the same store.
FOLDER = "history"
# What a reader keeps unpacked, since pages of one session follow each other: eight blocks, and some hundred indexes.
BLOCKS_KEPT = 8
INDEXES_KEPT = 128


@dataclass(frozen=True, slots=True)
class ArchivedHistory:
    """An object in the archive, as a session's field `archive` says it: "<name> <size> <index at> <last id> <events>".

    Its size and where its index begins are in bytes. Scripts read the number of events off its end.
    """

    name: str
    size: int
    index_at: int
    last_id: int
    events: int

    @classmethod
    def parse(cls, reference: str) -> "ArchivedHistory":
        """Reads what `str` gives."""
        name, *numbers = reference.split(" ")
        return cls(name, *map(int, numbers))

    def __str__(self) -> str:
        return f"{self.name} {self.size} {self.index_at} {self.last_id} {self.events}"


class Archive:
    """The archive of one namespace. An object is written once and never changed."""

    def __init__(self, open_blobs: Callable[[], Blobs]) -> None:
        """open_blobs: called when first needed; may raise BlobStoreFailed."""
        self._open_blobs = open_blobs
        self._opened: Blobs | None = None
        self._indexes: OrderedDict[str, list[Block]] = OrderedDict()
        self._blocks: OrderedDict[tuple[str, int], StoredEvents] = OrderedDict()

    @classmethod
    def from_settings(cls, settings: Settings) -> "Archive":
        """The archive where the settings say."""

        def open_blobs() -> Blobs:
            store = open_store(settings.blob_store_url, str(settings.data / "blobs"))
            return Blobs(store, f"{settings.namespace}/{FOLDER}")

        return cls(open_blobs)

    @property
    def blobs(self) -> Blobs:
        """The objects. Raises BlobStoreFailed."""
        self._opened = self._opened or self._open_blobs()
        return self._opened

    async def read(
        self, reference: str, *, count: int, before: int | None = None, after: int | None = None
    ) -> StoredEvents:
        """At most `count` ids and events of an object; see `Events.read` for which, and in which order.

        Raises ArchivedObjectGone, Damaged or BlobStoreFailed.
        """
        archived = ArchivedHistory.parse(reference)
        if after is not None and after >= archived.last_id:
            return []
        try:
            blocks = await self._index(archived)
            wanted = newer_first(blocks, before) if after is None else older_first(blocks, after, before)
            return await self._collect(archived.name, wanted, count, before, after)
        except BlobMissing as error:
            raise ArchivedObjectGone(f"the archive has no object {archived.name}") from error

    async def _collect(
        self, name: str, blocks: Iterator[Block], count: int, before: int | None, after: int | None
    ) -> StoredEvents:
        found: StoredEvents = []
        for block in blocks:
            if len(found) >= count:
                break
            events = await self._block(name, block)
            fitting = [
                entry
                for entry in (events if after is not None else reversed(events))
                if (before is None or entry[0] < before) and (after is None or entry[0] > after)
            ]
            found += fitting[: count - len(found)]
        return found

    async def _index(self, archived: ArchivedHistory) -> list[Block]:
        if archived.name not in self._indexes:
            data = await self._fetch(archived.name, archived.index_at, archived.size)
            self._indexes[archived.name] = read_index(data)
            if len(self._indexes) > INDEXES_KEPT:
                self._indexes.popitem(last=False)
        self._indexes.move_to_end(archived.name)
        return self._indexes[archived.name]

    async def _block(self, name: str, block: Block) -> StoredEvents:
        key = (name, block.offset)
        if key not in self._blocks:
            self._blocks[key] = unpack(await self._fetch(name, block.offset, block.offset + block.length))
            if len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    async def _fetch(self, name: str, start: int, stop: int) -> bytes:
        data = await self.blobs.read_range(name, start, stop)
        if len(data) != stop - start:
            raise Damaged(f"the archive's object {name} ends before byte {stop}")
        return data

    async def write(self, events: AsyncIterator[bytes]) -> ArchivedHistory | None:
        """Stores a history, given oldest first, reads it back, and returns where it is now; None where there is none.

        Raises Damaged where it is not what was given, BlobStoreFailed, and what `events` raises.
        """
        name = secrets.token_hex(16)
        packer = Packer()
        given = hashlib.sha256()
        size = index_at = 0

        async def packed() -> AsyncIterator[bytes]:
            nonlocal size, index_at
            async for event in events:
                given.update(event.replace(b"\n", b" "))
                if data := packer.add(event):
                    size += len(data)
                    yield data
            data, index_at = packer.finish()
            size += len(data)
            yield data

        await self.blobs.put(name, packed())
        if not packer.blocks:
            await self.blobs.delete(name)
            return None
        archived = ArchivedHistory(
            name, size, index_at, packer.blocks[-1].last, sum(block.events for block in packer.blocks)
        )
        try:
            if await self._digest(archived) != given.digest():
                raise Damaged(f"the archive's object {name} does not say what was written to it")
        except BaseException:
            await self.blobs.delete(name)
            raise
        return archived

    async def _digest(self, archived: ArchivedHistory) -> bytes:
        """The SHA-256 of an object's events, one after the other, as a reader finds them by its index."""
        digest = hashlib.sha256()
        for block in read_index(await self._fetch(archived.name, archived.index_at, archived.size)):
            events = unpack(await self._fetch(archived.name, block.offset, block.offset + block.length))
            ids = [event_id for event_id, _ in events]
            if (len(ids), ids[0], ids[-1]) != (block.events, block.first, block.last) or ids != sorted(set(ids)):
                raise Damaged(f"the archive's object {archived.name} has other events than its index says")
            for _, event in events:
                digest.update(event)
        return digest.digest()
