"""When a child that ended is started again, and how its end is put into words. No processes here."""

import signal
from dataclasses import dataclass

# A child killed by accident is back at once; one that can't live is tried every half minute and leaves a readable log.
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 30.0
FACTOR = 2.0
# Longer than any of our parts needs to start: one that ran so long was well.
STEADY_SECONDS = 10.0


@dataclass(slots=True)
class Restarts:
    """The restarts of one child: each wait is longer than the last until the child ran well for a while."""

    first_seconds: float = FIRST_DELAY_SECONDS
    longest_seconds: float = LONGEST_DELAY_SECONDS
    steady_seconds: float = STEADY_SECONDS
    failures: int = 0
    """How many short lives there were in a row."""

    def ended(self, ran_seconds: float) -> float:
        """Takes note that the child ended after so long; returns how many seconds to wait before its next start."""
        if ran_seconds >= self.steady_seconds:
            self.failures = 0
        # 2 ** 64 is past any cap; unbounded, the power would overflow after a month of failures.
        delay = self.first_seconds * FACTOR ** min(self.failures, 64)
        self.failures += 1
        return min(delay, self.longest_seconds)


def how_it_ended(returncode: int) -> str:
    """A process's end in words, from what `wait` gave: negative for a signal."""
    if returncode == 0:
        return "ended by itself"
    if returncode > 0:
        return f"ended with exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}"
