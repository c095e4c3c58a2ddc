"""Commands to agents, what came of asking, and what a lease says. Light enough to import into an agent's process."""

import json
from dataclasses import dataclass
from typing import Literal

# Renewed three times a lease, so that two lost renewals are forgiven; a killed agent is noticed within one lease.
LEASE_SECONDS = 10.0
RENEWALS_PER_LEASE = 3

StopOutcome = Literal["unknown", "ended", "unattended", "sent"]
"""`unknown`: no such session. `ended`: it was over already. `unattended`: nobody was connected, it counts as stopped
and the command waits for the run's agent. `sent`: the agent was told and will confirm."""

AcknowledgementOutcome = Literal["stopped", "repeated", "stale", "unknown"]
"""`stopped`: the session says so now. `repeated`: it did before. `stale`: another run is going. `unknown`: deleted."""

LeaseOutcome = Literal["held", "superseded", "gone"]
"""`held`: the run is this bridge's. `superseded`: another run has begun. `gone`: the session was deleted."""

_NEEDED = frozenset({"command_id", "session_id", "run", "requested_at"})


@dataclass(frozen=True, slots=True)
class StopCommand:
    """An order to stop, and the run it is meant for."""

    command_id: str
    session_id: str
    run: str
    requested_at: str

    @classmethod
    def from_json(cls, text: str | bytes) -> "StopCommand":
        """Reads what the scripts write; fields that a newer version adds are left alone."""
        fields = json.loads(text)
        return cls(fields["command_id"], fields["session_id"], str(fields["run"]), fields["requested_at"])

    @classmethod
    def heard(cls, text: str | bytes) -> "StopCommand | None":
        """Reads what comes on a control channel; None for what only says to look at the session again.

        What is not understood says no more than that: it must not end the hearing of what follows.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(fields, dict) or fields.get("command") != "stop" or not fields.keys() >= _NEEDED:
            return None
        return cls.from_json(text)


@dataclass(frozen=True, slots=True)
class Lease:
    """What became of taking or keeping a lease; `command` is the stop that waits for the run, if one does."""

    outcome: LeaseOutcome
    run: str
    command: StopCommand | None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of appending events: the last one's id, and the stop that waits for their run, if one does."""

    last_id: int | None
    run: str
    accepted: int
    command: StopCommand | None


@dataclass(frozen=True, slots=True)
class StopRequest:
    """What became of asking for a stop. `session` is JSON, `run` the one that was asked; both empty if unknown."""

    outcome: StopOutcome
    session: bytes
    run: str
