"""Workers killed at a job, away, and fed with jobs that can't be done."""

import asyncio
import pickle
import signal
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
import psutil

from agent_bus.jobs import TAGS, queue_key, queue_name
from tests.faults.faults import Fault
from tests.faults.system import KEYS, WORKERS, Layout
from tests.faults.workload import until

# With tags changing all the time a job begins several times a second.
JOB_SECONDS = 15.0


class WorkerKilled(Fault):
    """A job dies with its worker, and the mark that says it is on its way stays behind."""

    name = "worker-killed"
    title = "a worker and its job, SIGKILL"

    async def inject(self) -> None:
        """Kills a worker that is at a job, and the process that does the job."""
        workers = self.system.workers
        deadline = time.monotonic() + JOB_SECONDS
        while time.monotonic() < deadline:
            for worker in workers:
                horses = psutil.Process(worker.popen.pid).children()
                if horses:
                    for horse in horses:
                        horse.kill()
                    await asyncio.to_thread(worker.kill)
                    workers.remove(worker)
                    return
            await asyncio.sleep(0.002)
        self.complain(f"no worker began a job within {JOB_SECONDS:g} s")

    async def heal(self) -> None:
        """Starts another one."""
        await asyncio.to_thread(self.system.start_worker)

    async def healed(self) -> None:
        """The counts are materialised again."""
        await until(self.system.tags_are_materialised, "the tags to be materialised")


class NoWorkers(Fault):
    """Without workers the tags are counted where they are asked for."""

    name = "no-workers"
    title = "no worker at all for a while"
    holds_seconds = (1.5, 3.0)

    async def inject(self) -> None:
        """Ends them in order."""
        workers = self.system.workers
        ended = await asyncio.gather(*(asyncio.to_thread(worker.stop, signal.SIGTERM) for worker in workers))
        if any(ended):
            self.complain(f"workers ended with {ended} on SIGTERM")
        workers.clear()

    async def look(self) -> None:
        """The counts are still served."""
        answer = await self.load.documents.ask("GET", "/documents/tags")
        if answer.outcome != "acknowledged":
            self.complain(f"without workers the tag counts are answered {answer.status}: {answer.text}")

    async def heal(self) -> None:
        """Starts as many as there were."""
        await asyncio.gather(*[asyncio.to_thread(self.system.start_worker) for _ in range(WORKERS)])

    async def healed(self) -> None:
        """The counts are materialised again."""
        await until(self.system.tags_are_materialised, "the tags to be materialised")


class WorkersCutOff(NoWorkers):
    """Told to end while Redis says nothing, they end: nobody waits for a worker for minutes."""

    name = "workers-cut-off"
    title = "workers, SIGTERM, while Redis says nothing"
    layout = Layout(proxied="everyone")
    holds_seconds = (0.0, 0.5)
    once = True

    async def inject(self) -> None:
        """Cuts everybody off, or lets the connections go silent, and ends the workers a moment later."""
        proxy = self.system.proxy
        self.rng.choice((proxy.sever, proxy.forget))()
        await self.load.lasting(self.rng.uniform(0.0, 6.0))
        await super().inject()

    async def look(self) -> None:
        """Redis can't be reached by anybody."""

    async def heal(self) -> None:
        """Connects all again, and starts as many workers as there were."""
        self.system.proxy.mend()
        await super().heal()


def _poison() -> list[Mapping[Any, Any]]:
    moment = "2026-01-01T00:00:00.000000Z"
    plain = {
        "created_at": moment, "enqueued_at": moment, "origin": queue_name(KEYS, TAGS), "status": "queued",
        "timeout": "10",
    }  # fmt: skip
    call: tuple[Any, ...] = ("os.abort", None, [], {})
    return [
        plain | {"data": orjson.dumps(call)},
        plain | {"data": pickle.dumps(call)},
        plain | {"data": b"\x00\xff"},
        plain | {"data": orjson.dumps(call), "timeout": "soon"},
        plain | {"data": orjson.dumps(call), "created_at": "yesterday"},
        # The id alone, without a job.
        {},
    ]


class PoisonedJobs(Fault):
    """Jobs that can't be done are put aside; those behind them are done."""

    name = "poisoned-jobs"
    title = "jobs that can't be done, first in the queue"
    once = True

    async def inject(self) -> None:
        """Puts one of each kind at the head of the queue."""
        for fields in _poison():
            job_id = uuid.uuid4().hex
            if fields:
                pairs = [part for pair in fields.items() for part in pair]
                self.system.ask_redis("HSET", f"rq:job:{job_id}", *pairs)
            self.system.ask_redis("LPUSH", queue_key(KEYS, TAGS), job_id)

    async def heal(self) -> None:
        """Nobody does anything about it."""

    async def healed(self) -> None:
        """The queue has been worked off, and the counts are materialised."""

        def worked_off() -> bool:
            return not self.system.ask_redis("LLEN", queue_key(KEYS, TAGS))

        await until(worked_off, "the queue to be worked off")
        await until(self.system.tags_are_materialised, "the tags to be materialised")
        for worker in self.system.workers:
            if worker.popen.poll() is not None:
                self.complain(f"a worker ended with {worker.popen.returncode}")
