"""How much somebody may do a second, counted in one process: so much on average, and ten seconds' worth at once.

One number is kept of each: when all of its allowance will be there again. Taking something moves that moment on; it
may not lie further ahead than the ten seconds. Who has not taken anything for that long is as good as unknown, and is
forgotten. Light enough to import into an agent's process.
"""

import os
import time
from collections.abc import Callable, Mapping

BURST_SECONDS = 10.0
# A number and a name of up to 200 characters each: about 4 MB.
MOST_KNOWN = 10_000
# What a long sum of small numbers may be off by.
_ROUNDING = 1e-6

SESSION_EVENTS_PER_SECOND = 5000
"""By default. Several times what the busiest agent says, and about what one replica takes in."""
SESSION_EVENTS_VARIABLE = "AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND"


class InvalidLimit(ValueError):
    """The environment names a limit that is none; the message says what one looks like."""


class Allowances:
    """The allowances of many, by name. Not for use by several threads."""

    def __init__(
        self, per_second: float, *, clock: Callable[[], float] = time.monotonic, most: int = MOST_KNOWN
    ) -> None:
        """per_second: 0 for as much as anybody likes. most: of how many something is remembered at once."""
        self.per_second = per_second
        self._each = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._most = most
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, whose: str, amount: int = 1) -> float:
        """Takes so much and returns 0; or takes nothing and returns in how many seconds there will be something.

        It is enough that one is left: what is taken beyond that is owed, and has to be waited for next time.
        """
        if not self._each:
            return 0.0
        now = self._clock()
        full_at = self._full_at.get(whose, now)
        if full_at < now:
            full_at = now
        wait = full_at - now + self._each - BURST_SECONDS
        if wait > _ROUNDING:
            return wait
        if len(self._full_at) >= self._most:
            self._forget(now)
        self._full_at[whose] = full_at + amount * self._each
        return 0.0

    def _forget(self, now: float) -> None:
        """Makes room: for those who have all of theirs, else for those who have most of it."""
        busy = [(full_at, whose) for whose, full_at in self._full_at.items() if full_at > now]
        # Half of the room, so that this is not done again for each that comes.
        self._full_at = {whose: full_at for full_at, whose in sorted(busy)[-self._most // 2 :]}


def session_events_per_second(environ: Mapping[str, str] = os.environ) -> int:
    """The limit for one session's events that the environment names; 0 for none. Raises InvalidLimit.

    For processes that don't read all settings: bridges.
    """
    text = environ.get(SESSION_EVENTS_VARIABLE, "").strip()
    if not text:
        return SESSION_EVENTS_PER_SECOND
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidLimit(
            f"{SESSION_EVENTS_VARIABLE} must be a whole number of events a second, 0 for no limit, not {text!r}"
        )
    return int(text)
