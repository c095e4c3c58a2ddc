import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_bridge import watch_folder
from agent_bridge.process_table import ProcessIdentity, identify
from agent_bridge.watch_folder import KEEP_LOG_SECONDS, AlreadyWatched, WatchLock, close_log, open_log, tidy
from tests.processes import wait_until

SECONDS = 20.0
# Every program ends by itself some day, should a test fail to end it.
LIFETIME = 120
PROGRAM = ProcessIdentity(4711, 815)
LOCK = "4711-815.lock"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return watch_folder.watch_folder()


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", str(LIFETIME)]) as child:
        yield child
        child.kill()


class TestFolder:
    def test_it_is_this_users_alone(self, folder: Path, tmp_path: Path) -> None:
        assert folder == tmp_path / "agent-bridge"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert watch_folder.watch_folder() == folder

    @pytest.mark.parametrize("runtime", ["", "/nowhere/at/all"])
    def test_without_a_runtime_folder_it_is_made_among_all_others(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: str
    ) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert watch_folder.watch_folder() == tmp_path / f"agent-bridge-{os.geteuid()}"

    def test_one_that_others_may_look_into_is_refused(self, folder: Path) -> None:
        folder.chmod(0o750)
        with pytest.raises(PermissionError, match="remove it"):
            watch_folder.watch_folder()

    def test_a_link_is_refused(self, folder: Path, tmp_path: Path) -> None:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(PermissionError, match="agent-bridge"):
            watch_folder.watch_folder()

    def test_a_file_in_its_place_is_refused(self, folder: Path) -> None:
        folder.rmdir()
        folder.touch()
        with pytest.raises(FileExistsError):
            watch_folder.watch_folder()


class TestLogs:
    def test_an_empty_one_goes_when_its_last_writer_has_left(self, folder: Path) -> None:
        first, second = open_log(folder, 7), open_log(folder, 7)
        tidy(folder)
        close_log(first)
        tidy(folder)
        # Regression: the watcher before took the log of the next one with it.
        assert (folder / "7.log").exists()
        close_log(second)
        tidy(folder)
        assert not (folder / "7.log").exists()
        for descriptor in (first, second):
            os.close(descriptor)

    def test_a_writer_that_inherited_it_counts_too(self, folder: Path) -> None:
        descriptor = open_log(folder, 7)
        with subprocess.Popen(["sleep", str(LIFETIME)], stdout=descriptor) as child:
            os.close(descriptor)
            tidy(folder)
            assert (folder / "7.log").exists()
            child.kill()
        tidy(folder)
        assert not (folder / "7.log").exists()

    def test_what_was_said_is_kept_for_a_while(self, folder: Path) -> None:
        for pid, age in ((7, 0.0), (8, KEEP_LOG_SECONDS + 60)):
            log = folder / f"{pid}.log"
            log.write_text("redis is away\n")
            os.utime(log, (time.time() - age,) * 2)
        tidy(folder)
        assert [path.name for path in folder.iterdir()] == ["7.log"]

    def test_nobody_else_may_read_it(self, folder: Path) -> None:
        os.close(open_log(folder, 7))
        assert (folder / "7.log").stat().st_mode & 0o777 == 0o600

    def test_a_link_in_its_place_is_not_followed(self, folder: Path, tmp_path: Path) -> None:
        (folder / "7.log").symlink_to(tmp_path / "precious")
        with pytest.raises(OSError, match=r"7\.log"):
            open_log(folder, 7)

    def test_one_that_is_tidied_away_in_that_moment_is_made_again(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flock, left = fcntl.flock, [3]

        def flock_late(descriptor: int, operation: int) -> None:
            flock(descriptor, operation)
            if left[0]:
                left[0] -= 1
                (folder / "7.log").unlink()

        monkeypatch.setattr(fcntl, "flock", flock_late)
        os.close(open_log(folder, 7))
        assert (left[0], (folder / "7.log").exists()) == (0, True)

    def test_what_is_none_of_ours_is_left(self, folder: Path) -> None:
        (folder / "note").touch()
        (folder / "a.log").mkdir()
        os.mkfifo(folder / "b.log")
        (folder / "c.log").symlink_to(folder / "note")
        tidy(folder)
        assert {path.name for path in folder.iterdir()} >= {"note", "a.log", "c.log"}


@contextlib.contextmanager
def held_by(folder: Path, pid: int, started: float, session_id: str) -> Iterator[None]:
    """The lock is held, and says that it is by that process."""
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump([pid, started, session_id], file)
        file.flush()
        yield


@pytest.mark.usefixtures("folder")
class TestLock:
    def test_it_leaves_nothing(self, folder: Path) -> None:
        with WatchLock(PROGRAM, "s"):
            assert (folder / LOCK).exists()
        assert list(folder.iterdir()) == []

    def test_a_second_watcher_for_the_session_is_not_needed(self) -> None:
        with WatchLock(PROGRAM, "s"), pytest.raises(AlreadyWatched), WatchLock(PROGRAM, "s"):
            pytest.fail("taken twice")
        with WatchLock(PROGRAM, "s"):
            pass

    def test_other_programs_have_locks_of_their_own(self, folder: Path) -> None:
        again = ProcessIdentity(PROGRAM.pid, PROGRAM.started + 1)
        with WatchLock(PROGRAM, "s"), WatchLock(again, "s"), WatchLock(ProcessIdentity(4712, 815), "s"):
            assert len(list(folder.iterdir())) == 3

    def test_one_that_is_leaving_does_not_count_as_there(self) -> None:
        with WatchLock(PROGRAM, "s") as lock:
            lock.disown()
            # Regression: who came back to a session at once found its watcher still there, and nobody watched it then.
            with ignoring(watch_folder.LEAVE_SIGNAL), pytest.raises(TimeoutError):
                WatchLock(PROGRAM, "s", patience_seconds=0.05).__enter__()

    def test_one_that_was_killed_is_not_in_the_way(self, folder: Path, sleeper: "subprocess.Popen[bytes]") -> None:
        (folder / LOCK).write_text(json.dumps([sleeper.pid, 1, "s"]))
        with WatchLock(PROGRAM, "s"):
            pass

    def test_whoever_has_the_number_of_one_that_was_killed_is_not_asked_to_leave(
        self, folder: Path, sleeper: "subprocess.Popen[bytes]"
    ) -> None:
        # Another has the lock already and has not said yet who it is.
        now = identify(sleeper.pid)
        assert now is not None
        with held_by(folder, now.pid, now.started - 1, "other"), pytest.raises(TimeoutError):
            WatchLock(PROGRAM, "s", patience_seconds=0.1).__enter__()
        assert sleeper.poll() is None

    @pytest.mark.parametrize("content", ["", "[1", "5", '["a"]', "[1, 2, 3, 4]", "\xff"])
    def test_a_holder_that_has_not_said_who_it_is_gets_time(self, folder: Path, content: str) -> None:
        with held_by(folder, 1, 1, "x"):
            (folder / LOCK).write_bytes(content.encode("latin-1"))
            with pytest.raises(TimeoutError, match="still watches"):
                WatchLock(PROGRAM, "s", patience_seconds=0.05).__enter__()

    def test_the_one_before_is_asked_once_and_waited_for(
        self, folder: Path, sleeper: "subprocess.Popen[bytes]"
    ) -> None:
        now = identify(sleeper.pid)
        assert now is not None
        lock = WatchLock(PROGRAM, "s", patience_seconds=0.1)
        lock._me = ProcessIdentity(lock._me.pid, now.started)
        with held_by(folder, now.pid, now.started, "other"), pytest.raises(TimeoutError, match="for other"):
            lock.__enter__()
        assert sleeper.wait(SECONDS) == -watch_folder.LEAVE_SIGNAL

    def test_one_that_was_started_later_stays(self, folder: Path, sleeper: "subprocess.Popen[bytes]") -> None:
        # Regression: of two that waited, the one that came second by chance won, and not the program's last session.
        now = identify(sleeper.pid)
        assert now is not None
        lock = WatchLock(PROGRAM, "s")
        lock._me = ProcessIdentity(lock._me.pid, now.started - 1)
        with held_by(folder, now.pid, now.started, "other"), pytest.raises(AlreadyWatched):
            lock.__enter__()
        assert sleeper.poll() is None

    def test_a_lock_that_is_held_is_not_tidied_away(self, folder: Path) -> None:
        with WatchLock(PROGRAM, "s"):
            tidy(folder)
            assert (folder / LOCK).exists()
        (folder / LOCK).write_text("[1, 2, null]")
        tidy(folder)
        assert not (folder / LOCK).exists()

    def test_a_file_that_was_removed_in_that_moment_does_not_count(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flock, left = fcntl.flock, [2]

        def flock_late(descriptor: int, operation: int) -> None:
            flock(descriptor, operation)
            if left[0]:
                left[0] -= 1
                (folder / LOCK).unlink()

        monkeypatch.setattr(fcntl, "flock", flock_late)
        with WatchLock(PROGRAM, "s"):
            assert (left[0], (folder / LOCK).exists()) == (0, True)


@contextlib.contextmanager
def ignoring(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    yield
    signal.signal(number, before)


CONTENDER = """
import os, signal, sys, time
from agent_bridge.process_table import ProcessIdentity
from agent_bridge.watch_folder import LEAVE_SIGNAL, AlreadyWatched, WatchLock
signal.pthread_sigmask(signal.SIG_BLOCK, [LEAVE_SIGNAL])
def say(what):
    os.write(1, f"{what} {sys.argv[1]}\\n".encode())
say("here")
try:
    with WatchLock(ProcessIdentity(4711, 815), sys.argv[1]):
        say("in")
        signal.sigtimedwait([LEAVE_SIGNAL], 60)
        say("out")
except AlreadyWatched:
    say("not needed")
"""


def test_however_many_come_one_at_a_time_watches_and_the_last_one_stays(folder: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    contenders: list[subprocess.Popen[bytes]] = []
    begun: list[float] = []
    try:
        with told.open("ab") as output:
            for number in range(6):
                arguments = [sys.executable, "-c", CONTENDER, str(number)]
                contenders.append(subprocess.Popen(arguments, stdout=output, stderr=output))
                now = identify(contenders[-1].pid)
                assert now is not None
                begun.append(now.started)
        wait_until(lambda: sum(one.poll() is not None for one in contenders) == 5, "all but one to leave", SECONDS)
        # The last one may be about to say that it has taken over.
        wait_until(
            lambda: told.read_text().count("in ") > told.read_text().count("out "), "the last one to stay", SECONDS
        )
        lines = [line.split() for line in told.read_text().splitlines()]
        watching = [line for line in lines if line[0] in ("in", "out")]
        assert [what for what, _ in watching] == [*["in", "out"] * (len(watching) // 2), "in"]
        assert all(came == left for (_, came), (_, left) in zip(watching[::2], watching[1::2], strict=False))
        assert begun[int(watching[-1][1])] == max(begun)
        assert {one.poll() for one in contenders} == {0, None}
    finally:
        for one in contenders:
            one.kill()
            one.wait(SECONDS)
