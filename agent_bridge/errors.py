"""Errors of the bridge.

BridgeError
├── SessionStopped      somebody pressed Stop; carries the command
└── BridgeNotEntered    the bridge was used outside its `with` block
"""

from agent_bus.commands import StopCommand


class BridgeError(Exception):
    """Any error of the bridge's own."""


class SessionStopped(BridgeError):
    """The session was asked to stop and what ran under `run()` has been cancelled and has ended."""

    def __init__(self, command: StopCommand) -> None:
        super().__init__(f"session {command.session_id} was stopped")
        self.command = command


class BridgeNotEntered(BridgeError):
    """The bridge works between entering and leaving its `with` block."""

    def __init__(self) -> None:
        super().__init__("use the bridge inside its `with` block")
