"""A primary that is replaced by its replica, and what may be lost on the way."""

import asyncio
import time

from tests.faults.faults import Fault
from tests.faults.system import Layout
from tests.faults.workload import until

# How much a primary may have acknowledged that its replica had not received; on loopback it is milliseconds.
REPLICATION_LAG_SECONDS = 1.0


class Failover(Fault):
    """The replica takes over; what it had not received is lost, and nothing else."""

    name = "failover"
    title = "the primary, SIGKILL; Sentinel fails over"
    loses = True
    """What was acknowledged a moment before it was killed may be gone."""
    layout = Layout(sentinels=True)
    holds_seconds = (0.0, 0.0)
    once = True

    async def inject(self) -> None:
        """Kills the primary."""
        self._agents = [await self.load.own_agent(quiet=quiet) for quiet in (False, True)]
        await asyncio.to_thread(self.system.redis.kill)
        killed_at = time.monotonic()
        self.load.history.may_start_over = True
        if self.loses:
            # What it had sent may be read a moment later.
            lag = REPLICATION_LAG_SECONDS
            self.load.history.excused.append((killed_at - lag, killed_at + lag))

    async def heal(self) -> None:
        """Nobody does anything: the sentinels name the replica."""
        system = self.system
        await until(lambda: system.primary_port() == system.replica.port, "the sentinels to name the replica")
        system.redis, system.replica = system.replica, system.redis

    async def healed(self) -> None:
        """The bridges are connected, and can be stopped."""
        await self.load.can_be_stopped(self._agents)


class FrozenPrimary(Fault):
    """Sentinel gives it up, and it wakes without knowing: what it takes until it is told is lost."""

    name = "frozen-primary"
    title = "the primary, SIGSTOP; Sentinel fails over; it wakes"
    takes_writes = True
    """When it wakes, until it is told."""
    loses = True
    """What is acknowledged until then may be gone."""
    layout = Layout(sentinels=True)
    holds_seconds = (0.0, 0.5)
    once = True

    async def inject(self) -> None:
        """Freezes the primary until the replica has taken over."""
        system = self.system
        self._agent = await self.load.own_agent()
        self._began = time.monotonic() - REPLICATION_LAG_SECONDS
        self.load.history.may_start_over = True
        system.redis.pause()
        await until(lambda: system.primary_port() == system.replica.port, "the sentinels to name the replica")
        system.redis, system.replica = system.replica, system.redis

    async def heal(self) -> None:
        """Wakes it; the sentinels make it a replica of the other."""
        self._woken_at = time.monotonic()
        self.system.replica.resume()
        await until(self._is_replica, "the sentinels to make it a replica")
        told_at = time.monotonic()
        if self.loses:
            until_when = (told_at if self.takes_writes else self._woken_at) + REPLICATION_LAG_SECONDS
            self.load.history.excused.append((self._began, until_when))
        self.notes.append(f"for {told_at - self._woken_at:.1f} s after waking it took itself for the primary")

    def _is_replica(self) -> bool:
        return bool(self.system.ask_redis("ROLE", port=self.system.replica.port)[0] == b"slave")

    async def healed(self) -> None:
        """The bridges are connected, and can be stopped."""
        await self.load.can_be_stopped([self._agent])


class FencedPrimary(FrozenPrimary):
    """One that must have a replica refuses writes as soon as it wakes without one."""

    name = "fenced-primary"
    title = "the same, with min-replicas-to-write 1"
    takes_writes = False

    async def inject(self) -> None:
        """Has the primary require its replica, and freezes it."""
        self.system.ask_redis("CONFIG", "SET", "min-replicas-to-write", "1")
        await super().inject()


class ReplicatedFailover(Failover):
    """What was acknowledged had been received by the replica, which takes over: nothing is lost.

    Writes are refused until the new primary has a replica again.
    """

    name = "failover-waiting"
    title = "the primary, SIGKILL, with AGENT_ORCHESTRATOR_MIN_REPLICAS=1"
    loses = False
    layout = Layout(sentinels=True, min_replicas=1)

    async def heal(self) -> None:
        """Starts the old primary again when the sentinels have named the replica; they make it a replica."""
        await super().heal()
        await asyncio.to_thread(self.system.replica.start)


class ReplicatedFrozenPrimary(FrozenPrimary):
    """What it takes when it wakes is acknowledged to nobody, for no replica receives it."""

    name = "frozen-primary-waiting"
    title = "the primary, SIGSTOP; it wakes, with AGENT_ORCHESTRATOR_MIN_REPLICAS=1"
    loses = False
    layout = Layout(sentinels=True, min_replicas=1)
