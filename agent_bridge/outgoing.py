"""Events on their way to Redis: a bounded buffer between the agent's threads and the link's.

Emitting never waits. When Redis is away for so long that the buffer is full, or the agent says more than it may,
what comes then is dropped and counted, and the count goes out as an event of its own in the place of what is missing.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent_bus.event_records import EventRecord

# A chatty agent's quarter of an hour; 16 MiB is what a stranger's process can spare.
MAX_EVENTS = 10_000
MAX_BYTES = 16 * 1024 * 1024
# One script call takes this much: about a millisecond of Redis' time.
BATCH_EVENTS, BATCH_BYTES = 200, 512 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest events, and the first one's number in the producer's count (from 1)."""

    first: int
    events: Sequence[EventRecord]


class Outgoing:
    """The buffer. `put` may be called from any thread; `batch` and `sent` belong to the link."""

    def __init__(
        self,
        dropped_event: Callable[[int], EventRecord],
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """dropped_event: makes the event that says how many are missing."""
        self._dropped_event = dropped_event
        self._max_events, self._max_bytes = max_events, max_bytes
        self._lock = threading.Lock()
        self._events: deque[EventRecord] = deque()
        self._bytes = 0
        self._first = 1
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def dropped(self) -> int:
        """How many were dropped and not yet reported."""
        return self._dropped

    def put(self, event: EventRecord) -> bool:
        """Takes an event; False if it had to be dropped."""
        with self._lock:
            full = len(self._events) >= self._max_events or self._bytes + len(event.json_tail) > self._max_bytes
            if full and self._events:
                self._dropped += 1
                return False
            if self._dropped:
                self._append(self._dropped_event(self._dropped))
                self._dropped = 0
            self._append(event)
            return True

    def _append(self, event: EventRecord) -> None:
        self._events.append(event)
        self._bytes += len(event.json_tail)

    def close(self) -> None:
        """Says what is missing at the end, if anything is; nothing else will come."""
        with self._lock:
            if self._dropped:
                self._append(self._dropped_event(self._dropped))
                self._dropped = 0

    def batch(self) -> Batch | None:
        """The oldest events, which stay until `sent`; None if there are none."""
        with self._lock:
            if not self._events:
                return None
            events: list[EventRecord] = []
            size = 0
            for event in self._events:
                size += len(event.json_tail)
                if events and (len(events) >= BATCH_EVENTS or size > BATCH_BYTES):
                    break
                events.append(event)
            return Batch(self._first, events)

    def sent(self, batch: Batch) -> None:
        """Forgets a batch that Redis has."""
        with self._lock:
            for _ in batch.events:
                self._bytes -= len(self._events.popleft().json_tail)
            self._first += len(batch.events)

    @property
    def next_number(self) -> int:
        """The number that the next event will have."""
        with self._lock:
            return self._first + len(self._events)
