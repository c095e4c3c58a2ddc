"""The load of a run: agents, browsers, uploads, changes of tags and stops, all written down as they happen."""

import asyncio
import hashlib
import random
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

from agent_bus.tasks import end
from api.coordinator.stopping import STOPPED
from tests.faults.agents import BridgedAgent, bridged_agents, event, report, reporting_agents
from tests.faults.browsers import Watcher
from tests.faults.documents import edit_documents
from tests.faults.history import Final, History, KeptDocument, KeptEvent, KeptSession, StopHistory
from tests.faults.replicas import Replicas
from tests.faults.system import KEYS, System, moving_clock

BROWSERS_EACH = 2
REPORTING_AGENTS = 6
BRIDGED_AGENTS = 2
# What the load pauses between two requests of one client, on average.
REPORT_PAUSE_SECONDS, EDIT_PAUSE_SECONDS, STOP_PAUSE_SECONDS = 0.02, 0.1, 0.3
STOPS_AT_ONCE = 4

POLL_SECONDS = 0.02
PROBE_SECONDS = 0.3
# A subscription that has gone silent is found out after 35 s; on a loaded machine all takes longer.
HEAL_SECONDS = 60.0
PAGE = 1000


async def until(condition: Callable[[], bool], what: str, seconds: float = HEAL_SECONDS) -> None:
    """Waits for the condition. Raises AssertionError saying what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        await asyncio.sleep(POLL_SECONDS)


class Load:
    """Use as `async with Load(system, rng) as load`; ends with `finish`."""

    def __init__(self, system: System, rng: random.Random) -> None:
        self.history = History()
        self.system = system
        self.rng = rng
        complaints = self.history.complaints
        self.coordinators = Replicas([server.url for server in system.coordinators], complaints)
        self.documents = Replicas([system.documents.url], complaints)
        addresses = [server.ws_url for server in system.coordinators]
        self.watchers = [
            Watcher(f"browser {index}", addresses, index, with_epoch=index % (2 * len(addresses)) < len(addresses))
            for index in range(BROWSERS_EACH * len(addresses))
        ]
        self.history.browsers = [watcher.history for watcher in self.watchers]
        self.bridged: list[BridgedAgent] = []
        self._spared: set[str] = set()
        self._probed = [f"probe-{uuid.uuid4().hex[:8]}" for _ in system.coordinators]
        self._probes = 0
        self._no_more_stops, self._ending = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _begin(self) -> None:
        self._watching = [self._task(watcher.run(), watcher.history.name) for watcher in self.watchers]
        await until(lambda: all(watcher.history.chapters for watcher in self.watchers), "the browsers' init")
        await self.comes_through()
        history, ending, system = self.history, self._ending, self.system
        for number in range(REPORTING_AGENTS):
            work = reporting_agents(history, self.coordinators, REPORT_PAUSE_SECONDS, ending)
            self._task(work, f"reporting agent {number}")
        for number in range(BRIDGED_AGENTS):
            work = bridged_agents(
                history, self.bridged, system.agents_redis_url, system.folder, system.environment, ending
            )
            self._task(work, f"bridged agent {number}")
        self._task(edit_documents(history, self.documents, self.rng, EDIT_PAUSE_SECONDS, ending), "documents")
        self._stopping = self._task(self._stop_again_and_again(), "stops")
        await until(lambda: any(agent.entered for agent in self.bridged), "an agent with a bridge to begin")

    async def __aexit__(self, *_: object) -> None:
        await end(self._tasks)
        for agent in self.bridged:
            if agent.alive:
                agent.process.kill()
        for replicas in (self.coordinators, self.documents):
            await replicas.__aexit__()

    def _task(self, work: Awaitable[None], name: str) -> asyncio.Task[None]:
        async def run() -> None:
            await work

        task = asyncio.create_task(run(), name=name)
        self._tasks.append(task)
        return task

    async def lasting(self, seconds: float) -> None:
        """Lets the load go on for so long. Raises what broke a part of it."""
        going = [task for task in self._tasks if not task.done()]
        done, _ = await asyncio.wait(going, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def comes_through(self, seconds: float = HEAL_SECONDS) -> None:
        """Waits until each replica has taken an event that was reported now, and each browser was sent one of each."""
        deadline = time.monotonic() + seconds
        taken: dict[str, int] = {}

        def everywhere() -> bool:
            return len(taken) == len(self._probed) and all(
                watcher.newest.get(name, 0) >= n for watcher in self.watchers for name, n in taken.items()
            )

        while not everywhere():
            if time.monotonic() > deadline:
                silent = [name for index, name in enumerate(self._probed) if name not in taken]
                raise AssertionError(f"for {seconds:g} s no event came through; refused: {silent}; sent: {taken}")
            # Again and again: one may be older than the `init` of a browser that had to begin anew.
            for index, name in enumerate(self._probed):
                self._probes += 1
                if await report(self.history, self.coordinators, name, self._probes, at=index):
                    taken.setdefault(name, self._probes)
            patience = time.monotonic() + PROBE_SECONDS
            while not everywhere() and time.monotonic() < patience:
                await asyncio.sleep(POLL_SECONDS)

    async def _stop_again_and_again(self) -> None:
        under_way: set[asyncio.Task[int]] = set()
        try:
            while not self._no_more_stops.is_set():
                await asyncio.sleep(self.rng.uniform(0, 2 * STOP_PAUSE_SECONDS))
                going = [name for name, agent in self.history.agents.items() if agent.ceased_at is None]
                going = [name for name in going if name not in self._spared]
                if going and len(under_way) < STOPS_AT_ONCE:
                    task = asyncio.create_task(self.stop(self.rng.choice(going)))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            await asyncio.gather(*under_way)
        finally:
            await end(under_way)

    async def stop(self, session_id: str) -> int:
        """Asks for a stop and writes down what came of it; the answer's status."""
        answer = await self.coordinators.ask("POST", f"/sessions/{session_id}/stop")
        at = time.monotonic()
        confirmed = answer.outcome == "acknowledged" and answer.body["message"] == STOPPED
        if answer.outcome == "refused" and answer.status not in (0, 404):
            self.history.complaints.append(f"a stop of {session_id} was answered {answer.status}: {answer.text}")
        self.history.stops.append(StopHistory(session_id, answer.outcome, confirmed, at))
        return answer.status

    @staticmethod
    def event(session_id: str) -> dict[str, object]:
        """An event without a number, for a session of somebody's."""
        return event(session_id)

    async def own_agent(self, *, quiet: bool = False, clock: Path | None = None) -> BridgedAgent:
        """One more agent with a bridge, at work, which is stopped by nobody but the caller.

        quiet: it reports nothing while it works. clock: the file that says how far its wall clock is off.
        """
        system = self.system
        environment = system.environment | (moving_clock(clock) if clock else {})
        agent = BridgedAgent(system.agents_redis_url, system.folder, environment, quiet=quiet)
        self._spared.add(agent.history.session_id)
        self.bridged.append(agent)
        self.history.agents[agent.history.session_id] = agent.history
        await until(lambda: agent.entered, "an agent with a bridge to begin")
        # On a busy machine it begins its work before Redis has been reached.
        await self.shows(agent.history.session_id, presence="connected")
        return agent

    async def session(self, session_id: str) -> Any:
        """A session as it is shown; None where it is not known, or not at present."""
        answer = await self.coordinators.ask("GET", f"/sessions/{session_id}")
        return answer.body if answer.outcome == "acknowledged" else None

    async def shows(self, session_id: str, **fields: object) -> None:
        """Waits until the session is shown with these fields."""
        deadline = time.monotonic() + HEAL_SECONDS
        while True:
            session = await self.session(session_id)
            if session is not None and fields.items() <= session.items():
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {HEAL_SECONDS:g} s for {session_id} to show {fields}; it is {session}")
            await asyncio.sleep(POLL_SECONDS)

    async def can_be_stopped(self, agents: Sequence[BridgedAgent]) -> None:
        """Waits until the agents' sessions are shown as connected, and stops them for good."""
        for agent in agents:
            await self.shows(agent.history.session_id, presence="connected", status="running")
            await self.stop(agent.history.session_id)
            await until(lambda agent=agent: not agent.alive, "the agent to obey")  # type: ignore[misc]

    async def finish(self) -> Final:
        """Ends the load, each part in order, and reads what the system says then."""
        self._no_more_stops.set()
        await self._stopping
        accepted = self.history.accepted_stops()
        self._ending.set()
        others = [task for task in self._tasks if task not in self._watching]
        done, pending = await asyncio.wait(others, timeout=HEAL_SECONDS)
        for task in pending:
            self.history.complaints.append(f"{task.get_name()} could not end")
        for task in done:
            task.result()
        for agent in self.bridged:
            # One that was stopped ends by itself; if it does not, the checker says so.
            if agent.alive and agent.history.session_id not in accepted:
                await until(lambda agent=agent: agent.entered or not agent.alive, "an agent to begin")  # type: ignore[misc]
                agent.send(signal.SIGTERM)
        try:
            await until(lambda: not any(agent.alive for agent in self.bridged), "the agents with a bridge to end", 30)
        except AssertionError as error:
            self.history.complaints.append(str(error))
        for agent in self.bridged:
            agent.read(self.history)
        await self.comes_through()
        await end(self._watching)
        return await self._read()

    async def _read(self) -> Final:
        final = Final(epoch=(await asyncio.to_thread(self.system.ask_redis, "GET", KEYS.epoch)).decode())
        async for session in self._sessions():
            session_id = session["session_id"]
            final.sessions[session_id] = KeptSession(session["status"], session["stop_confirmed"])
            final.events[session_id] = [kept async for kept in self._events(session_id)]
        async for document in self._documents():
            answer = await self.documents.ask("GET", f"/documents/{document['id']}")
            checksum = hashlib.sha256(answer.content).hexdigest() if answer.outcome == "acknowledged" else None
            tags = frozenset(document["tags"])
            final.documents.append(KeptDocument(document["id"], document["filename"], tags, checksum))
        counts = await self._get(self.documents, "/documents/tags")
        final.tags = {tag["name"]: tag["count"] for tag in counts["tags"]}
        return final

    async def _sessions(self) -> Any:
        query: dict[str, Any] = {}
        while True:
            page = await self._get(self.coordinators, "/sessions", params=query)
            for session in page["sessions"]:
                yield session
            if page["next"] is None:
                return
            query = {"cursor": page["next"]}

    async def _events(self, session_id: str) -> Any:
        after = 0
        while True:
            page = await self._get(
                self.coordinators, f"/events/{session_id}", params={"after": after, "limit": 10 * PAGE}
            )
            for kept in page["events"]:
                yield KeptEvent(kept["id"], kept.get("n"))
            if not page["has_more"]:
                return
            after = page["next"]

    async def _documents(self) -> Any:
        offset = 0
        while page := await self._get(self.documents, "/documents", params={"limit": PAGE, "offset": offset}):
            for document in page:
                yield document
            offset += len(page)

    async def _get(self, replicas: Replicas, path: str, **options: Any) -> Any:
        answer = await replicas.ask("GET", path, **options)
        assert answer.outcome == "acknowledged", f"GET {path}: {answer.status} {answer.text}"
        return answer.body
