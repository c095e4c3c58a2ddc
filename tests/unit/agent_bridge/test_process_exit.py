import asyncio
import contextlib
import fcntl
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent_bridge.process_exit import ProcessEnd
from agent_bridge.process_table import ProcessIdentity, identify, look_up
from agent_bridge.process_tree import deliver
from tests.processes import wait_until

SECONDS = 20.0
# Every program ends by itself some day, should a test fail to end it.
LIFETIME = 120

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has pidfds")


def kernel_tells() -> bool:
    """Whether the kernel tells of one that somebody else has reaped."""
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 15)


def seen(pid: int) -> ProcessIdentity:
    found = identify(pid)
    assert found is not None
    return found


class Programs:
    """Shells that end when they are told how, by a line in a pipe; in the end none is left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._orphans: list[ProcessIdentity] = []

    def child(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(["sh", "-c", "read how; eval $how"], stdin=subprocess.PIPE)
        self._started.append(child)
        return child

    def orphan(self, how: str) -> ProcessIdentity:
        """One that is not our child, and does so when `go` is called."""
        note, go = self._folder / "pid", self._folder / "go"
        os.mkfifo(go)
        program = f"echo $$ >{note}.part; mv {note}.part {note}; read _ <{go}; {how}"
        subprocess.run(["sh", "-c", 'sh -c "$0" &', program], check=True)
        wait_until(note.exists, "the orphan's note")
        self._orphans.append(seen(int(note.read_text())))
        return self._orphans[-1]

    def go(self) -> None:
        (self._folder / "go").write_text("\n")

    def clean(self) -> None:
        for child in self._started:
            child.kill()
            child.communicate()
        for orphan in self._orphans:
            deliver(orphan, signal.SIGKILL)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    found = Programs(tmp_path)
    yield found
    found.clean()


def tell(child: "subprocess.Popen[bytes]", how: str) -> None:
    assert child.stdin is not None
    child.stdin.write(f"{how}\n".encode())
    child.stdin.flush()


async def ended(end: ProcessEnd) -> int | None:
    async with asyncio.timeout(SECONDS):
        await end.wait()
    return end.code()


HOW = pytest.mark.parametrize(("how", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", -9)])


@HOW
async def test_a_child_that_nobody_has_reaped_yet(programs: Programs, how: str, code: int) -> None:
    child = programs.child()
    with ProcessEnd(seen(child.pid)) as end:
        tell(child, how)
        assert await ended(end) == code


@HOW
@linux_only
async def test_one_that_has_been_reaped_is_told_of_by_the_kernel(programs: Programs, how: str, code: int) -> None:
    child = programs.child()
    with ProcessEnd(seen(child.pid)) as end:
        tell(child, how)
        child.wait(SECONDS)
        assert await ended(end) == (code if kernel_tells() else None)


@linux_only
async def test_one_that_is_not_our_child(programs: Programs) -> None:
    orphan = programs.orphan("exit 5")
    with ProcessEnd(orphan) as end:
        waiting = asyncio.create_task(ended(end))
        programs.go()
        await waiting
        wait_until(lambda: look_up(orphan.pid) is None, "it to be reaped")
        assert end.code() == (5 if kernel_tells() else None)


@linux_only
async def test_a_kernel_that_does_not_tell(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> int:
        raise OSError(25, "Inappropriate ioctl for device")

    child = programs.child()
    with ProcessEnd(seen(child.pid)) as end:
        tell(child, "exit 3")
        child.wait(SECONDS)
        monkeypatch.setattr(fcntl, "ioctl", unknown)
        assert await ended(end) is None


async def test_where_there_are_no_pidfds_one_looks(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = programs.child()
    with ProcessEnd(seen(child.pid)) as end:
        waiting = asyncio.create_task(ended(end))
        tell(child, "exit 3")
        assert await waiting == (3 if sys.platform == "linux" else None)
        child.wait(SECONDS)
        assert end.code() is None


async def test_a_sandbox_that_forbids_pidfds(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", forbidden, raising=False)
    child = programs.child()
    with ProcessEnd(seen(child.pid)) as end:
        tell(child, "exit 0")
        await ended(end)


@pytest.mark.parametrize("pidfds", [True, False])
async def test_another_with_its_number_is_not_taken_for_it(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, pidfds: bool
) -> None:
    if not pidfds:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = programs.child()
    now = seen(child.pid)
    with ProcessEnd(ProcessIdentity(now.pid, now.started - 1)) as end:
        assert await ended(end) is None
        child.kill()
        child.wait(SECONDS)
        assert end.code() is None


async def test_one_that_had_ended_before_and_was_not_reaped(programs: Programs) -> None:
    child = programs.child()
    identity = seen(child.pid)
    tell(child, "exit 4")
    wait_until(lambda: (row := look_up(child.pid)) is None or row.dead, "its end")
    with ProcessEnd(identity) as end:
        assert await ended(end) == 4
        child.wait(SECONDS)
        # Regression: it was let go of since it had ended already, and nobody could tell any more.
        if sys.platform == "linux":
            assert end.code() == (4 if kernel_tells() else None)


async def test_one_that_is_gone_altogether(programs: Programs) -> None:
    child = programs.child()
    identity = seen(child.pid)
    child.kill()
    child.wait(SECONDS)
    with ProcessEnd(identity) as end:
        assert await ended(end) is None


@linux_only
async def test_one_that_goes_on_has_no_code_and_waiting_can_be_given_up(programs: Programs) -> None:
    child = programs.child()
    with ProcessEnd(seen(child.pid)) as end:
        waiting = asyncio.create_task(end.wait())
        await asyncio.sleep(0)
        assert end.code() is None
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        tell(child, "exit 3")
        assert await ended(end) == 3


@linux_only
def test_no_descriptor_is_left_open(programs: Programs) -> None:
    def descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd"))  # noqa: PTH208

    child = programs.child()
    now = seen(child.pid)
    before = descriptors()
    opened: list[Callable[[], ProcessEnd]] = [
        lambda: ProcessEnd(now),
        lambda: ProcessEnd(ProcessIdentity(now.pid, now.started + 1)),
    ]
    for make in opened:
        with make():
            pass
    assert descriptors() == before
