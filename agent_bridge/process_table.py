"""The machine's processes as they stand: who each one is, who started it, and what it belongs to."""

import contextlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

_PROC = Path("/proc")
# Fields of /proc/<pid>/stat as proc_pid_stat(5) numbers them, less the three up to and including the state.
_STATE, _PARENT, _GROUP, _SESSION, _THREADS, _STARTED, _EXIT = 0, 1, 2, 3, 17, 19, 49


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process and never another that got its number later.

    started: comparable on this machine until it restarts (clock ticks since boot on Linux, seconds elsewhere).
    """

    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One line of the table. `dead`: it has ended and waits to be reaped. `stopped`: it is suspended."""

    identity: ProcessIdentity
    parent: int
    group: int
    session: int
    name: str
    dead: bool = False
    stopped: bool = False
    wait_status: int | None = None
    """How one that is dead ended, as wait(2) would say; None where that can't be seen."""

    @property
    def pid(self) -> int:
        """Its number."""
        return self.identity.pid


def look_up(pid: int) -> ProcessRow | None:
    """The process of that number now, or None."""
    return _read_proc(pid) if sys.platform == "linux" else _ask_psutil(pid)


def identify(pid: int) -> ProcessIdentity | None:
    """Who has that number now, or None for nobody. A process that has ended counts until it is reaped."""
    row = look_up(pid)
    return row.identity if row else None


def ignores(pid: int, number: int) -> bool:
    """Whether the process of that number will never hear of a signal; False where that can't be seen."""
    try:
        status = (_PROC / str(pid) / "status").read_bytes()
    except OSError:
        return False
    mask = next((line.split()[1] for line in status.splitlines() if line.startswith(b"SigIgn:")), b"0")
    return bool(int(mask, 16) >> (number - 1) & 1)


def named(rows: Iterable[ProcessRow]) -> list[dict[str, Any]]:
    """Processes as an event tells of them."""
    return [{"pid": row.pid, "name": row.name} for row in rows]


def read_table() -> dict[int, ProcessRow]:
    """Every process that can be seen, by number.

    Not taken at one instant: a process that began meanwhile may be missing, and only a second look can tell. Children
    of the calling process are read last, so that what loses its parent during the look, and comes to us, is there.
    """
    pids = psutil.pids()
    rows = [look_up(pid) for pid in pids] + [look_up(pid) for pid in own_children()]
    return {row.pid: row for row in rows if row}


def own_children() -> set[int]:
    """The numbers of the calling process's children at this moment; none where the kernel does not list them."""
    listings = []
    for thread in _PROC.glob("self/task/*/children"):
        with contextlib.suppress(OSError):
            listings.append(thread.read_text())
    return {int(pid) for listing in listings for pid in listing.split()}


def _read_proc(pid: int) -> ProcessRow | None:
    # One read gives one consistent line; psutil would read three files, at three moments.
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name is in parentheses and may hold anything, parentheses too.
    head, _, tail = stat.rpartition(b")")
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    fields = tail.split()
    state = fields[_STATE].decode()
    # A program whose first thread has ended looks like a zombie while its other threads go on.
    dead = state in "ZXx" and int(fields[_THREADS]) <= 1
    return ProcessRow(
        identity=ProcessIdentity(pid, float(fields[_STARTED])),
        parent=int(fields[_PARENT]),
        group=int(fields[_GROUP]),
        session=int(fields[_SESSION]),
        name=name,
        dead=dead,
        stopped=state in "Tt",
        wait_status=int(fields[_EXIT]) if dead and len(fields) > _EXIT else None,
    )


def _ask_psutil(pid: int) -> ProcessRow | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            status = process.status()
            return ProcessRow(
                identity=ProcessIdentity(pid, process.create_time()),
                parent=process.ppid(),
                group=os.getpgid(pid),
                session=os.getsid(pid),
                name=process.name(),
                dead=status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD),
                stopped=status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP),
            )
    except (psutil.Error, OSError):
        return None
