"""Agents: some report over HTTP, some have a bridge and a process of their own. Each has one session, until its end."""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_bus.timestamps import now
from tests.faults.history import AgentHistory, History, Sent
from tests.faults.replicas import PAUSE_SECONDS, Replicas
from tests.processes import Process

# What a session of this kind is called, so that the stops find it.
HTTP, BRIDGE = "http-", "bridge-"
LOOK_SECONDS = 0.05


def event(session_id: str, event_type: str = "message", **fields: object) -> dict[str, object]:
    """An event as it is reported."""
    return {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": now()} | fields


async def report(
    history: History, replicas: Replicas, session_id: str, n: int, kind: str = "message", *, at: int | None = None
) -> Any:
    """Reports the n-th event of a session and writes down what came of it; the answer's body where it was taken.

    at: asks this replica and no other.
    """
    answer = await replicas.ask("POST", "/events", at=at, json=event(session_id, kind, n=n))
    if answer.outcome == "refused" and answer.status:
        history.complaints.append(f"event {n} of {session_id} was answered {answer.status}: {answer.text}")
    event_id = answer.body["id"] if answer.outcome == "acknowledged" else None
    history.sent.append(Sent(session_id, n, answer.outcome, event_id, time.monotonic()))
    if answer.outcome != "acknowledged":
        await asyncio.sleep(PAUSE_SECONDS)
        return None
    return answer.body


async def reporting_agents(history: History, replicas: Replicas, pause_seconds: float, ending: asyncio.Event) -> None:
    """One agent after the other: each reports until an answer tells it to stop, obeys, and the next begins."""
    while not ending.is_set():
        agent = AgentHistory(f"{HTTP}{uuid.uuid4().hex[:12]}", "http")
        history.agents[agent.session_id] = agent
        n = 0
        stop = False
        await report(history, replicas, agent.session_id, n, "session_start")
        while not (stop or ending.is_set()):
            n += 1
            body = await report(history, replicas, agent.session_id, n)
            stop = bool(body and body["stop_requested"])
            await asyncio.sleep(random.uniform(0, 2 * pause_seconds))
        agent.ceased_at, agent.obeyed = time.monotonic(), stop
        while not await report(history, replicas, agent.session_id, n := n + 1, "session_stop"):
            pass
        agent.left = "in order"


class BridgedAgent:
    """An agent in a process, and what its journal says of it."""

    def __init__(self, redis_url: str, folder: Path, environment: Mapping[str, str], *, quiet: bool = False) -> None:
        self.history = AgentHistory(f"{BRIDGE}{uuid.uuid4().hex[:12]}", "bridge")
        self._journal = folder / f"{self.history.session_id}.jsonl"
        self.process = Process(
            ["-m", "tests.faults.agent", self.history.session_id, str(self._journal), *(["quiet"] if quiet else [])],
            {"REDIS_URL": redis_url, **environment},
            folder / f"{self.history.session_id}.log",
        )

    @property
    def alive(self) -> bool:
        """Whether its process goes on."""
        return self.process.popen.poll() is None

    @property
    def entered(self) -> bool:
        """Whether it has begun its work."""
        return any(line["what"] == "began" for line in self._lines())

    @property
    def ceased(self) -> bool:
        """Whether its work has ended."""
        return any(line["what"] == "ceased" for line in self._lines())

    def suspend(self) -> None:
        """Stops all its processes, as a machine does that falls asleep."""
        os.killpg(self.process.popen.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets them go on."""
        os.killpg(self.process.popen.pid, signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Sends its process a signal."""
        if number == signal.SIGKILL:
            # Whatever it did, it did before this.
            self.process.kill()
            self.history.ceased_at, self.history.left = time.monotonic(), "killed"
        else:
            self.process.popen.send_signal(number)

    def _lines(self) -> list[dict[str, Any]]:
        lines = self._journal.read_text("utf-8").splitlines() if self._journal.exists() else []
        found: list[dict[str, Any]] = []
        for line in lines:
            # A killed process may have written half a line.
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def read(self, history: History) -> None:
        """Takes over what it has written down."""
        mine, began, entered = self.history, False, None
        for line in self._lines():
            match line:
                case {"what": "entered", "at": float(at)}:
                    entered = at
                case {"what": "began"}:
                    began = True
                case {"what": "ceased", "at": float(at)} if mine.ceased_at is None:
                    mine.ceased_at = at
                case {"what": "left", "how": how, "emitted": int(emitted), "unheard": unheard}:
                    mine.emitted, mine.obeyed = emitted, how == "stopped"
                    mine.left = "unheard" if unheard else "in order"
        if not began and not self.alive and mine.ceased_at is None:
            # It was stopped before it had begun to work.
            mine.ceased_at = entered
        if not self.alive and mine.left is None:
            output = self.process.output[-2000:]
            history.complaints.append(f"the agent {mine.session_id} ended by itself; it wrote:\n{output}")


async def bridged_agents(
    history: History,
    agents: list[BridgedAgent],
    redis_url: str,
    folder: Path,
    environment: Mapping[str, str],
    ending: asyncio.Event,
) -> None:
    """One agent with a bridge after the other; the newest is the last of the list."""
    while not ending.is_set():
        agent = BridgedAgent(redis_url, folder, environment)
        agents.append(agent)
        history.agents[agent.history.session_id] = agent.history
        while agent.alive and not ending.is_set():
            await asyncio.sleep(LOOK_SECONDS)
