"""Several coordinators behind one listening socket, each a replica and a process of its own.

The socket belongs to all of them and to their supervisor: while one is away the others accept, and nobody is refused.
"""

import asyncio
import logging
import socket
import tempfile
from collections.abc import Sequence
from functools import partial

from agent_bus.settings import Settings
from api import listening, terminal
from api.metrics import FOLDER_VARIABLE, PROCESS_VARIABLE, forget_process
from api.programs import SERVER_GRACE_SECONDS, environment, python, until_healthy
from api.signals import stop_signals, unless
from api.supervisor import Program, Supervisor

logger = logging.getLogger(__name__)


def run(settings: Settings, sockets: Sequence[socket.socket], host: str, port: int, processes: int) -> None:
    """Runs so many coordinators on the sockets until SIGINT, SIGTERM or SIGHUP.

    host, port: what the sockets are bound to.
    Raises CannotStart when one ends before any serves.
    """
    # Whichever is asked for metrics answers for all, from what each writes there; see api.metrics.
    with tempfile.TemporaryDirectory(prefix="agent-orchestrator-metrics-", ignore_cleanup_errors=True) as metrics:
        asyncio.run(_supervise(programs(settings, sockets, processes, metrics), sockets, host, port))


def programs(settings: Settings, sockets: Sequence[socket.socket], processes: int, metrics: str) -> list[Program]:
    """The coordinators, which serve on the sockets as they inherit them.

    metrics: the folder in which they count together.
    """
    descriptors = tuple(listener.fileno() for listener in sockets)
    options = [f"--listening={descriptor}" for descriptor in descriptors]
    names = [f"coordinator-{number}" for number in range(1, processes + 1)]
    return [
        Program(
            name=name,
            argv=(*python(), "api.cli", "coordinator", *options),
            environment=environment(settings) | {FOLDER_VARIABLE: metrics, PROCESS_VARIABLE: name},
            grace_seconds=SERVER_GRACE_SECONDS,
            pass_fds=descriptors,
            on_end=partial(forget_process, metrics, name),
        )
        for name in names
    ]


async def _supervise(programs: Sequence[Program], sockets: Sequence[socket.socket], host: str, port: int) -> None:
    async def start() -> None:
        children = [await supervisor.start(program) for program in programs]
        await asyncio.gather(*(until_healthy(child, host, port) for child in children))

    stop = asyncio.Event()
    supervisor = Supervisor(terminal.writer())
    with stop_signals(stop, supervisor, what="every process"):
        try:
            if await unless(stop, start()):
                logger.info("%d processes share port %d", len(programs), port)
                await unless(stop, supervisor.wait())
        finally:
            # Kept open, it would let in connections that nobody takes.
            listening.close(sockets)
            await supervisor.stop()
    logger.info("all stopped")
