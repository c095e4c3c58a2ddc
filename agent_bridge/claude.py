"""A client of the Claude Agent SDK that people see live, and whose stop is real.

    async with BridgedClaudeClient(options, session_name="nightly review") as client:
        await client.query("Review the change")
        async for message in client.receive_response():     # SessionStopped comes out of here after a stop
            ...

It is a `ClaudeSDKClient` in all else. A task of the client's own reads what the program says, reports it, and keeps it
for whoever iterates: reports do not wait for the user's code, nor does a stop. A stop interrupts the turn, reads on to
its result, disconnects, and ends what is left of the program's processes; then it is confirmed, and only then does the
user's code hear of it. Whoever builds a client of their own takes `bridge_hooks` for the tools alone.
"""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

try:
    from claude_agent_sdk import (
        ClaudeAgentOptions,
        ClaudeSDKClient,
        Message,
        ProcessError,
        ResultError,
        ResultMessage,
        Transport,
    )
except ImportError as missing:
    raise ImportError(
        "agent_bridge.claude needs the Claude Agent SDK: pip install 'agent-orchestrator[claude]'"
    ) from missing

from agent_bridge.bridge import AgentBridge
from agent_bridge.claude_hooks import bridge_hooks, hooks, tell
from agent_bridge.claude_reports import Reports, of_prompt
from agent_bridge.claude_stream import STATE_VARIABLE, Stream, Turns
from agent_bridge.errors import SessionStopped
from agent_bridge.process_table import ProcessRow, identify, named
from agent_bridge.process_tree import Escalation, ProcessTree
from agent_bridge.supervisor import describe_end, exit_code
from agent_bridge.watch import BRIDGED_VARIABLE
from agent_bridge.watcher import marked_children
from agent_bus.commands import LEASE_SECONDS, StopCommand
from agent_bus.tasks import end

__all__ = ["BridgedClaudeClient", "bridge_hooks"]

logger = logging.getLogger("agent_bridge")

DEFAULT_AGENT_NAME = "claude-agent-sdk"
# How often the program's processes are looked at, in seconds, to remember who belongs to it.
WATCH_SECONDS = 0.5
# How long the program may take to say what has been used, in seconds.
USAGE_SECONDS = 1.0


@dataclass(slots=True)
class _Run:
    """One connection, from connecting until its end has been told. stop: done when one has been heard."""

    stop: "asyncio.Task[StopCommand]"
    reports: Reports = field(default_factory=Reports)
    turns: Turns = field(default_factory=Turns)
    connecting: "asyncio.Task[None] | None" = None
    stream: Stream | None = None
    tree: ProcessTree | None = None
    watching: "asyncio.Task[None] | None" = None
    ending: "asyncio.Task[None] | None" = None
    terminal_reason: str | None = None
    forced: bool = False

    @property
    def stopped(self) -> bool:
        """Whether a stop has been heard."""
        return self.stop.done() and not self.stop.cancelled()


class _Bridge(AgentBridge):
    """A bridge whose stops are confirmed by the client alone, and heard in the bridge's own thread as well."""

    def __init__(self, heard: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self._also_heard = heard

    def _heard(self, command: StopCommand) -> None:
        super()._heard(command)
        self._also_heard()

    def _ceased(self, *, handled: bool) -> None:
        """What the user runs under the bridge is not all that must cease."""

    def confirm(self) -> None:
        """Confirms the stop; from any thread."""
        if self._link is not None:
            self._acknowledge(self._link)


class BridgedClaudeClient(ClaudeSDKClient):
    """A `ClaudeSDKClient` that shows itself as a session. Each connection is a run of it.

    After a stop, `query()`, `receive_messages()` and `receive_response()` raise SessionStopped, the latter two once
    what was still said has been handed out, all of them once everything has ended. A session can be started again with
    the same session_id, by this client or another one.
    """

    def __init__(
        self,
        options: ClaudeAgentOptions | None = None,
        transport: Transport | None = None,
        *,
        session_id: str | None = None,
        session_name: str | None = None,
        project_dir: str | os.PathLike[str] | None = None,
        agent_name: str | None = DEFAULT_AGENT_NAME,
        redis_url: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
        interrupt_seconds: float = 3.0,
        exit_seconds: float = 2.0,
        terminate_seconds: float = 2.0,
        kill_seconds: float = 2.0,
    ) -> None:
        """Describes the session as AgentBridge does; the options are left as they are, a copy reports.

        project_dir: else the options' `cwd`, else the working directory. A stop gives the program interrupt_seconds to
        end its turn, exit_seconds to end once it is disconnected, and what is left after that terminate_seconds to end
        of SIGTERM and kill_seconds of SIGKILL.
        """
        given = options or ClaudeAgentOptions()
        self.bridge = _Bridge(
            self._heard_in_thread,
            session_id=session_id,
            session_name=session_name,
            project_dir=Path(project_dir or given.cwd or Path.cwd()).absolute(),
            agent_name=agent_name,
            redis_url=redis_url,
            lease_seconds=lease_seconds,
        )
        self._interrupt_seconds, self._exit_seconds = interrupt_seconds, exit_seconds
        self._terminate_seconds, self._kill_seconds = terminate_seconds, kill_seconds
        self._run: _Run | None = None
        self._shows_state = STATE_VARIABLE in given.env or STATE_VARIABLE in os.environ
        super().__init__(self._reporting(given), transport)

    def _reporting(self, options: ClaudeAgentOptions) -> ClaudeAgentOptions:
        merged = {event: list(matchers) for event, matchers in (options.hooks or {}).items()}
        for event, matchers in hooks(self.bridge, self._tell_hook).items():
            merged.setdefault(event, []).extend(matchers)
        env = {STATE_VARIABLE: "1"} if not self._shows_state else {}
        return replace(options, hooks=merged, env={**options.env, **env, BRIDGED_VARIABLE: self.session_id})

    @property
    def session_id(self) -> str:
        """The session's id, given or made. The program's own conversation has another."""
        return self.bridge.session_id

    # Connecting and ending.

    async def connect(self, prompt: str | AsyncIterable[dict[str, Any]] | None = None) -> None:
        """Starts a run and connects. Raises SessionStopped if the session is stopped before that has succeeded."""
        await self.disconnect()
        await self.bridge.__aenter__()
        run = self._run = _Run(asyncio.create_task(self.bridge.wait_for_stop(), name="wait for stop"))
        run.stop.add_done_callback(lambda stop: None if stop.cancelled() else self._begin_end(run))
        run.connecting = asyncio.create_task(self._connect(run, prompt), name="connect claude")
        try:
            await asyncio.wait({run.connecting, run.stop}, return_when=asyncio.FIRST_COMPLETED)
            await self._raise_if_stopped(run)
            run.connecting.result()
        except SessionStopped:
            raise
        except BaseException as error:
            await self._finish(error)
            raise

    async def _connect(self, run: _Run, prompt: str | AsyncIterable[dict[str, Any]] | None) -> None:
        if self.bridge.stop_requested:
            return
        await super().connect(await self._noted(run, prompt))
        run.tree = self._find_tree(run)
        if run.tree is not None:
            run.watching = asyncio.create_task(_watch(run.tree), name="watch claude's processes")
        if self.options.resume or self.options.continue_conversation:
            run.reports.usage.begin_at(await self._ask_usage())
        run.stream = Stream(super().receive_messages, lambda message: self._hear(run, message))
        run.stream.task.add_done_callback(lambda _: self._stream_ended(run))

    async def disconnect(self) -> None:
        """Disconnects, and ends the run: finished, with what the program left running."""
        run = self._run
        # The SDK disconnects by itself when connecting fails.
        if run is None or asyncio.current_task() is run.connecting:
            await super().disconnect()
        else:
            await self._finish(None)

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._run is not None:
            await self._finish(error)
        return False

    async def _finish(self, error: BaseException | None) -> None:
        run = self._run
        assert run is not None
        ending = self._begin_end(run, error)
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            # The end must be told even when the agent is being cancelled.
            await asyncio.wait({ending})
            raise
        finally:
            self._run = None

    # How a run ends.

    def _begin_end(self, run: _Run, error: BaseException | None = None) -> "asyncio.Task[None]":
        if run.ending is None:
            run.ending = asyncio.create_task(self._end(run, error), name="end claude")
            # Its error is for who disconnects, if anybody does.
            run.ending.add_done_callback(lambda ending: None if ending.cancelled() else ending.exception())
        return run.ending

    def _stream_ended(self, run: _Run) -> None:
        run.turns.over()
        # After a program that has ended well, the user's code says how it went.
        if run.stream is not None and run.stream.failure is not None:
            self._begin_end(run, run.stream.failure)

    async def _end(self, run: _Run, error: BaseException | None) -> None:
        """Ends the program, if it has not ended, and tells how; after a stop with all that came of it."""
        tree = run.tree or self._find_tree(run)
        if run.watching is not None:
            run.watching.cancel()
        # Unless it is said otherwise below.
        self.bridge.report_end(ceased=False)
        closing: asyncio.Task[None] | None = None
        try:
            if tree is not None:
                # Who belongs to it: many lose their parents in what follows.
                await asyncio.to_thread(tree.look)
            if run.stream is not None:
                await self._quieten(run, run.stream)
            closing = asyncio.create_task(self._close(run), name="disconnect claude")
            await asyncio.wait({closing, run.stop}, return_when=asyncio.FIRST_COMPLETED)
            told: dict[str, Any] = _how_it_died(error) if error is not None else {"exit_code": 0}
            if self.bridge.stop_requested:
                await asyncio.wait({closing}, timeout=self._exit_seconds)
                survivors = await self._end_tree(tree) if tree is not None else ()
                # What was waiting for the program to end sees that it has.
                await asyncio.wait({closing}, timeout=self._exit_seconds)
                ceased = not survivors if tree is not None else closing.done() and closing.exception() is None
                told = {"reason": "stopped", "terminal_reason": run.terminal_reason, "ceased": ceased}
                told["survivors"] = named(survivors)
            elif tree is not None and (left := await asyncio.to_thread(tree.look)):
                told["left_running"] = named(left)
            if run.stream is not None:
                await run.stream.close()
            await tell(self.bridge, run.reports.of_end())
            self.bridge.report_end(**told)
        except BaseException as unforeseen:
            error = error or unforeseen
            raise
        finally:
            run.stop.cancel()
            if closing is not None:
                closing.cancel()
            await self.bridge.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None)
        if not run.stopped:
            closing.result()

    async def _quieten(self, run: _Run, stream: Stream) -> None:
        """After a stop, has the turn end and reads on to its result. Counts what no result has told."""
        stream.hurry()
        if self.bridge.stop_requested and not stream.task.done():
            interrupting = asyncio.create_task(self._interrupt(run), name="interrupt claude")
            await asyncio.wait(
                {interrupting, stream.task}, timeout=self._interrupt_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            heeded = interrupting.done() and interrupting.exception() is None
            await end([interrupting])
            if not heeded and not stream.task.done():
                logger.warning("the program of session %s does not heed the interrupt", self.session_id)
        if run.reports.uncounted and not stream.task.done():
            await tell(self.bridge, run.reports.of_usage(await self._ask_usage()))

    async def _interrupt(self, run: _Run) -> None:
        await super().interrupt()
        await run.turns.at_rest()

    async def _close(self, run: _Run) -> None:
        if run.connecting is not None and not run.connecting.done():
            run.connecting.cancel()
            await asyncio.wait({run.connecting})
        if run.stream is not None:
            run.stream.closing = True
        await super().disconnect()

    def _find_tree(self, run: _Run) -> ProcessTree | None:
        """The program and what it starts; None for a transport without a process."""
        pid = getattr(getattr(self._transport, "_process", None), "pid", None)
        root = identify(pid) if isinstance(pid, int) else None
        if root is None:
            return None
        # Looking into everybody's environment is for the end.
        return ProcessTree(root, also=lambda: marked_children(root) if run.ending or run.forced else ())

    async def _end_tree(self, tree: ProcessTree) -> Sequence[ProcessRow]:
        ended = await tree.end(Escalation.gentle(0, self._terminate_seconds, self._kill_seconds))
        return ended.survivors

    def _heard_in_thread(self) -> None:
        timer = threading.Timer(self._interrupt_seconds, self._end_from_thread, [self._run])
        timer.daemon = True
        timer.start()

    def _end_from_thread(self, run: _Run | None) -> None:
        """Ends the processes, and confirms it, when somebody's code keeps the loop from coming round to the stop."""
        if run is None or run.tree is None or run.stop.done():
            return
        logger.warning("the event loop of session %s is blocked; its program is ended by force", self.session_id)
        run.forced = True
        if not asyncio.run(self._end_tree(run.tree)):
            self.bridge.report_end(reason="stopped", survivors=[])
            self.bridge.confirm()

    # What is said.

    async def query(self, prompt: str | AsyncIterable[dict[str, Any]], session_id: str = "default") -> None:
        """Sends a prompt, or several. Raises SessionStopped after a stop."""
        run = self._run
        if run is None:
            await super().query(prompt, session_id)
            return
        await self._raise_if_stopped(run)
        noted = await self._noted(run, prompt)
        sending = asyncio.create_task(super().query(noted, session_id), name="query claude")
        try:
            await asyncio.wait({sending, run.stop}, return_when=asyncio.FIRST_COMPLETED)
            if run.stopped:
                sending.cancel()
            await asyncio.wait({sending})
        except asyncio.CancelledError:
            sending.cancel()
            await asyncio.wait({sending})
            raise
        failure = None if sending.cancelled() else sending.exception()
        await self._raise_if_stopped(run)
        if failure is not None:
            raise failure

    async def receive_messages(self) -> AsyncIterator[Message]:
        """All messages as they come. After a stop, what was still said, then SessionStopped."""
        run = self._run
        if run is None or run.stream is None:
            async for message in super().receive_messages():
                yield message
            return
        while (item := await run.stream.next()) is not None:
            if isinstance(item, Exception):
                await self._raise_if_stopped(run)
                raise item
            yield item
        await self._raise_if_stopped(run)

    async def receive_response(self) -> AsyncIterator[Message]:
        """The messages up to a result. After a stop, those up to its result, then SessionStopped."""
        run = self._run
        async for message in self.receive_messages():
            yield message
            if isinstance(message, ResultMessage):
                if run is not None:
                    await self._raise_if_stopped(run)
                return

    async def _raise_if_stopped(self, run: _Run) -> None:
        if self.bridge.stop_requested:
            await asyncio.wait({run.stop})
        if run.stopped:
            await asyncio.wait({self._begin_end(run)})
            raise SessionStopped(run.stop.result())

    async def _noted(self, run: _Run, prompt: str | AsyncIterable[dict[str, Any]] | None) -> Any:
        if isinstance(prompt, AsyncIterable):
            return self._noting(run, prompt)
        if prompt is not None:
            await self._note(run, prompt)
        return prompt

    async def _noting(self, run: _Run, prompts: AsyncIterable[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        async for prompt in prompts:
            if self.bridge.stop_requested:
                return
            if prompt.get("type") == "user":
                await self._note(run, prompt.get("message", {}).get("content"))
            yield prompt

    async def _note(self, run: _Run, content: object) -> None:
        run.turns.prompted()
        await tell(self.bridge, of_prompt(content))

    async def _tell_hook(self, hook: Mapping[str, Any]) -> None:
        # Prompts have been told as they were given.
        if self._run is not None and hook["hook_event_name"] != "UserPromptSubmit":
            await tell(self.bridge, self._run.reports.of_hook(hook, stopped=self.bridge.stop_requested))

    async def _hear(self, run: _Run, message: Message) -> bool:
        """Reports a message; returns whether it is for the user."""
        await tell(self.bridge, run.reports.of_message(message))
        if isinstance(message, ResultMessage) and run.stopped and run.terminal_reason is None:
            run.terminal_reason = message.terminal_reason
        return not run.turns.heard(message) or self._shows_state

    async def _ask_usage(self) -> Mapping[str, Any] | None:
        """What the program has counted; None if it does not say. The SDK has no method for this request."""
        try:
            asked = {"subtype": "get_usage"}
            answer = await self._query._send_control_request(asked, timeout=USAGE_SECONDS)  # type: ignore[union-attr]  # noqa: SLF001
            sums: Mapping[str, Any] = answer["session"]["model_usage"]
        except Exception as error:  # noqa: BLE001  figures are not worth the agent's work
            logger.info("the program of session %s does not say what has been used: %r", self.session_id, error)
            return None
        return sums


async def _watch(tree: ProcessTree) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        await asyncio.to_thread(tree.look)


def _how_it_died(error: BaseException | None) -> dict[str, Any]:
    """What a program that ended by itself leaves to be told; the bridge describes other errors."""
    if not isinstance(error, ProcessError) or error.exit_code is None:
        return {}
    said = str(error) if isinstance(error, ResultError) else f"Claude Code {describe_end(error.exit_code)}"
    return {"exit_code": exit_code(error.exit_code), "reason": said}
