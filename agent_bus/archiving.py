"""Moving the histories of sessions that are over, and have been quiet, out of Redis into the archive."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from agent_bus.archive import Archive, ArchivedHistory
from agent_bus.archive_format import Damaged
from agent_bus.bus import Bus
from agent_bus.events import Events
from agent_bus.timestamps import as_agreed

OVER = ("finished", "stopped")
# One round trip looks at so many sessions; it takes Redis about a millisecond.
PART = 500


class Archiving:
    """The moves of one namespace."""

    def __init__(self, bus: Bus, archive: Archive) -> None:
        self._bus = bus
        self._keys = bus.keys
        self._archive = archive
        self._events = Events(bus, archive)

    async def quiet(self, silence_seconds: float) -> AsyncIterator[str]:
        """The ids of sessions that are over, have had no event for so long, and have events in Redis.

        Some may come twice. Raises RedisError.
        """
        # Only a choice of whom to look at; the script decides. By Redis' clock, as the times that it is compared with.
        clock: Any = await self._bus.redis.time()
        latest = as_agreed(clock[0] - silence_seconds + 1).encode()
        for status in OVER:
            cursor = 0
            while True:
                found: Any
                index = self._keys.sessions_of_status(status)
                cursor, found = await self._bus.redis.zscan(index, cursor, count=PART)
                for session_id in await self._movable([name.decode() for name, _ in found], latest):
                    yield session_id
                if cursor == 0:
                    break

    async def _movable(self, session_ids: list[str], latest: bytes) -> list[str]:
        async with self._bus.redis.pipeline(transaction=False) as pipe:
            for session_id in session_ids:
                pipe.hget(self._keys.session(session_id), "modified_at")
                pipe.exists(self._keys.history(session_id))
            answers = await pipe.execute()
        return [
            session_id
            for session_id, modified_at, in_redis in zip(session_ids, answers[::2], answers[1::2], strict=True)
            if in_redis and modified_at is not None and modified_at <= latest
        ]

    async def move(self, session_id: str, silence_seconds: float) -> bool:
        """Moves a session's whole history; False where it has gone on or is gone, and then nothing has changed.

        What was in the archive of it before is written anew together with the rest, and belongs to nobody afterwards.
        Raises RedisError, BlobStoreFailed, Damaged or ArchivedObjectGone.
        """
        before: Any = await self._bus.redis.hget(self._keys.session(session_id), "archive")
        newest = await self._events.read(session_id, count=1)
        if not newest:
            return False
        last_id = newest[0][0]
        moved = await self._archive.write(self._history(session_id, last_id))
        if moved is None:
            return False
        settled = await self._settle(session_id, (before or b"").decode(), moved, last_id, silence_seconds)
        if settled == 1:
            return True
        await self._archive.blobs.delete(moved.name)
        if settled < 0:
            raise Damaged(f"of session {session_id!r} only {moved.events} events can be read; it stays where it is")
        return False

    async def _settle(
        self, session_id: str, before: str, moved: ArchivedHistory, last_id: int, silence_seconds: float
    ) -> int:
        keys = self._keys
        settled: int = await self._bus.change(
            "archive_history",
            [keys.session(session_id), keys.history(session_id), keys.sessions, keys.leases, keys.archived],
            [session_id, before, str(moved), last_id, round(silence_seconds)],
        )
        return settled

    async def _history(self, session_id: str, last_id: int) -> AsyncIterator[bytes]:
        async for _, event in self._events.until(session_id, last_id):
            yield event

    async def known(self, names: Sequence[str]) -> list[bool]:
        """Of each of the archive's objects, whether it is, or once was, a session's. Raises RedisError."""
        if not names:
            return []
        scores: Any = await self._bus.redis.zmscore(self._keys.archived, list(names))
        return [score is not None for score in scores]

    async def remove_unused(self, age_seconds: float) -> int:
        """Removes objects that ceased so long ago to be a session's; returns how many.

        Not at once: a Redis that is killed or fails over may forget the last second, and want them back.
        Raises RedisError or BlobStoreFailed.
        """
        removed = 0
        while names := await self._bus.due(self._keys.archived, ago_ms=round(age_seconds * 1000), limit=PART):
            for name in names:
                await self._archive.blobs.delete(name)
                await self._bus.redis.zrem(self._keys.archived, name)
            removed += len(names)
        return removed
