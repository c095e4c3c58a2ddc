"""Where watchers keep their logs, and how one program gets one watcher at a time."""

import contextlib
import fcntl
import json
import os
import signal
import stat
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from agent_bridge.process_table import ProcessIdentity, identify

POLL_SECONDS = 0.02
# Asks a watcher to leave, since its program has gone on to another session.
LEAVE_SIGNAL = signal.SIGUSR1
# A stop may be under way in the watcher before, with all its stages.
PATIENCE_SECONDS = 60.0
# For whom wants to know why there was no watcher.
KEEP_LOG_SECONDS = 7 * 24 * 3600.0


def watch_folder() -> Path:
    """A folder of this user's alone. Raises OSError if it is somebody else's."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "agent-bridge"
    else:
        folder = Path(tempfile.gettempdir()) / f"agent-bridge-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Anybody may make folders in the shared one; a link there could lead anywhere.
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user's alone; remove it, or set XDG_RUNTIME_DIR")
    return folder


def open_log(folder: Path, pid: int) -> int:
    """Opens the log of a program's watchers; `tidy` leaves it alone while the descriptor, or a copy, is open."""
    path = folder / f"{pid}.log"
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if _lies_at(path, descriptor):
            return descriptor
        os.close(descriptor)


def close_log(descriptor: int) -> None:
    """Leaves the log to `tidy`; what is open may still be written to."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def tidy(folder: Path) -> None:
    """Removes what watchers that have ended left: locks, empty logs, and logs of long ago."""
    for path in [*folder.glob("*.log"), *folder.glob("*.lock")]:
        # Somebody's, or removed meanwhile.
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                status = os.fstat(descriptor)
                wanted = path.suffix == ".log" and status.st_size and time.time() - status.st_mtime < KEEP_LOG_SECONDS
                if not wanted and _lies_at(path, descriptor):
                    path.unlink()
            finally:
                os.close(descriptor)


def _lies_at(path: Path, descriptor: int) -> bool:
    """Whether that file is still there: whoever locked it before us may have removed it."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def programs_of(session_id: str) -> list[ProcessIdentity]:
    """The programs on this machine that are watched for a session: one can be taken up in several terminals."""
    found = []
    for path in watch_folder().glob("*.lock"):
        pid, _, started = path.stem.partition("-")
        holder, watched = _holder(path)
        if holder is not None and watched == session_id and pid.isdigit() and started.isdigit():
            found.append(ProcessIdentity(int(pid), float(started)))
    return found


def _holder(path: Path) -> tuple[ProcessIdentity | None, str]:
    """Whose a lock is, None for nobody's, and for which session."""
    try:
        pid, started, session_id = json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError):
        # It has only just been taken, or left.
        return None, ""
    holder = ProcessIdentity(pid, started)
    # One that was killed leaves its name, and its number may have become anybody's.
    return (holder if identify(pid) == holder else None), session_id


class AlreadyWatched(Exception):
    """Another watcher watches this program for this session, or for one that began later."""


class WatchLock:
    """Held by the one watcher of a program, and says which session it watches it for.

    A program that goes on to another session (`/clear`) gets another watcher; the one before is asked to leave. Of
    several that wait the one that was started last stays, whichever comes first.
    """

    def __init__(
        self, program: ProcessIdentity, session_id: str, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """patience_seconds: how long the watcher before may take to leave. Raises OSError without a folder for it."""
        self._path = watch_folder() / f"{program.pid}-{program.started:.0f}.lock"
        self._session_id = session_id
        self._patience = patience_seconds
        self._descriptor: int | None = None
        me = identify(os.getpid())
        if me is None:
            raise RuntimeError("this process can't be seen in the process table; is /proc mounted?")
        self._me = me

    def __enter__(self) -> Self:
        """Raises AlreadyWatched, or TimeoutError if the watcher before does not leave."""
        # Here, since it brings asyncio with it: the hook that starts a watcher need not wait for that.
        from agent_bridge.process_tree import deliver

        deadline = time.monotonic() + self._patience
        asked: ProcessIdentity | None = None
        while not self._take():
            holder, session_id = _holder(self._path)
            if holder is not None:
                if session_id == self._session_id or holder.started > self._me.started:
                    raise AlreadyWatched
                if holder != asked:
                    asked = holder
                    deliver(holder, LEAVE_SIGNAL)
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {holder and holder.pid} still watches the program for {session_id}")
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._descriptor is not None
        # First the name, then the lock: who waits then finds that its file is gone, and makes another.
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def disown(self) -> None:
        """Says that its holder is about to leave: the session needs another watcher, should it be gone back to."""
        self._say("")

    def _say(self, session_id: str) -> None:
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps([self._me.pid, self._me.started, session_id]).encode(), 0)

    def _take(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _lies_at(self._path, descriptor):
                self._descriptor, descriptor = descriptor, -1
                self._say(self._session_id)
                return True
        except BlockingIOError:
            return False
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return False
