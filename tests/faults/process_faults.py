"""Coordinators that are killed or restarted under load."""

import asyncio
import signal

from tests.faults.faults import Fault


class CoordinatorKilled(Fault):
    """Its browsers go on at the other replica; what it had answered for is kept."""

    name = "coordinator-killed"
    title = "a coordinator, SIGKILL"

    async def inject(self) -> None:
        """Kills one."""
        self._index = self.rng.randrange(len(self.system.coordinators))
        await asyncio.to_thread(self.system.coordinators[self._index].kill)

    async def heal(self) -> None:
        """Starts it again."""
        await asyncio.to_thread(self.system.restart_coordinator, self._index)


class RollingRestart(Fault):
    """All coordinators, one after the other, as an upgrade does it."""

    name = "rolling-restart"
    title = "every coordinator in turn, SIGTERM"
    holds_seconds = (0.0, 0.3)

    async def inject(self) -> None:
        """Restarts all but the last."""
        self._order = self.rng.sample(range(len(self.system.coordinators)), len(self.system.coordinators))
        for index in self._order[:-1]:
            await self._restart(index)

    async def heal(self) -> None:
        """Restarts the last."""
        await self._restart(self._order[-1])

    async def _restart(self, index: int) -> None:
        ended = await asyncio.to_thread(self.system.coordinators[index].stop, signal.SIGTERM)
        if ended != 0:
            self.complain(f"a coordinator ended with {ended} on SIGTERM")
        await asyncio.to_thread(self.system.restart_coordinator, index)
