"""What signals that reach `agent-bridge run` mean for the command it runs."""

import enum
import signal

# Other signals keep their effect on us: those that can be waited for do not end a program, the rest are errors of ours.
HEEDED = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT,
)  # fmt: skip


class Reaction(enum.Enum):
    """What is done about a signal."""

    EVERYONE = "everyone in the tree hears it"
    ROOT_ONLY = "the command itself hears it"
    END = "the tree is ended, beginning with SIGTERM"
    HURRY = "the tree is being ended, and the next stage begins now"
    SUSPEND = "the tree is suspended, and we with it"


class Reactions:
    """Decides on signals. A second SIGINT within some seconds of the first says that the first did not help."""

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds
        self._interrupted: float | None = None

    def to(self, received: signal.Signals, now: float, *, ending: bool) -> Reaction:
        """The reaction to a signal received at that moment, in seconds. ending: the tree is being ended."""
        if received in (signal.SIGUSR1, signal.SIGUSR2):
            return Reaction.ROOT_ONLY
        if received == signal.SIGTSTP:
            return Reaction.SUSPEND
        if received not in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            return Reaction.EVERYONE
        if ending:
            return Reaction.HURRY
        if received != signal.SIGINT:
            return Reaction.END
        again = self._interrupted is not None and now - self._interrupted <= self._patience
        self._interrupted = now
        return Reaction.END if again else Reaction.EVERYONE
