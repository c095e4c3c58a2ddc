"""The watcher of one Claude Code program: a process of its own that holds the lease, follows the transcript, and stops.

It ends with the program. Its standard input is a WatchOrder; its log lies in the watch folder.
"""

import asyncio
import contextlib
import itertools
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from agent_bridge import AgentBridge
from agent_bridge.process_exit import ProcessEnd
from agent_bridge.process_table import ProcessIdentity, ProcessRow, identify, look_up, named
from agent_bridge.process_tree import Escalation, ProcessTree, TreeEnded, deliver
from agent_bridge.supervisor import describe_end, exit_code
from agent_bridge.transcript import Transcripts
from agent_bridge.watch import PID_VARIABLE, WatchOrder
from agent_bridge.watch_folder import (
    LEAVE_SIGNAL,
    AlreadyWatched,
    WatchLock,
    close_log,
    programs_of,
    tidy,
    watch_folder,
)

logger = logging.getLogger("agent_bridge.watcher")

# How soon what the program writes into its transcript is seen, in seconds: a look costs a few system calls.
FOLLOW_SECONDS = 0.1
# In the end the transcript is read up to its end, as long as that does not move away.
LAST_LOOKS = 100
# A program may run for months beside a Redis that comes and goes; its watcher's log ends here.
MOST_LOG_RECORDS = 500
# After so many looks that find nobody, nobody is there: one finds even the shortest lives in nine cases of ten.
QUIET_LOOKS = 3
# What a terminal or a supervisor sends to everybody is meant for the program; we end with it.
_IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_STANDARD_ERROR = 2


def marked_children(program: ProcessIdentity) -> Collection[ProcessIdentity]:
    """Processes whose environment says that the program started them, also those that have left its tree since.

    Claude Code runs each command in a process session of its own; one that detaches itself is nobody's child.
    """
    return {row.identity for row in _marked(program) if row is not None}


def _marked(program: ProcessIdentity) -> Iterator[ProcessRow | None]:
    """Those that are marked, the youngest first; None for one that has ended meanwhile."""
    now = identify(program.pid)
    # Once the number is another program's, what that one starts is marked alike.
    until = now.started if now is not None and now != program else math.inf
    for pid in reversed(psutil.pids()):
        if not _is_marked(pid, program.pid):
            continue
        row = look_up(pid)
        # The mark is read again: it is that process's and not one's that had the number before.
        if row is None or not _is_marked(pid, program.pid):
            yield None
        elif program.started <= row.identity.started < until:
            yield row


def kill_marked(program: ProcessIdentity, seconds: float) -> TreeEnded:
    """Kills each process that is marked as soon as it is seen, until none is, or the time is over.

    A program that lives on in ever new children is another process by the time that all have been looked at, so that it
    is in no tree. It has not ended, though.
    """
    deadline = time.monotonic() + seconds
    quiet = 0
    signals: tuple[signal.Signals, ...] = ()
    while quiet < QUIET_LOOKS:
        quiet += 1
        struck = []
        for row in _marked(program):
            quiet = 0
            if row is not None:
                deliver(row.identity, signal.SIGKILL)
                struck.append(row)
                signals = (signal.SIGKILL,)
        if struck and time.monotonic() > deadline:
            return TreeEnded(tuple(struck), signals)
    return TreeEnded((), signals)


def _is_marked(pid: int, program: int) -> bool:
    """Whether that process can be seen to carry the mark."""
    try:
        if sys.platform != "linux":
            return psutil.Process(pid).environ().get(PID_VARIABLE) == str(program)
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as environ:  # noqa: PTH123  of each process there is
            mark = b"\0%s=%d\0" % (PID_VARIABLE.encode(), program)
            # In another PID namespace the number is another program's; what ours has there ends with its init.
            return mark in b"\0%s\0" % environ.read() and _namespace(pid) == _namespace("self")
    except (psutil.Error, OSError):
        return False


def _namespace(pid: int | str) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115  likewise


class Watcher:
    """Watches one program for one session, from now until it ends or goes on to another session."""

    def __init__(self, order: WatchOrder, *, on_leaving: Callable[[], None] = lambda: None) -> None:
        """on_leaving: called when it has been told to leave the program, before it has done so."""
        self._order = order
        self._on_leaving = on_leaving
        self._program = ProcessIdentity(order.pid, order.started)
        self._tree = ProcessTree(self._program, also=lambda: marked_children(self._program))
        self._transcripts = (
            Transcripts(Path(order.transcript), skip_bytes=order.skip_bytes, since=order.since)
            if order.transcript
            else None
        )
        self._leaving = asyncio.Event()
        self._why_leaving, self._goes_on = "", False

    async def run(self) -> None:
        """Returns when there is nothing left to watch."""
        order = self._order
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(LEAVE_SIGNAL, self._leave, "the program went on to another session", False)
        loop.add_signal_handler(signal.SIGTERM, self._leave, "the watcher was told to end", True)
        # A program that starts processes without end leaves no room for a thread; the one for its end is there already.
        loop.set_default_executor(ThreadPoolExecutor(max_workers=1, thread_name_prefix="look"))
        await asyncio.to_thread(lambda: None)
        bridge = AgentBridge(
            session_id=order.session_id,
            session_name=order.session_name,
            project_dir=order.project_dir,
            agent_name=order.agent_name,
            redis_url=order.redis_url,
            guard=True,
            resumed=order.resumed,
        )
        with ProcessEnd(self._program) as end:
            async with bridge:
                following = asyncio.create_task(self._follow(bridge), name="follow transcript")
                try:
                    await self._watch(bridge, end)
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                    await self._tell_last_news(bridge)

    def _leave(self, why: str, goes_on: bool) -> None:
        self._why_leaving, self._goes_on = why, goes_on
        self._leaving.set()
        self._on_leaving()

    async def _watch(self, bridge: AgentBridge, end: ProcessEnd) -> None:
        ended = asyncio.create_task(end.wait(), name="end of the program")
        waiting = [
            ended,
            asyncio.create_task(bridge.wait_for_stop(), name="stop"),
            asyncio.create_task(self._leaving.wait(), name="leaving"),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            left: list[ProcessRow] = []
            if ended.done() and not bridge.stop_requested:
                left = await asyncio.to_thread(self._tree.look)
            # It may have come after the program's own end; what that left running ends now, since we confirm it.
            if bridge.stop_requested:
                await self._stop(bridge, ended, end)
            elif ended.done():
                more = {"left_running": named(left)} if left else {}
                self._report(bridge, end, _why_it_ended(end.code()), ceased=not left, **more)
            else:
                bridge.report_end(reason=self._why_leaving, goes_on=self._goes_on)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _stop(self, bridge: AgentBridge, ended: "asyncio.Task[None]", end: ProcessEnd) -> None:
        order = self._order
        # Should anything fail from here on, nobody is to be told that the program has ended.
        bridge.report_end(reason="the watcher failed to stop the program", ceased=False)
        # The next hook tells the program to stop, which is how it ends best.
        programs = [self._program, *await asyncio.to_thread(self._others)]
        await asyncio.wait({ended}, timeout=order.hook_seconds)
        signals: list[signal.Signals] = []
        survivors: list[ProcessRow] = []
        for outcome in [ended for program in programs for ended in await self._end(program)]:
            signals += [used for used in outcome.signals if used not in signals]
            survivors += outcome.survivors
        if survivors:
            logger.warning("could not end %s", ", ".join(f"{row.pid} ({row.name})" for row in survivors))
        self._report(
            bridge,
            end,
            "stopped",
            ceased=not survivors,
            signals=[used.name for used in signals],
            survivors=named(survivors),
        )

    def _others(self) -> list[ProcessIdentity]:
        """Other programs that have the session open: it has stopped when none of them goes on with it."""
        return [program for program in programs_of(self._order.session_id) if program != self._program]

    async def _end(self, program: ProcessIdentity) -> list[TreeEnded]:
        order = self._order
        tree = self._tree if program == self._program else ProcessTree(program, also=lambda: marked_children(program))
        escalation = Escalation.gentle(order.interrupt_seconds, order.terminate_seconds, order.kill_seconds)
        outcomes = [await tree.end(escalation)]
        if not outcomes[0].survivors:
            outcomes.append(await asyncio.to_thread(kill_marked, program, order.kill_seconds))
        return outcomes

    def _report(self, bridge: AgentBridge, end: ProcessEnd, reason: str, *, ceased: bool, **more: Any) -> None:
        code = end.code()
        bridge.report_end(exit_code=None if code is None else exit_code(code), reason=reason, ceased=ceased, **more)

    async def _follow(self, bridge: AgentBridge) -> None:
        while self._transcripts is not None:
            try:
                await self._tell_news(bridge, self._transcripts)
            except Exception:
                # The program can still be stopped, which is worth more than what it says.
                logger.exception("the transcript is not followed any more")
                self._transcripts = None
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _tell_last_news(self, bridge: AgentBridge) -> None:
        """The program writes its last lines as it ends."""
        before = -1
        for _ in range(LAST_LOOKS):
            if self._transcripts is None or self._transcripts.position == before:
                return
            before = self._transcripts.position
            try:
                await self._tell_news(bridge, self._transcripts)
            except Exception:
                logger.exception("the end of the transcript was not told")

    async def _tell_news(self, bridge: AgentBridge, transcripts: Transcripts) -> None:
        for said in transcripts.news():
            # Whoever holds the session follows the same transcript.
            if not bridge.superseded:
                await bridge.event(said.event_type, **said.fields)


def _why_it_ended(code: int | None) -> str:
    if code is None:
        return "the program has ended"
    return f"the program {describe_end(code)}" if code >= 0 else f"the program was {describe_end(code)}"


def _log_little() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    number = itertools.count()
    for handler in logging.getLogger().handlers:
        handler.addFilter(lambda _: next(number) < MOST_LOG_RECORDS)


def main() -> int:
    """Watches as standard input says. Returns the exit code."""
    # Here, since it brings Redis's client, which others who import this module may do without.
    from agent_bus.connection import check_url

    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _log_little()
    try:
        order = WatchOrder.from_json(sys.stdin.read())
        check_url(order.redis_url)
        with WatchLock(ProcessIdentity(order.pid, order.started), order.session_id) as lock:
            asyncio.run(Watcher(order, on_leaving=lock.disown).run())
    except AlreadyWatched:
        logger.debug("another watcher is there")
    except Exception:
        logger.exception("there is no watcher, or none any more")
        return 1
    close_log(_STANDARD_ERROR)
    with contextlib.suppress(OSError):
        tidy(watch_folder())
    return 0


if __name__ == "__main__":
    sys.exit(main())
