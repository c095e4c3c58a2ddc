"""Ending runs whose agent must be lost: nobody holds them, and nothing has been heard of them for a long time."""

from typing import Any

from agent_bus.bus import Bus
from agent_bus.event_encoding import closing_event
from agent_bus.timestamps import as_agreed

LOST = "lost"
"""The reason that such a run's last event gives."""

# One round trip reads so many sessions; it takes Redis about a millisecond.
PART = 500


class LostRuns:
    """The lost runs of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys = bus.keys

    async def end(self, silence_seconds: float) -> int:
        """Ends every run without a lease and without an event for so long; returns how many. Raises RedisError."""
        ended = 0
        cursor = 0
        while True:
            found: Any
            cursor, found = await self._bus.redis.zscan(self._keys.sessions_of_status("running"), cursor, count=PART)
            for session_id in await self._silent([name.decode() for name, _ in found], silence_seconds):
                ended += await self._end(session_id, silence_seconds)
            if cursor == 0:
                return ended

    async def _silent(self, session_ids: list[str], silence_seconds: float) -> list[str]:
        # Only a choice of whom to look at, since most are busy; the script decides.
        seconds, _ = await self._bus.redis.time()
        latest = as_agreed(seconds + 1 - silence_seconds).encode()
        async with self._bus.redis.pipeline(transaction=False) as pipe:
            for session_id in session_ids:
                pipe.hget(self._keys.session(session_id), "modified_at")
            modified = await pipe.execute()
        return [name for name, at in zip(session_ids, modified, strict=True) if at is not None and at < latest]

    async def _end(self, session_id: str, silence_seconds: float) -> int:
        keys = self._keys
        closing = closing_event(session_id, session_id, LOST)
        ended: int = await self._bus.run(
            "end_lost_run",
            [keys.session(session_id), keys.history(session_id), keys.sessions, keys.leases],
            [session_id, round(silence_seconds), closing.json_tail],
        )
        return ended
