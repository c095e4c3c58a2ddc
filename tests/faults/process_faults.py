"""Servers that are killed, ended or restarted under load."""

import asyncio
import os
import signal
import time

from agent_bus.jobs import REMOVE_ORPHANED_BLOBS
from tests.faults.client_faults import FORM, LARGE_BYTES, SENT_BYTES, connect_to
from tests.faults.faults import Fault
from tests.faults.hook_program import HookProgram
from tests.faults.system import KEYS, Layout
from tests.faults.workload import until
from workers.orphans import ORPHAN_AGE

HOURS_OFF = 3 * 3600.0


class CoordinatorKilled(Fault):
    """Its browsers go on at the other replica; what it had answered for is kept."""

    name = "coordinator-killed"
    title = "a coordinator, SIGKILL"

    async def inject(self) -> None:
        """Kills one."""
        self._index = self.rng.randrange(len(self.system.coordinators))
        await asyncio.to_thread(self.system.coordinators[self._index].kill)

    async def heal(self) -> None:
        """Starts it again."""
        await asyncio.to_thread(self.system.restart_coordinator, self._index)


class CoordinatorEnded(CoordinatorKilled):
    """It answers what it has taken, sees its browsers off, and is away for a while."""

    name = "coordinator-ended"
    title = "a coordinator, SIGTERM"

    async def inject(self) -> None:
        """Ends one."""
        self._index = self.rng.randrange(len(self.system.coordinators))
        ended = await asyncio.to_thread(self.system.coordinators[self._index].stop, signal.SIGTERM)
        if ended != 0:
            self.complain(f"a coordinator ended with {ended} on SIGTERM")


class ClocksMoved(Fault):
    """Leases and confirmations go by Redis' clock: coordinators whose own is hours off do as they always do."""

    name = "clocks-moved"
    title = "the coordinators' wall clocks hours off"
    layout = Layout(moving_clocks=True)
    holds_seconds = (0.2, 0.5)
    once = True

    async def inject(self) -> None:
        """Moves them; at least one goes back, and all of them may."""
        self._agents = [await self.load.own_agent() for _ in range(2)]
        self._program = HookProgram(self)
        await self._program.begin()
        moves = [-HOURS_OFF, self.rng.choice((-HOURS_OFF, HOURS_OFF))]
        for index, seconds in enumerate(self.rng.sample(moves, len(moves))):
            self.system.move_clock(index, seconds)

    async def look(self) -> None:
        """That an agent is gone is told, and stops are confirmed."""
        killed, other = self._agents
        killed.send(signal.SIGKILL)
        await self.load.can_be_stopped([other])
        await self.load.shows(other.history.session_id, status="stopped", stop_confirmed=True)
        await self._program.is_stopped()
        # Who has told the browsers of it takes the lease away.
        session_id = killed.history.session_id
        await until(lambda: self.system.ask_redis("ZSCORE", KEYS.leases, session_id) is None, "the lapse to be told")
        await self.load.shows(session_id, presence="none", status="running")

    async def heal(self) -> None:
        """Sets them right, which is another jump."""
        for index in range(len(self.system.coordinators)):
            self.system.move_clock(index, 0.0)


class DocumentsKilled(Fault):
    """An upload breaks off with its server: nothing is shown of it, and what it left on the disk goes away."""

    name = "documents-killed"
    title = "the documents server, SIGKILL, in the middle of an upload"
    once = True

    async def inject(self) -> None:
        """Begins to upload a file, and kills the server when there is something of it on the disk."""
        before = self.system.unfinished_uploads()
        with await asyncio.to_thread(connect_to, self.system.documents.port) as client:
            await asyncio.to_thread(client.sendall, FORM % LARGE_BYTES + bytes(SENT_BYTES))
            await until(lambda: bool(self.system.unfinished_uploads() - before), "an upload to begin")
            await asyncio.to_thread(self.system.documents.kill)
        self._left = self.system.unfinished_uploads()
        if not self._left:
            self.complain("a killed server left nothing of an upload: the fault is none")

    async def heal(self) -> None:
        """Starts it again."""
        await asyncio.to_thread(self.system.start_documents, self.system.documents.port)

    async def healed(self) -> None:
        """What was left is removed once it is old enough, and the uploads that go on are not."""
        if lost := self._left - self.system.unfinished_uploads():
            self.complain(f"the young parts of uploads were removed: {lost}")
        long_ago = time.time() - ORPHAN_AGE.total_seconds() - 60
        for path in self._left:
            os.utime(path, (long_ago, long_ago))
            # As when the mark of the upload has expired, and the job's hour is over.
            self.system.ask_redis("DEL", KEYS.document(path.name.partition("#")[0]))
        self.system.ask_redis("DEL", KEYS.due(REMOVE_ORPHANED_BLOBS.name))
        await until(
            lambda: not self._left & self.system.unfinished_uploads(), "what is left of the upload to be removed"
        )


class RollingRestart(Fault):
    """All coordinators, one after the other, as an upgrade does it."""

    name = "rolling-restart"
    title = "every coordinator in turn, SIGTERM"
    holds_seconds = (0.0, 0.3)

    async def inject(self) -> None:
        """Restarts all but the last."""
        self._order = self.rng.sample(range(len(self.system.coordinators)), len(self.system.coordinators))
        for index in self._order[:-1]:
            await self._restart(index)

    async def heal(self) -> None:
        """Restarts the last."""
        await self._restart(self._order[-1])

    async def _restart(self, index: int) -> None:
        ended = await asyncio.to_thread(self.system.coordinators[index].stop, signal.SIGTERM)
        if ended != 0:
            self.complain(f"a coordinator ended with {ended} on SIGTERM")
        await asyncio.to_thread(self.system.restart_coordinator, index)
