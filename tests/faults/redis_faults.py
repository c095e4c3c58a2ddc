"""Redis killed, frozen, full, and without its past."""

import asyncio
import shutil
import time

from tests.browser import Browser
from tests.faults.faults import Fault
from tests.faults.hook_program import TOOL, HookProgram
from tests.faults.workload import until


class RedisKilled(Fault):
    """What Redis had answered for is in the kernel's hands, so it is back when Redis is."""

    name = "redis-killed"
    title = "Redis, SIGKILL, back on its append-only file"

    async def inject(self) -> None:
        """Kills it."""
        await asyncio.to_thread(self.system.redis.kill)

    async def heal(self) -> None:
        """Starts it again."""
        await asyncio.to_thread(self.system.redis.start)


class RedisFrozen(Fault):
    """Requests are refused in time; what was given up on may be done once, when Redis wakes."""

    name = "redis-frozen"
    title = "Redis, SIGSTOP for 10 s"
    holds_seconds = (10.0, 10.0)
    once = True

    async def inject(self) -> None:
        """Freezes it."""
        self.system.redis.pause()

    async def look(self) -> None:
        """Both kinds of server say that they are alive."""
        for replicas in (self.load.coordinators, self.load.documents):
            answer = await replicas.ask("GET", "/health")
            if answer.outcome != "acknowledged":
                self.complain(f"/health is answered {answer.status} while Redis hangs")

    async def heal(self) -> None:
        """Wakes it."""
        self.system.redis.resume()


class OutOfMemory(Fault):
    """Redis refuses what would need memory: new events wait, but what is there is shown, and agents can be stopped."""

    name = "out-of-memory"
    title = "Redis out of memory (maxmemory, noeviction)"
    holds_seconds = (1.0, 2.0)

    async def inject(self) -> None:
        """Gives it less memory than it has in use."""
        self._agent = await self.load.own_agent()
        self._program = HookProgram(self)
        await self._program.begin()
        self.system.ask_redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.system.ask_redis("CONFIG", "SET", "maxmemory", "1")

    async def look(self) -> None:
        """Reads and stops are served; events are refused, and the refusal says why."""
        load, session_id = self.load, self._agent.history.session_id
        for path in ("/sessions", f"/sessions/{session_id}", f"/events/{session_id}"):
            answer = await load.coordinators.ask("GET", path)
            if answer.outcome != "acknowledged":
                self.complain(f"GET {path} is answered {answer.status} without memory: {answer.text}")
        for path in ("/documents", "/documents/tags"):
            answer = await load.documents.ask("GET", path)
            if answer.outcome != "acknowledged":
                self.complain(f"GET {path} is answered {answer.status} without memory: {answer.text}")
        answer = await load.coordinators.ask("POST", "/events", json=load.event(session_id))
        if answer.status not in (503, 507) or "memory" not in answer.text:
            self.complain(f"an event is answered {answer.status} without memory: {answer.text}")
        await self._come_back()
        status = await load.stop(session_id)
        if status not in (200, 202):
            self.complain(f"a stop is answered {status} without memory")
        # What the agent said before its end can't be told; that it has ended can.
        await load.shows(session_id, status="stopped", stop_confirmed=True)
        if not self._agent.ceased:
            self.complain("a stop is confirmed without memory, and the agent goes on")
        await self._stop_by_hooks()

    async def _stop_by_hooks(self) -> None:
        """A program is told to stop by its next hook, though Redis takes no events."""
        if (answer := await self._program.ask("PreToolUse", **TOOL)).status != 503:
            self.complain(f"a hook is answered {answer.status} without memory: {answer.text}")
        await self._program.is_stopped()

    async def _come_back(self) -> None:
        for server, watcher in zip(self.system.coordinators, self.load.watchers, strict=False):
            for query in ("", f"?since={watcher.seq}&resumed=1"):
                try:
                    async with Browser(server.ws_url + query) as browser:
                        await browser.until(lambda message: message["type"] in ("init", "resumed"))
                except AssertionError as error:
                    self.complain(f"a browser that comes with {query!r} without memory: {error}")

    async def heal(self) -> None:
        """Lifts the limit."""
        self.system.ask_redis("CONFIG", "SET", "maxmemory", "0")

    async def healed(self) -> None:
        """The agent that was to be stopped has been."""
        if self._agent.alive:
            await self.load.stop(self._agent.history.session_id)
        await until(lambda: not self._agent.alive, "the agent to obey")


class PastLost(Fault):
    """Redis comes back empty: nobody takes new numbers for old ones, and all begin anew by themselves."""

    name = "past-lost"
    title = "Redis, SIGKILL, back without its append-only file"
    once = True

    async def inject(self) -> None:
        """Kills it and removes what it had kept."""
        self._agents = [await self.load.own_agent(quiet=quiet) for quiet in (False, True)]
        await asyncio.to_thread(self.system.redis.kill)
        for path in self.system.redis_folder.iterdir():
            await asyncio.to_thread(shutil.rmtree if path.is_dir() else type(path).unlink, path)
        history = self.load.history
        history.may_start_over = True
        history.excused.append((0.0, time.monotonic()))

    async def heal(self) -> None:
        """Starts it again."""
        await asyncio.to_thread(self.system.redis.start)

    async def healed(self) -> None:
        """The bridges show their sessions again, and they can be stopped."""
        await self.load.can_be_stopped(self._agents)
