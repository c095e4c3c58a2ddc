"""Finds and ends everything that a process started, wherever it went.

A program's descendants leave its process group, start sessions of their own, lose their parents, ignore signals and
fork while they are being killed. So membership goes by descent and not by group; on Linux orphans come to us
(`adopt_orphans`), and elsewhere frequent looks remember who belonged; every signal goes to a process whose start time
has been compared, never to a bare number; and the end is reached when a look finds nobody, not when signals were sent.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from agent_bridge.process_table import (
    ProcessIdentity,
    ProcessRow,
    identify,
    ignores,
    look_up,
    own_children,
    read_table,
)

# prctl(2).
_PR_SET_CHILD_SUBREAPER = 36
# Between two looks, in seconds: close at first, since most programs end at once, then easy on the machine.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05


def adopt_orphans(adopt: bool = True) -> bool:
    """Makes descendants that lose their parent children of this process instead of init's. Returns whether it works.

    What is adopted must be reaped; `ProcessTree.look` does so for its members.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0) == 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """A signal, and how long everyone has, in seconds, to end of it."""

    signal: signal.Signals
    seconds: float


class Escalation:
    """Which signal is due: each stage in its order, none passed over however late one looks. Holds no clock."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = list(stages)
        self._ends: float | None = None
        self._hurried = False

    @classmethod
    def gentle(cls, interrupt_seconds: float, terminate_seconds: float, kill_seconds: float) -> "Escalation":
        """SIGINT, SIGTERM, SIGKILL. A first or second stage of no length is left out; SIGKILL is sent at least once."""
        first = (Stage(signal.SIGINT, interrupt_seconds), Stage(signal.SIGTERM, terminate_seconds))
        return cls([*(stage for stage in first if stage.seconds > 0), Stage(signal.SIGKILL, kill_seconds)])

    def hurry(self) -> None:
        """Ends the present stage, unless it is the last."""
        self._hurried = len(self._stages) > 1

    def due(self, now: float) -> signal.Signals | None:
        """The signal of the stage at that moment, None when all are over. Moments must not go back."""
        if self._ends is not None and (self._hurried or now >= self._ends):
            self._stages.pop(0)
            self._ends, self._hurried = None, False
        if not self._stages:
            return None
        if self._ends is None:
            self._ends = now + self._stages[0].seconds
        return self._stages[0].signal


@dataclass(frozen=True, slots=True)
class TreeEnded:
    """How it went: who could not be ended (nobody, as a rule), and the signals that were sent, in order."""

    survivors: tuple[ProcessRow, ...]
    signals: tuple[signal.Signals, ...]


def members(
    table: Mapping[int, ProcessRow],
    *,
    known: Collection[ProcessIdentity],
    sessions: Collection[int] = (),
    adopter: int | None = None,
    outsiders: Collection[ProcessIdentity] = (),
) -> list[ProcessRow]:
    """Who belongs to the tree, parents before their children.

    known: those that belong for certain. sessions: whose processes belong. adopter: whose children belong.
    outsiders: those that do not belong, nor what they start. The calling process never belongs.
    """
    me = os.getpid()
    children: dict[int, list[ProcessRow]] = {}
    for row in table.values():
        children.setdefault(row.parent, []).append(row)
    certain = {
        row.pid: row
        for row in table.values()
        if row.identity in known or row.session in sessions or (adopter is not None and row.parent == adopter)
    }
    found: dict[int, ProcessRow] = {}
    # One whose parent is certain as well is reached from there, unless that is an outsider.
    for start in sorted(certain.values(), key=lambda row: (row.parent in certain, row.identity.started)):
        queue = deque([start])
        while queue:
            row = queue.popleft()
            if row.pid != me and row.pid not in found and row.identity not in outsiders:
                found[row.pid] = row
                queue.extend(children.get(row.pid, ()))
    return list(found.values())


def deliver(target: ProcessIdentity, number: int) -> bool:
    """Sends a signal to that very process. Returns False if it is gone, or is not ours to signal."""
    try:
        handle = _open_handle(target.pid)
        if handle is None:
            if identify(target.pid) != target:
                return False
            os.kill(target.pid, number)
            return True
        try:
            # The handle stays with whoever had the number when it was opened: compared now, it can't be another later.
            if identify(target.pid) != target:
                return False
            signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _open_handle(pid: int) -> int | None:
    """A pidfd, or None where there are none: old kernels, other systems, sandboxes that forbid the call."""
    if not (hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal")):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:
        return None


class ProcessTree:
    """A process and everything that came of it.

    adopting: orphans of this tree come to us, so that our children belong to it, save `outsiders`, who were there
    before. Without it, whoever leaves root's session by losing its parent is known only if `look` saw it before.
    """

    def __init__(
        self,
        root: ProcessIdentity,
        *,
        adopting: bool = False,
        outsiders: Collection[ProcessIdentity] = (),
        also: Callable[[], Collection[ProcessIdentity]] = tuple,
    ) -> None:
        """also: asked at each look for further ones that belong, with what they started."""
        self.root = root
        self._also = also
        self._lock = threading.Lock()
        self._adopting = adopting
        self._outsiders = frozenset(outsiders)
        self._known = frozenset({root})
        self._dead: frozenset[ProcessIdentity] = frozenset()
        self._deaf: frozenset[ProcessIdentity] = frozenset()
        row = look_up(root.pid)
        session = row.session if row and row.identity == root else os.getsid(0)
        # A session that the tree did not make holds others too.
        self._foreign_sessions = {os.getsid(0), session} - {root.pid}
        self._sessions = frozenset({session}) - self._foreign_sessions
        self.empty = False
        """Whether the last look found nobody, nor anyone newly dead, who may have left heirs that it missed."""

    def look(self) -> list[ProcessRow]:
        """Who is alive, parents first. Reaps members that ended as our children, save root, which is its owner's."""
        with self._lock:
            return self._look()

    def _look(self) -> list[ProcessRow]:
        # Before the table is read, so that they are in it.
        also = frozenset(self._also())
        found = members(
            read_table(),
            known=self._known | also,
            sessions=self._sessions,
            adopter=os.getpid() if self._adopting else None,
            outsiders=self._outsiders,
        )
        alive = [row for row in found if not row.dead]
        dead = [row for row in found if row.dead]
        for row in dead:
            if row.parent == os.getpid() and row.identity != self.root:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(row.pid, os.WNOHANG)
        gone = frozenset(row.identity for row in dead)
        self.empty = not alive and gone <= self._dead
        self._dead = gone
        self._known = frozenset(row.identity for row in alive) | {self.root}
        self._sessions = frozenset(row.session for row in alive) - self._foreign_sessions
        return alive

    def send(self, number: int) -> bool:
        """Signals everyone who is alive; returns whether there was anyone. One who is suspended is woken to hear it."""
        killed = number == signal.SIGKILL and self._adopting and self._kill_children()
        alive = self.look()
        # Looked at before: in order to end well, a program may ignore the signal from when it hears it.
        self._deaf = frozenset(row.identity for row in alive if ignores(row.pid, number))
        struck: set[int] = set()
        for row in alive:
            if number == signal.SIGKILL and row.group not in struck and self._kill_group(row):
                struck.add(row.group)
            deliver(row.identity, number)
            if row.stopped and number not in (signal.SIGKILL, signal.SIGSTOP):
                deliver(row.identity, signal.SIGCONT)
        return killed or bool(alive)

    def _kill_children(self) -> bool:
        # One that lives on in ever new children, each gone before a whole table has been read, is caught only in the
        # moment it comes to us. A child keeps its number until we reap it, so that no other can be hit.
        with self._lock:
            passed = {one.pid for one in self._outsiders | self._dead}
            struck: set[int] = set()
            while fresh := own_children() - passed - struck:
                for pid in fresh:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                struck |= fresh
        return bool(struck)

    def _kill_group(self, row: ProcessRow) -> bool:
        # A signal to a group can't be outrun by forking, one to a process can.
        now = look_up(row.pid)
        if now is None or now.identity != row.identity or now.session in self._foreign_sessions:
            return False
        try:
            os.killpg(now.group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return now.group == row.group

    def _is_in_vain(self) -> bool:
        """Whether all who are alive ignored the last signal when it came. One who came since may be tidying up."""
        alive = self.look()
        return bool(alive) and self._deaf.issuperset(row.identity for row in alive)

    async def end(self, escalation: Escalation) -> TreeEnded:
        """Ends everyone, and returns when nobody is left or the last stage is over.

        Of a gentler stage each process hears once, when it begins: what a program starts in order to end well is left
        to do its work. Who ignores a signal, as a shell's background jobs do SIGINT, is not given time to end of it.
        SIGKILL is repeated for whoever is found.
        """
        used: list[signal.Signals] = []
        pause = _FIRST_PAUSE
        while (due := escalation.due(time.monotonic())) is not None:
            if due in used and due != signal.SIGKILL:
                if await asyncio.to_thread(self._is_in_vain):
                    escalation.hurry()
            elif await asyncio.to_thread(self.send, due) and due not in used:
                used.append(due)
                pause = _FIRST_PAUSE
            if self.empty:
                return TreeEnded((), tuple(used))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        # Nobody alive, and yet somebody newly dead, is no answer.
        while not (survivors := await asyncio.to_thread(self.look)) and not self.empty:
            pass
        return TreeEnded(tuple(survivors), tuple(used))


async def end_tree(
    root: ProcessIdentity, *, interrupt_seconds: float = 5, terminate_seconds: float = 5, kill_seconds: float = 5
) -> TreeEnded:
    """Ends a process and its descendants: SIGINT, SIGTERM, SIGKILL, each with its time to take effect."""
    return await ProcessTree(root).end(Escalation.gentle(interrupt_seconds, terminate_seconds, kill_seconds))
