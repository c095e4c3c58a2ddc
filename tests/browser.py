"""A browser's side of the WebSocket: everything that it received, in order."""

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.processes import DEADLINE_SECONDS

Message = dict[str, Any]


class Browser:
    """A WebSocket client that keeps what it receives until it is left or closed."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options
        self.messages: list[Message] = []
        self.close_code: int | None = None
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self.connection: ClientConnection = await connect(self._url, max_size=None, **self._options)
        self._reading = asyncio.create_task(self._read())
        if "since=" not in self._url:
            await self.until(lambda message: message["type"] == "init")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.close()
        await self._reading

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                async with self._news:
                    self.messages.append(json.loads(text))
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            async with self._news:
                self.close_code = self.connection.close_code
                self._news.notify_all()

    async def until(self, wanted: Callable[[Message], bool], *, count: int = 1) -> list[Message]:
        """Waits for so many messages and returns them, also those that came before."""
        found: list[Message] = []

        def enough() -> bool:
            found[:] = [message for message in self.messages if wanted(message)]
            return len(found) >= count

        await self._wait(enough, f"{count} messages")
        return found

    async def closed(self) -> int | None:
        """Waits for the server to close and returns its code."""
        await self._wait(lambda: self.close_code is not None, "the close")
        return self.close_code

    async def _wait(self, condition: Callable[[], bool], what: str) -> None:
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(condition), DEADLINE_SECONDS)
            except TimeoutError:
                kinds = [message["type"] for message in self.messages]
                raise AssertionError(f"waited for {what}; received {len(kinds)}: {kinds[-20:]}") from None

    def of(self, session_id: str) -> list[Message]:
        """What it was told of one session after `init`."""
        return [message for message in self.messages if about(message) == session_id]

    @property
    def last_seq(self) -> int:
        """The number of the last message."""
        seq: int = self.messages[-1]["seq"]
        return seq


def about(message: Message) -> str | None:
    """The session that a message speaks of."""
    match message:
        case {"data": {"session_id": str(session_id)}} | {"session": {"session_id": str(session_id)}}:
            return session_id
        case {"session_id": str(session_id)}:
            return session_id
    return None


def is_status(session_id: str, status: str) -> Callable[[Message], bool]:
    """Matches a session's change to a status."""
    return lambda message: (
        message["type"] == "session_updated"
        and message["session"]["session_id"] == session_id
        and message["session"]["status"] == status
    )
