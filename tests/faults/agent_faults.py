"""Agents that die, freeze, compute for long, or lose the network in the middle of a stop."""

import asyncio
import signal

from tests.faults.agent import BLOCKED_SECONDS, LEASE_SECONDS
from tests.faults.faults import Fault
from tests.faults.system import Layout, set_clock
from tests.faults.workload import until

# What the coordinators need to notice that a lease has lapsed, on a loaded machine.
NOTICE_SECONDS = 1.5


class AgentKilled(Fault):
    """People are told within a lease that nobody is there; a stop is then not confirmed."""

    name = "agent-killed"
    title = "an agent, SIGKILL"
    holds_seconds = (0.0, 0.5)

    async def inject(self) -> None:
        """Kills one."""
        self._agent = await self.load.own_agent()
        self._agent.send(signal.SIGKILL)

    async def heal(self) -> None:
        """Nobody does anything about it."""

    async def healed(self) -> None:
        """The session shows that nobody is there, and a stop says so."""
        session_id = self._agent.history.session_id
        await self.load.shows(session_id, presence="none")
        await self.load.stop(session_id)
        await self.load.shows(session_id, status="stopped", stop_confirmed=False)


class AgentFrozen(Fault):
    """The lease lapses, and a stop waits for the agent to wake."""

    name = "agent-frozen"
    title = "an agent, SIGSTOP for longer than its lease, and a stop meanwhile"
    holds_seconds = (LEASE_SECONDS + NOTICE_SECONDS, LEASE_SECONDS + 2 * NOTICE_SECONDS)
    once = True

    async def inject(self) -> None:
        """Freezes one."""
        self._agent = await self.load.own_agent()
        self._agent.send(signal.SIGSTOP)

    async def look(self) -> None:
        """It is stopped while it can't hear."""
        session_id = self._agent.history.session_id
        await self.load.shows(session_id, presence="none")
        await self.load.stop(session_id)
        await self.load.shows(session_id, status="stopped", stop_confirmed=False)

    async def heal(self) -> None:
        """Wakes it."""
        self._agent.send(signal.SIGCONT)

    async def healed(self) -> None:
        """It has obeyed."""
        await until(lambda: not self._agent.alive, "the agent to obey")
        await self.load.shows(self._agent.history.session_id, status="stopped", stop_confirmed=True)


class LaptopSuspended(Fault):
    """Its agents freeze, the network forgets their connections, and when it wakes its clock is another."""

    name = "laptop-suspended"
    title = "a laptop suspended for longer than a lease, its clock moved, and a stop meanwhile"
    layout = Layout(proxied="agents")
    holds_seconds = (LEASE_SECONDS + NOTICE_SECONDS, LEASE_SECONDS + 2 * NOTICE_SECONDS)
    once = True

    async def inject(self) -> None:
        """Suspends two agents' processes."""
        self._clock = self.system.folder / "laptop-clock"
        self._agents = [await self.load.own_agent(clock=self._clock) for _ in range(2)]
        await self.load.lasting(self.rng.uniform(0.0, 0.5))
        for agent in self._agents:
            agent.suspend()
        self.system.proxy.forget()

    async def look(self) -> None:
        """People see that nobody is there; one of the agents is stopped."""
        for agent in self._agents:
            await self.load.shows(agent.history.session_id, presence="none", status="running")
        session_id = self._agents[0].history.session_id
        await self.load.stop(session_id)
        await self.load.shows(session_id, status="stopped", stop_confirmed=False)

    async def heal(self) -> None:
        """Wakes it, hours later or, with a clock that was wrong before, earlier."""
        set_clock(self._clock, self.rng.choice((8 * 3600.0, -3600.0)))
        for agent in self._agents:
            agent.resume()

    async def healed(self) -> None:
        """The one that was stopped has obeyed; the other is connected again, and can be stopped."""
        stopped, other = self._agents
        await until(lambda: not stopped.alive, "the agent to obey")
        await self.load.shows(stopped.history.session_id, status="stopped", stop_confirmed=True)
        await self.load.can_be_stopped([other])
        await self.load.shows(other.history.session_id, status="stopped", stop_confirmed=True)


class AgentBlocked(Fault):
    """The bridge has a thread of its own: a busy agent stays connected, and is stopped as soon as it can be."""

    name = "agent-blocked"
    title = "an agent's loop blocked for longer than its lease, and a stop meanwhile"
    holds_seconds = (LEASE_SECONDS, LEASE_SECONDS + 0.5)
    once = True

    async def inject(self) -> None:
        """Has one compute."""
        self._agent = await self.load.own_agent()
        self._agent.send(signal.SIGUSR1)

    async def look(self) -> None:
        """It is connected all the same; a stop is not confirmed while it computes."""
        session_id = self._agent.history.session_id
        session = await self.load.session(session_id)
        if session is None or session["presence"] != "connected":
            self.complain(f"an agent that computes is shown as {session}")
        await self.load.stop(session_id)

    async def heal(self) -> None:
        """It ends by itself."""

    async def healed(self) -> None:
        """It has obeyed."""
        await until(lambda: not self._agent.alive, "the agent to obey", 2 * BLOCKED_SECONDS + NOTICE_SECONDS)
        await self.load.shows(self._agent.history.session_id, status="stopped", stop_confirmed=True)


class PartitionInStop(Fault):
    """Agents lose Redis at some moment of a stop: before they hear of it, while they obey, or while they say so."""

    name = "partition-in-stop"
    title = "agents cut off from Redis in the middle of a stop"
    layout = Layout(proxied="agents")
    holds_seconds = (0.5, 5.0)

    async def inject(self) -> None:
        """Asks for a stop, and cuts the agents off within the milliseconds that it takes."""
        self._agent = await self.load.own_agent()
        stop = asyncio.create_task(self.load.stop(self._agent.history.session_id))
        await asyncio.sleep(self.rng.uniform(0, 0.02))
        self.system.proxy.sever()
        await stop

    async def heal(self) -> None:
        """Connects them again."""
        self.system.proxy.mend()

    async def healed(self) -> None:
        """It has obeyed, and everybody knows."""
        await until(lambda: not self._agent.alive, "the agent to obey")
        await self.load.shows(self._agent.history.session_id, status="stopped")
