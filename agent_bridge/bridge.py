"""The bridge for asyncio programs."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from agent_bridge.errors import SessionStopped
from agent_bridge.reporting import ATTACH_SECONDS, Reporting
from agent_bus.commands import StopCommand

logger = logging.getLogger("agent_bridge")

T = TypeVar("T")

StopHandler = Callable[[StopCommand], Awaitable[object] | object]


class AgentBridge(Reporting):
    """Shows an agent's session to people while the block lasts, and tells the agent when they want it to stop.

    Entering starts a run; leaving ends it: `finished`, with exit code 1 and the reason when an exception leaves the
    block. After a stop, the session counts as stopped once the agent has really ceased: the handler has returned and
    what ran under `run()` has ended, or the block has been left.
    """

    async def __aenter__(self) -> Self:
        """Starts the run. With Redis away it returns all the same; what is said then waits."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._handler: StopHandler | None = None
        self._handling: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[Any]] = set()
        link = self._open(self._heard)
        try:
            tried = asyncio.wrap_future(link.tried)
            await asyncio.wait([tried], timeout=ATTACH_SECONDS)
            self._warn_unless(tried.done() and tried.result())
            # A stop that was waiting for this run has been posted to this loop by now; let it in first.
            await asyncio.sleep(0)
        except BaseException as error:
            # Nobody will leave a block that was never entered.
            link.close(self._how_it_ended(error))
            self._link = None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the run: sends what waits, says how it ended, and gives the lease back."""
        link = self._entered
        link.close(self._how_it_ended(error))
        ended = asyncio.wrap_future(link.ended)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            # The end must be told even when the agent is being cancelled; it takes a bounded time.
            await asyncio.wait([ended])
            raise
        finally:
            self._link = None
        if self._handling is not None and not self._handling.done():
            self._handling.cancel()
            await asyncio.gather(self._handling, return_exceptions=True)

    def _heard(self, command: StopCommand) -> None:
        self._command = command
        self._loop.call_soon_threadsafe(self._act_on, command)

    def _act_on(self, command: StopCommand) -> None:
        self._stop.set()
        if self._handler is not None:
            self._call_handler(self._handler, command)
        for task in self._running:
            task.cancel()

    def on_stop(self, handler: StopHandler) -> None:
        """Sets what is called, once, when a stop comes; at once if it has come already.

        The handler may be a function or a coroutine function. When it returns, the agent counts as having ceased.
        """
        self._handler = handler
        if self._command is not None and self._stop.is_set():
            self._call_handler(handler, self._command)

    def _call_handler(self, handler: StopHandler, command: StopCommand) -> None:
        if self._handling is None:
            self._handling = asyncio.create_task(self._handle(handler, command), name="on_stop handler")

    async def _handle(self, handler: StopHandler, command: StopCommand) -> None:
        try:
            result = handler(command)
            if inspect.isawaitable(result):
                await result
        except Exception:
            # Whether the agent has ceased is unknown; leaving the block will tell.
            logger.exception("the on_stop handler of session %s failed", self.session_id)
            return
        self._ceased(handled=True)

    def _ceased(self, *, handled: bool) -> None:
        """Acknowledges the stop unless something of the agent still goes on."""
        handler_busy = (
            not handled and self._handler is not None and (self._handling is None or not self._handling.done())
        )
        if self._link is not None and not handler_busy and not self._running:
            self._acknowledge(self._link)

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine that a stop cancels. Returns its result; raises SessionStopped once it has been stopped."""
        if self._command is not None:
            coroutine.close()
            self._ceased(handled=False)
            raise SessionStopped(self._command)
        task = asyncio.create_task(coroutine, name="agent")
        self._running.add(task)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        finally:
            self._running.discard(task)
        if self._command is None:
            return task.result()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("the agent of session %s failed while it was being stopped", self.session_id, exc_info=error)
        self._ceased(handled=False)
        raise SessionStopped(self._command)

    async def wait_for_stop(self) -> StopCommand:
        """Waits for a stop and returns it."""
        await self._stop.wait()
        assert self._command is not None
        return self._command

    async def message(self, role: Literal["user", "assistant"], content: str | Sequence[Mapping[str, Any]]) -> bool:
        """Reports what was said: a text, or content blocks. Like all reports it does not wait for Redis.

        Returns False if it had to be dropped because Redis has been away for too long.
        """
        return self._message(role, content)

    async def pre_tool(self, tool_name: str, tool_input: Mapping[str, Any], **fields: object) -> bool:
        """Reports that a tool is about to be used."""
        return self._pre_tool(tool_name, tool_input, fields)

    async def post_tool(
        self,
        tool_name: str,
        tool_input: Mapping[str, Any],
        tool_output: object = None,
        error: str | None = None,
        **fields: object,
    ) -> bool:
        """Reports what came of using a tool."""
        return self._post_tool(tool_name, tool_input, tool_output, error, fields)

    async def event(self, event_type: str, **fields: object) -> bool:
        """Reports anything else, under a lower-case name of its own."""
        return self._emit(event_type, fields)
