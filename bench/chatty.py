"""An agent that reports many events, as a process of its own: `python -m bench.chatty REDIS_URL SESSION EVENTS`.

Prints the seconds from the first report until Redis has them all; with `--pause`, reports now and then as agents do,
and prints the median µs that a report takes on the caller's loop.
"""

import argparse
import asyncio
import secrets
import statistics
import time

from agent_bridge import AgentBridge

INPUT = {"command": "x" * 200}


def outputs(count: int) -> list[dict[str, str]]:
    """What tools gave: 580 characters that differ from one to the next. (Lua's strings hash a few of their bytes, and
    texts that are alike almost everywhere would cost Redis twice as much as those of real tools.)
    """
    return [{"stdout": secrets.token_hex(290)} for _ in range(count)]


async def burst(redis_url: str, session_id: str, events: int) -> float:
    """Reports without a pause, and leaves."""
    said = outputs(events)
    async with AgentBridge(session_id=session_id, redis_url=redis_url) as bridge:
        began = time.perf_counter()
        for output in said:
            if not await bridge.post_tool("Bash", INPUT, output):
                raise SystemExit("the bridge's buffer was too small for the burst")
    return time.perf_counter() - began


async def now_and_then(redis_url: str, session_id: str, events: int) -> float:
    """Reports with a pause after each."""
    took = []
    async with AgentBridge(session_id=session_id, redis_url=redis_url) as bridge:
        for _ in range(events):
            began = time.perf_counter()
            await bridge.pre_tool("Bash", INPUT)
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.0005)
    return 1e6 * statistics.median(took)


def main() -> None:
    """One measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("redis_url")
    parser.add_argument("session_id")
    parser.add_argument("events", type=int)
    parser.add_argument("--pause", action="store_true")
    options = parser.parse_args()
    measure = now_and_then if options.pause else burst
    print(asyncio.run(measure(options.redis_url, options.session_id, options.events)))


if __name__ == "__main__":
    main()
