"""A session's events: accepting them and reading them back."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agent_bus.bus import Argument, Bus
from agent_bus.commands import Appended, StopCommand
from agent_bus.event_records import EventRecord

# A page is made in memory. It ends early, saying that there is more, where events are large.
MAX_PAGE_BYTES = 16 * 1024 * 1024
# A round trip reads as many events as fit in CHUNK_BYTES, going by the largest of the round trip before. How large they
# really are shows only afterwards; so their number is bounded, too (64 of 1 MiB at worst), and grows by steps.
CHUNK_BYTES = 1024 * 1024
FIRST_CHUNK, LARGEST_CHUNK, GROWTH = 16, 64, 4
# A history moves while it is read: into the archive, or, with a run that has ended anew, into a newer object of it.
TRIES = 5

StoredEvents = list[tuple[int, bytes]]
"""Ids and events as JSON."""


class ArchivedObjectGone(Exception):
    """What a session's history was said to lie in is not there."""


class ArchiveReader(Protocol):
    """Reads events that have moved out of Redis; `agent_bus.archive` has the one there is."""

    async def read(self, reference: str, *, count: int, before: int | None, after: int | None) -> StoredEvents:
        """As `Events.read` does. reference: the session's field `archive`. Raises ArchivedObjectGone."""
        ...


class ChunkSize:
    """How many events to ask for in the next round trip, so that it stays small whatever their size."""

    def __init__(self) -> None:
        self.events = FIRST_CHUNK

    def learn(self, sizes: Sequence[int]) -> None:
        """Takes the sizes (bytes) of the events that the last round trip brought."""
        self.events = min(LARGEST_CHUNK, GROWTH * self.events, max(1, CHUNK_BYTES // max(sizes, default=1)))


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events as JSON, oldest first. `has_more`: there are more beyond the page's far end."""

    events: Sequence[bytes]
    first_id: int | None
    last_id: int | None
    has_more: bool


@dataclass(frozen=True, slots=True)
class Producer:
    """A bridge that counts its events, so that a batch sent twice is accepted once.

    run: the run that they belong to. owner: as in its lease. first: the first event's number in its count, from 1.
    """

    run: str
    owner: str
    first: int


class Events:
    """The events of one bus. A session's oldest may lie in the archive; whoever reads sees one history."""

    def __init__(self, bus: Bus, archive: ArchiveReader | None = None) -> None:
        self._bus = bus
        self._keys = bus.keys
        self._archive = archive

    def append_call(
        self, session_id: str, events: Sequence[EventRecord], producer: Producer | None = None
    ) -> list[Argument]:
        """EVALSHA's arguments for accepting some events of one session, which the first of them describes."""
        keys = self._keys
        source: Literal["http", "bridge"] = "bridge" if producer else "http"
        run, owner, first = (producer.run, producer.owner, producer.first) if producer else ("", "", 0)
        return self._bus.arguments(
            "append_events",
            [
                keys.session(session_id), keys.history(session_id), keys.sessions, keys.leases,
                *((keys.produced(owner),) if producer else ()),
            ],
            [
                session_id, source, run, owner, first,
                *events[0].description(),
                *(argument for event in events for argument in event.arguments()),
            ],
        )  # fmt: skip

    @staticmethod
    def read_append(reply: Sequence[Any]) -> Appended:
        """What the script answered."""
        last, command, run, accepted = reply
        return Appended(
            int(last) if last else None,
            run.decode(),
            accepted,
            StopCommand.from_json(command) if command else None,
        )

    async def page(
        self, session_id: str, *, limit: int, before: int | None = None, after: int | None = None
    ) -> EventPage | None:
        """A page of a session's events, oldest first; None for a session never heard of.

        Without `after`, the newest ones (older than `before`, where given); with it, the next ones that follow. Raises
        ArchivedObjectGone, and what the archive raises.
        """
        newest_first = after is None
        found: StoredEvents = []
        size = 0
        chunk_size = ChunkSize()
        while True:
            # One more than is wanted tells whether there are more.
            wanted = min(limit + 1 - len(found), chunk_size.events)
            chunk = await self.read(session_id, count=wanted, before=before, after=after)
            if chunk is None:
                return None
            found += chunk
            sizes = [len(event) for _, event in chunk]
            size += sum(sizes)
            if len(found) > limit or len(chunk) < wanted or size > MAX_PAGE_BYTES:
                break
            chunk_size.learn(sizes)
            if after is None:
                before = chunk[-1][0]
            else:
                after = chunk[-1][0]
        has_more = len(found) > limit or (size > MAX_PAGE_BYTES and len(chunk) == wanted)
        found = found[:limit]
        if newest_first:
            found.reverse()
        ids = [event_id for event_id, _ in found]
        return EventPage([event for _, event in found], ids[0] if ids else None, ids[-1] if ids else None, has_more)

    async def read(
        self, session_id: str, *, count: int, before: int | None = None, after: int | None = None
    ) -> StoredEvents | None:
        """At most `count` events of one round trip, for a reader that goes on by itself; None for an unknown session.

        Without `after`, the newest (older than `before`, where given), newest first; with it, the next, oldest first.
        Raises ArchivedObjectGone, and what the archive raises.
        """
        for attempt in range(TRIES):
            found = await self._in_redis(session_id, count, before, after)
            if found is None:
                return None
            reference, entries = found
            if not reference or (after is None and len(entries) == count):
                return entries
            if self._archive is None:
                raise LookupError(f"events of session {session_id!r} are in the archive, which is not open here")
            try:
                # Everything in the archive is older than everything in Redis.
                archived = await self._archive.read(
                    reference, count=count - (len(entries) if after is None else 0), before=before, after=after
                )
            except ArchivedObjectGone:
                if attempt + 1 == TRIES:
                    raise
                continue
            return entries + archived if after is None else (archived + entries)[:count]
        raise AssertionError("unreachable")

    async def until(self, session_id: str, last_id: int) -> AsyncIterator[tuple[int, bytes]]:
        """All events up to that id with their ids, oldest first, a round trip at a time.

        Ends early where the session is deleted meanwhile. Raises ArchivedObjectGone, and what the archive raises.
        """
        after = 0
        chunk_size = ChunkSize()
        while after < last_id:
            chunk = await self.read(session_id, count=chunk_size.events, after=after, before=last_id + 1)
            if not chunk:
                return
            for entry in chunk:
                yield entry
            after = chunk[-1][0]
            chunk_size.learn([len(event) for _, event in chunk])

    async def _in_redis(
        self, session_id: str, count: int, before: int | None, after: int | None
    ) -> tuple[str, StoredEvents] | None:
        """The session's `archive` field and its events in Redis, at one moment; None for an unknown session."""
        session, history = self._keys.session(session_id), self._keys.history(session_id)
        low, high = _between(after, before)
        while True:
            # No transaction, which a Redis without memory refuses. Events that went from here to there between the
            # commands show in the field, which is never the same again.
            async with self._bus.redis.pipeline(transaction=False) as pipe:
                pipe.hmget(session, "run", "archive")
                if after is None:
                    pipe.xrevrange(history, max=high, min=low, count=count)
                else:
                    pipe.xrange(history, min=low, max=high, count=count)
                pipe.hmget(session, "run", "archive")
                found, entries, found_then = await pipe.execute()
            if found == found_then:
                break
        run, reference = found
        if run is None:
            return None
        return (reference or b"").decode(), [(_number(entry_id), fields[b"e"]) for entry_id, fields in entries]


def _between(after: int | None, before: int | None) -> tuple[str, str]:
    """Both ends of a range of the history, without the ids named."""
    return "-" if after is None else f"({after}-0", "+" if before is None else f"({before}-0"


def _number(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])
