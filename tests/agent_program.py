"""An agent as a program of its own, for tests that kill, freeze or stop it: `python -m tests.agent_program MODE ID`."""

import asyncio
import os
import sys

from agent_bridge import AgentBridge, SessionStopped
from agent_bus.commands import StopCommand


async def work(mode: str, session_id: str) -> None:
    lease = float(os.environ.get("TEST_LEASE_SECONDS", "10"))
    async with AgentBridge(session_id=session_id, agent_name="tester", lease_seconds=lease) as bridge:
        print("entered", flush=True)
        if mode == "stubborn":
            # Hears the stop and does not end until its input does.
            bridge.on_stop(lambda command: _never(command))
            await asyncio.to_thread(sys.stdin.read)
        else:
            await bridge.message("assistant", "working")
            await bridge.run(asyncio.Event().wait())


async def _never(_: StopCommand) -> None:
    await asyncio.Event().wait()


def main() -> None:
    mode, session_id = sys.argv[1:]
    try:
        asyncio.run(work(mode, session_id))
    except SessionStopped:
        print("stopped", flush=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
