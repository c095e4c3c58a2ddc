"""`python -m bench.stop_agents`: from pressing Stop to the agent's end and to its confirmation, for each way in.

Real agents do what a scripted model tells them; the figures are seconds, medians of a few runs. They are reported, and
held against nothing: most of each is the time that the way gives the agent to end by itself.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from agent_bridge.claude_settings import http_hooks
from bench.rows import Incorrect
from tests.claude_code import ClaudeCode
from tests.model_api import ModelApi, Say, Turn, bash
from tests.processes import REPOSITORY, RedisServer, Server, wait_until

MARK = "BENCH_STOPPED_AGENT"
# In the program that a client of the SDK drives, and not in the client's own process, which stays.
BRIDGED = "AGENT_BRIDGE_SESSION"
LONG_TOOL = bash("echo begun; sleep 600")
ONE_AFTER_THE_OTHER: Sequence[Turn] = [[bash("echo again")]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run takes place."""

    folder: Path
    redis_url: str
    coordinator: str
    api_url: str
    session_id: str

    @property
    def environment(self) -> dict[str, str]:
        return {MARK: self.session_id}

    def processes(self) -> bool:
        """Whether anything of the agent is alive; what watches or runs it is none of it."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                ours = self.session_id in (environment.get(MARK), environment.get(BRIDGED))
                our_own = any(argument.startswith("agent_bridge.") for argument in process.cmdline())
                if ours and not our_own and process.status() != psutil.STATUS_ZOMBIE:
                    return True
        return False


Start = Callable[[Place], "subprocess.Popen[bytes]"]


def _by_hooks(place: Place) -> "subprocess.Popen[bytes]":
    claude = ClaudeCode(place.folder, place.api_url)
    hooks = {name: groups for name, groups in http_hooks(place.coordinator, "").items() if name != "SessionStart"}
    claude.write_settings({"hooks": {name: [{"hooks": handlers}] for name, handlers in hooks.items()}})
    return claude.start("go", "--session-id", place.session_id, environment=place.environment)


def _installed(place: Place) -> "subprocess.Popen[bytes]":
    claude = ClaudeCode(place.folder, place.api_url)
    subprocess.run(
        [sys.executable, "-m", "agent_bridge.cli", "install", "claude-code", "--scope", "project", "--api-url",
         place.coordinator, "--redis-url", place.redis_url],
        cwd=claude.project, env=claude.environment(), stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return claude.start("go", "--session-id", place.session_id, environment=place.environment)


def _sdk(mode: str) -> Start:
    def start(place: Place) -> "subprocess.Popen[bytes]":
        program = [sys.executable, "-m", "tests.claude_program", mode, place.session_id]
        return subprocess.Popen(
            [*program, str(place.folder), place.api_url, "go"], cwd=REPOSITORY,
            env=os.environ | {"REDIS_URL": place.redis_url}, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    return start


def _command(place: Place) -> "subprocess.Popen[bytes]":
    run = [sys.executable, "-m", "agent_bridge.cli", "run", "--session-id", place.session_id, "--redis-url"]
    return subprocess.Popen(
        [*run, place.redis_url, "--", "sh", "-c", "sleep 600 & sleep 600"], env=os.environ | place.environment,
        cwd=REPOSITORY, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """A way in and what the agent is doing when it is stopped. presence, event: what shows that it is at it."""

    name: str
    doing: str
    start: Start
    turns: Sequence[Turn]
    presence: str
    event: str


ENDLESS: Sequence[Turn] = [[Say("word ", endless=True)]]
IN_THE_BACKGROUND: Sequence[Turn] = [[bash("sleep 600", background=True)], [Say("x")]]
HOOKS, INSTALLED, SDK = "Claude Code, HTTP hooks", "Claude Code, installed", "Claude Agent SDK"
WAYS = (
    Way(HOOKS, "one tool after the other", _by_hooks, ONE_AFTER_THE_OTHER, "hooks", "post_tool"),
    Way(INSTALLED, "one tool after the other", _installed, ONE_AFTER_THE_OTHER, "connected", "post_tool"),
    Way(INSTALLED, "a long tool", _installed, [[LONG_TOOL]], "connected", "pre_tool"),
    Way(INSTALLED, "an answer", _installed, ENDLESS, "connected", "session_start"),
    Way(
        INSTALLED, "a shell in the background", _installed, [*IN_THE_BACKGROUND[:1], [LONG_TOOL]], "connected", "usage"
    ),
    Way(SDK, "a long tool", _sdk("leave"), [[LONG_TOOL]], "connected", "pre_tool"),
    Way(SDK, "an answer", _sdk("leave"), ENDLESS, "connected", "message"),
    Way(SDK, "a shell in the background", _sdk("stay"), IN_THE_BACKGROUND, "connected", "result"),
    Way(SDK, "nothing, between turns", _sdk("stay"), [[Say("x")]], "connected", "result"),
    Way("agent-bridge run", "a shell with two children", _command, [], "connected", "session_start"),
)


@contextlib.contextmanager
def _agent(way: Way, place: Place) -> Iterator[None]:
    process = way.start(place)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(way: Way, redis: RedisServer, coordinator: Server, folder: Path) -> tuple[float, float]:
    """Seconds from pressing Stop to the agent's end and to the confirmation. Raises Incorrect if it was not real."""
    with ExitStack() as stack:
        api = stack.enter_context(ModelApi({"": way.turns or [[Say("x")]]}))
        client = stack.enter_context(httpx.Client(base_url=coordinator.url, timeout=60))
        place = Place(folder, redis.url, coordinator.url, api.url, str(uuid.uuid4()))
        stack.enter_context(_agent(way, place))

        def is_at_it() -> bool:
            session = client.get(f"/sessions/{place.session_id}")
            if session.status_code != 200 or session.json()["presence"] != way.presence:
                return False
            events = client.get(f"/events/{place.session_id}").json()["events"]
            return way.event in [event["event_type"] for event in events]

        wait_until(is_at_it, f"{way.name}: {way.doing}")
        if any(isinstance(block, Say) and block.endless for turn in way.turns for block in turn):
            wait_until(lambda: api.requests, "the model to answer")
        began = time.perf_counter()
        answer = client.post(f"/sessions/{place.session_id}/stop").json()
        ended = confirmed = None
        while ended is None or confirmed is None:
            now = time.perf_counter() - began
            if ended is None and not place.processes():
                ended = now
            session = client.get(f"/sessions/{place.session_id}").json()
            if confirmed is None and (session["status"], session["stop_confirmed"]) == ("stopped", True):
                confirmed = now
            if now > 60:
                raise Incorrect(f"{way.name}, {way.doing}: after 60 s ended {ended}, confirmed {confirmed}; {answer}")
        return ended, confirmed


def main() -> None:
    """Measures every way in, and prints one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.stop_agents", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each")
    runs = parser.parse_args().runs
    print("| way in | doing | ended after, s | confirmed after, s |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as root:
        folders = (Path(root) / str(number) for number in itertools.count())
        with RedisServer(next(folders)) as redis, Server("coordinator", redis.url, next(folders)) as coordinator:
            for way in WAYS:
                taken = [measure(way, redis, coordinator, next(folders)) for _ in range(runs)]
                ended, confirmed = (statistics.median(times) for times in zip(*taken, strict=True))
                print(f"| {way.name} | {way.doing} | {ended:.2f} | {confirmed:.2f} |", flush=True)


if __name__ == "__main__":
    main()
