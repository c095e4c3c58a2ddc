"""A session's events: accepting them and reading them back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent_bus.bus import Argument, Bus
from agent_bus.commands import Appended, StopCommand
from agent_bus.event_records import EventRecord

# A page is made in memory. It ends early, saying that there is more, where events are large; one round trip reads part
# of it, so that it ends soon enough.
MAX_PAGE_BYTES = 16 * 1024 * 1024
PART = 256


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
    """The events of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys = bus.keys

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
                keys.produced(owner) if producer else "",
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

        Without `after`, the newest ones (older than `before`, where given); with it, the next ones that follow.
        """
        low, high = _between(after, before)
        found: list[tuple[bytes, bytes]] = []
        size = 0
        while True:
            # One more than is wanted tells whether there are more.
            wanted = min(limit + 1 - len(found), PART)
            known, entries = await self._part(session_id, low, high, wanted, newest_first=after is None)
            if not known:
                return None
            found += entries
            size += sum(len(event) for _, event in entries)
            if len(found) > limit or len(entries) < wanted or size > MAX_PAGE_BYTES:
                break
            edge = f"({entries[-1][0].decode()}"
            low, high = (low, edge) if after is None else (edge, high)
        has_more = len(found) > limit or (size > MAX_PAGE_BYTES and len(entries) == wanted)
        found = found[:limit]
        if after is None:
            found.reverse()
        ids = [_number(entry_id) for entry_id, _ in found]
        return EventPage([event for _, event in found], ids[0] if ids else None, ids[-1] if ids else None, has_more)

    async def read(
        self, session_id: str, *, count: int, before: int | None = None, after: int | None = None
    ) -> list[tuple[int, bytes]] | None:
        """Ids and events of one round trip, for a reader that goes on by itself; None for a session never heard of.

        Without `after`, the newest (older than `before`, where given), newest first; with it, the next, oldest first.
        """
        low, high = _between(after, before)
        known, entries = await self._part(session_id, low, high, count, newest_first=after is None)
        return [(_number(entry_id), event) for entry_id, event in entries] if known else None

    async def _part(
        self, session_id: str, low: str, high: str, count: int, *, newest_first: bool
    ) -> tuple[bool, list[tuple[bytes, bytes]]]:
        history = self._keys.history(session_id)
        async with self._bus.redis.pipeline(transaction=False) as pipe:
            pipe.exists(self._keys.session(session_id))
            if newest_first:
                pipe.xrevrange(history, max=high, min=low, count=count)
            else:
                pipe.xrange(history, min=low, max=high, count=count)
            known, entries = await pipe.execute()
        return bool(known), [(entry_id, fields[b"e"]) for entry_id, fields in entries]


def _between(after: int | None, before: int | None) -> tuple[str, str]:
    """Both ends of a range of the history, without the ids named."""
    return "-" if after is None else f"({after}-0", "+" if before is None else f"({before}-0"


def _number(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])
