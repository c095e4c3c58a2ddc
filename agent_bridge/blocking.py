"""The bridge for plain threads, over the same link."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from types import TracebackType
from typing import Any, Literal, Self

from agent_bridge.errors import SessionStopped
from agent_bridge.reporting import ATTACH_SECONDS, Reporting
from agent_bus.commands import StopCommand

logger = logging.getLogger("agent_bridge")


class BlockingAgentBridge(Reporting):
    """AgentBridge for programs without a loop: the same session, reports and stop.

    A thread can't be cancelled from outside, so the agent looks at `stop_requested`, calls `raise_if_stopped()` between
    its steps, or sets a handler.
    """

    def __enter__(self) -> Self:
        """Starts the run. With Redis away it returns all the same; what is said then waits."""
        self._stop = threading.Event()
        self._handler_lock = threading.Lock()
        self._handler: Callable[[StopCommand], object] | None = None
        self._handling: threading.Thread | None = None
        link = self._open(self._heard)
        try:
            wait([link.tried], ATTACH_SECONDS)
            self._warn_unless(link.tried.done() and link.tried.result())
        except BaseException as error:
            # Nobody will leave a block that was never entered.
            link.close(self._how_it_ended(error))
            self._link = None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the run: sends what waits, says how it ended, and gives the lease back."""
        link = self._entered
        link.close(self._how_it_ended(error))
        self._link = None
        wait([link.ended])

    def _heard(self, command: StopCommand) -> None:
        self._command = command
        self._stop.set()
        self._call_handler()

    def on_stop(self, handler: Callable[[StopCommand], object]) -> None:
        """Sets what is called, once and in a thread of its own, when a stop comes; at once if it has come already.

        When it returns, the agent counts as having ceased.
        """
        self._handler = handler
        self._call_handler()

    def _call_handler(self) -> None:
        with self._handler_lock:
            if self._handling is None and self._handler is not None and self._command is not None:
                self._handling = threading.Thread(
                    target=self._handle, args=(self._handler, self._command), name="on_stop handler", daemon=True
                )
                self._handling.start()

    def _handle(self, handler: Callable[[StopCommand], object], command: StopCommand) -> None:
        try:
            handler(command)
        except Exception:
            # Whether the agent has ceased is unknown; leaving the block will tell.
            logger.exception("the on_stop handler of session %s failed", self.session_id)
            return
        if self._link is not None:
            self._acknowledge(self._link)

    def wait_for_stop(self, seconds: float | None = None) -> StopCommand | None:
        """Waits for a stop and returns it; None if none has come in time."""
        self._stop.wait(seconds)
        return self._command

    def raise_if_stopped(self) -> None:
        """Raises SessionStopped if somebody wants this run to end."""
        if self._command is not None:
            raise SessionStopped(self._command)

    def message(self, role: Literal["user", "assistant"], content: str | Sequence[Mapping[str, Any]]) -> bool:
        """Reports what was said: a text, or content blocks. Like all reports it does not wait for Redis.

        Returns False if it had to be dropped because Redis has been away for too long.
        """
        return self._message(role, content)

    def pre_tool(self, tool_name: str, tool_input: Mapping[str, Any], **fields: object) -> bool:
        """Reports that a tool is about to be used."""
        return self._pre_tool(tool_name, tool_input, fields)

    def post_tool(
        self,
        tool_name: str,
        tool_input: Mapping[str, Any],
        tool_output: object = None,
        error: str | None = None,
        **fields: object,
    ) -> bool:
        """Reports what came of using a tool."""
        return self._post_tool(tool_name, tool_input, tool_output, error, fields)

    def event(self, event_type: str, **fields: object) -> bool:
        """Reports anything else, under a lower-case name of its own."""
        return self._emit(event_type, fields)
