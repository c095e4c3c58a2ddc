"""Runs one command under a bridge: signals go in, output and the exit code come out, a stop ends all of it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from agent_bridge.captured_output import CapturedOutput
from agent_bridge.process_table import identify, named, read_table
from agent_bridge.process_tree import Escalation, ProcessTree, TreeEnded, adopt_orphans, deliver, members
from agent_bridge.reactions import HEEDED, Reaction, Reactions

# What shells answer for a command that can't be found, that can't be run, and (with n added) that died of signal n.
NOT_FOUND, NOT_RUNNABLE, SIGNALLED = 127, 126, 128
# Where orphans don't come to us, the tree is looked at this often, in seconds, to remember who belongs to it.
WATCH_SECONDS = 0.2
_STANDARD_INPUT = 0


class Bridge(Protocol):
    """What is needed of a bridge that has been entered."""

    @property
    def stop_requested(self) -> bool:
        """Whether the run has been told to stop."""

    async def wait_for_stop(self) -> Any:
        """Returns when the run is told to stop."""

    async def event(self, event_type: str, **fields: Any) -> Any:
        """Reports an event of the session, without waiting for Redis."""

    def report_end(self, *, exit_code: int, reason: str, ceased: bool = True, **more: Any) -> Any:
        """Says what the session's closing event will say."""


@dataclass(frozen=True, slots=True)
class Grace:
    """How long, in seconds, the tree has to end of each signal; 0 leaves SIGINT or SIGTERM out."""

    interrupt: float = 5.0
    terminate: float = 5.0
    kill: float = 5.0


def exit_code(returncode: int) -> int:
    """What a shell answers for a process that ended like that (negative: of a signal)."""
    return returncode if returncode >= 0 else SIGNALLED - returncode


def describe_end(returncode: int) -> str:
    """How a process ended, for people."""
    if returncode >= 0:
        return "exited"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-returncode).name}"
    return f"killed by signal {-returncode}"


class Supervisor:
    """One command, from its start until it has ended or has been ended with everything it started."""

    def __init__(
        self, bridge: Bridge, command: Sequence[str], *, grace: Grace, capture: bool, say: Callable[[str], None]
    ) -> None:
        self._bridge = bridge
        self._command = command
        self._grace = grace
        self._capture = capture
        self._say = say
        self._reactions = Reactions(grace.interrupt)
        self._settled = asyncio.Event()
        self._urgent = asyncio.Event()
        self._escalation: Escalation | None = None
        self._ending: asyncio.Task[TreeEnded] | None = None
        self._why: str | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._tree: ProcessTree | None = None

    async def run(self) -> int:
        """Returns the exit code as a shell would give it, after telling it to the bridge."""
        if self._bridge.stop_requested:
            return self._report(SIGNALLED + signal.SIGINT, "stopped before it began")
        with self._heeding_signals():
            adopting = adopt_orphans()
            # `exec agent-bridge …` keeps what the shell had started, which is none of the command's.
            outsiders = [row.identity for row in members(read_table(), known=(), adopter=os.getpid())]
            try:
                self._child = self._start()
            except OSError as error:
                self._say(f"{self._command[0]}: {error.strerror}")
                code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
                return self._report(code, f"could not start: {error.strerror}")
            root = identify(self._child.pid)
            if root is None:
                raise RuntimeError("the command can't be seen in the process table; is /proc mounted?")
            self._tree = ProcessTree(root, adopting=adopting, outsiders=outsiders)
            return await self._supervise(self._child, self._tree, watch=not adopting)

    def _start(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE if self._capture else None
        # Descriptors that we were given are the command's as well; none of our own are inheritable.
        return subprocess.Popen(
            self._command, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True, close_fds=False
        )

    async def _supervise(self, child: subprocess.Popen[bytes], tree: ProcessTree, *, watch: bool) -> int:
        output = CapturedOutput(self._bridge.event) if self._capture else None
        if output and child.stdout and child.stderr:
            output.attach("stdout", os.dup(child.stdout.fileno()), _descriptor(sys.stdout))
            output.attach("stderr", os.dup(child.stderr.fileno()), _descriptor(sys.stderr))
            child.stdout.close()
            child.stderr.close()
        terminal = _terminal_modes()
        aides = [asyncio.create_task(self._heed_stop(), name="heed stop")]
        if watch:
            aides.append(asyncio.create_task(_watch(tree), name="watch process tree"))
        try:
            self._reap()
            await self._settled.wait()
            if output:
                await output.close(self._urgent)
            if self._bridge.stop_requested:
                # It may have come after the command's own end; what that left running ends now, since we confirm it.
                self._stop()
            ended = await self._ending if self._ending else None
        finally:
            for aide in aides:
                aide.cancel()
            await asyncio.gather(*aides, return_exceptions=True)
        self._reap()
        returncode = -signal.SIGKILL if child.returncode is None else child.returncode
        more: dict[str, Any] = {}
        if ended:
            _restore_terminal(terminal)
            more = {
                "signals": [used.name for used in ended.signals],
                "survivors": named(ended.survivors),
                "ceased": not ended.survivors,
            }
        elif left := await asyncio.to_thread(tree.look):
            more = {"left_running": named(left)}
        if ended and ended.survivors:
            self._say("could not end " + ", ".join(f"{row.pid} ({row.name})" for row in ended.survivors))
        return self._report(exit_code(returncode), self._why or describe_end(returncode), **more)

    def _report(self, code: int, reason: str, **more: Any) -> int:
        self._bridge.report_end(exit_code=code, reason=reason, **more)
        return code

    async def _heed_stop(self) -> None:
        try:
            await self._bridge.wait_for_stop()
        except Exception as error:  # noqa: BLE001  the command goes on without a bridge
            self._say(f"a stop would not be heard any more: {error!r}")
            return
        self._stop()

    def _stop(self) -> None:
        self._end("stopped", Escalation.gentle(self._grace.interrupt, self._grace.terminate, self._grace.kill))

    def _end(self, why: str, escalation: Escalation) -> None:
        self._urgent.set()
        if self._tree is None or self._ending is not None:
            return
        self._why, self._escalation = why, escalation
        self._ending = asyncio.create_task(self._tree.end(escalation), name="end process tree")
        self._ending.add_done_callback(lambda _: self._settled.set())

    def _reap(self) -> None:
        """Takes notice of children that have ended: the command, and orphans that came to us."""
        child = self._child
        if child is None:
            return
        if child.poll() is not None and self._ending is None:
            self._settled.set()
        # While the tree is being ended it reaps its members itself, and must see them to know who left heirs.
        while self._ending is None and hasattr(os, "waitid"):
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid == child.pid:
                child.poll()
                self._settled.set()
            else:
                os.waitpid(found.si_pid, os.WNOHANG)

    def _on_signal(self, received: signal.Signals) -> None:
        tree = self._tree
        if tree is None:
            return
        match self._reactions.to(received, time.monotonic(), ending=self._ending is not None):
            case Reaction.EVERYONE:
                tree.send(received)
            case Reaction.ROOT_ONLY:
                deliver(tree.root, received)
            case Reaction.END:
                self._end(f"{received.name} received", Escalation.gentle(0, self._grace.terminate, self._grace.kill))
            case Reaction.HURRY:
                if self._escalation:
                    self._escalation.hurry()
            case Reaction.SUSPEND:
                # Our SIGTSTP would not stop it: to the kernel its group is an orphan, its terminal not ours to control.
                tree.send(signal.SIGSTOP)
                os.kill(os.getpid(), signal.SIGSTOP)

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        heeded = []
        for number in HEEDED:
            ignored = signal.getsignal(number) == signal.SIG_IGN
            if not ignored:
                loop.add_signal_handler(number, self._on_signal, number)
            elif number in (signal.SIGINT, signal.SIGQUIT):
                # A shell's background jobs ignore these, since the terminal would send them. In a session of its own
                # the command is safe from that, and must hear a SIGINT that means stop: a handler, even one that does
                # nothing, is what a new program does not inherit.
                loop.add_signal_handler(number, lambda: None)
            else:
                continue
            heeded.append(number)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        try:
            yield
        finally:
            for number in (*heeded, signal.SIGCHLD):
                loop.remove_signal_handler(number)


async def _watch(tree: ProcessTree) -> None:
    while True:
        await asyncio.to_thread(tree.look)
        await asyncio.sleep(WATCH_SECONDS)


def _descriptor(stream: TextIO | None) -> int:
    """Where a stream of ours goes; nowhere if it was closed when we began (then its number means something else)."""
    return stream.fileno() if stream else os.open(os.devnull, os.O_WRONLY)


def _terminal_modes() -> list[Any] | None:
    """The terminal's settings, None where standard input is none."""
    try:
        return termios.tcgetattr(_STANDARD_INPUT)
    except termios.error:
        return None


def _restore_terminal(modes: list[Any] | None) -> None:
    """Gives back echo and lines, which a full-screen program that was ended by force leaves switched off."""
    if modes is None:
        return
    with contextlib.suppress(termios.error, OSError):
        # From the background this would suspend us, and the terminal is somebody else's then.
        if os.tcgetpgrp(_STANDARD_INPUT) == os.getpgrp():
            termios.tcsetattr(_STANDARD_INPUT, termios.TCSADRAIN, modes)
