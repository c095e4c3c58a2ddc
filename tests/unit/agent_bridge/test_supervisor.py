"""`agent-bridge run` as a process of its own, under a bridge that writes down what it is told."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_bridge.process_table import ProcessIdentity, identify, look_up
from agent_bridge.process_tree import deliver
from agent_bridge.supervisor import describe_end, exit_code
from tests.processes import wait_until

SECONDS = 20.0
LIFETIME = 120
SHORT = "0.3"

DRIVER = """
import asyncio, json, os, pathlib
import agent_bridge

FOLDER = pathlib.Path(os.environ["FAKE_BRIDGE"])

class FakeBridge:
    def __init__(self, **session):
        self.tell("session", {name: value and str(value) for name, value in session.items()})
    def tell(self, kind, what):
        with (FOLDER / "told").open("a") as told:
            told.write(json.dumps([kind, what]) + "\\n")
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        self.tell("left", None)
    @property
    def stop_requested(self):
        return (FOLDER / "stop").exists()
    async def wait_for_stop(self):
        if (FOLDER / "broken").exists():
            raise RuntimeError("no bridge")
        while not self.stop_requested:
            await asyncio.sleep(0.01)
    async def event(self, event_type, **fields):
        self.tell(event_type, fields)
    def report_end(self, **fields):
        self.tell("end", fields)

agent_bridge.AgentBridge = FakeBridge
from agent_bridge import process_tree, supervisor
if "no adoption" in os.environ["FAKE_LIMITS"]:
    supervisor.adopt_orphans = lambda: False
if "no permission" in os.environ["FAKE_LIMITS"]:
    process_tree.deliver = lambda *_: False
    process_tree.ProcessTree._kill_group = lambda *_: False
    process_tree.ProcessTree._kill_children = lambda *_: False
from agent_bridge.cli import main
main()
"""

# A program that leaves a note of itself, `<name>-<pid>`, in the folder given to it, and rests.
NOTE = f"""
import os, pathlib, signal, sys, time
FOLDER = pathlib.Path(os.environ["FAKE_BRIDGE"])
def note(name): (FOLDER / f"{{name}}-{{os.getpid()}}").touch()
def rest():
    deadline = time.monotonic() + {LIFETIME}
    while time.monotonic() < deadline: time.sleep(0.5)
    os._exit(0)
"""


class Run:
    """Runs commands and remembers who they were."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.limits = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.met: set[ProcessIdentity] = set()

    def start(self, *arguments: str, **popen: Any) -> subprocess.Popen[bytes]:
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
            "start_new_session": True,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, "run", "--quiet", *arguments],
            env=os.environ | {"FAKE_BRIDGE": str(self.folder), "FAKE_LIMITS": self.limits},
            **(options | popen),
        )
        return self.process

    def python(self, program: str, *options: str, **popen: Any) -> subprocess.Popen[bytes]:
        return self.start(*options, "--", sys.executable, "-c", NOTE + program, **popen)

    def finish(self) -> tuple[int, bytes, bytes]:
        assert self.process is not None
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err

    def await_note(self, name: str) -> ProcessIdentity:
        path = wait_until(lambda: next(self.folder.glob(f"{name}-*"), None), f"a note of {name}")
        found = identify(int(path.name.rpartition("-")[2]))
        assert found is not None
        self.met.add(found)
        return found

    def stop(self) -> None:
        (self.folder / "stop").touch()

    def alive(self) -> list[ProcessIdentity]:
        rows = [(one, look_up(one.pid)) for one in self.met]
        return [one for one, row in rows if row is not None and row.identity == one and not row.dead]

    def told(self, kind: str) -> list[Any]:
        lines = (self.folder / "told").read_text().splitlines()
        return [what for said, what in map(json.loads, lines) if said == kind]

    @property
    def end(self) -> dict[str, Any]:
        (end,) = self.told("end")
        assert isinstance(end, dict)
        return end


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    found = Run(tmp_path)
    yield found
    for one in found.met:
        deliver(one, signal.SIGKILL)
    if found.process is not None:
        found.process.kill()
        found.process.wait(SECONDS)
        for pipe in (found.process.stdout, found.process.stderr):
            if pipe:
                pipe.close()


@pytest.mark.parametrize(("returncode", "code"), [(0, 0), (7, 7), (-2, 130), (-9, 137), (-15, 143)])
def test_exit_codes_are_a_shells(returncode: int, code: int) -> None:
    assert exit_code(returncode) == code


def test_an_end_is_described_for_people() -> None:
    assert describe_end(3) == "exited"
    assert describe_end(-11) == "killed by SIGSEGV"
    assert describe_end(-40) == "killed by signal 40"


class TestTransparency:
    @pytest.mark.parametrize("capture", [[], ["--capture"]])
    def test_binary_output_and_input_pass_untouched(self, run: Run, capture: list[str]) -> None:
        data = bytes(range(256)) * 5000
        process = run.start(*capture, "--", "sh", "-c", "cat; printf 'caf\\303' >&2; exit 9", stdin=subprocess.PIPE)
        out, err = process.communicate(data, timeout=SECONDS)
        assert (process.returncode, out, err) == (9, data, b"caf\xc3")
        assert run.end["exit_code"] == 9
        assert run.end["reason"] == "exited"

    def test_captured_output_is_told_decoded(self, run: Run) -> None:
        run.start("--capture", "--", "sh", "-c", "printf 'na\\303\\257ve \\377'; printf oops >&2")
        assert run.finish()[0] == 0
        assert {(event["stream"], event["text"]) for event in run.told("output")} == {
            ("stdout", "naïve �"), ("stderr", "oops"),
        }  # fmt: skip

    def test_without_capture_nothing_of_the_output_is_told(self, run: Run) -> None:
        run.start("--", "echo", "secret")
        assert run.finish()[1] == b"secret\n"
        assert run.told("output") == []

    def test_megabytes_pass_and_what_is_left_out_is_counted(self, run: Run) -> None:
        size = 12_000_000
        run.start("--capture", "--", "head", "-c", str(size), "/dev/zero")
        code, out, _ = run.finish()
        assert (code, len(out)) == (0, size)
        told = sum(len(event["text"]) for event in run.told("output"))
        dropped = sum(event["dropped_bytes"] for event in run.told("output_dropped"))
        assert told + dropped == size

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
    def test_a_death_by_signal_is_answered_as_by_a_shell(self, run: Run, number: signal.Signals) -> None:
        run.start("--", "sh", "-c", f"kill -{number.value} $$")
        assert run.finish()[0] == 128 + number
        assert run.end == {"exit_code": 128 + number, "reason": f"killed by {number.name}"}

    def test_a_command_that_is_not_there(self, run: Run) -> None:
        run.start("--", "no-such-command-anywhere")
        code, _, err = run.finish()
        assert code == 127
        assert b"no-such-command-anywhere: No such file" in err
        assert run.end["exit_code"] == 127

    def test_a_command_that_can_not_be_run(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "plain").write_text("text")
        run.start("--", str(tmp_path / "plain"))
        assert run.finish()[0] == 126

    def test_options_of_the_command_are_its_own(self, run: Run) -> None:
        run.start("echo", "--capture", "--", "-n")
        assert run.finish()[1] == b"--capture -- -n\n"

    def test_the_command_leads_a_session_of_its_own(self, run: Run) -> None:
        run.python("print(os.getsid(0) == os.getpid())")
        assert run.finish()[1] == b"True\n"

    def test_descriptors_we_were_given_are_the_commands_too(self, run: Run) -> None:
        reading, writing = os.pipe()
        run.start("--", "sh", "-c", f"echo extra >/dev/fd/{writing}", pass_fds=(writing,))
        os.close(writing)
        assert run.finish()[0] == 0
        with os.fdopen(reading, "rb") as pipe:
            assert pipe.read() == b"extra\n"

    def test_what_the_command_leaves_running_is_left_and_named(self, run: Run) -> None:
        run.python("""
import subprocess
if not os.fork():
    os.setsid(); note("left"); rest()
while not list(FOLDER.glob("left-*")): time.sleep(0.01)
""", "--capture")  # fmt: skip
        left = run.await_note("left")
        assert run.process is not None
        assert run.process.wait(SECONDS) == 0
        assert [one["pid"] for one in run.end["left_running"]] == [left.pid]
        assert run.alive() == [left]

    def test_the_command_goes_on_when_the_bridge_breaks(self, run: Run) -> None:
        (run.folder / "broken").touch()
        run.start("--", "sh", "-c", "sleep 0.2; exit 4")
        code, _, err = run.finish()
        assert code == 4
        assert err.count(b"a stop would not be heard") == 1


class TestStop:
    def test_an_obedient_command_ends_of_sigint_with_its_own_exit_code(self, run: Run) -> None:
        run.python("signal.signal(signal.SIGINT, lambda *_: os._exit(5)); note('ready'); rest()")
        run.await_note("ready")
        run.stop()
        assert run.finish()[0] == 5
        assert run.end == {"exit_code": 5, "reason": "stopped", "signals": ["SIGINT"], "survivors": [], "ceased": True}

    def test_everything_ends_however_it_hides(self, run: Run) -> None:
        run.python("""
for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    note("daemon"); rest()
os.wait()
if not os.fork():
    os.setsid(); note("stray"); rest()
note("root"); rest()
""", "--interrupt-seconds", SHORT, "--terminate-seconds", SHORT)  # fmt: skip
        for name in ("daemon", "stray", "root"):
            run.await_note(name)
        run.stop()
        assert run.finish()[0] == 128 + signal.SIGKILL
        assert run.alive() == []
        assert run.end["signals"] == ["SIGINT", "SIGTERM", "SIGKILL"]
        assert run.end["survivors"] == []

    def test_a_daemon_ends_although_the_command_itself_obeys(self, run: Run) -> None:
        run.python("""
if not os.fork():
    os.setsid(); signal.signal(signal.SIGINT, signal.SIG_IGN); note("daemon"); rest()
signal.signal(signal.SIGINT, lambda *_: os._exit(0)); note("root"); rest()
""", "--interrupt-seconds", SHORT)  # fmt: skip
        run.await_note("daemon")
        run.await_note("root")
        run.stop()
        assert run.finish()[0] == 0
        assert run.alive() == []
        assert run.end["signals"] == ["SIGINT", "SIGTERM"]

    def test_a_daemon_ends_where_orphans_do_not_come_to_us(self, run: Run) -> None:
        run.limits = "no adoption"
        run.python("""
middle = os.fork()
if not middle:
    os.setsid()
    if os.fork(): time.sleep(1); os._exit(0)
    note("daemon"); rest()
os.waitpid(middle, 0); note("root"); rest()
""")
        run.await_note("daemon")
        run.await_note("root")
        run.stop()
        assert run.finish()[0] == 128 + signal.SIGINT
        assert run.alive() == []

    def test_a_stop_after_the_commands_own_end_ends_what_it_left_running(self, run: Run) -> None:
        # Held up by the reader of its output, the run is not over yet.
        run.python("""
if not os.fork():
    os.setsid(); os.close(1); note("left"); rest()
while not list(FOLDER.glob("left-*")): time.sleep(0.01)
note("root")
while not (FOLDER / "seen").exists(): time.sleep(0.01)
os.write(1, b"x" * 150_000)
""", "--capture")  # fmt: skip
        run.await_note("left")
        root = run.await_note("root")
        (run.folder / "seen").touch()
        wait_until(lambda: (row := look_up(root.pid)) is None or row.identity != root, "the command to end")
        run.stop()
        assert run.process is not None
        assert run.process.wait(SECONDS) == 0
        assert run.alive() == []
        assert run.end["reason"] == "stopped"

    def test_who_could_not_be_ended_is_said_and_reported(self, run: Run) -> None:
        run.limits = "no permission"
        run.python("note('root'); rest()",
                   "--interrupt-seconds", SHORT, "--terminate-seconds", SHORT, "--kill-seconds", SHORT)  # fmt: skip
        root = run.await_note("root")
        run.stop()
        assert run.process is not None
        assert run.process.wait(SECONDS) == 128 + signal.SIGKILL
        assert [one["pid"] for one in run.end["survivors"]] == [root.pid]
        assert run.end["ceased"] is False
        deliver(root, signal.SIGKILL)
        assert b"could not end" in run.finish()[2]

    def test_a_stop_that_was_waiting_keeps_the_command_from_starting(self, run: Run) -> None:
        run.stop()
        run.start("--", "touch", str(run.folder / "began"))
        assert run.finish()[0] == 130
        assert not (run.folder / "began").exists()
        assert run.end["reason"] == "stopped before it began"

    def test_a_background_job_of_a_shell_hears_the_sigint_of_a_stop(self, run: Run) -> None:
        def ignore() -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

        run.python(
            "signal.getsignal(signal.SIGINT) == signal.SIG_IGN or note('ready'); rest()",
            preexec_fn=ignore,
        )
        run.await_note("ready")
        run.stop()
        assert run.finish()[0] == 128 + signal.SIGINT


class TestSignals:
    def test_an_interrupt_reaches_the_whole_tree_and_ends_nothing_by_itself(self, run: Run) -> None:
        process = run.python("""
child = os.fork()
name = "root" if child else "child"
def heard(*_):
    note(f"{name}.heard")
    if child: os.waitpid(child, 0)
    os._exit(6 if child else 0)
signal.signal(signal.SIGINT, heard)
if not child: os.setsid()
note(name); rest()
""")
        run.await_note("root")
        run.await_note("child")
        process.send_signal(signal.SIGINT)
        assert run.finish()[0] == 6
        assert list(run.folder.glob("child.heard-*"))
        assert run.end == {"exit_code": 6, "reason": "exited"}

    def test_a_second_interrupt_ends_a_command_that_did_not_heed_the_first(self, run: Run) -> None:
        process = run.python("signal.signal(signal.SIGINT, lambda *_: note('heard')); note('ready'); rest()",
                             "--interrupt-seconds", str(SECONDS))  # fmt: skip
        run.await_note("ready")
        process.send_signal(signal.SIGINT)
        run.await_note("heard")
        process.send_signal(signal.SIGINT)
        assert run.finish()[0] == 128 + signal.SIGTERM
        assert run.end["reason"] == "SIGINT received"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_our_own_end_leaves_nobody_behind(self, run: Run, number: signal.Signals) -> None:
        process = run.python("""
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN); note("daemon"); rest()
os.wait(); note("root"); rest()
""", "--terminate-seconds", SHORT)  # fmt: skip
        run.await_note("daemon")
        run.await_note("root")
        process.send_signal(number)
        assert run.finish()[0] == 128 + signal.SIGTERM
        assert run.alive() == []
        assert run.end["signals"] == ["SIGTERM", "SIGKILL"]
        assert len(run.told("left")) == 1

    def test_asking_again_does_not_wait_for_the_grace_to_pass(self, run: Run) -> None:
        process = run.python("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: note("heard")); note("ready"); rest()
""", "--terminate-seconds", str(LIFETIME))  # fmt: skip
        run.await_note("ready")
        process.send_signal(signal.SIGTERM)
        run.await_note("heard")
        process.send_signal(signal.SIGTERM)
        assert run.finish()[0] == 128 + signal.SIGKILL

    def test_suspending_us_suspends_the_tree_until_we_go_on(self, run: Run) -> None:
        process = run.python("note('ready'); rest()")
        root = run.await_note("ready")
        process.send_signal(signal.SIGTSTP)
        for pid in (root.pid, process.pid):
            wait_until(lambda pid=pid: (row := look_up(pid)) and row.stopped, "everyone to be suspended")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: (row := look_up(root.pid)) and not row.stopped, "the command to go on")
        run.stop()
        assert run.finish()[0] == 128 + signal.SIGINT

    def test_the_command_itself_hears_what_is_meant_for_it(self, run: Run) -> None:
        process = run.python("signal.signal(signal.SIGUSR1, lambda *_: os._exit(11)); note('ready'); rest()")
        run.await_note("ready")
        process.send_signal(signal.SIGUSR1)
        assert run.finish()[0] == 11


class TestTerminal:
    @pytest.fixture
    def terminal(self) -> Iterator[tuple[int, int]]:
        ours, theirs = pty.openpty()
        yield ours, theirs
        for descriptor in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def test_a_terminal_stays_one(self, run: Run, terminal: tuple[int, int]) -> None:
        ours, theirs = terminal
        run.python("print([os.isatty(n) for n in (0, 1, 2)], input())", stdin=theirs, stdout=theirs, stderr=theirs)
        os.write(ours, b"typed\n")
        assert run.process is not None
        assert run.process.wait(SECONDS) == 0
        assert b"[True, True, True] typed" in os.read(ours, 4096)

    def test_a_program_ended_by_force_does_not_leave_the_terminal_without_echo(self, run: Run) -> None:
        # A leader of a session of its own, as a shell's job in the foreground of a terminal.
        pid, ours = pty.fork()
        if pid == 0:  # pragma: no cover
            os.environ |= {"FAKE_BRIDGE": str(run.folder), "FAKE_LIMITS": ""}
            program = NOTE + "import tty; tty.setraw(0); note('raw'); rest()"
            os.execv(  # noqa: S606
                sys.executable,
                [sys.executable, "-c", DRIVER, "run", "--quiet", "--", sys.executable, "-c", program],
            )
        try:
            before = termios.ECHO | termios.ICANON
            run.await_note("raw")
            assert not termios.tcgetattr(ours)[3] & before
            run.stop()
            wait_until(lambda: termios.tcgetattr(ours)[3] & before == before, "echo and lines to be back")
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGINT
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.close(ours)
