"""The table: what a row is, and how it comes from runs."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it compares, and whether it is what we want it to be.

    value: what is held against the target, mostly a ratio; in `unit`. spread: the largest value of a run less the
    smallest, as a share of the median. correct: every message and answer was what it should be.
    """

    id: str
    what: str
    ours: float
    theirs: float
    value: float
    target: float
    better: Literal["higher", "lower"]
    met: bool
    spread: float
    correct: bool
    unit: str = "x"
    note: str = ""


class Incorrect(Exception):
    """A run in which something was lost, repeated or wrong; there is no figure then. The message says what."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: runs of each kind, seconds of each, and the sizes that take long to make."""

    runs: int
    seconds: float
    browsers: int
    idle_browsers: int
    samples: int
    documents: tuple[int, ...]
    sessions: tuple[int, ...]
    events: tuple[int, ...]
    replicas: tuple[int, ...]


FULL = Effort(
    runs=3, seconds=4.0, browsers=500, idle_browsers=5000, samples=200, documents=(100, 1000, 10_000, 100_000),
    sessions=(100, 10_000, 100_000), events=(1000, 100_000, 1_000_000), replicas=(1, 2, 4),
)  # fmt: skip
QUICK = Effort(
    runs=1, seconds=1.2, browsers=500, idle_browsers=1000, samples=40, documents=(100, 1000, 10_000),
    sessions=(100, 10_000), events=(1000, 50_000), replicas=(1, 2),
)  # fmt: skip


def in_turn(runs: int, *ways: Callable[[], T]) -> list[list[T]]:
    """What each way gave in each run; the ways take turns, so that a machine that drifts is fair to all."""
    given: list[list[T]] = [[] for _ in ways]
    for _ in range(runs):
        for results, way in zip(given, ways, strict=True):
            results.append(way())
    return given


def spread(values: Sequence[float]) -> float:
    """The distance between the extremes, as a share of the median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / abs(middle) if middle else 0.0


def ratio_row(
    row_id: str,
    what: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    target: float,
    better: Literal["higher", "lower"],
    note: str = "",
) -> Row:
    """A row of the ratio ours to theirs, run by run."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return value_row(
        row_id, what, ratios, ours=statistics.median(ours), theirs=statistics.median(theirs), target=target,
        better=better, note=note,
    )  # fmt: skip


def value_row(
    row_id: str,
    what: str,
    values: Sequence[float],
    *,
    target: float,
    better: Literal["higher", "lower"],
    ours: float | None = None,
    theirs: float = 0.0,
    unit: str = "x",
    note: str = "",
) -> Row:
    """A row of one figure, the median of its runs."""
    value = statistics.median(values)
    met = value >= target if better == "higher" else value <= target
    return Row(
        row_id, what, value if ours is None else ours, theirs, value, target, better, met, spread(values), True, unit,
        note,
    )  # fmt: skip
