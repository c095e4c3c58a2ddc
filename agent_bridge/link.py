"""The thread in which a bridge talks to Redis, seen from the agent's side.

The agent's own loop may be busy for minutes; its lease must not lapse for that, or people would be told that nobody is
there. So the bridge has a thread with a loop of its own, and the agent's threads only hand things over.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent_bridge.encoding import SessionIdentity, encode
from agent_bridge.outgoing import Outgoing
from agent_bus.allowances import SESSION_EVENTS_PER_SECOND
from agent_bus.commands import LEASE_SECONDS, StopCommand
from agent_bus.event_records import EventRecord
from agent_bus.replication import NOBODY, Replication

if TYPE_CHECKING:
    from agent_bridge.attachment import Attachment

logger = logging.getLogger("agent_bridge")

# How long leaving may take when Redis is away; what could not be said by then is counted in the log. A connection that
# died without a word is found out after 5 s, and there must be time left to say it over another.
CLOSE_SECONDS = 8.0
# A process of its own that guards a program keeps nobody waiting, and alone knows that the program has ended.
GUARD_CLOSE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where Redis is, and how long a lease lasts there."""

    redis_url: str
    namespace: str
    lease_seconds: float = LEASE_SECONDS
    close_seconds: float = CLOSE_SECONDS
    replication: Replication = NOBODY
    """What events and the end of a stopped run wait for before they count as told."""
    guard: bool = False
    """The runs are begun and ended by what others report; the lease alone is ours."""
    resumed: bool = False
    """Guarding: the program is another one than a stop that still waits was meant for."""
    events_per_second: float = SESSION_EVENTS_PER_SECOND
    """How many are sent on average over ten seconds; 0 for no limit. The others wait in the buffer."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its last event, and whether the agent has ceased altogether.

    If it has not, a stop stays unconfirmed and the lease is left to lapse.
    """

    event: EventRecord
    ceased: bool = True


class Link:
    """One bridge's thread. Its methods may be called from any thread."""

    def __init__(
        self, identity: SessionIdentity, settings: LinkSettings, on_command: Callable[[StopCommand], None]
    ) -> None:
        """on_command: called in the link's thread with the stop for the run that is held, each time it is given."""
        self._identity = identity
        self._settings = settings
        self._on_command = on_command
        self._outgoing = Outgoing(lambda count: encode(identity, "events_dropped", {"count": count}))
        self._start = encode(identity, "session_start", {})
        self._started = threading.Event()
        self._closing: Future[Ending] = Future()
        # As good as `_closing.done()`, which takes a lock for each event.
        self._closed = False
        self.tried: Future[bool] = Future()
        """Whether the first attempt to take the lease succeeded; it is tried again, on and on."""
        self.ended: Future[None] = Future()
        """Done when all has been said and the thread ends."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._attachment: Attachment | None = None
        # Whether the thread has been told of events that it has not looked at yet: telling it costs a system call.
        self._told = False
        self._thread = threading.Thread(target=self._main, name="agent-bridge", daemon=True)

    def start(self) -> None:
        """Starts the thread; returns at once."""
        self._thread.start()
        self._started.wait()

    def _on_tried(self, attached: bool) -> None:
        if not self.tried.done():
            self.tried.set_result(attached)

    @property
    def superseded(self) -> bool:
        """Whether another bridge holds the session."""
        return self._attachment is not None and self._attachment.superseded

    def emit(self, event: EventRecord) -> bool:
        """Hands an event over, without waiting; False if the buffer is full and it was dropped, or all is over."""
        if self._closed:
            return False
        kept = self._outgoing.put(event)
        if not self._told:
            self._told = True
            self._in_thread(self._look)
        return kept

    def _look(self) -> None:
        self._told = False
        if self._attachment is not None:
            self._attachment.wake()

    def acknowledge(self, closing: EventRecord) -> None:
        """Says that the agent has ceased as it was told to. Saying it again changes nothing."""

        def acknowledge() -> None:
            if self._attachment is not None:
                self._attachment.acknowledge(closing)

        self._in_thread(acknowledge)

    def close(self, ending: Ending) -> None:
        """Begins to end: sends what waits, says how the run ended, and gives the lease back; `ended` says when."""
        if not self._closed:
            self._closed = True
            self._closing.set_result(ending)

    def _in_thread(self, action: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(action)
        except RuntimeError:
            # The loop has ended between the look and the call; nobody is there to do it any more.
            logger.debug("the bridge has ended", exc_info=True)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            logger.exception("the bridge of session %s has failed; the agent goes on unseen", self._identity.session_id)
        finally:
            self._started.set()
            self._on_tried(attached=False)
            self.ended.set_result(None)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        # Here, since it brings the Redis client with it: the agent's thread need not wait for that.
        from agent_bridge.attachment import Attachment

        self._attachment = Attachment(
            self._identity, self._settings, self._start, self._outgoing, self._on_command, self._on_tried
        )
        await self._attachment.serve(asyncio.wrap_future(self._closing))
