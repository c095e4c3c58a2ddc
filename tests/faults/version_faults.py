"""A newer version of the software beside this one on one Redis."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.health import is_healthy
from tests.browser import Browser, Message
from tests.faults.agents import report
from tests.faults.documents import retag, upload
from tests.faults.faults import Fault
from tests.faults.replicas import Replicas
from tests.faults.system import KEYS
from tests.faults.workload import until
from tests.processes import REPOSITORY, Process, free_port, wait_until

FIELD = "of_a_newer_version"
Changes = Sequence[tuple[str, str, str]]
# What the newer version writes more: into every message, into sessions, commands, and what is told of documents.
CHANGES = (
    ("contract.py", "MAJOR, MINOR = 1, 0", "MAJOR, MINOR = 1, 7"),
    ("bus.lua", "\"seq\":' .. seq .. ','", f'"seq":\' .. seq .. \',"{FIELD}":{{"x":1}},\''),
    ("session.lua", "session_id = id, session_name = name,", f"session_id = id, {FIELD} = '1', session_name = name,"),
    ("session.lua", '{"command":"stop",', f'{{"command":"stop","{FIELD}":[1],'),
    ("document.lua", 'return \'{"id":"\' .. d.id', f'return \'{{"{FIELD}":{{}},"id":"\' .. d.id'),
)
# What a version does that this one can't work beside.
BREAKS = (("contract.py", "MAJOR, MINOR = 1, 0", "MAJOR, MINOR = 2, 0"),)


class NewerCoordinator(Process):
    """A coordinator whose code is another version's; changes: in which file of the bus, what, into what."""

    def __init__(self, redis_url: str, folder: Path, name: str, changes: Changes) -> None:
        code = folder / name
        for package in ("agent_bus", "api"):
            shutil.copytree(REPOSITORY / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
        for file, old, new in changes:
            path = code / "agent_bus" / ("scripts" if file.endswith(".lua") else "") / file
            text = path.read_text("utf-8")
            assert old in text, f"{file} no longer contains {old}: say anew what a newer version would write"
            path.write_text(text.replace(old, new), "utf-8")
        self._port = port = free_port()
        self.url, self.ws_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/ws"
        super().__init__(
            ["-m", "api.cli", "coordinator", "--redis-url", redis_url, "--port", str(port)],
            {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder / "project"), "PYTHONPATH": str(code)},
            folder / f"{name}.log",
            # Where a program is started from comes first among the places of its modules.
            cwd=code,
        )

    def is_healthy(self) -> bool:
        """Whether it serves."""
        return is_healthy("127.0.0.1", self._port)


class NewerVersion(Fault):
    """What it writes more is kept and passed on; what it asks for is understood."""

    name = "newer-version"
    title = "a newer version beside this one"
    once = True

    async def inject(self) -> None:
        """Starts it."""
        system = self.system
        self._newer = NewerCoordinator(system.redis_url, system.folder, "newer", CHANGES)
        system.adopt(self._newer)
        await asyncio.to_thread(wait_until, self._newer.is_healthy, "the newer version to be healthy")

    async def look(self) -> None:
        """Sessions, events and stops go through both."""
        load, session_id = self.load, "of-the-newer-version"
        old, new = self.system.coordinators[0], self._newer

        def event_of(n: int) -> Any:
            def matches(message: Message) -> bool:
                data = message.get("data", {})
                return bool(data.get("session_id") == session_id and data.get("n") == n)

            return matches

        async with Replicas([new.url, old.url], load.history.complaints) as both:
            async with Browser(old.ws_url) as at_old, Browser(new.ws_url) as at_new:
                for n in range(10):
                    await report(load.history, both, session_id, n, at=n % 2)
                told = [(await browser.until(event_of(9)))[0] for browser in (at_old, at_new)]
                if told[0] != told[1]:
                    self.complain(f"the two versions told their browsers of one event: {told}")
                first = (await at_old.until(event_of(0)))[0]
                if first.get(FIELD) != {"x": 1}:
                    self.complain(f"the field {FIELD} of a message did not survive: {first}")
            await both.ask("PATCH", f"/sessions/{session_id}/metadata", at=1, json={"session_name": "renamed"})
            if self.system.ask_redis("HGET", KEYS.session(session_id), FIELD) is None:
                self.complain(f"the field {FIELD} of a session did not survive a change by this version")
            agent = await load.own_agent()
            answer = await both.ask("POST", f"/sessions/{agent.history.session_id}/stop", at=0)
            if answer.status != 200:
                self.complain(f"a stop by the newer version is answered {answer.status}: {answer.text}")
            await until(lambda: not agent.alive, "the agent to obey the newer version")
            await self._keeps_what_is_stored(both)
        for replicas in (load.coordinators, load.documents):
            await self._ready(replicas, 200)

    async def _ready(self, replicas: Replicas, status: int) -> None:
        for index in range(replicas.count):
            answer = await replicas.ask("GET", "/ready", at=index)
            if answer.status != status:
                self.complain(f"/ready is answered {answer.status}, not {status}: {answer.text}")

    async def _keeps_what_is_stored(self, both: Replicas) -> None:
        """Blueprints and documents that the newer version has given a field keep it when this one changes them."""
        system, documents = self.system, self.load.documents
        await both.ask("POST", "/agents", at=1, json={"name": "kept", "description": "d"})
        stored = json.loads(system.ask_redis("HGET", KEYS.blueprints, "kept")) | {FIELD: [1]}
        system.ask_redis("HSET", KEYS.blueprints, "kept", json.dumps(stored))
        answer = await both.ask("PATCH", "/agents/kept", at=1, json={"description": "e"})
        kept = json.loads(system.ask_redis("HGET", KEYS.blueprints, "kept"))
        if answer.status != 200 or (kept.get(FIELD), kept["description"]) != ([1], "e"):
            self.complain(f"the field {FIELD} of a blueprint did not survive a change by this version: {kept}")
        document = await upload(self.load.history, documents, self.rng, size=10)
        key = KEYS.document(document.document_id or "")
        system.ask_redis("HSET", key, FIELD, "1")
        await retag(self.load.history, documents, document, self.rng)
        if system.ask_redis("HGET", key, FIELD) is None:
            self.complain(f"the field {FIELD} of a document did not survive a change by this version")

    async def heal(self) -> None:
        """Ends it."""
        await asyncio.to_thread(self._newer.stop)


class IncompatibleVersion(NewerVersion):
    """One that this version can't work beside: who is at work says so, and nobody else begins."""

    name = "incompatible-version"
    title = "a newer, incompatible version on the same namespace"

    async def inject(self) -> None:
        """Starts it."""
        system = self.system
        self._newer = NewerCoordinator(system.redis_url, system.folder, "incompatible", BREAKS)
        system.adopt(self._newer)
        await asyncio.to_thread(wait_until, self._newer.is_healthy, "the incompatible version to be healthy")

    async def look(self) -> None:
        """The others are not ready, and a coordinator and a worker of this version don't start."""
        for replicas in (self.load.coordinators, self.load.documents):
            await self._ready(replicas, 503)
        system = self.system
        for part in ("coordinator", "worker"):
            log = system.folder / f"refused-{part}.log"
            options = ["--port", str(free_port())] if part == "coordinator" else []
            refused = Process(
                ["-m", "api.cli", part, "--redis-url", system.redis_url, *options],
                {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(system.folder / "project")},
                log,
            )
            system.adopt(refused)
            await until(lambda refused=refused: refused.popen.poll() is not None, f"a {part} to refuse to start")  # type: ignore[misc]
            said = [line for line in refused.output.splitlines() if "its bus contract is 2.0" in line]
            if not refused.popen.returncode or len(said) != 1:
                self.complain(f"beside an incompatible version a {part} wrote:\n{refused.output}")

    async def heal(self) -> None:
        """Ends it, and goes back to this version as the documentation says."""
        await super().heal()
        self.system.ask_redis("DEL", KEYS.contract)

    async def healed(self) -> None:
        """All are ready again."""
        for replicas in (self.load.coordinators, self.load.documents):
            await self._ready(replicas, 200)
