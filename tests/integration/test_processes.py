"""`coordinator --processes`: several real processes behind one socket, with real browsers and a real Redis."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from agent_bridge import AgentBridge
from agent_bus.timestamps import now
from tests.browser import Browser, Message
from tests.processes import RedisServer, Server, wait_until

PROCESSES = 2
CLIENTS, EACH = 8, 25
# Events that have to be answered before and after what befalls a process.
SOME = 10
STOP_WAIT_SECONDS = 1.5
# Below what a process has to end in order; a stop that takes less was hurried.
HURRIED_SECONDS = 15


class Coordinators(Server):
    """A coordinator of several processes, all of them serving."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        environment = {"AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": str(STOP_WAIT_SECONDS)}
        super().__init__("coordinator", redis_url, folder, environment, "--processes", str(PROCESSES))
        try:
            self.await_serving(PROCESSES)
        except AssertionError:
            self.stop()
            raise

    def await_serving(self, times: int) -> None:
        """Waits until so many processes have begun to serve since the start."""
        wait_until(lambda: self.output.count(": serving on ") >= times, f"{times} processes to serve")

    @property
    def children(self) -> list[psutil.Process]:
        """The processes, always in one order."""
        return sorted(psutil.Process(self.popen.pid).children(), key=lambda child: child.pid)

    @contextmanager
    def only(self, child: psutil.Process) -> Iterator[None]:
        """While the block runs, this process takes every new connection, for the others are asleep."""
        others = [other for other in self.children if other != child]
        try:
            for other in others:
                other.suspend()
            wait_until(lambda: {other.status() for other in others} == {psutil.STATUS_STOPPED}, "the others to sleep")
            yield
        finally:
            for other in others:
                other.resume()


@pytest.fixture
def server(redis_server: RedisServer, tmp_path: Path) -> Iterator[Coordinators]:
    with Coordinators(redis_server.url, tmp_path) as server:
        yield server


async def a_browser_on_each(server: Coordinators, stack: AsyncExitStack) -> list[Browser]:
    browsers = []
    for child in server.children:
        with server.only(child):
            browsers.append(await stack.enter_async_context(Browser(server.ws_url)))
    return browsers


def event(session_id: str, **fields: object) -> dict[str, object]:
    at = {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return at | fields


def is_event(session_id: str) -> Callable[[Message], bool]:
    return lambda message: message["type"] == "event" and message["data"]["session_id"] == session_id


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that run; one whose end nobody has taken note of does not."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


async def test_events_of_many_connections_reach_browsers_on_every_process_once_and_in_order(
    server: Coordinators, session_id: str
) -> None:
    async def post(task: int) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            for n in range(EACH):
                answer = await client.post("/events", json=event(session_id, task=task, n=n))
                assert answer.status_code == 200, answer.text

    async with AsyncExitStack() as stack:
        browsers = await a_browser_on_each(server, stack)
        await asyncio.gather(*map(post, range(CLIENTS)))
        for browser in browsers:
            events = await browser.until(is_event(session_id), count=CLIENTS * EACH)
            seqs = [m["seq"] for m in events]
            assert seqs == sorted(set(seqs))
            for task in range(CLIENTS):
                assert [m["data"]["n"] for m in events if m["data"]["task"] == task] == list(range(EACH))
        assert len({str(browser.of(session_id)) for browser in browsers}) == 1


async def test_while_a_killed_process_is_away_nobody_is_refused_and_its_browsers_miss_nothing(
    server: Coordinators, session_id: str
) -> None:
    answered: list[int] = []
    posting = True

    async def post() -> None:
        n = 0
        while posting:
            n += 1
            try:
                async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
                    answer = await client.post("/events", json=event(session_id, n=n))
            except httpx.ConnectError:
                raise
            except httpx.TransportError:
                # The killed process had taken it; whether it was written is not known.
                continue
            assert answer.status_code == 200, answer.text
            answered.append(n)

    async def more() -> None:
        wanted = len(answered) + SOME
        while len(answered) < wanted:
            assert not poster.done(), poster.exception()
            await asyncio.sleep(0.01)

    async with AsyncExitStack() as stack:
        killed, living = await a_browser_on_each(server, stack)
        poster = asyncio.create_task(post())
        await more()
        victim, other = server.children
        victim.kill()
        await killed.closed()
        await asyncio.to_thread(server.await_serving, PROCESSES + 1)
        (newcomer,) = (child for child in server.children if child != other)
        with server.only(newcomer):
            back = await stack.enter_async_context(Browser(f"{server.ws_url}?since={killed.last_seq}"))
            await more()
        posting = False
        await poster
        for browser in (living, back):
            await browser.until(lambda m: is_event(session_id)(m) and m["data"]["n"] == answered[-1])
        assert killed.of(session_id) + back.of(session_id) == living.of(session_id)
        seen = [m["data"]["n"] for m in living.of(session_id) if is_event(session_id)(m)]
        assert len(seen) == len(set(seen))
        # One that was not answered may come after a later one: the killed process had sent it, and Redis may read what
        # the dead have sent after what the living send.
        assert [n for n in seen if n in answered] == answered
    assert server.output.count("starting it again") == 1


def terminate(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


def press_ctrl_c(pid: int) -> None:
    """What a terminal does: everyone in the foreground's process group gets it."""
    os.killpg(pid, signal.SIGINT)


@pytest.mark.parametrize("ask", [terminate, press_ctrl_c])
async def test_a_stop_sees_the_browsers_of_every_process_off_and_leaves_none(
    server: Coordinators, session_id: str, redis_server: RedisServer, ask: Callable[[int], None]
) -> None:
    children = server.children
    assert len(children) == PROCESSES
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=30))
        browsers = await a_browser_on_each(server, stack)
        async with AgentBridge(session_id=session_id, redis_url=redis_server.url) as bridge:
            under_way = asyncio.create_task(client.post(f"/sessions/{session_id}/stop"))
            await bridge.wait_for_stop()
            ask(server.popen.pid)
            assert [await browser.closed() for browser in browsers] == [1012] * PROCESSES
        answer = await under_way
        assert answer.status_code in {200, 202}, answer.text
    assert await asyncio.to_thread(server.stop) == 0, server.output
    assert not alive(children)
    for unwanted in ("Traceback", "killing it", "starting it again"):
        assert unwanted not in server.output


def test_a_second_ctrl_c_does_not_wait_for_a_process_that_hangs(server: Coordinators) -> None:
    children = server.children
    children[0].suspend()

    def hurried() -> bool:
        if "hurrying" in server.output:
            return True
        server.popen.send_signal(signal.SIGINT)
        return False

    wait_until(hurried, "the second Ctrl-C to be one")
    assert server.popen.wait(HURRIED_SECONDS) == 0
    assert "was hurried; killing it" in server.output
    assert not alive(children)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children of their parent's death")
def test_a_killed_supervisor_leaves_no_process_and_the_port_is_free(server: Coordinators) -> None:
    children = server.children
    server.kill()
    wait_until(lambda: not alive(children), "the processes to be gone")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health")
