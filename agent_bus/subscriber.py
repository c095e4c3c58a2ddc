"""Following the bus without gap or repeat: pub/sub gives latency, the stream gives certainty.

A subscriber knows the last number it delivered. A number that skips, or a new connection, makes it read what is missing
from the stream before it delivers anything later. When the channel has been silent for long it sends itself a probe: a
subscription that is broken without an error looks just like silence.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from agent_bus.bus import Bus, BusMessage, Position, parse_live
from agent_bus.connection import TIMEOUT_SECONDS
from agent_bus.sequence import Verdict, judge
from agent_bus.tasks import run_together

logger = logging.getLogger(__name__)

# Silence is normal on an idle system; a broken subscription is silent, too. A PUBLISH now and then costs nothing.
PROBE_AFTER_SECONDS = 5.0
PROBE_WAIT_SECONDS = 5.0
# Messages are up to a megabyte each: this many of the largest are what one reader may hold at once.
CHUNK = 64
# Under saturation the channel never runs dry; others on the loop get their turn after this many messages.
TURN = 128
BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS = 0.05, 2.0


class SubscriptionSilent(RedisConnectionError):
    """The subscriber's own probe did not come back: the subscription is broken, whatever the socket says."""


class Subscriber:
    """One subscription for a whole process. Run `run()` as a task; it reconnects by itself until cancelled."""

    def __init__(
        self,
        bus: Bus,
        redis: Redis,
        *,
        deliver: Callable[[BusMessage], None],
        start_over: Callable[[Position], None],
        probe_after: float = PROBE_AFTER_SECONDS,
        probe_wait: float = PROBE_WAIT_SECONDS,
    ) -> None:
        """Hands messages to the callbacks, in order, each once.

        redis: connected with retries=0 and timeout=None. deliver: takes the next message. start_over: takes a new
        position after which messages will follow, when what lies between can't be had any more.
        """
        self._bus = bus
        self._redis = redis
        self._deliver = deliver
        self._start_over = start_over
        self._probe_after = probe_after
        self._probe_wait = probe_wait
        self._probe_channel = bus.keys.probe(secrets.token_hex(8))
        self._position: Position | None = None
        self._last: BusMessage | None = None
        self._heard = asyncio.Event()
        self._heard_at = 0.0
        self.connected = asyncio.Event()
        """Set while messages flow."""

    @property
    def position(self) -> Position:
        """The last message that was delivered. Only once `connected` has been set."""
        if self._position is None:
            raise RuntimeError("the subscriber has not been connected yet")
        return self._position

    async def behind(self) -> int:
        """How many messages Redis has that were not delivered yet; 0 before the first connection. Raises RedisError."""
        if self._position is None:
            return 0
        head = await self._bus.position()
        # Delivery went on meanwhile; where it starts over, numbers of two epochs have no distance.
        return max(0, head.seq - self._position.seq) if head.epoch == self._position.epoch else 0

    async def run(self) -> None:
        """Follows the bus until cancelled."""
        failures = 0
        while True:
            try:
                await self._follow()
            except (RedisError, OSError) as error:
                failures = 0 if self.connected.is_set() else failures + 1
                self.connected.clear()
                delay = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** min(failures, 10))
                logger.warning("bus subscription lost (%s); next try in about %.2f s", error or repr(error), delay)
                await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 - spreads replicas, hides nothing
            finally:
                self.connected.clear()

    async def nudge(self) -> None:
        """Makes the subscriber look now whether Redis still knows its past."""
        await self._bus.redis.publish(self._probe_channel, b"")

    async def _follow(self) -> None:
        # A client that pools connections would hand a broken one back; a subscription has its own and throws it away.
        pubsub = self._redis.pubsub()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await pubsub.subscribe(self._bus.keys.live, self._probe_channel)
                for _ in range(2):
                    await pubsub.parse_response()
            await self._catch_up()
            self.connected.set()
            logger.info("following the bus from %d", self.position.seq)
            await run_together(bus_reader=self._read(pubsub), bus_probe=self._watch())
        finally:
            await pubsub.aclose()

    async def _read(self, pubsub: PubSub) -> None:
        live, clock = self._bus.keys.live.encode(), asyncio.get_running_loop().time
        turn = 0
        while True:
            kind, channel, payload = await pubsub.parse_response()
            self._heard_at = clock()
            self._heard.set()
            if kind == b"message":
                # A probe is an occasion to look whether Redis still knows its past.
                await (self._take(payload) if channel == live else self._catch_up())
            turn += 1
            if turn % TURN == 0:
                await asyncio.sleep(0)

    async def _take(self, payload: bytes) -> None:
        try:
            epoch, message = parse_live(payload)
        except ValueError:
            # It says that something happened, and the stream says what.
            logger.warning("bus: what came on the live channel is no message: %.100r", payload)
            await self._catch_up()
            return
        verdict = judge(self.position, epoch, message.seq)
        if verdict is Verdict.NEXT:
            self._hand_on(message)
        elif verdict is not Verdict.REPEAT:
            logger.info("bus: %s at %d, standing at %d", verdict.value, message.seq, self.position.seq)
            await self._catch_up()

    async def _catch_up(self) -> None:
        head = await self._bus.position()
        if self._position is None:
            await self._stand_at(head)
            return
        if head.epoch == self._position.epoch and not await self._is_remembered(head):
            epoch = await self._bus.renew_epoch(self._position)
            logger.error("redis has lost messages that were seen before; the bus goes on in epoch %s", epoch)
            head = await self._bus.position()
        if head.epoch != self._position.epoch:
            await self._jump(head)
            return
        while self._position.seq < head.seq:
            messages = await self._bus.read(self._position.seq, limit=CHUNK)
            if not messages or messages[0].seq != self._position.seq + 1:
                logger.warning("the replay window no longer reaches back to %d; starting over", self._position.seq)
                await self._jump(await self._bus.position())
                return
            for message in messages:
                self._hand_on(message)
            # Browsers take what they were handed before there is more.
            await asyncio.sleep(0)

    async def _is_remembered(self, head: Position) -> bool:
        """Whether Redis still knows the message that was delivered last, and under that number.

        A Redis that came back from an older state may have given the number to another message by now.
        """
        if head.seq < self.position.seq:
            return False
        if self._last is None or self._last.seq != self.position.seq:
            return True
        at = await self._bus.read(self.position.seq - 1, limit=1)
        return not at or at[0].seq != self._last.seq or at[0].json == self._last.json

    def _hand_on(self, message: BusMessage) -> None:
        self._position = Position(self.position.epoch, message.seq)
        self._last = message
        self._deliver(message)

    async def _jump(self, head: Position) -> None:
        await self._stand_at(head)
        self._start_over(head)

    async def _stand_at(self, head: Position) -> None:
        newest = await self._bus.read(head.seq - 1, limit=1) if head.seq else []
        self._last = newest[0] if newest and newest[0].seq == head.seq else None
        self._position = head

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        # Looked at now and then rather than woken by each message: that would cost as much as delivering it.
        self._heard_at = loop.time()
        while True:
            silence = loop.time() - self._heard_at
            if silence < self._probe_after:
                await asyncio.sleep(self._probe_after - silence)
                continue
            # What comes back may do so before PUBLISH is answered.
            self._heard.clear()
            await self.nudge()
            if await self._quiet(self._probe_wait):
                raise SubscriptionSilent("no message and no probe came back")

    async def _quiet(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return True
        return False
