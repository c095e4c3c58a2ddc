import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from api.cannot_start import CannotStart
from api.supervisor import LONGEST_LINE, Child, Program, Supervisor
from tests.processes import wait_until

SLEEPS = "import time; print('ready', flush=True); time.sleep(3600)"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS


class Lines(list[tuple[str, str]]):
    """What children wrote."""

    def __init__(self) -> None:
        super().__init__()
        self._written = asyncio.Event()

    def take(self, name: str, line: str) -> None:
        self.append((name, line))
        self._written.set()

    async def until(self, name: str, line: str, times: int = 1) -> None:
        async with asyncio.timeout(30):
            while self.count((name, line)) < times:
                await self._written.wait()
                self._written.clear()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def supervisor(lines: Lines) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(lines.take)
    yield supervisor
    supervisor.hurry()
    await supervisor.stop()


def program(name: str, code: str, **options: object) -> Program:
    return Program(name, (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


async def test_output_is_passed_on_by_line_under_the_childs_name(supervisor: Supervisor, lines: Lines) -> None:
    code = "import os, time; os.write(2, b'err\\n'); os.write(1, b'out\\nno newline'); time.sleep(3600)"
    await supervisor.start(program("talker", code))
    await lines.until("talker", "err")
    await lines.until("talker", "out")
    supervisor.hurry()
    await supervisor.stop()
    assert ("talker", "no newline") in lines


async def test_an_endless_line_is_cut_rather_than_collected(supervisor: Supervisor, lines: Lines) -> None:
    await supervisor.start(program("talker", f"print('x' * {LONGEST_LINE * 3}); " + SLEEPS))
    await lines.until("talker", "ready")
    assert sum(len(line) for _, line in lines if "x" in line) == LONGEST_LINE * 3
    assert max(len(line) for _, line in lines) <= LONGEST_LINE + 64 * 1024


async def test_a_killed_child_is_started_again_and_its_end_is_told(
    supervisor: Supervisor, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    child = await supervisor.start(program("sleeper", SLEEPS))
    await lines.until("sleeper", "ready")
    first = pid_of(child)
    os.kill(first, signal.SIGKILL)
    await lines.until("sleeper", "ready", times=2)
    assert pid_of(child) != first
    assert "sleeper was killed by SIGKILL; starting it again" in caplog.text


async def test_a_child_that_can_not_live_is_tried_with_growing_waits(
    supervisor: Supervisor, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    await supervisor.start(program("dying", "print('ready'); raise SystemExit(7)"))
    await lines.until("dying", "ready", times=3)
    waits = [record.getMessage() for record in caplog.records if "exit code 7" in record.getMessage()]
    assert waits[:2] == [
        "dying ended with exit code 7; starting it again in 0.1 s",
        "dying ended with exit code 7; starting it again in 0.2 s",
    ]


async def test_stopping_does_not_wait_for_a_restart_that_is_due(supervisor: Supervisor, lines: Lines) -> None:
    child = await supervisor.start(program("dying", "print('ready')"))
    await lines.until("dying", "ready", times=2)
    await supervisor.stop()
    assert child.pid is None


async def test_a_program_that_does_not_exist_is_refused(supervisor: Supervisor) -> None:
    with pytest.raises(CannotStart, match="can't run /does/not/exist for nothing"):
        await supervisor.start(Program("nothing", ("/does/not/exist",)))


async def test_who_gives_up_waiting_takes_no_child_from_its_keeper(supervisor: Supervisor, lines: Lines) -> None:
    child = await supervisor.start(program("sleeper", SLEEPS))
    await lines.until("sleeper", "ready")
    waiting = asyncio.create_task(supervisor.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    os.kill(pid_of(child), signal.SIGKILL)
    await lines.until("sleeper", "ready", times=2)


async def test_children_are_stopped_in_order(supervisor: Supervisor, lines: Lines, tmp_path: Path) -> None:
    log = tmp_path / "ends"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    with open({log!r}, 'a') as file: file.write({name!r} + '\\n')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(3600)"
    )
    for name, order in (("store", 2), ("worker", 1), ("server", 0)):
        await supervisor.start(program(name, code.format(log=str(log), name=name), stop_order=order))
        await lines.until(name, "ready")
    await supervisor.stop()
    assert log.read_text().split() == ["server", "worker", "store"]


async def test_a_child_that_ignores_sigterm_is_killed_with_its_family(
    supervisor: Supervisor, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    family = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEPS!r}], start_new_session=True); "
        "print('child', child.pid, flush=True); "
    )
    child = await supervisor.start(program("stubborn", family + IGNORES, grace_seconds=0.05))
    await lines.until("stubborn", "ready", times=2)
    grandchild = next(int(line.split()[1]) for _, line in lines if line.startswith("child"))
    pid = pid_of(child)
    await supervisor.stop()
    assert "stubborn did not end in time; killing it" in caplog.text
    assert not psutil.pid_exists(pid)
    wait_until(lambda: not running(grandchild), "the grandchild to be gone")


async def test_a_hurry_cuts_the_grace_short(supervisor: Supervisor, lines: Lines) -> None:
    child = await supervisor.start(program("stubborn", IGNORES, grace_seconds=3600))
    await lines.until("stubborn", "ready")
    pid = pid_of(child)
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0)
    supervisor.hurry()
    await stopping
    assert not psutil.pid_exists(pid)


async def test_each_child_leads_its_own_session(supervisor: Supervisor) -> None:
    child = await supervisor.start(program("sleeper", SLEEPS))
    assert os.getsid(pid_of(child)) == pid_of(child)


async def test_every_process_of_a_child_inherits_the_descriptors_that_it_is_given(
    supervisor: Supervisor, lines: Lines, tmp_path: Path
) -> None:
    with (tmp_path / "shared").open("w") as shared:
        descriptor = shared.fileno()
        code = f"import os; print(os.fstat({descriptor}).st_ino, flush=True); " + SLEEPS
        child = await supervisor.start(program("heir", code, pass_fds=(descriptor,)))
        inode = str(os.fstat(descriptor).st_ino)
        await lines.until("heir", inode)
        os.kill(pid_of(child), signal.SIGKILL)
        await lines.until("heir", inode, times=2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's death")
def test_a_killed_supervisor_takes_its_children_along() -> None:
    code = f"""
import asyncio, sys
from api.supervisor import Program, Supervisor
async def main():
    supervisor = Supervisor(lambda name, line: None)
    child = await supervisor.start(Program("child", (sys.executable, "-c", {IGNORES!r})))
    print(child.pid, flush=True)
    await supervisor.wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as popen:
        assert popen.stdout is not None
        pid = int(popen.stdout.readline())
        assert running(pid)
        popen.kill()
    wait_until(lambda: not running(pid), "the child to be gone")


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_each_end_of_a_process_is_told_before_there_is_another(supervisor: Supervisor, lines: Lines) -> None:
    told: list[int | None] = []
    child = await supervisor.start(program("short", SLEEPS, on_end=lambda: told.append(child.pid)))
    await lines.until("short", "ready")
    os.kill(pid_of(child), signal.SIGKILL)
    await lines.until("short", "ready", times=2)
    assert told == [None]
    await supervisor.stop()
    assert told == [None, None]
