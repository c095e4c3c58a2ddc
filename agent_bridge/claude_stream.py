"""What the program of the Claude Agent SDK says, on its way to who iterates; and whether it is at work."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from claude_agent_sdk import Message, ResultMessage, SystemMessage

# So many messages wait for who iterates before the program is made to wait, as the SDK does after a hundred.
MAX_BACKLOG = 1000
STATE_VARIABLE = "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS"
"""Asks the program to say when it begins to work and when it is idle."""
_STATE_SUBTYPE = "session_state_changed"


class Stream:
    """The program's messages: read by one task as they come, handed on to whoever iterates."""

    def __init__(self, read: Callable[[], AsyncIterator[Message]], heard: Callable[[Message], Awaitable[bool]]) -> None:
        """Begins to read. heard: told of each message first; answers whether it is for who iterates."""
        self._read = read
        self._heard = heard
        self._backlog: deque[Message | Exception] = deque()
        self._arrived, self._taken = asyncio.Event(), asyncio.Event()
        self._most = MAX_BACKLOG
        self.closing = False
        """Whether errors are the end's, and nobody's concern."""
        self.failure: Exception | None = None
        """What the last reading failed with."""
        self.task = asyncio.create_task(self._pump(), name="read claude")
        """Ends with the stream."""

    async def _pump(self) -> None:
        try:
            while not await self._read_on():
                pass
        finally:
            self._arrived.set()

    async def _read_on(self) -> bool:
        """Returns True at the end, False after a message that can't be read: others may follow."""
        try:
            async for message in self._read():
                self.failure = None
                if await self._heard(message):
                    await self._put(message)
        except Exception as error:  # noqa: BLE001  who iterates gets it
            if self.closing:
                return True
            self.failure = error
            await self._put(error)
            return False
        return True

    async def _put(self, item: Message | Exception) -> None:
        self._backlog.append(item)
        self._arrived.set()
        while len(self._backlog) >= self._most:
            self._taken.clear()
            await self._taken.wait()

    async def next(self) -> Message | Exception | None:
        """The next message, or the error in its place; None at the end."""
        while not self._backlog:
            if self.task.done():
                return None
            self._arrived.clear()
            await self._arrived.wait()
        self._taken.set()
        return self._backlog.popleft()

    def hurry(self) -> None:
        """From now on waits for nobody to iterate."""
        self._most = 2**63
        self._taken.set()

    async def close(self) -> None:
        """Reads no further. What has been read is still handed on."""
        self.closing = True
        self.task.cancel()
        await asyncio.wait({self.task})
        self._arrived.set()


class Turns:
    """Whether the program is at work, from what it says.

    A prompt begins a turn and a result ends it. The program begins others by itself, and between results waits for
    subagents; newer ones say so, if they are asked to.
    """

    def __init__(self) -> None:
        self._owes_result = False
        self._working = False
        self._rest = asyncio.Event()
        self._rest.set()

    def prompted(self) -> None:
        """A prompt is on its way."""
        self._now(owes_result=True, working=self._working)

    def heard(self, message: Message) -> bool:
        """Takes notice of a message. Returns whether it says nothing else."""
        if isinstance(message, ResultMessage):
            self._now(owes_result=False, working=self._working)
        elif isinstance(message, SystemMessage) and message.subtype == "init":
            self._now(owes_result=True, working=self._working)
        elif isinstance(message, SystemMessage) and message.subtype == _STATE_SUBTYPE:
            self._now(owes_result=self._owes_result, working=message.data.get("state") != "idle")
            return True
        return False

    def over(self) -> None:
        """The program says nothing more."""
        self._now(owes_result=False, working=False)

    def _now(self, *, owes_result: bool, working: bool) -> None:
        self._owes_result, self._working = owes_result, working
        if owes_result or working:
            self._rest.clear()
        else:
            self._rest.set()

    async def at_rest(self) -> None:
        """Returns when nothing is going on."""
        await self._rest.wait()
