"""One run: a system, a load, a fault again and again on a schedule drawn from a seed, and what came of it."""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker import Verdict, check
from tests.faults.faults import Fault
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


async def run(kind: type[Fault], seed: int, seconds: float, folder: Path) -> Result:
    """Injects the fault until so many seconds have passed, at least once.

    Raises NotPossibleHere, or AssertionError for a system that did not come up or a load that broke.
    """
    # The schedule's draws are its own, so that the load's, which depend on timing, don't change it.
    rng, rng_of_load = (random.Random(f"{seed} {kind.name}{of}") for of in ("", " load"))
    heal_seconds: list[float] = []
    async with System(kind.layout, folder) as system, Load(system, rng_of_load) as load:
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
        history = load.history
    history.complaints += system.complaints
    verdict = check(history, final)
    return Result(kind, history.operations, history.acknowledged, verdict, heal_seconds, fault.notes)
