"""One soak: the load of the fault tests with slow spells, floods and lazy browsers, and a look at every process."""

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from tests.faults.agents import event
from tests.faults.checker import Verdict, check
from tests.faults.system import Layout, System
from tests.faults.workload import Load
from tests.soak.samples import Limits, Sampler, Series, Watched

# Histories move to the archive within the run, as they do within a day.
ARCHIVE_AFTER_SECONDS = 20
REPLAY_WINDOW = 2000
LAYOUT = Layout(
    proxied="everyone",
    environment=(
        ("AGENT_ORCHESTRATOR_ARCHIVE_AFTER_SECONDS", str(ARCHIVE_AFTER_SECONDS)),
        ("AGENT_ORCHESTRATOR_REPLAY_WINDOW", str(REPLAY_WINDOW)),
    ),
)

COORDINATOR = Limits(memory=200, files=150, tasks=300, growth=16)
DOCUMENTS = Limits(memory=200, files=150, tasks=300, growth=16)
WORKER = Limits(memory=120, files=60, tasks=0, growth=8)
AGENT = Limits(memory=100, files=40, tasks=0, growth=8)
# Documents are added all the time, thousands an hour; each, with its tags, is about 2 KiB there for good, and a session
# half of that. Between histories that come and go, each may keep a page from being given back (libc's allocator).
REDIS = Limits(memory=200, files=150, tasks=0, growth=64)
REDIS_DATA = Limits(memory=100, files=150, tasks=0, growth=24)

LOOK_SECONDS = 2.0
LOOKS_AFTER = 4
SPELL_SECONDS = 5.0
SLOW_REDIS_SECONDS = 0.2
FLOOD, FLOODING = 1000, 64
LAZY_BROWSERS = 10
# An event that is refused is one that the agent keeps, or hears of.
TAKEN = (200, 429, 503)


@dataclass(slots=True)
class Soaked:
    """What a run came to."""

    seconds: float
    series: Mapping[str, Series]
    operations: int
    acknowledged: int
    verdict: Verdict
    spells: int

    @property
    def complaints(self) -> list[str]:
        """Whatever was not as promised."""
        found = [complaint for one in self.series.values() for complaint in one.complaints()]
        return found if self.verdict.good else [*found, *self.verdict.explain().splitlines()]


class Spells:
    """What happens now and then while the load goes on."""

    def __init__(self, system: System) -> None:
        self._system = system
        kinds: tuple[Callable[[], Awaitable[None]], ...] = (self._slow_redis, self._flood, self._lazy_browsers)
        self._kinds = itertools.cycle(kinds)
        self.happened = 0

    async def again_and_again(self, every_seconds: float) -> None:
        """One after the other, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            await next(self._kinds)()
            self.happened += 1

    async def _slow_redis(self) -> None:
        self._system.proxy.delay_seconds = SLOW_REDIS_SECONDS
        try:
            await asyncio.sleep(SPELL_SECONDS)
        finally:
            self._system.proxy.delay_seconds = 0

    async def _flood(self) -> None:
        """One agent that reports as fast as it is answered, over many connections."""
        session_id = f"flood-{uuid.uuid4().hex[:8]}"
        left = iter(range(FLOOD))
        url = f"{self._system.coordinators[0].url}/events"

        async def report(client: httpx.AsyncClient) -> None:
            for _ in left:
                answer = await client.post(url, json=event(session_id, padding="x" * 500))
                assert answer.status_code in TAKEN, answer.text

        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=FLOODING)) as client:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(FLOODING):
                    tasks.create_task(report(client))
            await client.post(url, json=event(session_id, "session_stop"))

    async def _lazy_browsers(self) -> None:
        """Browsers that connect and then read nothing; the flood that follows lets them go."""
        async with AsyncExitStack() as stack:
            for server in itertools.islice(itertools.cycle(self._system.coordinators), LAZY_BROWSERS):
                await stack.enter_async_context(connect(server.ws_url, max_queue=1, close_timeout=0.1))
            await self._flood()
            await asyncio.sleep(SPELL_SECONDS)


def watched(system: System, agent_pid: int) -> list[Watched]:
    """The processes of a system, and one agent's."""
    assert system.redis.process is not None
    coordinators = [
        Watched(f"coordinator {n}", server.popen.pid, COORDINATOR, f"{server.url}/metrics")
        for n, server in enumerate(system.coordinators, 1)
    ]
    documents = Watched("documents", system.documents.popen.pid, DOCUMENTS, f"{system.documents.url}/metrics")
    workers = [Watched(f"worker {n}", one.popen.pid, WORKER) for n, one in enumerate(system.workers, 1)]
    agent = Watched("an agent's program", agent_pid, AGENT)
    redis_pid = system.redis.process.pid
    # What is resident is more by what the allocator keeps for itself.
    redis = Watched("redis", redis_pid, REDIS)
    data = Watched("of it, data", redis_pid, REDIS_DATA, memory=lambda: int(system.ask_redis("INFO")["used_memory"]))
    return [*coordinators, documents, *workers, agent, redis, data]


async def soak(seconds: float, folder: Path, told: Callable[[float, Mapping[str, Series]], None]) -> Soaked:
    """Runs for so long. told: called after each look. Raises what broke."""
    began = time.monotonic()
    async with (
        httpx.AsyncClient(timeout=30) as client,
        System(LAYOUT, folder) as system,
        Load(system, random.Random(f"{seconds}")) as load,
    ):
        agent = await load.own_agent(quiet=True)
        sampler = Sampler(watched(system, agent.process.popen.pid))
        spells = Spells(system)
        happening = asyncio.create_task(spells.again_and_again(min(30.0, seconds / 6)))
        try:
            while (passed := time.monotonic() - began) < seconds:
                await sampler.look(client)
                told(passed, sampler.series)
                await load.lasting(LOOK_SECONDS)
                if happening.done():
                    happening.result()
        finally:
            happening.cancel()
            await asyncio.gather(happening, return_exceptions=True)
        # What is held for a spell is to be let go after it.
        for _ in range(LOOKS_AFTER):
            await load.lasting(1)
            await sampler.look(client)
        await load.can_be_stopped([agent])
        final = await load.finish()
        history = load.history
    history.complaints += system.complaints
    return Soaked(
        passed, sampler.series, history.operations, history.acknowledged, check(history, final), spells.happened
    )
