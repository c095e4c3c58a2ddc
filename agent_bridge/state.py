"""Where a bridge stands between entering and leaving: a state machine without I/O."""

from dataclasses import dataclass

from agent_bus.commands import Lease, StopCommand


@dataclass(slots=True)
class BridgeState:
    """The run that the bridge holds and the stop that was given for it.

    run: None until Redis has been reached. command: the first stop for the run; it never changes after that.
    superseded: another run of the session has begun elsewhere, and this bridge's own can't be stopped any more.
    """

    run: str | None = None
    command: StopCommand | None = None
    superseded: bool = False
    acknowledged: bool = False

    def leased(self, lease: Lease) -> StopCommand | None:
        """Takes what Redis said of the lease; returns a stop that has not been seen before."""
        self.superseded = lease.outcome == "superseded"
        if lease.outcome != "held":
            return None
        if lease.run != self.run and self.command is None:
            self.run = lease.run
        return self.ordered(lease.command)

    def forget(self) -> None:
        """Redis has lost the run, and with it whatever was known of it: another one begins."""
        self.run = None

    def ordered(self, command: StopCommand | None) -> StopCommand | None:
        """Takes a stop from wherever it was heard; returns it if it is for this run and new, else None."""
        if command is None or self.command is not None or command.run != self.run:
            return None
        self.command = command
        return command
