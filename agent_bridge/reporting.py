"""What both bridges have in common: who the session is, what is said of it, and how it ends."""

import logging
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from agent_bridge.encoding import SessionIdentity, content_blocks, encode
from agent_bridge.errors import BridgeNotEntered
from agent_bridge.link import CLOSE_SECONDS, GUARD_CLOSE_SECONDS, Ending, Link, LinkSettings
from agent_bus.allowances import session_events_per_second
from agent_bus.commands import LEASE_SECONDS, StopCommand
from agent_bus.discovery import NAMESPACE_VARIABLE, find_redis_url
from agent_bus.identifiers import check_name, check_session_id
from agent_bus.keys import DEFAULT_NAMESPACE
from agent_bus.replication import Replication

logger = logging.getLogger("agent_bridge")

# Redis on the same machine is reached in milliseconds; an agent that has none starts a little later and goes on.
ATTACH_SECONDS = 2.0


class Reporting:
    """A session's reports, from entering to leaving. Not for use by itself; see AgentBridge and BlockingAgentBridge."""

    def __init__(
        self,
        *,
        session_id: str | None = None,
        session_name: str | None = None,
        project_dir: str | os.PathLike[str] | None = None,
        agent_name: str | None = None,
        redis_url: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
        guard: bool = False,
        resumed: bool = False,
    ) -> None:
        """Describes the session; connects when entered.

        session_id: one that exists is resumed; without one a new one is made. redis_url: else `REDIS_URL`, else the
        redis-url file of the project. lease_seconds: how soon people see that the agent was killed. guard: the agent's
        hooks begin and end its runs; entering takes the lease and begins one only where there has been none. resumed:
        and it is another program than a stop that still waits was meant for.
        Raises ValueError for a session_id or session_name that can't be one, or a setting that makes no sense.
        """
        own_id = check_session_id(session_id) if session_id is not None else str(uuid.uuid4())
        self._identity = SessionIdentity(
            own_id,
            check_name(session_name or own_id),
            os.fspath(project_dir) if project_dir is not None else None,
            agent_name,
        )
        self._settings = LinkSettings(
            find_redis_url(redis_url),
            os.environ.get(NAMESPACE_VARIABLE) or DEFAULT_NAMESPACE,
            lease_seconds,
            GUARD_CLOSE_SECONDS if guard else CLOSE_SECONDS,
            Replication.from_environment(),
            guard=guard,
            resumed=resumed,
            events_per_second=session_events_per_second(),
        )
        self._link: Link | None = None
        self._command: StopCommand | None = None
        self._ending: dict[str, Any] = {}
        self._has_ceased = True
        self._goes_on = False

    def _open(self, on_command: Callable[[StopCommand], None]) -> Link:
        """A link for another run; nothing of an earlier one counts any more."""
        self._command, self._ending, self._has_ceased, self._goes_on = None, {}, True, False
        self._link = Link(self._identity, self._settings, on_command)
        self._link.start()
        return self._link

    def _warn_unless(self, attached: bool) -> None:
        if not attached:
            logger.warning("redis has not been reached yet; session %s goes on without it", self.session_id)

    @property
    def session_id(self) -> str:
        """The session's id, given or made."""
        return self._identity.session_id

    @property
    def stop_requested(self) -> bool:
        """Whether somebody wants this run to end."""
        return self._command is not None

    @property
    def superseded(self) -> bool:
        """Whether the session is another bridge's at present: this one is not heard."""
        return self._link is not None and self._link.superseded

    @property
    def _entered(self) -> Link:
        if self._link is None:
            raise BridgeNotEntered
        return self._link

    def _emit(self, event_type: str, fields: Mapping[str, Any]) -> bool:
        return self._entered.emit(encode(self._identity, event_type, fields))

    def _message(self, role: Literal["user", "assistant"], content: str | Sequence[Mapping[str, Any]]) -> bool:
        return self._emit("message", {"role": role, "content": content_blocks(content)})

    def _pre_tool(self, tool_name: str, tool_input: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
        return self._emit("pre_tool", {**fields, "tool_name": tool_name, "tool_input": _as_object(tool_input)})

    def _post_tool(
        self,
        tool_name: str,
        tool_input: Mapping[str, Any],
        tool_output: object,
        error: str | None,
        fields: Mapping[str, Any],
    ) -> bool:
        told = {
            "tool_name": tool_name,
            "tool_input": _as_object(tool_input),
            "tool_output": tool_output,
            "error": error,
        }
        return self._emit("post_tool", {**fields, **told})

    def report_end(
        self,
        *,
        exit_code: int | None = None,
        reason: str | None = None,
        ceased: bool = True,
        goes_on: bool = False,
        **fields: object,
    ) -> None:
        """What the session's last event will say, instead of what leaving the block would; may be said at any time.

        ceased: False if something of the agent could not be ended; a stop stays unconfirmed then. goes_on: it does so
        without a bridge: its run does not end, and nobody holds it any more when the lease has lapsed.
        """
        self._goes_on = goes_on
        self._ending = {**fields, "exit_code": exit_code, "reason": reason}
        self._has_ceased = ceased and not goes_on

    def _acknowledge(self, link: Link) -> None:
        """Says that the agent has ceased as it was told to, unless it was reported that something of it has not."""
        ending = self._how_it_ended(None)
        if ending.ceased:
            link.acknowledge(ending.event)

    def _how_it_ended(self, error: BaseException | None) -> Ending:
        """The session's last event. A stop explains the end whatever else came of it."""
        if self._command is not None:
            ending: dict[str, Any] = {"exit_code": None, "reason": "stopped", "command_id": self._command.command_id}
        elif error is None:
            # Whoever says how it ended knows the exit code, or that nobody does.
            reported = any(value is not None for value in self._ending.values())
            ending = {"exit_code": None if reported else 0, "reason": None}
        elif isinstance(error, SystemExit):
            ending = _system_exit(error)
        else:
            ending = {"exit_code": 1, "reason": _describe(error)}
        ending |= {name: value for name, value in self._ending.items() if value is not None}
        # A session_stop would say that it is over.
        unfinished = self._command is not None and not self._has_ceased
        kind = "stop_incomplete" if unfinished else "bridge_left" if self._goes_on else "session_stop"
        return Ending(encode(self._identity, kind, ending), ceased=not unfinished and not self._goes_on)


def _as_object(tool_input: object) -> dict[Any, Any] | None:
    # Events carry an object here; reporting must not fail on an agent that has something else.
    if type(tool_input) is dict:
        return tool_input
    if tool_input is None or isinstance(tool_input, Mapping):
        return dict(tool_input) if tool_input is not None else None
    return {"value": tool_input}


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except Exception:  # noqa: BLE001 - an error of the agent's own that can't be shown
        return type(error).__name__


def _system_exit(error: SystemExit) -> dict[str, Any]:
    if error.code is None or isinstance(error.code, int):
        return {"exit_code": error.code or 0, "reason": None}
    return {"exit_code": 1, "reason": str(error.code)}
