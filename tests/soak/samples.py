"""What each process uses, again and again, and whether it grows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

import httpx
import psutil

from tests.metrics import Metrics

MIB = 1024 * 1024
# One browser or agent more is no leak; a leak of one for each of theirs is hundreds.
GROWTH_OF_COUNTS = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What a kind of process stays below: MiB of memory, file descriptors, tasks of its loop (0: it has none).

    growth: how many MiB more it may use at the end than after it has warmed up.
    """

    memory: float
    files: int
    tasks: int
    growth: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process. at: seconds since the beginning; memory in MiB, what is resident."""

    at: float
    memory: float
    files: int
    tasks: int


@dataclass(slots=True)
class Series:
    """The looks at one process."""

    name: str
    limits: Limits
    samples: list[Sample] = field(default_factory=list)

    def _part(self, begin: float, end: float) -> list[Sample]:
        length = len(self.samples)
        return self.samples[int(begin * length) : max(int(end * length), int(begin * length) + 1)]

    def typical(self, begin: float, end: float, what: str) -> float:
        """The median between two shares of the time."""
        return float(median(getattr(sample, what) for sample in self._part(begin, end)))

    def least(self, begin: float, end: float, what: str) -> float:
        """The least between two shares of the time: what is left when nothing much goes on."""
        return float(min(getattr(sample, what) for sample in self._part(begin, end)))

    def peak(self, what: str) -> float:
        """The most there ever was."""
        return float(max(getattr(sample, what) for sample in self.samples))

    def complaints(self) -> list[str]:
        """What was above a limit, a sentence each."""
        found = []
        for what, limit in (("memory", self.limits.memory), ("files", self.limits.files), ("tasks", self.limits.tasks)):
            if (peak := self.peak(what)) > limit:
                found.append(f"{self.name}: {what} reached {peak:.0f}, above its limit of {limit:.0f}")
        early, late = self.typical(0.25, 0.5, "memory"), self.typical(0.75, 1, "memory")
        if late - early > self.limits.growth:
            found.append(f"{self.name}: memory grew from {early:.0f} to {late:.0f} MiB")
        for what in ("files", "tasks"):
            early, late = self.least(0.25, 0.5, what), self.least(0.75, 1, what)
            if late > early + GROWTH_OF_COUNTS:
                found.append(f"{self.name}: {what} never fell below {late:.0f}, and to {early:.0f} before")
        return found


@dataclass(frozen=True, slots=True)
class Watched:
    """A process that is looked at. metrics_url: where it tells of its tasks; '' where it has none.

    memory: what it says of its memory itself (bytes), where that is wanted rather than what is resident; blocks.
    """

    name: str
    pid: int
    limits: Limits
    metrics_url: str = ""
    memory: Callable[[], int] | None = None


class Sampler:
    """Looks at some processes."""

    def __init__(self, watched: list[Watched]) -> None:
        self._watched = watched
        self._began = time.monotonic()
        self.series = {one.name: Series(one.name, one.limits) for one in watched}
        self._processes = {one.name: psutil.Process(one.pid) for one in watched}

    async def look(self, client: httpx.AsyncClient) -> None:
        """Takes one more sample of each. Raises psutil.NoSuchProcess for one that has ended."""
        for one in self._watched:
            process = self._processes[one.name]
            tasks = await self._tasks(client, one.metrics_url) if one.metrics_url else 0
            at = time.monotonic() - self._began
            memory = (one.memory() if one.memory else process.memory_info().rss) / MIB
            self.series[one.name].samples.append(Sample(at, memory, process.num_fds(), tasks))

    @staticmethod
    async def _tasks(client: httpx.AsyncClient, url: str) -> int:
        answer = await client.get(url)
        return int(Metrics(answer.text).value("asyncio_tasks"))


def table(series: Mapping[str, Series]) -> str:
    """A line for each process."""
    lines = [("process", "MiB, second quarter", "last quarter", "peak", "limit", "files, peak", "tasks, peak")]
    lines += [
        (
            one.name,
            f"{one.typical(0.25, 0.5, 'memory'):.0f}",
            f"{one.typical(0.75, 1, 'memory'):.0f}",
            f"{one.peak('memory'):.0f}",
            f"{one.limits.memory:.0f}",
            f"{one.peak('files'):.0f}",
            f"{one.peak('tasks'):.0f}" if one.limits.tasks else "-",
        )
        for one in series.values()
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
