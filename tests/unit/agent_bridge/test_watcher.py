"""The watcher as a process of its own, on a real Redis, with small programs for the one that it watches."""

import asyncio
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent_bridge import process_exit, watcher
from agent_bridge.process_table import ProcessIdentity, ProcessRow, identify, look_up
from agent_bridge.process_tree import ProcessTree, TreeEnded, deliver
from agent_bridge.watch import WatchOrder
from agent_bridge.watch_folder import LEAVE_SIGNAL
from agent_bridge.watcher import Watcher, kill_marked, marked_children
from agent_bus import timestamps
from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.event_encoding import closing_event, encode_event
from agent_bus.event_records import EventRecord
from agent_bus.events import Events
from agent_bus.hooks import HookKind, HookReport, Hooks
from agent_bus.keys import Keys
from agent_bus.messages import Event
from agent_bus.sessions import Sessions
from tests.processes import RedisServer, wait_until
from tests.unit.agent_bridge.test_transcript import answer, as_bytes, costs

SECONDS = 20.0
# Long enough to be noticed where it should not be waited for, short enough where it must.
SHORT = 0.3
# Every program ends by itself some day, should a test fail to end it.
LIFETIME = 120

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the programs look into /proc")

# What the programs begin with. `start` is how Claude Code starts a command: it says who started it, and lets go of it.
PRELUDE = f"""
import os, pathlib, signal, subprocess, sys, time
FOLDER = pathlib.Path(os.environ["NOTES"])
def note(what):
    started = pathlib.Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    (FOLDER / f"{{what}}-{{os.getpid()}}-{{started}}").touch()
def rest():
    deadline = time.monotonic() + {LIFETIME}
    while time.monotonic() < deadline: time.sleep(0.5)
    os._exit(99)
def until(name):
    deadline = time.monotonic() + {LIFETIME}
    while not (FOLDER / name).exists() and time.monotonic() < deadline: time.sleep(0.01)
def ignore(*numbers):
    for number in numbers: signal.signal(number, lambda n, _: note(f"heard{{n}}"))
def obey(number, code):
    def heard(*_):
        note(f"heard{{number}}"); os._exit(code)
    signal.signal(number, heard)
def start(code):
    mark = os.environ | {{"CLAUDE_PID": os.environ.get("CLAUDE_PID", str(os.getpid()))}}
    return subprocess.Popen([sys.executable, "-c", "from prelude import *\\n" + code], env=mark, start_new_session=True)
def detach():
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
"""
INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL


class Stage:
    """Programs, watchers and people around one session of one bus; in the end no process is left."""

    def __init__(self, bus: Bus, redis_url: str, folder: Path) -> None:
        self.sessions, self.events, self.hooks = Sessions(bus), Events(bus), Hooks(bus)
        self.folder = folder
        self.notes, self.run_time, self.programs = folder / "notes", folder / "run", folder / "programs"
        for made in (self.notes, self.run_time, self.programs):
            made.mkdir()
        (self.programs / "prelude.py").write_text(PRELUDE)
        self.transcript = folder / "s.jsonl"
        self._redis_url = redis_url
        self._bus = bus
        self._processes: list[subprocess.Popen[bytes]] = []

    def program(self, code: str) -> ProcessIdentity:
        """Starts a program; it is ready when it has said so."""
        environ = os.environ | {"NOTES": str(self.notes), "PYTHONPATH": str(self.programs)}
        environ.pop("CLAUDE_PID", None)
        child = subprocess.Popen([sys.executable, "-c", "from prelude import *\n" + code], env=environ)
        self._processes.append(child)
        return self.noted("ready")

    def noted(self, what: str, count: int = 1) -> ProcessIdentity:
        """The first process that noted it, once as many have."""
        return wait_until(lambda: len(self.all_noted(what)) >= count and self.all_noted(what)[0], f"{count} × {what}")

    def all_noted(self, what: str = "") -> list[ProcessIdentity]:
        names = [path.name.split("-") for path in self.notes.glob("*-*-*")]
        return [ProcessIdentity(int(pid), float(began)) for kind, pid, began in names if what in ("", kind)]

    def tell(self, name: str) -> None:
        """Lets the program go on that waits for it."""
        (self.notes / name).touch()

    def alive(self) -> list[ProcessIdentity]:
        rows = [(one, look_up(one.pid)) for one in set(self.all_noted())]
        return [one for one, row in rows if row is not None and row.identity == one and not row.dead]

    def order(self, program: ProcessIdentity, session_id: str = "s", **more: Any) -> WatchOrder:
        seconds = {"hook_seconds": 0.0, "interrupt_seconds": SECONDS, "terminate_seconds": SECONDS}
        said: dict[str, Any] = {
            "pid": program.pid, "started": program.started, "session_id": session_id, "session_name": session_id,
            "agent_name": "claude-code", "project_dir": "/project", "transcript": str(self.transcript),
            "skip_bytes": 0, "since": "", "redis_url": self._redis_url, **seconds, "kill_seconds": SECONDS,
        }  # fmt: skip
        return WatchOrder(**(said | more))

    @property
    def environment(self) -> Mapping[str, str]:
        return {"XDG_RUNTIME_DIR": str(self.run_time), "AGENT_ORCHESTRATOR_NAMESPACE": self._bus.keys.namespace}

    def watcher(self, order: WatchOrder | bytes) -> "subprocess.Popen[bytes]":
        """Starts a watcher as the hook does."""
        with (self.folder / "log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "agent_bridge.watcher"], env=os.environ | self.environment, cwd="/",
                start_new_session=True, stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        self._processes.append(started)
        assert started.stdin is not None
        with started.stdin as told:
            told.write(order if isinstance(order, bytes) else order.as_json().encode())
        return started

    async def watched(self, order: WatchOrder) -> "subprocess.Popen[bytes]":
        """A watcher that holds the lease."""
        started = self.watcher(order)
        await self.until(order.session_id, presence="connected")
        return started

    async def lease_owner(self) -> object:
        """Whose the lease is, in its words."""
        return await self._bus.redis.hget(self._bus.keys.session("s"), "lease_owner")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def session(self, session_id: str = "s") -> dict[str, Any]:
        found = await self.sessions.get(session_id)
        return {} if found is None else json.loads(found)

    async def until(self, session_id: str = "s", **expected: object) -> dict[str, Any]:
        """The session, once it says so."""
        session: dict[str, Any] = {}
        try:
            async with asyncio.timeout(SECONDS):
                while not expected.items() <= (session := await self.session(session_id)).items():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited for {expected}: {session}; the log says:\n{self.log}") from None
        return session

    async def told(self, event_type: str, session_id: str = "s") -> list[dict[str, Any]]:
        page = await self.events.page(session_id, limit=100)
        assert page is not None
        return [event for event in map(json.loads, page.events) if event["event_type"] == event_type]

    async def end(self, session_id: str = "s") -> dict[str, Any]:
        """The one closing event."""
        (closing,) = await self.told("session_stop", session_id)
        return closing

    async def stop(self, session_id: str = "s") -> None:
        assert (await self.sessions.request_stop(session_id, "c")).outcome == "sent"

    async def report(self, kind: HookKind, *, prompt_id: str = "") -> bool:
        """What the coordinator does for a hook; returns whether the program may go on."""
        finish, stopped = closing_event("s", "s", "the turn has ended"), closing_event("s", "s", "stopped")
        report = HookReport("s", kind, [], starting(), finish, stopped, prompt_id=prompt_id)
        return (await self.hooks.report(report)).go

    def clean(self) -> None:
        deadline = time.monotonic() + SECONDS
        while self.alive() and time.monotonic() < deadline:
            for one in self.alive():
                deliver(one, KILL)
        for process in self._processes:
            process.kill()
            process.wait(SECONDS)


def starting() -> EventRecord:
    return encode_event(Event(event_type="session_start", session_id="s", session_name="s", timestamp=timestamps.now()))


@pytest.fixture
def stage(real_bus: Bus, redis_server: RedisServer, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(real_bus, redis_server.url, tmp_path)
    yield found
    found.clean()


def kernel_tells() -> bool:
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 15)


def left(process: "subprocess.Popen[bytes]") -> int:
    return process.wait(SECONDS)


class TestEnd:
    @pytest.mark.parametrize(
        ("how", "code", "reason"),
        [
            ("os._exit(0)", 0, "the program exited"),
            ("os._exit(3)", 3, "the program exited"),
            ("os.kill(os.getpid(), signal.SIGKILL)", 137, "the program was killed by SIGKILL"),
        ],
    )
    async def test_it_holds_the_lease_and_ends_with_the_program(
        self, stage: Stage, how: str, code: int, reason: str
    ) -> None:
        watching = await stage.watched(stage.order(stage.program(f"note('ready'); until('go'); {how}")))
        assert (await stage.session())["status"] == "running"
        stage.tell("go")
        assert left(watching) == 0
        session = await stage.session()
        assert (session["status"], session["presence"], session["stop_confirmed"]) == ("finished", "none", None)
        closing = await stage.end()
        assert (closing["exit_code"], closing["reason"]) == (code, reason)
        assert stage.log == ""
        assert list(stage.run_time.glob("agent-bridge/*")) == []

    async def test_a_program_that_is_not_our_child(self, stage: Stage) -> None:
        watching = await stage.watched(stage.order(stage.program("detach(); note('ready'); until('go'); os._exit(3)")))
        stage.tell("go")
        assert left(watching) == 0
        closing = await stage.end()
        if kernel_tells():
            assert closing["exit_code"] == 3
        else:
            assert closing["exit_code"] in (3, None)

    async def test_what_it_leaves_running_is_left_and_named(self, stage: Stage) -> None:
        program = stage.program("start('detach(); note(\"daemon\"); rest()'); note('ready'); until('go'); os._exit(0)")
        daemon = stage.noted("daemon")
        watching = await stage.watched(stage.order(program))
        stage.tell("go")
        assert left(watching) == 0
        assert [one["pid"] for one in (await stage.end())["left_running"]] == [daemon.pid]
        assert stage.alive() == [daemon]

    async def test_a_program_that_had_ended_before_the_watcher_began(self, stage: Stage) -> None:
        program = stage.program("note('ready'); os._exit(0)")
        wait_until(lambda: stage.alive() == [], "its end")
        stage.transcript.write_bytes(as_bytes(answer(output=5)))
        assert left(stage.watcher(stage.order(program))) == 0
        session = await stage.session()
        assert (session["status"], session["usage"]["output_tokens"]) == ("finished", 5)


class TestStop:
    async def test_all_of_it_hears_sigint(self, stage: Stage) -> None:
        program = stage.program("""
start("obey(signal.SIGINT, 0); note('command'); rest()")
if not os.fork():
    obey(signal.SIGINT, 0); note('child'); rest()
obey(signal.SIGINT, 7); note('ready'); rest()
""")
        stage.noted("command")
        stage.noted("child")
        watching = await stage.watched(stage.order(program))
        await stage.stop()
        session = await stage.until(status="stopped")
        assert (session["stop_confirmed"], session["presence"]) == (True, "none")
        closing = await stage.end()
        assert (closing["signals"], closing["survivors"], closing["reason"]) == (["SIGINT"], [], "stopped")
        assert closing["exit_code"] == 7
        assert len(stage.all_noted("heard2")) == 3
        assert stage.alive() == []
        assert left(watching) == 0

    @pytest.mark.parametrize(
        ("ignored", "signals", "code"),
        [((INT,), ["SIGINT", "SIGTERM"], 143), ((INT, TERM), ["SIGINT", "SIGTERM", "SIGKILL"], 137)],
        ids=["SIGINT", "both"],
    )
    async def test_one_that_ignores_it(
        self, stage: Stage, ignored: tuple[int, ...], signals: list[str], code: int
    ) -> None:
        program = stage.program(f"ignore(*{[int(number) for number in ignored]}); note('ready'); rest()")
        seconds = dict.fromkeys(("interrupt_seconds", "terminate_seconds")[: len(ignored)], SHORT)
        watching = await stage.watched(stage.order(program, **seconds))
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)
        closing = await stage.end()
        assert (closing["signals"], closing["exit_code"]) == (signals, code)
        assert len(stage.all_noted()) == 1 + len(ignored), "each was heard once"
        assert left(watching) == 0

    async def test_nobody_is_left_however_they_hide(self, stage: Stage) -> None:
        program = stage.program("""
start("ignore(2, 15); note('stray'); rest()")
start("detach(); ignore(2, 15); note('daemon'); start('ignore(2, 15); note(\\"heir\\"); rest()'); rest()")
start("detach(); start('detach(); ignore(2, 15); note(\\"second\\"); rest()'); os._exit(0)")
note('ready'); rest()
""")
        for name in ("stray", "daemon", "heir", "second"):
            stage.noted(name)
        await stage.watched(stage.order(program, interrupt_seconds=SHORT, terminate_seconds=SHORT))
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)
        assert stage.alive() == []
        assert (await stage.end())["survivors"] == []

    async def test_one_that_lives_on_in_ever_new_children_is_caught(self, stage: Stage) -> None:
        # Regression: each was gone before all processes had been looked at, and the stop was confirmed all the same.
        program = stage.program(f"""
start('''
detach(); note("first")
deadline = time.monotonic() + {LIFETIME}
for n in (2, 15): signal.signal(n, signal.SIG_IGN)
while time.monotonic() < deadline:
    if os.fork(): os._exit(0)
    os.setsid(); time.sleep(0.002)
''')
note('ready'); rest()
""")
        stage.noted("first")
        await stage.watched(stage.order(program, interrupt_seconds=SHORT, terminate_seconds=SHORT))
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)
        assert [marked_children(program) for _ in range(20)] == [set()] * 20
        assert (await stage.end())["signals"][-1] == "SIGKILL"

    async def test_a_program_that_its_hook_ends_in_time_hears_no_signal(self, stage: Stage) -> None:
        program = stage.program("ignore(2, 15); note('ready'); until('halted'); os._exit(0)")
        await stage.watched(stage.order(program, hook_seconds=SECONDS))
        await stage.stop()
        stage.tell("halted")
        await stage.until(status="stopped", stop_confirmed=True)
        closing = await stage.end()
        assert (closing["signals"], closing["exit_code"]) == ([], 0)
        assert stage.all_noted("heard2") == []

    async def test_what_the_hook_leaves_running_ends_then(self, stage: Stage) -> None:
        program = stage.program(
            "start('detach(); note(\"daemon\"); rest()'); note('ready'); until('halted'); os._exit(0)"
        )
        stage.noted("daemon")
        await stage.watched(stage.order(program, hook_seconds=SECONDS))
        await stage.stop()
        stage.tell("halted")
        await stage.until(status="stopped", stop_confirmed=True)
        assert stage.alive() == []
        assert (await stage.end())["signals"] == ["SIGINT"]

    async def test_a_stop_that_was_waiting_reaches_the_program_at_once(self, stage: Stage) -> None:
        await stage.report("prompt")
        assert (await stage.sessions.request_stop("s", "c")).outcome == "unattended"
        program = stage.program("obey(2, 0); note('ready'); rest()")
        assert left(stage.watcher(stage.order(program))) == 0
        assert (await stage.session())["stop_confirmed"] is True
        assert stage.alive() == []

    async def test_being_told_to_end_does_not_keep_the_watcher_from_stopping(self, stage: Stage) -> None:
        program = stage.program("ignore(2); obey(15, 5); note('ready'); rest()")
        watching = await stage.watched(stage.order(program, interrupt_seconds=2.0))
        await stage.stop()
        stage.noted("heard2")
        for number in (TERM, LEAVE_SIGNAL, TERM):
            watching.send_signal(number)
        await stage.until(status="stopped", stop_confirmed=True)
        assert (await stage.end())["exit_code"] == 5
        assert left(watching) == 0

    async def test_another_with_the_programs_number_is_never_signalled(self, stage: Stage) -> None:
        await stage.report("prompt")
        assert (await stage.sessions.request_stop("s", "c")).outcome == "unattended"
        now = stage.program("ignore(2, 15); start('ignore(2, 15); note(\"its\"); rest()'); note('ready'); rest()")
        its = stage.noted("its")
        gone = ProcessIdentity(now.pid, now.started - 1)
        assert left(stage.watcher(stage.order(gone, interrupt_seconds=SHORT, terminate_seconds=SHORT))) == 0
        # What that one had started has ended, too: the stop is confirmed.
        assert (await stage.session())["stop_confirmed"] is True
        assert set(stage.alive()) == {now, its}
        assert stage.all_noted("heard2") == []
        assert marked_children(now) == {its}
        assert marked_children(gone) == set()


class TestBesideTheProgram:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
    async def test_signals_that_everybody_gets_are_meant_for_the_program(
        self, stage: Stage, number: signal.Signals
    ) -> None:
        watching = await stage.watched(stage.order(stage.program("note('ready'); until('go'); os._exit(3)")))
        watching.send_signal(number)
        stage.tell("go")
        assert left(watching) == 0
        assert (await stage.end())["exit_code"] == 3

    async def test_a_watcher_that_is_told_to_end_says_so_and_leaves_the_program(self, stage: Stage) -> None:
        program = stage.program("note('ready'); rest()")
        watching = await stage.watched(stage.order(program))
        watching.send_signal(TERM)
        assert left(watching) == 0
        (told,) = await stage.told("bridge_left")
        assert told["reason"] == "the watcher was told to end"
        assert await stage.told("session_stop") == []
        assert (await stage.session())["status"] == "running"
        assert stage.alive() == [program]

    async def test_a_stop_ends_every_program_that_has_the_session_open(self, stage: Stage) -> None:
        first = stage.program("note('ready'); rest()")
        stage.program("note('second'); note('ready'); rest()")
        second = stage.noted("second")
        await stage.watched(stage.order(first))
        other = stage.watcher(stage.order(second, resumed=True))
        lock = stage.run_time / "agent-bridge" / f"{second.pid}-{second.started:.0f}.lock"
        wait_until(lambda: lock.exists() and lock.read_bytes(), "the second watcher")
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)
        assert stage.alive() == []
        assert left(other) == 0

    async def test_a_second_program_of_the_session_that_ends_does_not_end_the_firsts_run(self, stage: Stage) -> None:
        first = stage.program("note('ready'); rest()")
        stage.program("note('second'); note('ready'); until('go')")
        second = stage.noted("second")
        await stage.watched(stage.order(first))
        other = stage.watcher(stage.order(second, resumed=True))
        wait_until(lambda: "is held elsewhere" in stage.log, "the second watcher to wait")
        stage.tell("go")
        assert left(other) == 0
        session = await stage.session()
        assert (session["status"], session["presence"]) == ("running", "connected")
        assert await stage.told("session_stop") == []

    async def test_a_second_watcher_for_the_session_leaves_at_once(self, stage: Stage) -> None:
        program = stage.program("note('ready'); rest()")
        watching = await stage.watched(stage.order(program))
        assert left(stage.watcher(stage.order(program))) == 0
        assert watching.poll() is None
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)

    async def test_a_program_that_goes_on_to_another_session_gets_another_watcher(self, stage: Stage) -> None:
        program = stage.program("note('ready'); rest()")
        first = await stage.watched(stage.order(program, "s"))
        second = await stage.watched(stage.order(program, "t"))
        assert left(first) == 0
        before = await stage.session("s")
        assert (before["status"], before["presence"]) == ("finished", "none")
        assert (await stage.end("s"))["reason"] == "the program went on to another session"
        assert stage.alive() == [program]
        # And back.
        third = await stage.watched(stage.order(program, "s"))
        assert left(second) == 0
        assert await stage.report("prompt")
        await stage.stop("s")
        await stage.until("s", status="stopped", stop_confirmed=True)
        assert left(third) == 0
        assert (await stage.session("t"))["stop_confirmed"] is None

    async def test_one_that_was_killed_is_followed_by_another(self, stage: Stage) -> None:
        program = stage.program("note('ready'); rest()")
        killed = await stage.watched(stage.order(program))
        killed.kill()
        left(killed)
        owner = await stage.lease_owner()
        stage.watcher(stage.order(program))
        async with asyncio.timeout(SECONDS):
            while await stage.lease_owner() == owner:
                await asyncio.sleep(0.01)
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)
        assert stage.alive() == []

    @pytest.mark.parametrize("order", [b"", b'{"pid": 4711', b"{}", b"[]"])
    async def test_an_order_that_was_cut_off_is_none(self, stage: Stage, order: bytes) -> None:
        assert left(stage.watcher(order)) == 1
        assert "there is no watcher" in stage.log

    async def test_an_address_that_is_none_is_said_and_its_password_is_not(self, stage: Stage) -> None:
        program = stage.program("note('ready'); rest()")
        assert left(stage.watcher(stage.order(program, redis_url="redist://u:secret@host"))) == 1
        assert "is not a Redis URL" in stage.log
        assert "secret" not in stage.log


class TestWithoutRedis:
    @pytest.fixture
    async def stage(self, own_redis_server: RedisServer, keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
        client = connect(own_redis_server.url, name="test")
        found = Stage(Bus(client, keys), own_redis_server.url, tmp_path)
        yield found
        found.clean()
        await client.aclose()

    async def test_one_that_is_away_at_first_is_waited_for(self, stage: Stage, own_redis_server: RedisServer) -> None:
        own_redis_server.kill()
        program = stage.program("note('ready'); rest()")
        stage.watcher(stage.order(program))
        wait_until(lambda: "redis is away" in stage.log, "it to be missed")
        own_redis_server.start()
        await stage.until(presence="connected")
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)

    async def test_one_that_goes_away_during_a_stop_keeps_nobody_alive(
        self, stage: Stage, own_redis_server: RedisServer
    ) -> None:
        program = stage.program("ignore(2); note('ready'); rest()")
        watching = await stage.watched(stage.order(program, interrupt_seconds=1.0))
        await stage.stop()
        stage.noted("heard2")
        own_redis_server.kill()
        wait_until(lambda: stage.alive() == [], "the program's end")
        assert watching.poll() is None
        own_redis_server.start()
        await stage.until(status="stopped", stop_confirmed=True)
        assert left(watching) == 0


class TestRuns:
    async def test_the_lease_goes_with_the_runs_that_hooks_begin(self, stage: Stage) -> None:
        program = stage.program("obey(2, 0); note('ready'); rest()")
        await stage.report("start")
        await stage.watched(stage.order(program))
        first = (await stage.session())["run"]
        assert await stage.report("prompt", prompt_id="p1")
        assert await stage.report("end", prompt_id="p1")
        assert (await stage.until(status="finished"))["presence"] == "connected"
        assert (await stage.sessions.request_stop("s", "early")).outcome == "ended"
        assert await stage.report("prompt", prompt_id="p2")
        second = await stage.until(status="running", presence="connected")
        assert second["run"] != first
        await stage.stop()
        await stage.until(status="stopped", stop_confirmed=True)
        assert stage.alive() == []
        assert not await stage.report("tool", prompt_id="p2")

    async def test_a_session_whose_run_is_over_is_not_begun_by_the_watcher(self, stage: Stage) -> None:
        await stage.report("prompt")
        await stage.report("end")
        program = stage.program("note('ready'); until('go'); os._exit(0)")
        watching = await stage.watched(stage.order(program))
        assert (await stage.session())["status"] == "finished"
        stage.tell("go")
        assert left(watching) == 0
        assert (await stage.session())["status"] == "finished"


class TestTranscript:
    async def test_what_is_written_is_told_while_it_is_and_to_the_end(self, stage: Stage) -> None:
        stage.transcript.write_bytes(as_bytes(answer("old", output=1000)))
        last = as_bytes(answer("msg_2", output=2), costs(m=0.5)).decode()
        program = stage.program(f"""
note('ready'); until('go')
with open({str(stage.transcript)!r}, 'a') as file: file.write({last!r})
os._exit(0)
""")
        watching = await stage.watched(stage.order(program, skip_bytes=stage.transcript.stat().st_size))
        folder = stage.transcript.with_suffix("") / "subagents"
        folder.mkdir(parents=True)
        (folder / "agent-a.jsonl").write_bytes(as_bytes(answer(output=40, text="let me see", agentId="a")))
        (message,) = await eventually_told(stage, "message")
        assert (message["content"][0]["text"], message["agent_id"]) == ("let me see", "a")
        stage.tell("go")
        assert left(watching) == 0
        session = await stage.session()
        assert (session["usage"]["output_tokens"], session["cost_usd"]) == (42, 0.5)
        assert (await stage.told("session_stop"))[0]["id"] > (await stage.told("usage"))[-1]["id"]

    async def test_a_long_one_of_before_does_not_hide_the_end(self, stage: Stage) -> None:
        old = as_bytes(answer("old"), {"type": "user", "data": "x" * 1_000_000})
        stage.transcript.write_bytes(old * 12)
        skip = stage.transcript.stat().st_size
        with stage.transcript.open("ab") as file:
            file.write(as_bytes(answer("new", output=7)))
        program = stage.program("note('ready'); os._exit(0)")
        assert left(stage.watcher(stage.order(program, skip_bytes=skip))) == 0
        assert (await stage.session())["usage"]["output_tokens"] == 7


async def eventually_told(stage: Stage, event_type: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(SECONDS):
        while not (found := await stage.told(event_type)):
            await asyncio.sleep(0.01)
    return found


class TestInThisProcess:
    """What can't be had for real: kernels, failures and survivors that are made up."""

    @pytest.fixture(autouse=True)
    def _environment(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in stage.environment.items():
            monkeypatch.setenv(name, value)
        (stage.folder / "log").touch()

    async def watching(self, stage: Stage, **more: Any) -> "asyncio.Task[None]":
        program = stage.program("note('ready'); until('go'); os._exit(3)")
        task = asyncio.create_task(Watcher(stage.order(program, **more)).run())
        await stage.until(presence="connected")
        return task

    async def test_a_kernel_that_does_not_tell_how_it_ended(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: object) -> int:
            raise OSError(25, "Inappropriate ioctl for device")

        said: list[dict[str, Any]] = []
        monkeypatch.setattr(process_exit.fcntl, "ioctl", unknown)
        monkeypatch.setattr(watcher.AgentBridge, "report_end", lambda _, **fields: said.append(fields))
        monkeypatch.setattr(process_exit, "look_up", lambda _: None)
        task = await self.watching(stage)
        stage.tell("go")
        await asyncio.wait_for(task, SECONDS)
        assert said == [{"exit_code": None, "reason": "the program has ended", "ceased": True}]

    async def test_who_could_not_be_ended_is_told_and_the_stop_stays_unconfirmed(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        survivor = ProcessRow(ProcessIdentity(4711, 1), 1, 4711, 4711, "stubborn")

        async def end(*_: object) -> TreeEnded:
            return TreeEnded((survivor,), (INT, TERM, KILL))

        monkeypatch.setattr(ProcessTree, "end", end)
        task = await self.watching(stage)
        await stage.stop()
        await asyncio.wait_for(task, SECONDS)
        (told,) = await stage.told("stop_incomplete")
        assert told["survivors"] == [{"pid": 4711, "name": "stubborn"}]
        assert told["signals"] == ["SIGINT", "SIGTERM", "SIGKILL"]
        session = await stage.session()
        assert (session["status"], session["stop_confirmed"]) == ("running", False)
        assert await stage.told("session_stop") == []

    async def test_a_stop_that_fails_is_not_confirmed(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        # Regression: leaving the bridge by an error after a stop counted as having ceased.
        async def end(*_: object) -> TreeEnded:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(ProcessTree, "end", end)
        task = await self.watching(stage)
        await stage.stop()
        with pytest.raises(OSError, match="Too many"):
            await asyncio.wait_for(task, SECONDS)
        (told,) = await stage.told("stop_incomplete")
        assert told["reason"] == "the watcher failed to stop the program"
        assert (await stage.session())["stop_confirmed"] is False

    async def test_a_system_that_has_no_room_for_another_thread_does_not_hinder_a_stop(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start = threading.Thread.start

        def no_room(thread: threading.Thread) -> None:
            if thread.name.startswith(("look", "asyncio")):
                raise RuntimeError("can't start new thread")
            start(thread)

        task = await self.watching(stage)
        with monkeypatch.context() as changed:
            changed.setattr(threading.Thread, "start", no_room)
            await stage.stop()
            await asyncio.wait_for(task, SECONDS)
        assert (await stage.session())["stop_confirmed"] is True
        assert stage.alive() == []

    async def test_a_stop_that_comes_as_the_program_ends_ends_what_it_left_running(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Regression: it was confirmed by the program's end, and what that had left running was told of and left.
        program = stage.program("start('detach(); note(\"daemon\"); rest()'); note('ready'); until('go'); os._exit(0)")
        stage.noted("daemon")
        task = asyncio.create_task(Watcher(stage.order(program)).run())
        await stage.until(presence="connected")
        look, loop = ProcessTree.look, asyncio.get_running_loop()

        def look_late(tree: ProcessTree) -> list[ProcessRow]:
            monkeypatch.setattr(ProcessTree, "look", look)
            asyncio.run_coroutine_threadsafe(stage.stop(), loop).result(SECONDS)
            asyncio.run_coroutine_threadsafe(heard(), loop).result(SECONDS)
            return look(tree)

        async def heard() -> None:
            await asyncio.wait_for(stopped.wait(), SECONDS)

        stopped = asyncio.Event()
        act_on = watcher.AgentBridge._act_on
        monkeypatch.setattr(watcher.AgentBridge, "_act_on", lambda *given: (act_on(*given), stopped.set()))
        monkeypatch.setattr(ProcessTree, "look", look_late)
        stage.tell("go")
        await asyncio.wait_for(task, SECONDS)
        assert stage.alive() == []
        assert (await stage.session())["stop_confirmed"] is True
        assert (await stage.end())["signals"] == ["SIGINT"]

    async def test_a_transcript_that_breaks_the_reading_of_it_does_not_hinder_a_stop(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(watcher.Transcripts, "news", lambda _: 1 // 0)
        task = await self.watching(stage)
        await stage.stop()
        await asyncio.wait_for(task, SECONDS)
        assert caplog.text.count("the transcript is not followed any more") == 1
        assert (await stage.session())["stop_confirmed"] is True


class TestMark:
    def test_a_process_that_is_as_old_as_the_program_with_its_number_is_another_ones(self, stage: Stage) -> None:
        program = stage.program("start('note(\"command\"); rest()'); note('ready'); rest()")
        command = stage.noted("command")
        assert marked_children(program) == {command}
        assert marked_children(ProcessIdentity(program.pid, command.started + 1)) == set()

    def test_what_is_in_another_pid_namespace_is_another_ones(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = stage.program("start('note(\"command\"); rest()'); note('ready'); rest()")
        stage.noted("command")
        monkeypatch.setattr(watcher, "_namespace", lambda pid: f"pid:[{pid == 'self'}]")
        assert marked_children(program) == set()

    def test_processes_that_may_not_be_looked_into_are_passed_over(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forbidden(_: object) -> str:
            raise PermissionError(13, "Permission denied")

        program = stage.program("start('note(\"command\"); rest()'); note('ready'); rest()")
        stage.noted("command")
        monkeypatch.setattr(watcher, "_namespace", forbidden)
        assert marked_children(program) == set()

    def test_a_number_that_begins_alike_is_another(self, stage: Stage) -> None:
        program = stage.program("start('note(\"command\"); rest()'); note('ready'); rest()")
        stage.noted("command")
        assert marked_children(ProcessIdentity(program.pid // 10, 0)) == set()

    def test_one_that_can_not_be_killed_survives(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        program = stage.program("start('note(\"command\"); rest()'); note('ready'); rest()")
        command = stage.noted("command")
        monkeypatch.setattr(watcher, "deliver", lambda *_: False)
        outcome = kill_marked(program, SHORT)
        assert [row.identity for row in outcome.survivors] == [command]

    def test_one_look_among_many_processes_is_quick(self) -> None:
        me = identify(os.getpid())
        assert me is not None
        many = [subprocess.Popen(["sleep", str(LIFETIME)], env={"CLAUDE_PID": "1"}) for _ in range(200)]
        try:
            looks = [timed(lambda: marked_children(me)) for _ in range(5)]
        finally:
            for one in many:
                one.kill()
                one.wait(SECONDS)
        # Three milliseconds; asking psutil took four times as long.
        assert min(looks) < 0.03


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def test_the_log_ends_somewhere(stage: Stage) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import logging; from agent_bridge.watcher import _log_little; _log_little();"
         "[logging.getLogger('agent_bridge').warning('redis is away') for _ in range(10_000)]"],
        capture_output=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    assert done.stderr.count(b"redis is away") == watcher.MOST_LOG_RECORDS
