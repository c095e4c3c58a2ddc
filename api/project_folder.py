"""A project's data folder as the one system that runs in it uses it: made, locked, and its Redis named."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agent_bus.discovery import Part, data_folder, url_file
from api.cannot_start import CannotStart
from api.redis_users import RedisUrls, write_private

LOCK_FILE = "up.lock"


# Bridges' last: who finds theirs finds the others, too.
PARTS: tuple[Part, ...] = ("api", "worker", "bridge")
# Where documents' bytes lie unless a setting names another store.
BLOBS = "blobs"


def prepare(project_dir: Path) -> Path:
    """The data folder, made if need be. Raises CannotStart where it can't be written to."""
    folder = data_folder(project_dir)
    try:
        if not project_dir.is_dir():
            raise CannotStart(f"{project_dir} is not a folder: make it, or name another with --project-dir")
        for place in (folder, folder / BLOBS):
            place.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
    except OSError as error:
        raise CannotStart(
            f"can't write to the folder {error.filename or folder} ({error.strerror}): mend that, or name another "
            "project with --project-dir"
        ) from error
    return folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the data folder for one running system. Raises CannotStart, naming the holder, while another has it."""
    with _open_lock(folder / LOCK_FILE) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise CannotStart(
                f"a system already runs in {folder} (pid {holder}): stop that one first, or name another folder with "
                "--project-dir"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        # The file stays: removed, it would let two systems each lock a file of that name.
        try:
            yield
        finally:
            os.ftruncate(lock, 0)


def holder(folder: Path) -> int | None:
    """The pid of the system that runs in this data folder; None if none does."""
    try:
        lock = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        pid = os.pread(lock, 32, 0).strip()
        # Empty after a clean stop. Left by a system that was killed, nobody holds the lock.
        if pid.isdigit():
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(pid)
    finally:
        os.close(lock)
    return None


@contextlib.contextmanager
def announced(project_dir: Path, urls: RedisUrls) -> Iterator[None]:
    """Leaves the Redis URLs where processes of this user on this machine find them, until the end."""
    leave_urls(project_dir, urls)
    try:
        yield
    finally:
        for part in PARTS:
            url_file(project_dir, part).unlink(missing_ok=True)


def leave_urls(project_dir: Path, urls: RedisUrls) -> None:
    """Leaves each part's Redis URL in a file that only this user can read. Raises OSError."""
    for part in PARTS:
        write_private(url_file(project_dir, part), f"{getattr(urls, part)}\n")


@contextlib.contextmanager
def _open_lock(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CannotStart(f"can't open {path} ({error.strerror}): it must be writable by this user") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
