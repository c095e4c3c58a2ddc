"""Group commit: what arrives while Redis is busy with one round trip goes out together in the next.

A write is answered when its own script has run. Nothing is ever sent twice: when a connection breaks in the middle,
the writes under way are refused, since nobody can know whether they were accepted.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from agent_bus.bus import Argument, Bus, NotReplicated
from agent_bus.commands import Appended
from agent_bus.event_records import EventRecord
from agent_bus.events import Events

logger = logging.getLogger(__name__)

# Beyond a few hundred commands a longer pipeline saves nothing more and delays its first answer.
BATCH = 256
# Events may have a megabyte each; so much is a few milliseconds of Redis' time, in which a stop has to wait.
BATCH_BYTES = 4 * 1024 * 1024
# At 5,000 events/s two seconds' worth: a longer queue is an outage, and better said at once.
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 1024 * 1024


class WriterFull(RedisError):
    """Redis does not keep up and the queue is full; try again shortly."""


class WriterStopped(RedisError):
    """The process is going down; try another one."""


class Waiting(NamedTuple):
    """An append that waits: the script's arguments, its events' bytes, and where its answer goes."""

    call: list[Argument]
    size: int
    answer: "asyncio.Future[Appended]"


class EventWriter:
    """Appends events on one connection that never sends a command again. Run `run()` as a task while it is in use."""

    def __init__(self, bus: Bus, redis: Redis) -> None:
        """`redis` must have been connected with retries=0."""
        self._bus = bus
        self._events = Events(bus)
        self._redis = redis
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.accepted = 0
        """How many appends were accepted."""
        self.refused = 0
        """How many were refused, or may not have been accepted."""
        self.crowded_out = 0
        """How many of the refused found the queue full."""
        self._full = False

    @property
    def waiting(self) -> int:
        """How many appends wait for their turn."""
        return len(self._waiting)

    async def append(self, session_id: str, events: Sequence[EventRecord]) -> Appended:
        """Accepts the events. Raises RedisError when they were refused or may not have been accepted."""
        size = sum(len(event.json_tail) for event in events)
        if len(self._waiting) >= MAX_WAITING or (self._waiting and self._bytes + size > MAX_WAITING_BYTES):
            self.refused += 1
            self.crowded_out += 1
            if not self._full:
                self._full = True
                logger.warning("%d events, %d bytes, wait for redis; more are refused", len(self._waiting), self._bytes)
            raise WriterFull(f"{len(self._waiting)} events wait for it")
        answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(self._events.append_call(session_id, events), size, answer))
        self._bytes += size
        self._wake.set()
        return await answer

    async def run(self) -> None:
        """Sends what waits, until cancelled; what waits then is refused."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    batch = self._next_batch()
                    await self._send(batch)
                    # Only now, also for those whose callers have left: what is on its way is held, too.
                    self._bytes -= sum(each.size for each in batch)
                if self._full:
                    self._full = False
                    logger.info("redis has taken all events that waited")
        finally:
            self._refuse_waiting(WriterStopped("shutting down; the event was not kept"))

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._waiting and len(batch) < BATCH and (not batch or size + self._waiting[0].size <= BATCH_BYTES):
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        return batch

    def _refuse_waiting(self, error: RedisError) -> None:
        while self._waiting:
            each = self._waiting.popleft()
            self._bytes -= each.size
            self.refused += 1
            if not each.answer.done():
                each.answer.set_exception(error)

    async def _send(self, batch: list[Waiting]) -> None:
        try:
            replies = await self._bus.execute([each.call for each in batch], self._redis)
            unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if unknown:
                await self._bus.load("append_events")
                again = await self._bus.execute([batch[index].call for index in unknown], self._redis)
                for index, reply in zip(unknown, again, strict=True):
                    replies[index] = reply
        except (RedisError, OSError) as error:
            replies = [error] * len(batch)
            if isinstance(error, RedisTimeoutError | TimeoutError):
                # A Redis that hangs would keep each batch waiting for as long, one after the other.
                self._refuse_waiting(WriterFull("it does not answer, and the event was not kept"))
        except asyncio.CancelledError:
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(WriterStopped("shutting down; the event may not have been kept"))
            raise
        if any(isinstance(reply, NotReplicated) for reply in replies):
            # The next batch would wait for the replicas as long.
            self._refuse_waiting(WriterFull("Redis' replicas do not keep up; the event was not kept"))
        failed = sum(isinstance(reply, Exception) for reply in replies)
        self.refused += failed
        self.accepted += len(replies) - failed
        for each, reply in zip(batch, replies, strict=True):
            answer = each.answer
            if answer.done():
                continue
            try:
                answer.set_result(self._read(reply))
            except Exception as error:  # noqa: BLE001 - told to the one who asked; the others get their answers
                answer.set_exception(error)

    def _read(self, reply: Any) -> Appended:
        if isinstance(reply, Exception):
            raise reply
        return self._events.read_append(reply)
