"""What the hooks of an agent's program report, and whether the program may go on.

A program such as Claude Code asks before each step and does what it is answered. So a stop takes effect at its next
question, and is confirmed when the program has been told and then was quiet: nothing else can be known from outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from redis.exceptions import ResponseError

from agent_bus.bus import Bus, NotReplicated
from agent_bus.connection import is_out_of_memory
from agent_bus.event_encoding import closing_event
from agent_bus.event_records import EventRecord

HookKind = Literal["start", "prompt", "wake", "tool", "used", "batch", "begun", "done", "end", "exit", "other"]
"""`start`: of the program. `prompt`: a person's. `wake`: a prompt that nobody typed. `tool`: about to be used. `used`:
tools have ended; `batch`: so have all of an answer's. `begun`, `done`: a subagent. `end`: of the turn. `exit`: of the
program."""

DUE_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class HookReport:
    """One hook's report.

    prompt_id: names the turn's prompt, '' where that is not known. tool_use_ids: what is about to be used or has ended.
    agent_id: the subagent that the hook is of, or that has begun or ended; '' for the program itself.
    start, finish, stopped: the events that begin a run, end it, and end one that was stopped; kept if that is so.
    """

    session_id: str
    kind: HookKind
    events: Sequence[EventRecord]
    start: EventRecord
    finish: EventRecord
    stopped: EventRecord
    prompt_id: str = ""
    tool_use_ids: Sequence[str] = ()
    agent_id: str = ""

    @property
    def open(self) -> str:
        """What begins or has ended, as `report_hook.lua` keeps it."""
        within = f"{self.agent_id}/" if self.agent_id else ""
        uses = "".join(f"{within}{use} " for use in self.tool_use_ids)
        return uses + (self.agent if self.kind in ("begun", "done", "wake") else "")

    @property
    def agent(self) -> str:
        """The subagent, as `report_hook.lua` keeps it."""
        return f"agent:{self.agent_id} " if self.agent_id else ""


@dataclass(frozen=True, slots=True)
class HookOutcome:
    """What the program is to be told: to go on or not, and which run of its session that is."""

    go: bool
    run: str


class Hooks:
    """The hooks' side of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys = bus.keys

    def _own(self, session_id: str) -> list[str]:
        keys = self._keys
        return [keys.session(session_id), keys.history(session_id), keys.sessions, keys.leases, keys.halted]

    async def report(self, report: HookReport) -> HookOutcome:
        """Keeps what happened; returns whether the program may go on. Raises RedisError.

        A program that is to stop is told so whatever Redis lacks: with an error for an answer, it would go on.
        """
        try:
            answer, run = await self._report("report_hook", report)
        except NotReplicated as error:
            answer, run = error.reply
            if answer != b"halt":
                raise
        except ResponseError as error:
            if not is_out_of_memory(error):
                raise
            answer, run = await self._report("report_halt", report)
            if answer == b"refused":
                raise
        return HookOutcome(answer == b"go", run.decode())

    async def halt(self, report: HookReport) -> HookOutcome | None:
        """As `report`, where a stop waits for the program; otherwise nothing is kept, and None. Raises RedisError."""
        answer, run = await self._report("report_halt", report)
        return None if answer == b"refused" else HookOutcome(answer == b"go", run.decode())

    async def _report(self, script: str, report: HookReport) -> Any:
        return await self._bus.change(
            script,
            [*self._own(report.session_id), self._keys.control(report.session_id)],
            [
                report.session_id,
                report.kind,
                report.prompt_id,
                report.open,
                report.agent,
                *report.start.description(),
                *(event.json_tail for event in (report.start, report.finish, report.stopped)),
                *(argument for event in report.events for argument in event.arguments()),
            ],
        )

    async def note_halt(self, session_id: str, run: str) -> None:
        """Says that the program has been told not to go on; only then can its stop be confirmed. Raises RedisError."""
        await self._bus.run("note_halt", self._own(session_id), [session_id, run])

    async def confirm_halts(self, settle_seconds: float) -> int:
        """Confirms the stops of programs that were told and have been quiet since; returns of how many."""
        settle_ms = round(settle_seconds * 1000)
        confirmed = 0
        for session_id in await self._bus.due(self._keys.halted, ago_ms=settle_ms, limit=DUE_AT_ONCE):
            closing = closing_event(session_id, session_id, "stopped")
            confirmed += await self._bus.run(
                "confirm_halt", self._own(session_id), [session_id, settle_ms, closing.json_tail]
            )
        return confirmed
