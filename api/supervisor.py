"""Child processes that are kept running, and stopped in order.

Each child leads a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone and the order of
stopping is kept. On Linux the kernel ends the children of a supervisor that was killed outright.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil

from api.cannot_start import CannotStart
from api.restarts import Restarts, how_it_ended

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
LONGEST_LINE = 8 * 1024
READ_BYTES = 64 * 1024

WriteLine = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to end it."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own."""
    stop_order: int = 0
    """Lower numbers are stopped first; equal ones together."""
    grace_seconds: float = 15.0
    """How long it may take to end after SIGTERM before it is killed."""
    hurried_seconds: float = 0.0
    """The same, once a person is in a hurry."""
    death_signal: signal.Signals = signal.SIGKILL
    """What it gets when the supervisor itself was killed."""
    pass_fds: tuple[int, ...] = ()
    """The supervisor's descriptors that it inherits, by the same numbers; they stay open for the next one."""
    on_end: Callable[[], None] | None = None
    """Called whenever a process of it has ended, before there is another."""


class Child:
    """One program's process, and the next one after it."""

    def __init__(self, program: Program, output: "Output") -> None:
        self.program = program
        self.output = output
        self.process: asyncio.subprocess.Process | None = None
        self.stopping = asyncio.Event()
        self.last_end: str | None = None
        """How its latest process ended; None while its first one runs."""

    @property
    def pid(self) -> int | None:
        """The running process; None between two."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None

    async def spawn(self) -> asyncio.subprocess.Process:
        """Starts a process. Raises OSError when the program can't be run."""
        program = self.program
        self.process = await asyncio.create_subprocess_exec(
            *program.argv,
            env={**os.environ, **program.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self.output.write_end,
            stderr=self.output.write_end,
            start_new_session=True,
            preexec_fn=dies_with_parent(program.death_signal),
            pass_fds=program.pass_fds,
        )
        if self.stopping.is_set():
            self.process.terminate()
        return self.process


class Output:
    """The pipe that a child writes to, read as lines under its name for as long as it is supervised."""

    def __init__(self, name: str, write_line: WriteLine) -> None:
        self._name = name
        self._write_line = write_line
        self._rest = b""
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._read_end, READ_BYTES)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(self._rest) > LONGEST_LINE:
            self._emit(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        return bool(data)

    def _emit(self, line: bytes) -> None:
        self._write_line(self._name, line.decode("utf-8", "replace").rstrip("\r"))

    def close(self) -> None:
        """Passes on what is still in the pipe, and lets it go."""
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self.write_end)
        while self._read():
            pass
        if self._rest:
            self._emit(self._rest)
        os.close(self._read_end)


class Supervisor:
    """Keeps programs running until it is told to stop. Use it from the main thread.

    The kernel ties a child's life to the thread that started it, not to the process.
    """

    def __init__(self, write_line: WriteLine) -> None:
        """write_line: takes a child's name and one line of what it wrote."""
        self._write_line = write_line
        self._keepers: dict[Child, asyncio.Task[None]] = {}
        self._hurry = asyncio.Event()

    async def start(self, program: Program) -> Child:
        """Starts a program and keeps it running. Raises CannotStart when it can't be run at all."""
        child = Child(program, Output(program.name, self._write_line))
        try:
            process = await child.spawn()
        except OSError as error:
            child.output.close()
            raise CannotStart(f"can't run {program.argv[0]} for {program.name}: {error.strerror}") from error
        self._keepers[child] = asyncio.create_task(self._keep(child, process), name=f"keep {program.name}")
        return child

    async def wait(self) -> None:
        """Waits until all is stopped. Raises what went wrong in the supervising itself. Cancelling it stops nothing."""
        done, _ = await asyncio.wait(self._keepers.values(), return_when=asyncio.FIRST_EXCEPTION)
        for keeper in done:
            keeper.result()

    def hurry(self) -> None:
        """Cuts every grace period short."""
        self._hurry.set()

    async def stop(self) -> None:
        """Stops every child in the order of the programs, waiting for each group before the next."""
        for order in sorted({child.program.stop_order for child in self._keepers}):
            group = {child: keeper for child, keeper in self._keepers.items() if child.program.stop_order == order}
            await asyncio.gather(*(self._stop(child, keeper) for child, keeper in group.items()))
        for child in self._keepers:
            child.output.close()
        self._keepers.clear()

    async def _keep(self, child: Child, process: asyncio.subprocess.Process) -> None:
        loop, name, restarts = asyncio.get_running_loop(), child.program.name, Restarts()
        started = loop.time()
        while True:
            how = how_it_ended(await process.wait())
            if child.program.on_end is not None:
                child.program.on_end()
            while True:
                if child.stopping.is_set():
                    return
                child.last_end = how
                delay = restarts.ended(loop.time() - started)
                logger.warning("%s %s; starting it again in %g s", name, how, delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(child.stopping.wait(), delay)
                    return
                started = loop.time()
                try:
                    process = await child.spawn()
                except OSError as error:
                    how = f"could not be started ({error.strerror})"
                else:
                    logger.info("%s started again, pid %d", name, process.pid)
                    break

    async def _stop(self, child: Child, keeper: asyncio.Task[None]) -> None:
        child.stopping.set()
        if child.process is not None and child.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        await self._grace(keeper, child.program)
        if (pid := child.pid) is not None:
            why = "was hurried" if self._hurry.is_set() else "did not end in time"
            logger.warning("%s %s; killing it", child.program.name, why)
            kill_family(pid)
        await asyncio.wait({keeper})

    async def _grace(self, keeper: asyncio.Task[None], program: Program) -> None:
        hurry = asyncio.create_task(self._hurry.wait(), name=f"hurry {program.name}")
        try:
            await asyncio.wait({keeper, hurry}, timeout=program.grace_seconds, return_when=asyncio.FIRST_COMPLETED)
            if hurry.done() and not keeper.done() and program.hurried_seconds:
                await asyncio.wait({keeper}, timeout=program.hurried_seconds)
        finally:
            hurry.cancel()


def kill_family(pid: int) -> None:
    """SIGKILL to a process and everything that descends from it, in whichever session that is."""
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def dies_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child does between fork and exec so that it does not outlive this process; None where only Linux can."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        # The parent may have died before the kernel was told to mind.
        if os.getppid() != parent:
            os._exit(1)

    return prepare
