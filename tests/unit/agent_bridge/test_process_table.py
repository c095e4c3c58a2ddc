import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_bridge import process_table
from agent_bridge.process_table import identify, ignores, look_up, read_table
from tests.processes import wait_until

LIFETIME = 120
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="seen in /proc only")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", str(LIFETIME)], start_new_session=True) as started:
        yield started
        started.kill()


def test_the_table_holds_us_and_our_children_as_they_are(child: subprocess.Popen[bytes]) -> None:
    table = read_table()
    assert table[os.getpid()].parent == os.getppid()
    row = table[child.pid]
    assert (row.parent, row.group, row.session) == (os.getpid(), child.pid, child.pid)
    assert (row.dead, row.stopped) == (False, False)
    assert row.identity == identify(child.pid)


def test_a_process_that_has_ended_is_dead_until_it_is_reaped_and_then_nobody(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    wait_until(lambda: (row := look_up(child.pid)) and row.dead, "the child to be dead")
    child.wait()
    assert look_up(child.pid) is None
    assert identify(child.pid) is None


def test_a_suspended_process_is_stopped(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: (row := look_up(child.pid)) and row.stopped, "the child to be suspended")


@pytest.mark.skipif(sys.platform != "linux", reason="renames itself the way Linux allows")
def test_a_name_with_parentheses_and_spaces_is_read_whole() -> None:
    program = "import pathlib, time; pathlib.Path('/proc/self/comm').write_text(') R 1 (x'); time.sleep(LIFETIME)"
    with subprocess.Popen([sys.executable, "-c", program.replace("LIFETIME", str(LIFETIME))]) as renamed:
        try:
            row = wait_until(
                lambda: (row := look_up(renamed.pid)) and row.name == ") R 1 (x" and row, "it to be renamed"
            )
            assert row.parent == os.getpid()
        finally:
            renamed.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such state")
def test_a_program_whose_first_thread_has_ended_is_alive() -> None:
    program = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(LIFETIME,)).start()
ctypes.CDLL(None).pthread_exit(None)
""".replace("LIFETIME", str(LIFETIME))
    with subprocess.Popen([sys.executable, "-c", program]) as headless:
        try:
            stat = f"/proc/{headless.pid}/stat"
            wait_until(lambda: b") Z " in open(stat, "rb").read(), "its first thread to end")  # noqa: PTH123, SIM115
            row = look_up(headless.pid)
            assert row is not None
            assert not row.dead
        finally:
            headless.kill()


def test_psutil_tells_the_same_where_there_is_no_proc(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = look_up(child.pid)
    monkeypatch.setattr(process_table.sys, "platform", "darwin")
    elsewhere = look_up(child.pid)
    assert here is not None
    assert elsewhere is not None
    assert (elsewhere.parent, elsewhere.group, elsewhere.session, elsewhere.name) == (
        here.parent, here.group, here.session, here.name,
    )  # fmt: skip
    assert identify(child.pid) == elsewhere.identity
    child.kill()
    wait_until(lambda: (row := look_up(child.pid)) and row.dead, "the child to be dead")
    child.wait()
    assert look_up(child.pid) is None


@linux_only
@pytest.mark.parametrize(("ignored", "expected"), [("INT", True), ("TERM", False), ("", False)])
def test_it_is_seen_which_signals_a_process_will_never_hear(tmp_path: Path, ignored: str, expected: bool) -> None:
    trap = f"trap '' {ignored}; " if ignored else ""
    with subprocess.Popen(["sh", "-c", f"{trap}touch {tmp_path}/ready; exec sleep {LIFETIME}"]) as process:
        try:
            wait_until((tmp_path / "ready").exists, "the shell")
            assert ignores(process.pid, signal.SIGINT) is expected
        finally:
            process.kill()


def test_of_a_process_that_is_gone_nothing_is_seen(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert not ignores(child.pid, signal.SIGINT)


@linux_only
@pytest.mark.parametrize(("end", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
def test_it_is_seen_how_one_ended_that_nobody_has_reaped(end: str, code: int) -> None:
    with subprocess.Popen(["sh", "-c", end]) as process:
        row = wait_until(lambda: (row := look_up(process.pid)) and row.dead and row, "its end")
        assert row.wait_status is not None
        assert os.waitstatus_to_exitcode(row.wait_status) == code
