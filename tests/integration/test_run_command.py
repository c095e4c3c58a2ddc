"""`agent-bridge run` between a real Redis, a real coordinator and programs that don't want to end."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_bridge.process_table import ProcessIdentity, identify, look_up
from agent_bridge.process_tree import deliver
from tests.processes import DEADLINE_SECONDS, RedisServer, Server, wait_until

LIFETIME = 120

# Ignores what it can, leaves a child in another session and a daemon that nobody is the parent of.
STUBBORN = f"""
import os, pathlib, signal, sys, time
def note(name): (pathlib.Path(sys.argv[1]) / f"{{name}}-{{os.getpid()}}").touch()
def rest():
    deadline = time.monotonic() + {LIFETIME}
    while time.monotonic() < deadline: time.sleep(0.5)
    os._exit(0)
for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    note("daemon"); rest()
os.wait()
if not os.fork():
    os.setsid(); note("stray"); rest()
note("root"); rest()
"""

ORDERLY = f"""
import os, pathlib, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: os._exit(5))
(pathlib.Path(sys.argv[1]) / f"root-{{os.getpid()}}").touch()
deadline = time.monotonic() + {LIFETIME}
while time.monotonic() < deadline: time.sleep(0.5)
"""


class Runs:
    """Runs commands under the bridge, and leaves none of them alive."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.redis_url = redis_url
        self.folder = folder
        self._met: set[ProcessIdentity] = set()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, session_id: str, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent_bridge.cli", "run", "--session-id", session_id,
             "--redis-url", self.redis_url, *arguments],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)
        return process

    def python(self, session_id: str, program: str, *options: str) -> subprocess.Popen[bytes]:
        return self.start(session_id, *options, "--", sys.executable, "-c", program, str(self.folder))

    def meet(self, *names: str) -> list[ProcessIdentity]:
        for name in names:
            path = wait_until(lambda name=name: next(self.folder.glob(f"{name}-*"), None), f"a note of {name}")
            found = identify(int(path.name.rpartition("-")[2]))
            assert found is not None
            self._met.add(found)
        return list(self._met)

    def alive(self) -> list[ProcessIdentity]:
        rows = [(one, look_up(one.pid)) for one in self._met]
        return [one for one, row in rows if row is not None and row.identity == one and not row.dead]

    def clean(self) -> None:
        for one in self._met:
            deliver(one, signal.SIGKILL)
        for process in self._processes:
            process.kill()
            process.communicate()


@pytest.fixture
def runs(own_redis_server: RedisServer, tmp_path: Path) -> Iterator[Runs]:
    folder = tmp_path / "notes"
    folder.mkdir()
    found = Runs(own_redis_server.url, folder)
    yield found
    found.clean()


@pytest.fixture
def coordinator(own_redis_server: RedisServer, tmp_path: Path) -> Iterator[httpx.Client]:
    with (
        Server("coordinator", own_redis_server.url, tmp_path / "coordinator") as server,
        httpx.Client(base_url=server.url, timeout=DEADLINE_SECONDS) as client,
    ):
        yield client


def connected(client: httpx.Client, session_id: str) -> bool:
    answer = client.get(f"/sessions/{session_id}")
    return answer.status_code == 200 and answer.json()["presence"] == "connected"


def events(client: httpx.Client, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/events/{session_id}").json()["events"]
    return found


def test_a_stop_ends_the_whole_tree_and_is_confirmed(coordinator: httpx.Client, runs: Runs) -> None:
    process = runs.python("s-stubborn", STUBBORN, "--interrupt-seconds", "0.2", "--terminate-seconds", "0.2")
    runs.meet("daemon", "stray", "root")
    wait_until(lambda: connected(coordinator, "s-stubborn"), "the bridge to be connected")
    answer = coordinator.post("/sessions/s-stubborn/stop")
    assert answer.status_code == 200, answer.text
    assert runs.alive() == [], "confirmed means gone"
    said = answer.json()
    assert (said["success"], said["status"]) == (True, "stopped")
    assert said["message"] == "Session stopped successfully"
    assert process.wait(DEADLINE_SECONDS) == 128 + signal.SIGKILL
    session = coordinator.get("/sessions/s-stubborn").json()
    assert (session["status"], session["stop_confirmed"]) == ("stopped", True)
    last = events(coordinator, "s-stubborn")[-1]
    assert last["event_type"] == "session_stop"
    assert (last["exit_code"], last["reason"], last["survivors"]) == (128 + signal.SIGKILL, "stopped", [])
    assert last["signals"] == ["SIGINT", "SIGTERM", "SIGKILL"]


def test_an_orderly_command_is_stopped_with_its_own_exit_code(coordinator: httpx.Client, runs: Runs) -> None:
    process = runs.python("s-orderly", ORDERLY)
    runs.meet("root")
    wait_until(lambda: connected(coordinator, "s-orderly"), "the bridge to be connected")
    assert coordinator.post("/sessions/s-orderly/stop").json()["status"] == "stopped"
    assert process.wait(DEADLINE_SECONDS) == 5
    assert events(coordinator, "s-orderly")[-1]["exit_code"] == 5


@pytest.mark.parametrize(
    ("ignored", "signals"),
    [("", ["SIGINT"]), ("INT", ["SIGINT", "SIGTERM"]), ("INT TERM", ["SIGINT", "SIGTERM", "SIGKILL"])],
)
def test_the_last_event_says_which_signals_it_took(
    coordinator: httpx.Client, runs: Runs, ignored: str, signals: list[str]
) -> None:
    trap = f"trap '' {ignored}; " if ignored else ""
    stages = ("--interrupt-seconds", "0.3", "--terminate-seconds", "0.3")
    process = runs.start("s-traps", *stages, "--", "sh", "-c", f"{trap}touch {runs.folder}/root-$$; sleep {LIFETIME}")
    runs.meet("root")
    wait_until(lambda: connected(coordinator, "s-traps"), "the bridge to be connected")
    assert coordinator.post("/sessions/s-traps/stop").json()["status"] == "stopped"
    assert process.wait(DEADLINE_SECONDS) is not None
    last = events(coordinator, "s-traps")[-1]
    assert (last["signals"], last["survivors"]) == (signals, [])
    assert runs.alive() == []


def test_a_command_that_writes_megabytes_a_second_is_stopped_and_what_is_not_shown_is_counted(
    coordinator: httpx.Client, runs: Runs
) -> None:
    flood = f"touch {runs.folder}/root-$$; exec yes {'0123456789' * 20}"
    process = runs.start("s-flood", "--capture", "--", "sh", "-c", flood, stdout=subprocess.DEVNULL)
    runs.meet("root")

    def dropped() -> int:
        told = coordinator.get("/events/s-flood")
        found = told.json()["events"] if told.status_code == 200 else []
        return sum(event["dropped_bytes"] for event in found if event["event_type"] == "output_dropped")

    wait_until(lambda: dropped() > 10_000_000, "ten megabytes that were not shown")
    answer = coordinator.post("/sessions/s-flood/stop").json()
    assert (answer["success"], answer["status"]) == (True, "stopped")
    assert process.wait(DEADLINE_SECONDS) == 128 + signal.SIGINT
    assert runs.alive() == []


def test_a_command_that_ends_by_itself_is_a_finished_session(coordinator: httpx.Client, runs: Runs) -> None:
    process = runs.start(
        "s-done", "--name", "Short work", "--agent", "worker", "--capture", "--", "sh", "-c", "echo done; exit 3"
    )
    out, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, out) == (3, b"done\n")
    session = coordinator.get("/sessions/s-done").json()
    assert (session["status"], session["session_name"], session["agent_name"]) == ("finished", "Short work", "worker")
    assert session["project_dir"] == str(Path.cwd())
    told = events(coordinator, "s-done")
    assert [event["event_type"] for event in told] == ["session_start", "output", "session_stop"]
    assert (told[1]["stream"], told[1]["text"]) == ("stdout", "done\n")
    assert (told[2]["exit_code"], told[2]["reason"]) == (3, "exited")


def test_a_command_runs_without_redis_and_says_so_once(own_redis_server: RedisServer, runs: Runs) -> None:
    own_redis_server.kill()
    process = runs.start("s-alone", "--", "sh", "-c", "echo alone; exit 4")
    out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, out) == (4, b"alone\n")
    assert err.count(b"redis is away") == 1


def test_a_stop_is_heard_after_redis_was_away(
    own_redis_server: RedisServer, coordinator: httpx.Client, runs: Runs
) -> None:
    process = runs.python("s-back", ORDERLY)
    runs.meet("root")
    wait_until(lambda: connected(coordinator, "s-back"), "the bridge to be connected")
    own_redis_server.kill()
    own_redis_server.start()

    def stopped() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return coordinator.post("/sessions/s-back/stop").json().get("status") == "stopped"
        return False

    wait_until(stopped, "the stop to be taken")
    assert process.wait(DEADLINE_SECONDS) == 5
    assert runs.alive() == []


def test_our_own_end_leaves_no_process_and_no_running_session(coordinator: httpx.Client, runs: Runs) -> None:
    process = runs.python("s-term", STUBBORN, "--terminate-seconds", "0.2")
    runs.meet("daemon", "stray", "root")
    wait_until(lambda: connected(coordinator, "s-term"), "the bridge to be connected")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == 128 + signal.SIGKILL
    assert runs.alive() == []
    wait_until(lambda: coordinator.get("/sessions/s-term").json()["status"] == "finished", "the session to be finished")
    assert events(coordinator, "s-term")[-1]["reason"] == "SIGTERM received"
