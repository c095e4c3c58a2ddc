"""An agent in a process of its own: `python -m tests.faults.agent SESSION JOURNAL [quiet]`.

It reports, unless it is to be quiet, and can be stopped. Its journal tells, a JSON object a line, when its work had
ended and how the bridge was left; whoever checks a confirmation holds it against that. SIGUSR1 blocks its loop, as a
long computation would. It ends by itself on SIGTERM.
"""

import asyncio
import contextlib
import json
import logging
import random
import signal
import sys
import time
from pathlib import Path

from agent_bridge import AgentBridge, SessionStopped

LEASE_SECONDS = 4.0
BLOCKED_SECONDS = 1.5 * LEASE_SECONDS
PAUSE_SECONDS = 0.04


class Journal(logging.Handler):
    """What the agent writes down; a bridge that gives up says so in the log."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.WARNING)
        self._file = path.open("a")
        self.unheard = False

    def write(self, what: str, **more: object) -> None:
        """Writes one line, at once."""
        self._file.write(json.dumps({"what": what, "at": time.monotonic(), **more}) + "\n")
        self._file.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Notes that the end could not be told."""
        self.unheard = self.unheard or "were not told" in record.msg
        self.write("log", message=self.format(record))


async def _work(bridge: AgentBridge, journal: Journal, emitted: list[int], *, quiet: bool) -> None:
    journal.write("began")
    try:
        while True:
            if not quiet and await bridge.event("step", n=emitted[0] + 1):
                emitted[0] += 1
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
    finally:
        journal.write("ceased")


async def _main(session_id: str, journal: Journal, *, quiet: bool) -> None:
    emitted = [0]
    how = "finished"
    try:
        async with AgentBridge(session_id=session_id, lease_seconds=LEASE_SECONDS) as bridge:
            journal.write("entered")
            work = asyncio.ensure_future(bridge.run(_work(bridge, journal, emitted, quiet=quiet)))
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await work
    except SessionStopped:
        how = "stopped"
    journal.write("left", how=how, emitted=emitted[0], unheard=journal.unheard)


def main() -> None:
    session_id, path, *how = sys.argv[1:]
    journal = Journal(Path(path))
    logging.getLogger("agent_bridge").addHandler(journal)
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(BLOCKED_SECONDS))
    asyncio.run(_main(session_id, journal, quiet=how == ["quiet"]))


if __name__ == "__main__":
    main()
