"""`agent-bridge watch claude-code` as the hook of a small program that passes for Claude Code."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent_bridge import watch
from agent_bridge.process_table import ProcessIdentity, identify, look_up
from agent_bridge.process_tree import deliver
from agent_bridge.watch import WatchOrder
from agent_bus import timestamps
from agent_bus.bus import Bus
from agent_bus.events import Events
from agent_bus.identifiers import NAME_LENGTH
from agent_bus.sessions import Sessions
from tests.processes import RedisServer, free_port, wait_until

SECONDS = 20.0
COMMAND = [sys.executable, "-m", "agent_bridge.entry", "watch", "claude-code"]

# Runs hooks as they are ordered, a line each, and says what came of them. Ends as the line says that is none.
CLAUDE = """
import json, os, subprocess, sys
for line in sys.stdin:
    said = json.loads(line)
    if isinstance(said, int):
        os._exit(said)
    mark = {"CLAUDE_PID": str(os.getpid()), "CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "s"}
    done = subprocess.run(said["command"], input=said["input"], capture_output=True, text=True,
                          env=os.environ | mark | said["env"], start_new_session=True)
    print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """What came of a hook."""

    code: int
    out: str
    err: str


FINE = Done(0, "", "")


class Claude:
    """A program with hooks; its watchers are found by the folder that they keep their logs in."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.run_time = folder / "run"
        self.run_time.mkdir()
        self.environ = {"XDG_RUNTIME_DIR": str(self.run_time), **environ}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLAUDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | self.environ
        )
        found = identify(self.process.pid)
        assert found is not None
        self.identity = found
        self._met: set[ProcessIdentity] = set()

    def _say(self, what: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def hook(self, *options: str, env: Mapping[str, str] | None = None, **body: object) -> Done:
        """Runs the SessionStart hook."""
        said = {"session_id": "s", "hook_event_name": "SessionStart", "source": "startup", "cwd": "/project", **body}
        self._say({"command": [*COMMAND, *options], "input": json.dumps(said), "env": env or {}})
        assert self.process.stdout is not None
        return Done(*json.loads(self.process.stdout.readline()))

    def exit(self, code: int) -> None:
        self._say(code)
        self.process.wait(SECONDS)

    @property
    def watchers(self) -> list[ProcessIdentity]:
        """Those that are there now."""
        found = [one for one in map(identify, pids()) if one and self._is_watcher(one.pid)]
        self._met.update(found)
        return found

    def _is_watcher(self, pid: int) -> bool:
        told = f"XDG_RUNTIME_DIR={self.run_time}".encode()
        return b"agent_bridge.watcher" in proc(pid, "cmdline") and told in proc(pid, "environ").split(b"\0")

    def watcher(self) -> ProcessIdentity:
        """The one that there is, once it has begun."""
        (found,) = wait_until(lambda: self.locks() and self.watchers, "a watcher")
        return found

    def locks(self) -> list[Path]:
        return list(self.run_time.glob("agent-bridge/*.lock"))

    def clean(self) -> None:
        self.process.kill()
        self.process.communicate()
        try:
            wait_until(lambda: self.watchers == [], "the watchers to end with their program", SECONDS)
        finally:
            for one in self._met:
                deliver(one, 9)


def pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def proc(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def claude(real_bus: Bus, redis_server: RedisServer, tmp_path: Path) -> Iterator[Claude]:
    environ = {"REDIS_URL": redis_server.url, "AGENT_ORCHESTRATOR_NAMESPACE": real_bus.keys.namespace}
    found = Claude(tmp_path, environ)
    yield found
    found.clean()


async def session(bus: Bus, session_id: str = "s", **expected: object) -> dict[str, Any]:
    """The session, once it says so."""
    said: dict[str, Any] = {}
    async with asyncio.timeout(SECONDS):
        while not said or not expected.items() <= said.items():
            said = json.loads(await Sessions(bus).get(session_id) or b"{}")
            await asyncio.sleep(0.01)
    return said


async def last_event(bus: Bus, session_id: str = "s") -> dict[str, Any]:
    page = await Events(bus).page(session_id, limit=1)
    assert page is not None
    event: dict[str, Any] = json.loads(page.events[-1])
    return event


class TestWatching:
    async def test_a_stop_reaches_the_program_and_the_watcher_is_not_in_its_own_way(
        self, claude: Claude, real_bus: Bus
    ) -> None:
        assert claude.hook("--hook-seconds", "0") == FINE
        said = await session(real_bus, presence="connected")
        assert (said["session_name"], said["agent_name"], said["project_dir"]) == ("s", "claude-code", "/project")
        watcher = claude.watcher()
        row = look_up(watcher.pid)
        assert row is not None
        assert (row.session, row.group) == (watcher.pid, watcher.pid)
        assert b"CLAUDE" not in proc(watcher.pid, "environ")
        assert (await Sessions(real_bus).request_stop("s", "c")).outcome == "sent"
        await session(real_bus, status="stopped", stop_confirmed=True)
        told = await last_event(real_bus)
        assert (told["signals"], told["survivors"]) == (["SIGINT"], [])
        assert claude.process.wait(SECONDS) != 0
        wait_until(lambda: claude.watchers == [], "its end")
        assert list((claude.run_time / "agent-bridge").iterdir()) == []

    async def test_it_ends_with_the_program(self, claude: Claude, real_bus: Bus) -> None:
        assert claude.hook() == FINE
        await session(real_bus, presence="connected")
        claude.exit(3)
        await session(real_bus, status="finished", presence="none")
        assert (await last_event(real_bus))["exit_code"] in (3, None)
        wait_until(lambda: claude.watchers == [], "its end")

    async def test_no_process_shows_where_redis_is(
        self, claude: Claude, real_bus: Bus, redis_server: RedisServer
    ) -> None:
        assert claude.hook() == FINE
        await session(real_bus, presence="connected")
        shown = [pid for pid in pids() if redis_server.url.encode() in proc(pid, "cmdline")]
        assert shown == []

    async def test_a_second_start_of_the_session_starts_no_second_watcher(self, claude: Claude, real_bus: Bus) -> None:
        assert claude.hook() == FINE
        await session(real_bus, presence="connected")
        first = claude.watcher()
        run = (await session(real_bus))["run"]
        assert claude.hook(source="compact") == FINE
        assert claude.hook(source="resume") == FINE
        wait_until(lambda: claude.watchers == [first], "the others to leave")
        assert (await session(real_bus, presence="connected"))["run"] == run

    async def test_another_session_of_the_program_replaces_the_first(self, claude: Claude, real_bus: Bus) -> None:
        assert claude.hook() == FINE
        await session(real_bus, presence="connected")
        first = claude.watcher()
        assert claude.hook(session_id="t", source="clear") == FINE
        await session(real_bus, "t", presence="connected")
        await session(real_bus, "s", status="finished", presence="none")
        assert (await last_event(real_bus))["reason"] == "the program went on to another session"
        wait_until(lambda: len(claude.watchers) == 1 and first not in claude.watchers, "the first one to leave")
        assert claude.process.poll() is None

    async def test_the_projects_redis_is_found(
        self, claude: Claude, real_bus: Bus, redis_server: RedisServer, tmp_path: Path
    ) -> None:
        file = tmp_path / "project" / ".agent-orchestrator" / "redis-url"
        file.parent.mkdir(parents=True)
        file.write_text(redis_server.url)
        assert claude.hook("--project-dir", str(tmp_path / "project"), env={"REDIS_URL": ""}) == FINE
        await session(real_bus, presence="connected")

    def test_a_redis_that_is_away_holds_nobody_up(self, claude: Claude) -> None:
        assert claude.hook("--redis-url", f"redis://127.0.0.1:{free_port()}/0") == FINE
        claude.watcher()
        claude.exit(0)
        wait_until(lambda: claude.watchers == [], "its end")
        log = claude.run_time / "agent-bridge" / f"{claude.identity.pid}.log"
        assert "redis is away" in log.read_text()

    def test_nothing_at_all_where_a_bridge_reports_already(self, claude: Claude) -> None:
        assert claude.hook(env={"AGENT_BRIDGE_SESSION": "s"}) == FINE
        assert list(claude.run_time.iterdir()) == []

    def test_what_earlier_watchers_left_is_tidied_away(self, claude: Claude) -> None:
        folder = claude.run_time / "agent-bridge"
        folder.mkdir(mode=0o700)
        (folder / "1.log").touch()
        (folder / "1-2.lock").write_text("[1, 2, null]")
        assert claude.hook() == FINE
        assert {path.suffix: path.name for path in folder.iterdir()}[".log"] == f"{claude.identity.pid}.log"
        assert not (folder / "1-2.lock").exists()


def fails(done: Done, what: str) -> bool:
    """Whether the hook failed in its way: by one line, and without harm."""
    line = done.err.removesuffix("\n")
    assert line.startswith("agent-bridge watch: ")
    assert what in line
    assert "\n" not in line
    return (done.code, done.out) == (0, "")


class TestFailures:
    @pytest.fixture(autouse=True)
    def _no_watcher(self, claude: Claude) -> Iterator[None]:
        yield
        assert claude.watchers == []
        assert claude.locks() == []

    @pytest.mark.parametrize("pid", ["", "0", "-1", "abc", "99999999999999999999", "3999999999", "٣", "1.0", " 1"])
    def test_a_program_that_is_none(self, claude: Claude, pid: str) -> None:
        assert fails(claude.hook(env={"CLAUDE_PID": pid}), "CLAUDE_PID")

    def test_a_program_that_did_not_start_the_hook(self, claude: Claude) -> None:
        # Regression: a program that says nothing of itself passes on what the one above it said, or one of long ago.
        with subprocess.Popen(["sleep", "60"]) as another:
            assert fails(claude.hook(env={"CLAUDE_PID": str(another.pid)}), "CLAUDE_PID")
            another.kill()

    def run(self, claude: Claude, body: bytes, *shell: str) -> Done:
        environ = os.environ | claude.environ | {"CLAUDE_PID": str(os.getpid())}
        done = subprocess.run([*shell, *COMMAND], input=body, capture_output=True, timeout=SECONDS, env=environ)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    @pytest.mark.parametrize(
        ("body", "what"),
        [
            (b"", "JSON"), (b"{", "JSON"), (b"\xff\xfe\xfd", "JSON"), (b"[" * 200_000, "JSON"),
            (b"[]", "session_id"), (b"{}", "session_id"), (b'{"session_id": 5}', "session_id"), (b"null", "session_id"),
            (b'{"session_id": "a/b"}', "session id"), (b'{"session_id": "\\ud800"}', "session id"),
            (b'{"session_id": "' + b"x" * 300 + b'"}', "session id"),
            (b'{"session_id": "s", "cwd": "' + b"x" * 2_000_000 + b'"}', "JSON"),
        ],
        ids=lambda value: repr(value[:30]),
    )  # fmt: skip
    def test_input_that_is_no_hooks(self, claude: Claude, body: bytes, what: str) -> None:
        assert fails(self.run(claude, body), what)

    def test_standard_input_that_is_closed(self, claude: Claude) -> None:
        assert fails(self.run(claude, b"", "sh", "-c", '"$0" "$@" <&-'), "standard input is closed")

    def test_standard_input_that_can_not_be_read(self, claude: Claude) -> None:
        assert fails(self.run(claude, b"", "sh", "-c", '"$0" "$@" 0>/dev/null'), "Bad file")

    @pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
    def test_nobody_need_listen(self, claude: Claude, closed: str) -> None:
        assert self.run(claude, b"", "sh", "-c", f'"$0" "$@" {closed}') == FINE

    def test_a_watch_folder_that_can_not_be_made(self, claude: Claude) -> None:
        (claude.run_time / "agent-bridge").touch()
        assert fails(claude.hook(), "agent-bridge")

    def test_a_watch_folder_that_others_can_look_into(self, claude: Claude) -> None:
        (claude.run_time / "agent-bridge").mkdir(mode=0o755)
        assert fails(claude.hook(), "not a folder of this user's alone")

    def test_a_log_that_can_not_be_written(self, claude: Claude) -> None:
        (claude.run_time / "agent-bridge").mkdir(mode=0o700)
        (claude.run_time / "agent-bridge" / f"{claude.identity.pid}.log").mkdir()
        assert fails(claude.hook(), ".log")


class TestOrder:
    """What the watcher is told, without one."""

    @pytest.fixture(autouse=True)
    def _started(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.orders: list[WatchOrder] = []
        monkeypatch.setattr(watch, "start_watcher", self.orders.append)
        monkeypatch.setenv("CLAUDE_PID", str(os.getppid()))
        monkeypatch.chdir(tmp_path)
        for name in ("AGENT_BRIDGE_SESSION", "AGENT_ORCHESTRATOR_SESSION_NAME", "AGENT_ORCHESTRATOR_AGENT_NAME"):
            monkeypatch.delenv(name, raising=False)

    def order(self, *options: str, **body: object) -> WatchOrder:
        arguments = ["claude-code", *options]
        done = CliRunner().invoke(watch.watch, arguments, input=json.dumps({"session_id": "s", **body}))
        assert (done.exit_code, done.output) == (0, "")
        return self.orders.pop()

    def test_whom_to_watch(self) -> None:
        order = self.order(cwd="/somewhere")
        assert ProcessIdentity(order.pid, order.started) == identify(os.getppid())
        assert (order.session_id, order.session_name, order.agent_name) == ("s", "s", "claude-code")
        assert order.project_dir == "/somewhere"
        assert order.since <= timestamps.now()

    def test_names_that_the_environment_gives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AGENT_ORCHESTRATOR_SESSION_NAME", "n" * 600)
        monkeypatch.setenv("AGENT_ORCHESTRATOR_AGENT_NAME", "a")
        order = self.order()
        # Regression: with a longer name than sessions have the watcher did not begin.
        assert (order.session_name, order.agent_name) == ("n" * NAME_LENGTH, "a")

    def test_how_long_a_stops_stages_last(self) -> None:
        seconds = ("hook_seconds", "interrupt_seconds", "terminate_seconds", "kill_seconds")
        options = [f"--{name.replace('_', '-')}={number}" for number, name in enumerate(seconds)]
        order = self.order(*options)
        assert [getattr(order, name) for name in seconds] == [0, 1, 2, 3]
        assert [getattr(self.order(), name) for name in seconds] == [1, 5, 5, 5]

    def test_the_transcript_and_how_long_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "t.jsonl"
        assert (self.order(transcript_path=str(path)).transcript, self.order().skip_bytes) == (str(path), 0)
        path.write_text("four")
        assert self.order(transcript_path=str(path)).skip_bytes == 4
        assert self.order(transcript_path="t.jsonl").transcript == str(path)

    @pytest.mark.parametrize("path", ["", "a\0b", "\ud800", None, 5])
    def test_paths_that_no_transcript_can_have(self, path: object) -> None:
        order = self.order(transcript_path=path)
        assert (order.transcript, order.skip_bytes) == ("", 0)

    def test_the_working_directory_where_the_input_names_none(self, tmp_path: Path) -> None:
        assert self.order().project_dir == str(tmp_path)

    def test_what_a_watcher_is_told_it_understands(self) -> None:
        order = replace(self.order(), session_name="naïve \udcff")
        assert WatchOrder.from_json(order.as_json()) == order
        assert WatchOrder.from_json(json.dumps({**json.loads(order.as_json()), "newer": 1})) == order

    @given(cut=st.integers(0, 60), missing=st.sampled_from([field.name for field in fields(WatchOrder)]))
    def test_a_part_of_it_is_none(self, cut: int, missing: str) -> None:
        whole = WatchOrder(1, 2.0, "s", "s", "a", "/", "", 0, "", "redis://localhost").as_json()
        said = json.loads(whole)
        del said[missing]
        for text in (whole[:cut], json.dumps(said), "5", "[]"):
            with pytest.raises(ValueError, match=r"."):
                WatchOrder.from_json(text)
