"""What a fault is: how it is brought about, what must hold while it lasts, how it ends, and how to tell that it has."""

import random
from abc import ABC, abstractmethod
from typing import ClassVar

from tests.faults.system import Layout, System
from tests.faults.workload import Load


class Fault(ABC):
    """One kind of fault, in one run: it is injected, lasts, is looked at, is healed, and all is well, again and again.

    rng: drawn from the run's seed, and from nothing else. notes: what is worth telling beside the table's figures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    layout: ClassVar[Layout] = Layout()
    holds_seconds: tuple[float, float] = (0.5, 2.0)
    """How long it lasts, at least and at most."""
    once: ClassVar[bool] = False
    """It is not repeated within a run."""

    def __init__(self, system: System, load: Load, rng: random.Random) -> None:
        self.system = system
        self.load = load
        self.rng = rng
        self.notes: list[str] = []

    def complain(self, text: str) -> None:
        """Notes what must not have happened; the run has failed."""
        self.load.history.complaints.append(text)

    @abstractmethod
    async def inject(self) -> None:
        """Brings the fault about."""

    async def look(self) -> None:  # noqa: B027 - most have nothing to look at
        """Checks what must hold while the fault lasts."""

    @abstractmethod
    async def heal(self) -> None:
        """Takes the cause away."""

    async def healed(self) -> None:  # noqa: B027 - most come back with the events
        """Waits for what must come back, beside events that come through everywhere."""
