"""Stopping agents: ask, then wait for what the bus says, holding neither a thread nor a connection meanwhile."""

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal

import orjson

from agent_bus import tracing
from agent_bus.commands import StopOutcome
from agent_bus.log_lines import about
from agent_bus.messages import Session
from agent_bus.sessions import Sessions
from api.coordinator.relay import Relay

logger = logging.getLogger(__name__)

Outcome = Literal[
    "confirmed", "unattended", "unconfirmed", "went_away", "finished", "restarted", "ended", "unknown", "failed"
]
"""What came of a stop. `confirmed`: the agent has ceased. `unattended`: nobody was connected. `unconfirmed`: told, not
confirmed within the wait. `went_away`: told, and gone without a word. `finished`: by itself meanwhile. `restarted`:
another run has begun. `ended`: it was over already. `unknown`: no such session. `failed`: Redis did not answer."""
OnStop = Callable[[Outcome, float], None]

STOPPED = "Session stopped successfully"
UNATTENDED = (
    "Session marked as stopped; no agent was connected. The command stays waiting: an agent of this run that connects "
    "later is stopped at once"
)
UNCONFIRMED = (
    "The agent has been told but has not confirmed within {seconds:g} s; "
    "its confirmation will arrive over the WebSocket when it comes"
)
RESTARTED = "The session has been started again meanwhile; the stop was meant for the run before"
WENT_AWAY = "The agent was told and went away without confirming; the session counts as stopped"


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """What the client is told. `status` is the session's; success only if the run is known to be over."""

    success: bool
    status: str
    message: str
    outcome: Outcome = field(default="failed", compare=False)
    """For whoever runs the system; clients are not told."""

    @property
    def http_status(self) -> int:
        """200 when it is done, 202 when it is under way."""
        return 200 if self.success else 202


class Stopper:
    """Stops sessions for one replica."""

    def __init__(
        self, sessions: Sessions, relay: Relay, *, wait_seconds: float, on_stop: OnStop = lambda *_: None
    ) -> None:
        """on_stop: told what came of each stop, and how many seconds it took."""
        self._sessions = sessions
        self._relay = relay
        self._wait = wait_seconds
        self._on_stop = on_stop

    async def stop(self, session_id: str, turns: asyncio.Semaphore | None = None) -> StopAnswer | None:
        """Stops a session's run; None for a session never heard of (or deleted while it was being stopped).

        turns: limits how many ask Redis at once; waiting for agents needs none.
        """
        command_id = uuid.uuid4().hex
        began = perf_counter()
        outcome: Outcome = "failed"
        named = {tracing.SESSION_ID: session_id, tracing.COMMAND_ID: command_id}
        with (
            about(session_id=session_id, command_id=command_id),
            tracing.span("stop", attributes=named) as span,
        ):
            try:
                answer = await self._stop(session_id, command_id, turns, span)
                outcome = "unknown" if answer is None else answer.outcome
            finally:
                seconds = perf_counter() - began
                self._on_stop(outcome, seconds)
                span.set(tracing.OUTCOME, outcome)
            logger.info("stop of session %r: %s after %.3f s", session_id, outcome, seconds)
        return answer

    async def _stop(
        self, session_id: str, command_id: str, turns: asyncio.Semaphore | None, span: tracing.Span
    ) -> StopAnswer | None:
        # Watching begins before asking, or a quick agent's confirmation would be missed.
        with self._relay.watching(session_id) as watch:
            async with turns or nullcontext():
                request = await self._sessions.request_stop(session_id, command_id)
            if request.outcome == "unknown":
                return None
            if request.outcome != "sent":
                return _known(request.outcome, Session.model_validate_json(request.session))
            span.note("told")
            span.set(tracing.RUN, request.run)
            deadline = asyncio.get_running_loop().time() + self._wait
            while True:
                try:
                    # Around the event alone: see agent_bus.tasks for what a time limit around Redis can do.
                    async with asyncio.timeout_at(deadline):
                        await watch.changed.wait()
                except TimeoutError:
                    answer = await self._look(session_id, request.run)
                    break
                watch.changed.clear()
                answer = await self._heard(watch.latest, session_id, request.run)
                if answer is not _PENDING:
                    break
        if answer is not None and answer.success:
            # The bus says it before the replicas have it.
            await self._sessions.settle()
        if answer is _PENDING:
            return StopAnswer(False, "running", UNCONFIRMED.format(seconds=self._wait), "unconfirmed")
        return answer

    async def _heard(self, message: bytes | None, session_id: str, run: str) -> StopAnswer | None:
        """What a message of the session's state means; where it does not say enough, Redis does."""
        said = orjson.loads(message) if message is not None else {}
        session = Session.model_validate(said["session"]) if "session" in said else None
        if session is None or session.run is None:
            return await self._look(session_id, run)
        if int(session.run) < int(run):
            # It was said before the run that is being stopped began.
            return _PENDING
        return _judge(session, session.run, run)

    async def _look(self, session_id: str, run: str) -> StopAnswer | None:
        found = await self._sessions.get_with_run(session_id)
        if found is None:
            return None
        text, current = found
        return _judge(Session.model_validate_json(text), current, run)


def _judge(session: Session, current: str, run: str) -> StopAnswer:
    if current != run:
        return StopAnswer(False, session.status, RESTARTED, "restarted")
    if session.status == "running" or (session.presence == "connected" and session.stop_confirmed is False):
        return _PENDING
    if session.status == "stopped":
        if session.stop_confirmed:
            return StopAnswer(True, "stopped", STOPPED, "confirmed")
        return StopAnswer(True, "stopped", WENT_AWAY, "went_away")
    return StopAnswer(True, session.status, "Session finished by itself before it could be stopped", "finished")


_PENDING = StopAnswer(False, "running", "")


def _known(outcome: StopOutcome, session: Session) -> StopAnswer:
    if outcome == "unattended":
        return StopAnswer(True, session.status, UNATTENDED, "unattended")
    return StopAnswer(True, session.status, f"Session was already {session.status}; nothing was sent", "ended")


def as_json(session_id: str, answer: StopAnswer) -> dict[str, object]:
    """The answer as it goes over the wire."""
    return {
        "success": answer.success,
        "ok": answer.success,
        "session_id": session_id,
        "status": answer.status,
        "message": answer.message,
    }
