"""An agent that is stopped again and again, as a process of its own.

Each line on standard input is a session's id: the agent runs as that session and says `ready`. When it is told to stop
it says at which moment of the machine's monotonic clock that was; its handler's return confirms the stop. It leaves
with the next line.
"""

import asyncio
import sys
import time

from agent_bridge import AgentBridge, StopCommand


async def serve(redis_url: str) -> None:
    """One run for each pair of lines."""
    loop = asyncio.get_running_loop()

    def told(_: StopCommand) -> None:
        # Said from another thread, so that the confirmation does not wait for it.
        loop.run_in_executor(None, print, time.perf_counter())

    while line := await loop.run_in_executor(None, sys.stdin.readline):
        async with AgentBridge(session_id=line.strip(), agent_name="bench", redis_url=redis_url) as bridge:
            bridge.on_stop(told)
            print("ready", flush=True)
            await bridge.wait_for_stop()
            await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    asyncio.run(serve(sys.argv[1]))
