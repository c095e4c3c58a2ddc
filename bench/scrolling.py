"""`python -m bench.scrolling`: how evenly the dashboard scrolls when there is much to scroll.

10,000 sessions, and a session of 100,000 events, in Chromium without a screen. The time between two frames is what a
person sees; it is reported, and held against nothing, for a machine without a graphics card draws on the processor.
"""

import argparse
import asyncio
import statistics
import tempfile
from itertools import pairwise
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page

from agent_bridge import AgentBridge
from agent_bus.keys import DEFAULT_NAMESPACE
from tests.dashboard.browsing import chromium, open_page
from tests.dashboard.system import running
from tests.processes import RedisServer

LONG = "bench-long"
AT_ONCE = 50
BREATH = 100
# A hand on a wheel: so many pixels each time, so many times.
NOTCH_PIXELS, NOTCHES = 240, 120
FRAME_MS = 1000 / 60
WATCH_FRAMES = """() => {
  window.frames_at = [];
  const next = (at) => { window.frames_at.push(at); requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""


async def many_sessions(url: str, count: int) -> None:
    """Announces so many sessions."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, count))
            await asyncio.gather(*(_announce(client, number) for number in numbers))


async def _announce(client: httpx.AsyncClient, number: int) -> None:
    event = {
        "event_type": "session_start", "session_id": f"bench-{number}", "session_name": f"Session {number}",
        "timestamp": "2026-01-24T10:00:00+00:00", "agent_name": f"agent-{number % 7}",
        "project_dir": f"/src/{number % 40}",
    }  # fmt: skip
    (await client.post("/events", json=event)).raise_for_status()


async def many_events(redis_url: str, count: int) -> None:
    """A session of so many events: tools and their results."""
    async with AgentBridge(session_id=LONG, redis_url=redis_url) as bridge:
        for number in range(count // 2):
            about = {"tool_name": "Bash", "tool_input": {"command": f"make step-{number}"}, "tool_use_id": f"t{number}"}
            await bridge.event("pre_tool", **about)
            await bridge.event("post_tool", **about, tool_output="done " * 60)
            if number % BREATH == 0:
                # The bridge's buffer is bounded, and a bench has no reason to lose events.
                await asyncio.sleep(0.02)


def scrolled(page: Page, up: bool) -> list[float]:
    """The times between frames, in ms, while somebody turns the wheel."""
    page.evaluate(WATCH_FRAMES)
    page.mouse.move(700, 600)
    for _ in range(NOTCHES):
        page.mouse.wheel(0, -NOTCH_PIXELS if up else NOTCH_PIXELS)
    times: list[float] = page.evaluate("window.frames_at")
    return [later - earlier for earlier, later in pairwise(times)]


def row(what: str, frames: list[float]) -> str:
    """A line of the table."""
    late = sum(frame > 2 * FRAME_MS for frame in frames) / len(frames)
    return (
        f"| {what} | {len(frames)} | {statistics.median(frames):.1f} | "
        f"{statistics.quantiles(frames, n=20)[-1]:.1f} | {max(frames):.0f} | {late:.0%} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=100_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as scratch,
        RedisServer(Path(scratch) / "redis") as redis,
        running(redis, DEFAULT_NAMESPACE, Path(scratch) / "system") as system,
    ):
        asyncio.run(many_sessions(system.replicas[0].url, options.sessions))
        asyncio.run(many_events(redis.url, options.events))
        with chromium() as browser:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            measure(context, system.replicas[0].url, options.sessions, options.events)


def measure(context: BrowserContext, url: str, sessions: int, events: int) -> None:
    """Scrolls through both."""
    print("| scrolled | frames | median ms | 95 % within ms | longest ms | later than two frames |")
    print("| --- | --- | --- | --- | --- | --- |")
    page = open_page(context, f"{url}/#/sessions")
    page.get_by_text(f"{sessions + 1:,} of {sessions + 1:,} sessions").wait_for()
    print(row(f"{sessions:,} sessions", scrolled(page, up=False)))
    page = open_page(context, f"{url}/#/sessions/{LONG}")
    last = f"make step-{events // 2 - 1}"
    page.get_by_text(last).first.wait_for()
    print(row(f"a session of {events:,} events", scrolled(page, up=True)))


if __name__ == "__main__":
    main()
