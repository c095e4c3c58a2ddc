"""Makes the indexes of the documents right again, whatever befell them: the documents' own hashes are the truth.

Each step is an atomic script that looks at the hashes, so writers may go on meanwhile.
"""

from collections.abc import AsyncIterator
from typing import Any

from agent_bus.bus import Bus
from agent_bus.tags import TagAggregate

# Ids looked at in one script: about 5 ms of Redis.
AT_ONCE = 200


class DocumentIndex:
    """The indexes of one bus: all documents by creation, their file names, and a set for each tag."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._redis = bus.redis
        self._keys = bus.keys

    async def rebuild(self) -> int:
        """Repairs every index and brings the tag aggregate up to date. Returns how many entries were wrong."""
        keys = self._keys
        wrong = 0
        for key, kind in ((keys.documents, b"zset"), (keys.filenames, b"hash"), (keys.tags, b"set")):
            wrong += await self._drop_unless(key, kind)
        async for name in self._scan(keys.tag_prefix):
            wrong += await self._drop_unless(keys.tag(name), b"zset")
        wrong += await self._repair_documents(self._scan(keys.document_prefix))
        wrong += await self._repair_documents(self._indexed())
        wrong += await self._repair_tags()
        aggregate = TagAggregate(self._bus)
        await self._drop_unless(keys.tags_aggregate, b"hash")
        await aggregate.renew()
        await aggregate.materialise()
        return wrong

    async def _drop_unless(self, key: str, kind: bytes) -> int:
        if await self._redis.type(key) in (kind, b"none"):
            return 0
        return int(await self._redis.delete(key))

    async def _scan(self, prefix: str) -> AsyncIterator[str]:
        async for key in self._redis.scan_iter(match=f"{prefix}*", count=1000):
            yield key.decode().removeprefix(prefix)

    async def _indexed(self) -> AsyncIterator[str]:
        async for document_id, _ in self._redis.zscan_iter(self._keys.documents, count=1000):
            yield document_id.decode()
        async for document_id, _ in self._redis.hscan_iter(self._keys.filenames, count=1000):
            yield document_id.decode()

    async def _repair_documents(self, ids: AsyncIterator[str]) -> int:
        keys, wrong = self._keys, 0
        async for some in _batches(ids):
            wrong += await self._bus.run(
                "repair_documents",
                (keys.documents, keys.filenames, keys.tags),
                (keys.document_prefix, keys.tag_prefix, *some),
            )
        return wrong

    async def _repair_tags(self) -> int:
        keys, wrong = self._keys, 0
        in_use: Any = await self._redis.smembers(keys.tags)
        names = {name.decode() for name in in_use}
        names.update([name async for name in self._scan(keys.tag_prefix)])
        for name in names:
            members: Any = await self._redis.zrange(keys.tag(name), 0, -1)
            ids = [member.decode() for member in members]
            for start in range(0, max(len(ids), 1), AT_ONCE):
                some = ids[start : start + AT_ONCE]
                wrong += await self._bus.run(
                    "repair_tag", (keys.tag(name), keys.tags), (keys.document_prefix, name, *some)
                )
        return wrong


async def _batches(ids: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for document_id in ids:
        batch.append(document_id)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
