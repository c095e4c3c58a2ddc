"""A bridge's conversation with Redis: holding the lease, hearing commands, sending events, telling how the run ended.

It survives outages: each part tries again, and what it has to say waits.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.asyncio.client import PubSub
from redis.exceptions import NoScriptError, RedisError, ResponseError

from agent_bridge.encoding import SessionIdentity
from agent_bridge.link import Ending, LinkSettings
from agent_bridge.outgoing import Batch, Outgoing
from agent_bridge.state import BridgeState
from agent_bus import tracing
from agent_bus.allowances import SESSION_EVENTS_VARIABLE, Allowances
from agent_bus.bus import Bus, NotReplicated
from agent_bus.commands import RENEWALS_PER_LEASE, Lease, StopCommand
from agent_bus.connection import TIMEOUT_SECONDS, connect
from agent_bus.contract import NewerContract
from agent_bus.contract import state as state_contract
from agent_bus.event_records import EventRecord
from agent_bus.events import Events, Producer
from agent_bus.keys import Keys
from agent_bus.refusals import explain_refusal
from agent_bus.sessions import Sessions
from agent_bus.tasks import end, run_together

logger = logging.getLogger("agent_bridge")

BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS = 0.05, 2.0
NEVER_ATTACHED_SECONDS = 1.0
# How long the end of a stopped run waits for events that Redis refuses: less than people wait for a stop.
REFUSED_SECONDS = 2.0
EVENTS_PENDING = "events_pending"
"""In the closing event of a stopped run: how many events from before it Redis had not taken yet."""


class Attachment:
    """One bridge's part in the bus, from entering to leaving. Everything here runs on the link's loop."""

    def __init__(
        self,
        identity: SessionIdentity,
        settings: LinkSettings,
        start: EventRecord,
        outgoing: Outgoing,
        on_command: Callable[[StopCommand], None],
        on_tried: Callable[[bool], None],
    ) -> None:
        """on_tried: told whether the lease is held, after each attempt to take or keep it."""
        self._session_id = identity.session_id
        self._settings = settings
        self._start = start
        self._outgoing = outgoing
        self._on_command = on_command
        self._on_tried = on_tried
        self._owner = secrets.token_hex(8)
        self._state = BridgeState()
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._allowance = Allowances(settings.events_per_second)
        self._slowed = False
        self._ceased = asyncio.Event()
        self._attended = False
        self._refused = False
        self._epoch = ""
        self._acknowledging: asyncio.Task[None] | None = None
        tracing.join()
        self._stopping: tracing.Span | None = None
        # Three of them, so that the lease, and the word that the agent has ceased, wait for no event.
        self._redis = connect(settings.redis_url, name="bridge", retries=0, max_connections=2)
        self._sending = connect(settings.redis_url, name="bridge-events", retries=0, max_connections=1)
        self._live = connect(settings.redis_url, name="bridge-control", retries=0, timeout=None, max_connections=1)
        self._bus = Bus(self._redis, Keys(settings.namespace), replication=settings.replication)
        self._sessions = Sessions(self._bus)
        self._events = Events(self._bus)

    @property
    def superseded(self) -> bool:
        """Whether another bridge holds the session, or another run of it has begun."""
        return self._state.superseded

    def wake(self) -> None:
        """There are events to send."""
        self._wake.set()

    def acknowledge(self, closing: EventRecord) -> None:
        """The agent has ceased as it was told to; tells Redis, once."""
        if self._acknowledging is None and self._state.command is not None:
            self._ceased.set()
            self._acknowledging = asyncio.create_task(
                self._acknowledge(self._state.command, closing), name="bridge acknowledgement"
            )

    async def serve(self, closing: Awaitable[Ending]) -> None:
        """Attaches and stays attached until `closing` says how the run ended; then tells it."""
        tasks = [
            asyncio.create_task(self._stay_attached(), name="bridge control"),
            asyncio.create_task(self._send(), name="bridge sending"),
        ]
        try:
            ending = await closing
            self._ceased.set()
            self._outgoing.close()
            # A Redis that has not been there all along is not worth as long a wait.
            patience = self._settings.close_seconds if self._state.run is not None else NEVER_ATTACHED_SECONDS
            async with asyncio.timeout(patience):
                await self._finish(ending)
        except TimeoutError:
            logger.warning(
                "redis took no more while session %s ended: %d events were not told"
                if self._state.acknowledged
                else "redis could not be reached while session %s ended: %d events and how it ended were not told",
                self._session_id,
                len(self._outgoing),
            )
        finally:
            if self._acknowledging is not None:
                tasks.append(self._acknowledging)
            await end(tasks)
            self._trace_end("not acknowledged")
            for client in (self._redis, self._sending, self._live):
                await client.aclose()

    async def _finish(self, ending: Ending) -> None:
        await self._all_sent(unless_told_to_stop=True)
        if self._state.command is not None and ending.ceased:
            self.acknowledge(ending.event)
            assert self._acknowledging is not None
            await asyncio.shield(self._acknowledging)
        else:
            await self._all_sent()
            self._outgoing.put(ending.event)
            self._wake.set()
        await self._all_sent()

    async def _stay_attached(self) -> None:
        failures = 0
        told: str | None = None
        while True:
            try:
                await self._attend()
            except (RedisError, OSError) as error:
                self._on_tried(False)
                await self._let_go()
                failures = 1 if self._attended else failures + 1
                self._attended = False
                refusal = explain_refusal(error, self._settings.redis_url)
                # A Redis that was away may come back and refuse us, which somebody has to mend.
                if refusal is not None and (failures == 1 or refusal != told):
                    logger.warning("%s; until then session %s waits", refusal, self._session_id)
                elif failures == 1 and isinstance(error, NewerContract):
                    logger.warning("session %s is not shown and can't be stopped: %s", self._session_id, error)
                elif failures == 1:
                    logger.warning("redis is away (%s); session %s waits", error, self._session_id)
                told = refusal
            await asyncio.sleep(_backoff(failures))

    async def _attend(self) -> None:
        """One connection's worth of holding the lease and hearing commands."""
        pubsub = self._live.pubsub()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await pubsub.subscribe(self._bus.keys.control(self._session_id))
                await pubsub.parse_response()
            # Only after subscribing: a stop that was given before is in the answer, one that is given later is heard.
            await self._renew()
            self._attended = True
            await run_together(bridge_lease=self._keep_renewing(), bridge_control=self._hear(pubsub))
        finally:
            await pubsub.aclose()

    async def _hear(self, pubsub: PubSub) -> None:
        while True:
            kind, _, payload = await pubsub.parse_response()
            if kind != b"message":
                continue
            command = StopCommand.heard(payload)
            if command is None or command.run != self._state.run:
                # Another run has begun, perhaps under this lease; Redis knows.
                await self._renew()
            # Pressing Stop again asks an agent again that has not reacted.
            elif self._state.ordered(command) or self._state.command == command:
                self._tell(command)

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / RENEWALS_PER_LEASE)
            await self._renew()

    async def _renew(self) -> None:
        state, seconds = self._state, self._settings.lease_seconds
        if state.acknowledged:
            return
        was_superseded = state.superseded
        if state.run is None:
            lease = await self._take(seconds)
        else:
            epoch = (await self._bus.position()).epoch
            lease = await self._sessions.renew(
                self._session_id, self._owner, state.run, self._start, lease_seconds=seconds
            )
            if lease.outcome == "held":
                # A past that was lost and put back is this lease's, too.
                self._epoch = epoch
            if self._is_lost(lease) and state.command is None and await self._past_is_lost():
                logger.warning("redis has lost the run of session %s; it begins anew", self._session_id)
                state.forget()
                lease = await self._take(seconds)
        command = state.leased(lease)
        if state.superseded and not was_superseded:
            logger.warning("session %s is held elsewhere; stops do not reach this bridge", self._session_id)
        # First the stop: an agent that has entered knows of one that was waiting for it.
        self._tell(command)
        self._on_tried(True)
        self._progress.set()
        self._wake.set()

    def _is_lost(self, lease: Lease) -> bool:
        """Whether Redis may have lost the run: the session is gone or, as in a backup, stands at another one."""
        return lease.outcome == "gone" or (lease.outcome == "superseded" and not self._state.superseded)

    async def _past_is_lost(self) -> bool:
        """Whether Redis has lost the past in which the lease was taken; if not, somebody deleted or took it."""
        return (await self._bus.position()).epoch != self._epoch

    async def _take(self, seconds: float) -> Lease:
        await state_contract(self._bus)
        # Read first: of a past that is lost in between, the lease is not.
        self._epoch = (await self._bus.position()).epoch
        if self._settings.guard:
            resumed = self._settings.resumed
            return await self._sessions.guard(
                self._session_id, self._owner, self._start, resumed=resumed, lease_seconds=seconds
            )
        return await self._sessions.enter(self._session_id, self._owner, self._start, lease_seconds=seconds)

    def _tell(self, command: StopCommand | None) -> None:
        if command is None:
            return
        if self._stopping is None:
            named = {tracing.SESSION_ID: command.session_id, tracing.COMMAND_ID: command.command_id}
            self._stopping = tracing.begin(
                "stop of the agent", "CONSUMER", attributes=named | {tracing.RUN: command.run}
            )
        self._on_command(command)
        self._progress.set()

    def _trace_end(self, outcome: str) -> None:
        if self._stopping is not None:
            self._stopping.set(tracing.OUTCOME, outcome)
            self._stopping.end()
            # What is said once it is over changes nothing of it.
            self._stopping = tracing.NO_SPAN

    async def _send(self) -> None:
        """Sends events in order, a batch at a time, each until Redis has it."""
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._state.run is not None and (batch := self._outgoing.batch()):
                await self._turn(len(batch.events))
                if (run := self._state.run) is None:
                    break
                try:
                    await self._append(batch, run)
                except NoScriptError:
                    await self._teach()
                except (RedisError, OSError) as error:
                    failures += 1
                    self._refused = isinstance(error, ResponseError | NotReplicated)
                    await self._let_go()
                    if failures == 1:
                        why = explain_refusal(error, self._settings.redis_url) or error
                        logger.warning("events of session %s wait: %s", self._session_id, why)
                    await asyncio.sleep(_backoff(failures))
                else:
                    failures = 0
                    self._refused = False
                    self._outgoing.sent(batch)
                    self._progress.set()

    async def _turn(self, events: int) -> None:
        """Waits until so many may be sent. An agent that has ceased says nothing more: what is left may go at once."""
        while not self._ceased.is_set() and (wait := self._allowance.take(self._session_id, events)):
            if not self._slowed:
                self._slowed = True
                logger.warning(
                    "session %s says more than %g events a second; they wait, and are dropped when the buffer is full "
                    "(%s)", self._session_id, self._allowance.per_second, SESSION_EVENTS_VARIABLE,
                )  # fmt: skip
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._ceased.wait()

    async def _let_go(self) -> None:
        """Ends the connections that nobody uses: where one has died without a word, the others have, as a rule.

        Each would cost whoever takes it the time until that is found out: too long for an agent that leaves.
        """
        try:
            for client in (self._redis, self._sending):
                await client.connection_pool.disconnect(inuse_connections=False)
        except (RedisError, OSError) as error:
            logger.debug("a connection could not be closed in order: %s", error)

    async def _teach(self) -> None:
        try:
            await self._bus.load("append_events")
        except (RedisError, OSError) as error:
            logger.debug("redis went away again: %s", error)

    async def _append(self, batch: Batch, run: str) -> None:
        producer = Producer(run, self._owner, batch.first)
        call = self._events.append_call(self._session_id, batch.events, producer)
        (reply,) = await self._bus.execute([call], self._sending)
        if isinstance(reply, Exception):
            raise reply
        appended = self._events.read_append(reply)
        self._tell(self._state.ordered(appended.command))

    async def _all_sent(self, *, unless_told_to_stop: bool = False) -> None:
        while self._state.run is None or len(self._outgoing):
            if unless_told_to_stop and self._state.command is not None:
                return
            self._progress.clear()
            await self._progress.wait()

    async def _all_sent_or_refused(self) -> int:
        """Waits for what was said before; returns how many events Redis has been refusing for too long to wait."""
        while True:
            try:
                async with asyncio.timeout(REFUSED_SECONDS):
                    await self._all_sent()
            except TimeoutError:
                # One that is away takes the end no sooner than the events; one without memory does.
                if self._refused and (pending := len(self._outgoing)):
                    return pending
            else:
                return 0

    async def _acknowledge(self, command: StopCommand, closing: EventRecord) -> None:
        failures = 0
        while True:
            try:
                # What the agent said before it ceased comes before its end, unless nobody can say for how long.
                pending = await self._all_sent_or_refused()
                told = closing.adding(EVENTS_PENDING, pending) if pending else closing
                outcome = await self._sessions.acknowledge_stop(
                    command.session_id, command.run, told, command.command_id
                )
            except (RedisError, OSError) as error:
                failures += 1
                await self._let_go()
                logger.warning("the end of session %s could not be told yet: %s", self._session_id, error)
                await asyncio.sleep(_backoff(failures))
            else:
                self._state.acknowledged = True
                self._trace_end(outcome)
                logger.info("stop of session %s acknowledged: %s", self._session_id, outcome)
                return


def _backoff(failures: int) -> float:
    delay: float = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2 ** min(failures, 10))
    return delay * random.uniform(0.5, 1)  # noqa: S311 - spreads bridges, hides nothing
