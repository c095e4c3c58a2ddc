"""One run: a system, a load, a fault again and again on a schedule drawn from a seed, and what came of it."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker import Verdict, check
from tests.faults.faults import Fault
from tests.faults.history import Final, History
from tests.faults.system import System
from tests.faults.workload import Load

# How long the load goes on undisturbed before a fault, at least and at most.
CALM_SECONDS = (0.5, 1.5)
# What takes longer than this to heal is told in detail.
SLOW_SECONDS = 5.0


@dataclass(slots=True)
class Result:
    """What a run came to. heal_seconds: of each time that the fault was healed, until all was well again."""

    fault: type[Fault]
    operations: int
    acknowledged: int
    verdict: Verdict
    heal_seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Observed:
    """What happened while a fault was injected, before it is judged."""

    fault: type[Fault]
    history: History
    final: Final
    heal_seconds: list[float]
    notes: list[str]

    def result(self) -> Result:
        """What it came to."""
        history = self.history
        verdict = check(history, self.final)
        return Result(self.fault, history.operations, history.acknowledged, verdict, self.heal_seconds, self.notes)


async def run(kind: type[Fault], seed: int, seconds: float, folder: Path) -> Result:
    """Injects the fault until so many seconds have passed, at least once.

    Raises NotPossibleHere, or AssertionError for a system that did not come up or a load that broke.
    """
    (result,) = await run_in_turn([kind], seed, seconds, folder)
    return result


async def run_in_turn(
    kinds: Sequence[type[Fault]],
    seed: int,
    seconds: float,
    folder: Path,
    on_begin: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """As `run`, for faults of one layout, each with a load of its own, one after the other on one system.

    What the system's processes do wrong when they end is held against the last.
    """
    observed = []
    async with System(kinds[0].layout, folder) as system:
        for kind in kinds:
            on_begin(kind.name)
            observed.append(await _observe(kind, system, seed, seconds))
    observed[-1].history.complaints += system.complaints
    return [one.result() for one in observed]


async def _observe(kind: type[Fault], system: System, seed: int, seconds: float) -> Observed:
    # The schedule's draws are its own, so that the load's, which depend on timing, don't change it.
    rng, rng_of_load = (random.Random(f"{seed} {kind.name}{of}") for of in ("", " load"))
    heal_seconds: list[float] = []
    async with Load(system, rng_of_load) as load:
        fault = kind(system, load, rng)
        until = time.monotonic() + seconds
        while True:
            await load.lasting(rng.uniform(*CALM_SECONDS))
            await fault.inject()
            await load.lasting(rng.uniform(*fault.holds_seconds))
            try:
                await fault.look()
            except AssertionError as error:
                fault.complain(f"while it lasted: {error}")
            heal_began = time.monotonic()
            await fault.heal()
            try:
                await load.comes_through()
                if (events := time.monotonic() - heal_began) > SLOW_SECONDS:
                    fault.notes.append(f"events came through everywhere after {events:.1f} s")
                await fault.healed()
            except AssertionError as error:
                fault.complain(f"not healed: {error}")
                break
            heal_seconds.append(time.monotonic() - heal_began)
            if fault.once or time.monotonic() > until:
                break
        await load.lasting(rng.uniform(*CALM_SECONDS))
        final = await load.finish()
    return Observed(kind, load.history, final, heal_seconds, fault.notes)
