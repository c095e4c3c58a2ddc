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

POLL_SECONDS = 0.02


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


class WatchLock:
    """Held by the one watcher of a program, and says which session it watches it for.

    A program that goes on to another session (`/clear`) gets another watcher; the one before is asked to leave.
    """

    def __init__(self, name: str, session_id: str, *, patience_seconds: float = 20.0) -> None:
        """name: the program's. patience_seconds: how long the watcher before may take to leave."""
        self._path = watch_folder() / f"{name}.lock"
        self._session_id = session_id
        self._patience = patience_seconds
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Raises AlreadyWatched, or TimeoutError if the watcher before does not leave."""
        deadline = time.monotonic() + self._patience
        asked: int | None = None
        while not self._take():
            holder, session_id = self._holder()
            if session_id == self._session_id:
                raise AlreadyWatched
            if holder is not None and holder != asked:
                asked = holder
                with contextlib.suppress(ProcessLookupError):
                    os.kill(holder, signal.SIGTERM)
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {holder} still watches the program for session {session_id}")
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._descriptor is not None
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _take(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever left meanwhile has removed the file that was locked here.
            if self._path.stat().st_ino == os.fstat(descriptor).st_ino:
                os.truncate(descriptor, 0)
                os.write(descriptor, json.dumps([os.getpid(), self._session_id]).encode())
                self._descriptor, descriptor = descriptor, -1
                return True
        except (BlockingIOError, FileNotFoundError):
            return False
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return False

    def _holder(self) -> tuple[int | None, str | None]:
        try:
            pid, session_id = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            # It has only just taken the lock, or has just left.
            return None, None
        return pid, session_id


class AlreadyWatched(Exception):
    """Another watcher watches this program for this session."""
