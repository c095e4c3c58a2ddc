"""The watcher of one Claude Code program: a process of its own that holds the lease, follows the transcript, and stops.

It ends with the program. Its standard input is a WatchOrder; its log lies in the watch folder.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psutil

from agent_bridge import AgentBridge
from agent_bridge.process_exit import ProcessEnd
from agent_bridge.process_table import ProcessIdentity, identify, named
from agent_bridge.process_tree import Escalation, ProcessTree
from agent_bridge.supervisor import describe_end, exit_code
from agent_bridge.transcript import Transcripts
from agent_bridge.watch import PID_VARIABLE, WatchOrder
from agent_bridge.watch_folder import AlreadyWatched, WatchLock, watch_folder

logger = logging.getLogger("agent_bridge.watcher")

# How soon what the program writes into its transcript is seen, in seconds: a look costs a few system calls.
FOLLOW_SECONDS = 0.1


def marked_children(program: ProcessIdentity) -> Collection[ProcessIdentity]:
    """Processes whose environment says that the program started them, also those that have left its tree since.

    Claude Code runs each command in a process session of its own; one that detaches itself is nobody's child.
    """
    mark = str(program.pid)
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(PID_VARIABLE) != mark:
                continue
            identity = identify(process.pid)
            # The number may have been another program's before.
            if identity is not None and identity.started >= program.started:
                found.add(identity)
    return found


class Watcher:
    """Watches one program for one session, from now until it ends or goes on to another session."""

    def __init__(self, order: WatchOrder) -> None:
        self._order = order
        self._program = ProcessIdentity(order.pid, order.started)
        self._tree = ProcessTree(self._program, also=lambda: marked_children(self._program))
        self._transcripts = (
            Transcripts(Path(order.transcript), skip_bytes=order.skip_bytes) if order.transcript else None
        )
        self._complained = False
        self._replaced = asyncio.Event()

    async def run(self) -> None:
        """Returns when there is nothing left to watch."""
        order = self._order
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._replaced.set)
        bridge = AgentBridge(
            session_id=order.session_id,
            session_name=order.session_name,
            project_dir=order.project_dir,
            agent_name=order.agent_name,
            redis_url=order.redis_url,
            guard=True,
        )
        with ProcessEnd(self._program) as end:
            async with bridge:
                following = asyncio.create_task(self._follow(bridge), name="follow transcript")
                try:
                    await self._watch(bridge, end)
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
                    # The program writes its last lines as it ends.
                    await self._tell_news(bridge)

    async def _watch(self, bridge: AgentBridge, end: ProcessEnd) -> None:
        ended = asyncio.create_task(end.wait(), name="end of the program")
        waiting = [
            ended,
            asyncio.create_task(bridge.wait_for_stop(), name="stop"),
            asyncio.create_task(self._replaced.wait(), name="another session"),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if bridge.stop_requested:
                await self._stop(bridge, ended, end)
            elif ended.done():
                left = await asyncio.to_thread(self._tree.look)
                self._report(bridge, end, {"left_running": named(left)} if left else {})
            else:
                bridge.report_end(reason="the program went on to another session")
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _stop(self, bridge: AgentBridge, ended: "asyncio.Task[None]", end: ProcessEnd) -> None:
        order = self._order
        # The next hook tells the program to stop, which is how it ends best.
        await asyncio.wait({ended}, timeout=order.hook_seconds)
        escalation = Escalation.gentle(order.interrupt_seconds, order.terminate_seconds, order.kill_seconds)
        outcome = await self._tree.end(escalation)
        if outcome.survivors:
            logger.warning("could not end %s", ", ".join(f"{row.pid} ({row.name})" for row in outcome.survivors))
        self._report(
            bridge,
            end,
            {
                "signals": [used.name for used in outcome.signals],
                "survivors": named(outcome.survivors),
                "ceased": not outcome.survivors,
            },
        )

    def _report(self, bridge: AgentBridge, end: ProcessEnd, more: dict[str, Any]) -> None:
        code = end.code()
        how = "the program has ended" if code is None else f"the program {describe_end(code)}"
        bridge.report_end(
            exit_code=None if code is None else exit_code(code),
            reason="stopped" if bridge.stop_requested else how,
            **more,
        )

    async def _follow(self, bridge: AgentBridge) -> None:
        while True:
            await self._tell_news(bridge)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _tell_news(self, bridge: AgentBridge) -> None:
        if self._transcripts is None:
            return
        try:
            for said in self._transcripts.news():
                await bridge.event(said.event_type, **said.fields)
        except OSError as error:
            if not self._complained:
                logger.warning("the transcript can't be read: %s", error)
            self._complained = True


def main() -> None:
    """Watches as standard input says."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    order = WatchOrder.from_json(sys.stdin.read())
    with contextlib.suppress(AlreadyWatched), WatchLock(f"{order.pid}-{order.started:.0f}", order.session_id):
        asyncio.run(Watcher(order).run())
        log = watch_folder() / f"{order.pid}.log"
        with contextlib.suppress(OSError):
            if log.stat().st_size == 0:
                log.unlink()


if __name__ == "__main__":
    main()
