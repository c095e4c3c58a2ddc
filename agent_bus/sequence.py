"""What a reader does with each message that reaches it: a decision from two positions, without I/O."""

from enum import Enum

from agent_bus.bus import Position


class Verdict(Enum):
    """What a message means to a reader that stands at a position."""

    NEXT = "next"
    """It follows at once: deliver it."""
    REPEAT = "repeat"
    """It was delivered before: leave it."""
    GAP = "gap"
    """Others are missing before it: read them from the stream first."""
    ANOTHER_EPOCH = "another epoch"
    """Redis has lost the past that the position speaks of: start over."""


def judge(at: Position, epoch: str, seq: int) -> Verdict:
    """What a live message with this epoch and number means to a reader at `at`."""
    if epoch != at.epoch:
        return Verdict.ANOTHER_EPOCH
    if seq <= at.seq:
        return Verdict.REPEAT
    return Verdict.NEXT if seq == at.seq + 1 else Verdict.GAP
