"""A newer version of the software beside this one on one Redis."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from api.health import is_healthy
from tests.browser import Browser, Message
from tests.faults.agents import report
from tests.faults.faults import Fault
from tests.faults.replicas import Replicas
from tests.faults.system import KEYS
from tests.faults.workload import until
from tests.processes import REPOSITORY, Process, free_port, wait_until

FIELD = "of_a_newer_version"
# What the newer version writes more than this one: into every message, into sessions, and into commands.
CHANGES = (
    ("bus.lua", "\"seq\":' .. seq .. ','", f'"seq":\' .. seq .. \',"{FIELD}":{{"x":1}},\''),
    ("session.lua", "session_id = id, session_name = name,", f"session_id = id, {FIELD} = '1', session_name = name,"),
    ("session.lua", '{"command":"stop",', f'{{"command":"stop","{FIELD}":[1],'),
)


class NewerCoordinator(Process):
    """A coordinator whose scripts are the newer version's."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        code = folder / "newer"
        for package in ("agent_bus", "api"):
            shutil.copytree(REPOSITORY / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
        scripts = code / "agent_bus" / "scripts"
        for name, old, new in CHANGES:
            text = (scripts / name).read_text("utf-8")
            assert old in text, f"{name} no longer contains {old}: say anew what a newer version would write"
            (scripts / name).write_text(text.replace(old, new), "utf-8")
        self._port = port = free_port()
        self.url, self.ws_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/ws"
        super().__init__(
            ["-m", "api.cli", "coordinator", "--redis-url", redis_url, "--port", str(port)],
            {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder / "project"), "PYTHONPATH": str(code)},
            folder / "newer.log",
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
        self._newer = NewerCoordinator(system.redis_url, system.folder)
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

    async def heal(self) -> None:
        """Ends it."""
        await asyncio.to_thread(self._newer.stop)
