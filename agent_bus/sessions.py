"""Sessions: reading them, changing them, attaching to them, stopping them. Every change is one atomic script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from agent_bus.bus import Argument, Bus, Position
from agent_bus.commands import (
    LEASE_SECONDS,
    AcknowledgementOutcome,
    Lease,
    LeaseOutcome,
    StopCommand,
    StopOutcome,
    StopRequest,
)
from agent_bus.event_records import EventRecord

# What one page may hold: a script that reads 1,000 sessions keeps Redis busy for about 10 ms.
MAX_PAGE = 1000
LAPSED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of sessions ended: the last session's id, and its creation in µs should it be deleted meanwhile."""

    session_id: str
    score: str


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions as JSON, newest first, true at a position of the bus.

    total: how many sessions the index has. next: where to go on; None on the last page.
    """

    position: Position
    total: int
    sessions: Sequence[bytes]
    next: Cursor | None


class Sessions:
    """The sessions of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys = bus.keys

    def _own(self, session_id: str) -> list[str]:
        keys = self._keys
        return [keys.session(session_id), keys.history(session_id), keys.sessions, keys.leases]

    async def get(self, session_id: str) -> bytes | None:
        """The session as JSON, or None."""
        found = await self.get_with_run(session_id)
        return found[0] if found else None

    async def get_with_run(self, session_id: str) -> tuple[bytes, str] | None:
        """The session as JSON and its current run, or None."""
        found = await self._bus.run("read_session", self._own(session_id), [session_id])
        return (found[0], found[1].decode()) if found else None

    async def page(
        self,
        *,
        limit: int,
        after: Cursor | None = None,
        status: str | None = None,
        agent_name: str | None = None,
    ) -> SessionPage:
        """A page of all sessions, of those in one status, or of one agent's; newest `created_at` first."""
        if status is not None and agent_name is not None:
            raise ValueError("one index at a time: status or agent_name")
        index = self._keys.sessions
        if status is not None:
            index = self._keys.sessions_of_status(status)
        elif agent_name is not None:
            index = self._keys.sessions_of_agent(agent_name)
        start = (after.session_id, after.score) if after else ("", "0")
        epoch, seq, total, score, last, *sessions = await self._bus.run(
            "list_sessions",
            # No key is empty: Redis asks of each whether the user may touch it.
            [self._keys.session_prefix, self._keys.history_prefix, index, self._keys.leases],
            ["", self._keys.session_prefix, *start, limit, self._keys.history_prefix],
        )
        return SessionPage(
            Position(epoch.decode(), int(seq)),
            total,
            sessions,
            Cursor(last.decode(), score.decode()) if last else None,
        )

    async def patch(self, session_id: str, changes: Mapping[str, str | None]) -> bytes | None:
        """Sets (or, with None, clears) session_name, project_dir, agent_name; returns the session as JSON, or None."""
        args = [session_id]
        for name, value in changes.items():
            args += [name, "clear", ""] if value is None else [name, "set", value]
        return await self._bus.change("patch_session", self._own(session_id), args) or None

    async def delete(self, session_id: str) -> int | None:
        """Removes a session with its history; returns how many events went with it, or None if there is none."""
        keys = [*self._own(session_id), self._keys.archived]
        events: int = await self._bus.change("delete_session", keys, [session_id])
        return None if events < 0 else events

    async def stop_waits(self, session_id: str) -> bool:
        """Whether somebody has asked for the current run's end. Raises RedisError."""
        return bool(await self._bus.redis.hexists(self._keys.session(session_id), "stop_id"))

    async def request_stop(self, session_id: str, command_id: str) -> StopRequest:
        """Asks the agent of the current run to stop. Asking twice is the same as asking once."""
        keys = [*self._own(session_id), self._keys.control(session_id)]
        outcome, *rest = await self._bus.change("request_stop", keys, [session_id, command_id])
        session, run = rest if rest else (b"", b"")
        return StopRequest(cast(StopOutcome, outcome.decode()), session, run.decode())

    async def acknowledge_stop(
        self, session_id: str, run: str, closing: EventRecord, command_id: str = ""
    ) -> AcknowledgementOutcome:
        """Says that the run's agent has ceased; `closing` is the run's last event.

        command_id: of the stop that it obeyed; it counts even if Redis has lost the stop meanwhile.
        """
        args: list[Argument] = [session_id, run, closing.json_tail, command_id]
        outcome = await self._bus.change("acknowledge_stop", self._own(session_id), args)
        return cast(AcknowledgementOutcome, outcome.decode())

    async def settle(self) -> None:
        """Waits until the replicas have received what is known of the sessions. Raises NotReplicated."""
        await self._bus.settle()

    async def enter(
        self, session_id: str, owner: str, start: EventRecord, *, lease_seconds: float = LEASE_SECONDS
    ) -> Lease:
        """Begins a run and takes its lease; joins instead a run that nobody has held yet, with the stop that waits."""
        return await self._attach("enter", session_id, owner, "", start, lease_seconds)

    async def guard(
        self,
        session_id: str,
        owner: str,
        start: EventRecord,
        *,
        resumed: bool = False,
        lease_seconds: float = LEASE_SECONDS,
    ) -> Lease:
        """Takes the lease for a program whose runs its hooks begin and end (see `agent_bus.hooks`).

        A run that is going goes on under it; a session whose last run is over stays so, and the lease holds for the
        runs that will begin. resumed: the program is another one than a stop that still waits was meant for.
        """
        mode: Literal["guard", "resume"] = "resume" if resumed else "guard"
        return await self._attach(mode, session_id, owner, "", start, lease_seconds)

    async def renew(
        self, session_id: str, owner: str, run: str, start: EventRecord, *, lease_seconds: float = LEASE_SECONDS
    ) -> Lease:
        """Keeps the lease. Another run that nobody has held (a hook reported a start, say) is taken over."""
        return await self._attach("renew", session_id, owner, run, start, lease_seconds)

    async def _attach(
        self,
        mode: Literal["enter", "guard", "resume", "renew"],
        session_id: str,
        owner: str,
        run: str,
        start: EventRecord,
        lease_seconds: float,
    ) -> Lease:
        described = (start.session_name, start.project_dir, start.agent_name)
        outcome, held, command = await self._bus.run(
            "attach",
            self._own(session_id),
            [
                *(session_id, mode, owner, round(lease_seconds * 1000), run),
                *(start.timestamp, start.score, *described, start.json_tail),
            ],
        )
        return Lease(
            cast(LeaseOutcome, outcome.decode()),
            held.decode(),
            StopCommand.from_json(command) if command else None,
        )

    async def lapse_leases(self) -> int:
        """Tells the browsers of leases that have run out since anyone last looked; returns of how many."""
        told = 0
        for session_id in await self._bus.due(self._keys.leases, limit=LAPSED_AT_ONCE):
            told += await self._bus.run("lapse_leases", self._own(session_id), [session_id])
        return told
