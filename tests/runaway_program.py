"""An agent that says ten thousand things a second as long as its input is open: `python -m tests.runaway_program ID`.

With a bridge; the limits are the environment's. Prints `entered`, and at the end how many of its reports were dropped.
"""

import sys
import threading
import time

from agent_bridge import BlockingAgentBridge

A_SECOND = 10_000
TICK_SECONDS = 0.01


def main() -> None:
    """Says on and on that it goes on."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    dropped = 0
    with BlockingAgentBridge(session_id=sys.argv[1]) as bridge:
        print("entered", flush=True)
        due = time.monotonic()
        while not over.is_set():
            for _ in range(int(A_SECOND * TICK_SECONDS)):
                dropped += not bridge.event("step", text="x" * 200)
            due += TICK_SECONDS
            over.wait(max(0.0, due - time.monotonic()))
    print(dropped, flush=True)


if __name__ == "__main__":
    main()
