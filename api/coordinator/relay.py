"""From the bus to the browsers of this process.

One subscription serves all of them. A connection stands at a number, as the subscriber does: it is live once it has
caught up with the subscriber, and both are compared and joined without anything in between. So nothing is lost or
repeated between `init` (or the replay) and the live flow, and nothing needs to be held back meanwhile.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agent_bus.bus import Bus, BusMessage, Position
from agent_bus.sessions import SessionPage, Sessions
from agent_bus.subscriber import CHUNK, Subscriber
from api.coordinator.cursors import encode_cursor
from api.coordinator.outbox import SERVICE_RESTART, START_OVER, Batch, Outbox
from api.coordinator.rounds import Rounds

logger = logging.getLogger(__name__)

# How long browsers get to take what is buffered when the process goes down.
DRAIN_SECONDS = 3.0
# A subscriber notices a new epoch with the next message or within its reconnect.
EPOCH_SECONDS = 0.05
# How the messages begin that tell of a session's state (`emit` in agent_bus/scripts/bus.lua puts the type first).
_OF_A_SESSION = b'{"type":"session_'
# Each of them holds up to a chunk of messages, and each of those may have a megabyte.
REPLAYS_AT_ONCE = 8
# How soon a browser that waits for Redis is looked after again.
RETRY_SECONDS = 0.5


class Watch:
    """What is said of one session while somebody waits for it to change."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.latest: bytes | None = None
        """The newest message of the session's state, as JSON; None when messages may have been missed."""

    def tell(self, message: bytes | None) -> None:
        """Takes the next message, or that some are missing."""
        self.latest = message
        self.changed.set()


class Relay:
    """The browsers of one process, and whoever in it waits for a session to change."""

    def __init__(self, bus: Bus, live: Redis, *, init_sessions: int, control: Bus | None = None) -> None:
        """`live` is for the subscription: connected with retries=0 and timeout=None.

        control: what the subscription reads by, so that it need not wait for browsers that join; without it, `bus`.
        """
        self._bus = bus
        self._sessions = Sessions(bus)
        self._init_sessions = init_sessions
        self._source = Subscriber(control or bus, live, deliver=self._deliver, start_over=self._start_over)
        self._rounds = Rounds()
        self._unfiltered: set[Outbox] = set()
        self._by_session: dict[str, set[Outbox]] = {}
        self._watches: dict[str, set[Watch]] = {}
        self._snapshot: asyncio.Task[SessionPage] | None = None
        self._closing = False
        self._replays = asyncio.Semaphore(REPLAYS_AT_ONCE)
        self._replayed = 0
        self.received = 0
        """How many messages came from the bus."""

    async def run(self) -> None:
        """Follows the bus until cancelled."""
        await self._source.run()

    @property
    def ready(self) -> bool:
        """Whether messages flow from Redis at this moment."""
        return self._source.connected.is_set()

    @property
    def draining(self) -> bool:
        """Whether browsers are being let go, since the process ends."""
        return self._closing

    @property
    def delivered(self) -> int:
        """How many messages were handed to browsers; one that goes to two counts twice."""
        return self._rounds.handed + self._replayed

    @property
    def buffered(self) -> int:
        """How many bytes wait for browsers that are slower than they come."""
        return sum(outbox.buffered for outbox in self._everyone())

    async def behind(self) -> int:
        """How many messages Redis has that have not come yet. Raises RedisError."""
        return await self._source.behind()

    @property
    def connections(self) -> int:
        """How many browsers are connected."""
        return len(self._everyone())

    def _everyone(self) -> set[Outbox]:
        return self._unfiltered.union(*self._by_session.values())

    def _deliver(self, message: BusMessage) -> None:
        self.received += 1
        watching = self._by_session.get(message.session_id, ())
        # One that read on from the stream may have gone live ahead of the subscriber.
        self._rounds.add(message, (outbox for outbox in watching if outbox.live and outbox.seq < message.seq))
        if message.json.startswith(_OF_A_SESSION):
            for watch in self._watches.get(message.session_id, ()):
                watch.tell(message.json)

    def _start_over(self, position: Position) -> None:
        everyone = [outbox for outbox in self._everyone() if outbox.begun]
        logger.warning("starting over at %d in epoch %s; %d browsers", position.seq, position.epoch, len(everyone))
        self._rounds.finish()
        # `init` comes once a connection, so they come back for it.
        for outbox in everyone:
            outbox.close(START_OVER)
        for watches in self._watches.values():
            for watch in watches:
                watch.tell(None)

    @contextmanager
    def connected(self, outbox: Outbox) -> Iterator[None]:
        """Counts a browser in for the length of the block."""
        if self._closing:
            outbox.close(SERVICE_RESTART)
        homes = [self._by_session.setdefault(name, set()) for name in outbox.sessions] or [self._unfiltered]
        for home in homes:
            home.add(outbox)
        try:
            yield
        finally:
            outbox.leave()
            self._rounds.everyone.discard(outbox)
            for home in homes:
                home.discard(outbox)
            for name in outbox.sessions:
                if not self._by_session.get(name):
                    self._by_session.pop(name, None)

    @contextmanager
    def watching(self, session_id: str) -> Iterator[Watch]:
        """What is said of the session for the length of the block."""
        watch = Watch()
        watches = self._watches.setdefault(session_id, set())
        watches.add(watch)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches:
                self._watches.pop(session_id, None)

    async def join(self, outbox: Outbox) -> None:
        """Brings a browser to the live flow, however long Redis takes; to be cancelled when the connection ends."""
        while not outbox.live and outbox.close_code is None:
            await self._source.connected.wait()
            try:
                await self._catch_up(outbox)
            except (RedisError, OSError) as error:
                logger.warning("a browser waits for redis: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _catch_up(self, outbox: Outbox) -> None:
        if not outbox.begun and not await self._resume(outbox):
            await self._begin(outbox)
        count = CHUNK
        while outbox.close_code is None and not self._caught_up(outbox):
            # A browser that is slow, or whose messages are large, is read for in smaller pieces.
            await outbox.room()
            count = await self._replay(outbox, min(CHUNK, 2 * count))
            if not count:
                outbox.close(START_OVER)
                return

    def _caught_up(self, outbox: Outbox) -> bool:
        # No await between the comparison and the flag: whatever the subscriber delivers next finds the browser live.
        outbox.live = outbox.seq >= self._source.position.seq
        if outbox.live and not outbox.sessions:
            self._rounds.everyone.add(outbox)
        return outbox.live

    async def _resume(self, outbox: Outbox) -> bool:
        if outbox.since is None:
            return False
        head = await self._bus.position()
        if head.epoch != self._source.position.epoch or outbox.epoch not in (None, head.epoch):
            return False
        # From here on it is one that has to be told when the flow starts over.
        outbox.seq, outbox.begun = outbox.since, True
        outbox.begun = outbox.since == head.seq or (
            outbox.since < head.seq and await self._following(outbox, 1) is not None
        )
        if outbox.begun and outbox.tell_resumed:
            resumed = {"type": "resumed", "seq": outbox.since, "head": head.seq, "epoch": head.epoch}
            outbox.put(Batch([orjson.dumps(resumed)]))
        return outbox.begun

    async def _following(self, outbox: Outbox, limit: int) -> list[BusMessage] | None:
        """The next messages from the stream; None if it no longer has what follows."""
        messages = await self._bus.read(outbox.seq, limit=limit)
        return messages if messages and messages[0].seq == outbox.seq + 1 else None

    async def _replay(self, outbox: Outbox, limit: int) -> int:
        """Sends the next messages from the stream, as many as the browser has room for; returns how many, at least one.

        0 if the stream no longer has what follows.
        """
        async with self._replays:
            messages = await self._following(outbox, limit)
            if messages is None:
                return 0
            sent = 0
            for message in messages:
                # What does not fit is not held meanwhile, but read again.
                if sent and outbox.crowded:
                    break
                outbox.offer(message)
                sent += 1
                self._replayed += outbox.wants(message.session_id)
            return sent

    async def _begin(self, outbox: Outbox) -> None:
        while (snapshot := await self._snapshot_for(outbox)).position.epoch != self._source.position.epoch:
            # Redis has lost its past, and either the snapshot or the subscriber does not know it yet.
            await self._source.nudge()
            await asyncio.sleep(EPOCH_SECONDS)
        position = snapshot.position
        head = orjson.dumps({"type": "init", "seq": position.seq, "epoch": position.epoch, "total": snapshot.total})
        frame = head[:-1] + b',"next":' + orjson.dumps(snapshot.next and encode_cursor(snapshot.next))
        outbox.seq, outbox.begun = position.seq, True
        outbox.put(Batch([frame + b',"sessions":[' + b",".join(snapshot.sessions) + b"]}"]))

    async def _snapshot_for(self, outbox: Outbox) -> SessionPage:
        if not outbox.sessions:
            return await self._page()
        position = await self._bus.position()
        found = [await self._sessions.get(session_id) for session_id in sorted(outbox.sessions)]
        sessions = [session for session in found if session is not None]
        return SessionPage(position, len(sessions), sessions, None)

    async def _page(self) -> SessionPage:
        # Browsers that connect together share one snapshot; what came after it reaches each of them by number.
        if self._snapshot is None or self._snapshot.done():
            self._snapshot = asyncio.create_task(self._sessions.page(limit=self._init_sessions), name="init snapshot")
        return await asyncio.shield(self._snapshot)

    async def drain(self) -> None:
        """Lets every browser take what is buffered for it and closes it with "service restart"."""
        self._closing = True
        self._rounds.finish()
        everyone = self._everyone()
        for outbox in everyone:
            outbox.close(SERVICE_RESTART)
        if everyone:
            await asyncio.wait([asyncio.ensure_future(outbox.drained()) for outbox in everyone], timeout=DRAIN_SECONDS)
