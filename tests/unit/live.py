"""What tests of the live flow share: making messages without sessions, following them, and waiting for a condition."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from agent_bus.bus import Bus, BusMessage, Position
from agent_bus.connection import connect
from agent_bus.scripts import script
from agent_bus.subscriber import Subscriber
from agent_bus.tasks import end

T = TypeVar("T")

DEADLINE_SECONDS = 20.0


async def eventually(condition: Callable[[], T], what: str) -> T:
    """The first truthy value of the condition, or a failure that says what was waited for."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {DEADLINE_SECONDS} s for {what}")
        await asyncio.sleep(0.002)
    return value


_EMIT = script("bus").text + "\nreturn emit(ARGV[4], 'note', function() return ARGV[5] end)"


async def emit(bus: Bus, session_id: str = "s", rest: str = '"note":1}') -> int:
    """Puts one message on the bus the way the scripts do; returns its number."""
    keys = bus.keys
    reply: Any = await bus.redis.eval(
        _EMIT,
        3,
        keys.counter,
        keys.stream,
        keys.epoch,
        keys.live,
        bus.replay_window,
        secrets.token_hex(4),
        session_id,
        rest,
    )
    return int(reply)


class Follower:
    """A subscriber with what it said, in order: messages as numbers, starting over as positions."""

    def __init__(self, bus: Bus, url: str, *, probe_after: float = 30.0, probe_wait: float = 5.0) -> None:
        self.heard: list[int | Position] = []
        self.messages: list[BusMessage] = []
        self.connections = 0
        self.live = connect(url, name="follower", retries=0, timeout=None)
        self.subscriber = Subscriber(
            bus, self.live, deliver=self._deliver, start_over=self.heard.append,
            probe_after=probe_after, probe_wait=probe_wait,
        )  # fmt: skip

    def _deliver(self, message: BusMessage) -> None:
        self.messages.append(message)
        self.heard.append(message.seq)

    @property
    def started_over(self) -> list[Position]:
        return [item for item in self.heard if isinstance(item, Position)]

    async def hears(self, *numbers: int) -> None:
        """Waits until exactly these have been said since the beginning, starting over left out."""
        await eventually(lambda: [m.seq for m in self.messages][-1:] == list(numbers)[-1:], f"message {numbers[-1]}")
        assert [message.seq for message in self.messages] == list(numbers)

    def running(self) -> AbstractAsyncContextManager[None]:
        @asynccontextmanager
        async def run() -> Any:
            task = asyncio.create_task(self.subscriber.run())
            try:
                await eventually(self.subscriber.connected.is_set, "the subscription")
                yield
            finally:
                await end([task])
                await self.live.aclose()

        return run()
