"""Real coordinators and real clients: bursts, stalls and comings-back, as browsers of several makes see them."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_bus.timestamps import now
from tests.browser import Browser, Message
from tests.chromium import find_chromium
from tests.processes import DEADLINE_SECONDS, REPOSITORY, RedisServer, Server
from tests.wires import RawBrowser

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]
Replicas = tuple[Server, Server]

TASKS, EACH = 6, 50
# The least that the settings allow; a browser that falls behind by this and what sockets hold is let go.
BUFFER_BYTES = 1024
SMALL_RECEIVE_BUFFER = 4096
# Of 100 KB each: more than what the kernel holds for a connection.
SLOW_POSTS = 100
# A page and a script without any package: they show what came, in order, and by which code the connection ended.
SCRIPT = """
const [url, count] = [URL, COUNT];
const seen = [];
function visit(url, wanted, then) {
  const socket = new WebSocket(url);
  socket.onmessage = ({data}) => {
    const message = JSON.parse(data);
    seen.push(message);
    if (message.type === "init") tell("init");
    if (message.type === "event" && --wanted === 0) { socket.close(1000); then(message.seq); }
  };
  socket.onclose = ({code}) => tell(`closed ${code}`);
  socket.onerror = () => tell("error");
}
visit(url, count, (seq) => visit(`${url}?since=${seq - 10}`, 10, () => tell("done " + JSON.stringify(seen))));
"""


def event(session_id: str, **fields: object) -> dict[str, object]:
    at = {"event_type": "message", "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return at | fields


async def burst(clients: Clients, session_id: str) -> None:
    """Several tasks post at once, each to both replicas in turn; what a task posts has an order."""

    async def write(task: int) -> None:
        for n in range(EACH):
            answer = await clients[n % 2].post("/events", json=event(f"{session_id}-{task % 2}", task=task, n=n))
            assert answer.status_code == 200, answer.text

    await asyncio.gather(*map(write, range(TASKS)))


def of_the_burst(session_id: str, messages: list[Message]) -> list[Message]:
    return [m for m in messages if m["type"] == "event" and m["data"]["session_id"].startswith(session_id)]


def check_once_and_in_order(events: list[Message], tasks: range) -> None:
    seqs = [m["seq"] for m in events]
    assert seqs == sorted(set(seqs))
    for task in tasks:
        assert [m["data"]["n"] for m in events if m["data"]["task"] == task] == list(range(EACH))
    assert len(events) == EACH * len(tasks)


async def test_a_burst_reaches_everyone_once_and_in_order_whatever_they_asked_for(
    http: Clients, replicas: Replicas, session_id: str
) -> None:
    some = f"{replicas[1].ws_url}?session_id={session_id}-1"
    async with Browser(replicas[0].ws_url) as a, Browser(replicas[1].ws_url) as b, Browser(some) as filtered:
        await burst(http, session_id)
        for browser, tasks in ((a, range(TASKS)), (b, range(TASKS)), (filtered, range(1, TASKS, 2))):
            await browser.until(
                lambda m: m["type"] == "event" and m["data"]["session_id"].startswith(session_id),
                count=EACH * len(tasks),
            )
            check_once_and_in_order(of_the_burst(session_id, browser.messages), tasks)
        told = [m for m in filtered.messages[1:] if m["type"] == "event"]
        assert {m["data"]["session_id"] for m in told} == {f"{session_id}-1"}
        kept = of_the_burst(session_id, a.messages)
        assert kept == of_the_burst(session_id, b.messages)


async def test_browsers_that_come_back_in_the_middle_of_a_burst_miss_and_repeat_nothing(
    http: Clients, replicas: Replicas, session_id: str
) -> None:
    seen: list[Message] = []
    bursting = asyncio.create_task(burst(http, session_id))
    query, visits = "", 0
    while left := TASKS * EACH - len(of_the_burst(session_id, seen)):
        visits += 1
        async with Browser(replicas[visits % 2].ws_url + query) as browser:
            await browser.until(lambda m: bool(of_the_burst(session_id, [m])), count=min(20, left))
        assert all(m["type"] != "init" for m in browser.messages) or not seen
        seen += [m for m in browser.messages if m["type"] != "init"]
        query = f"?since={browser.last_seq}"
    await bursting
    assert visits > 2
    check_once_and_in_order(of_the_burst(session_id, seen), range(TASKS))
    seqs = [m["seq"] for m in seen]
    assert seqs == list(range(seqs[0], seqs[-1] + 1))


@pytest.fixture
async def strict(redis_server: RedisServer, tmp_path: Path, session_id: str) -> AsyncIterator[Server]:
    """A coordinator that lets a browser fall behind by very little."""
    environment = {
        "AGENT_ORCHESTRATOR_WS_BUFFER_BYTES": str(BUFFER_BYTES),
        "AGENT_ORCHESTRATOR_NAMESPACE": session_id,
    }
    with Server("coordinator", redis_server.url, tmp_path, environment) as server:
        yield server


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        yield client


async def connections(client: httpx.AsyncClient) -> int:
    count: int = (await client.get("/ready")).json()["connections"]
    return count


async def post_large(client: httpx.AsyncClient, session_id: str, n: int) -> int:
    answer = await client.post("/events", json=event(session_id, n=n, text="x" * 100_000))
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


async def test_a_browser_that_stalls_is_cut_off_while_another_gets_everything_at_once(
    strict: Server, session_id: str
) -> None:
    async with (
        client_of(strict) as client,
        Browser(strict.ws_url) as quick,
        RawBrowser(strict.ws_url, buffer_bytes=SMALL_RECEIVE_BUFFER) as stalled,
    ):
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await connections(client) < 2:
                await asyncio.sleep(0.01)
            posted = 0
            while await connections(client) == 2:
                number = await post_large(client, session_id, posted)
                posted += 1
                # Without delay: before the next is posted, and long before the stalled one is given up.
                await quick.until(lambda m, number=number: m.get("seq") == number)  # type: ignore[misc]
                assert posted < 1000
        events = of_the_burst(session_id, quick.messages)
        assert [m["data"]["n"] for m in events] == list(range(posted))
        assert quick.close_code is None
        await stalled.to_the_end()
        heard = [json.loads(text) for text in stalled.texts]
        assert [m["seq"] for m in heard[1:]] == [m["seq"] for m in quick.messages[1 : len(heard)]]
        assert len(heard) < len(quick.messages)
        async with Browser(f"{strict.ws_url}?since={heard[-1]['seq']}") as back:
            await back.until(lambda m: m["seq"] == quick.last_seq)
            assert [*heard[1:], *back.messages] == quick.messages[1:]


async def test_a_browser_that_reads_more_slowly_than_messages_come_is_told_4008_and_may_come_back(
    strict: Server, session_id: str
) -> None:
    async with client_of(strict) as client, RawBrowser(strict.ws_url, buffer_bytes=SMALL_RECEIVE_BUFFER) as slow:
        await slow.until(lambda: bool(slow.texts), "init")
        for n in range(SLOW_POSTS):
            await post_large(client, session_id, n)
            await slow.read(16 * 1024)
        await slow.until(lambda: slow.close_code is not None or slow.ended, "the close")
        assert slow.close_code == 4008
        heard = [json.loads(text) for text in slow.texts]
        last = heard[-1]["seq"]
        assert [m["seq"] for m in heard[1:]] == list(range(heard[0]["seq"] + 1, last + 1))
        async with Browser(f"{strict.ws_url}?since={last}") as back:
            await back.until(lambda m: m["type"] == "event" and m["data"]["n"] == SLOW_POSTS - 1)
            assert [m["seq"] for m in back.messages] == list(range(last + 1, last + 1 + len(back.messages)))


async def test_a_long_replay_to_a_slow_reader_is_complete(strict: Server, session_id: str) -> None:
    async with client_of(strict) as client:
        first = await post_large(client, session_id, 0)
        for n in range(1, 30):
            last = await post_large(client, session_id, n)
    url = f"{strict.ws_url}?since={first - 1}"
    async with RawBrowser(url, buffer_bytes=SMALL_RECEIVE_BUFFER) as slow:
        await slow.until(
            lambda: bool(slow.texts) and json.loads(slow.texts[-1])["seq"] == last, "the last", piece=16 * 1024
        )
        assert [json.loads(text)["seq"] for text in slow.texts] == list(range(first, last + 1))


async def test_a_stop_of_the_server_closes_everyone_with_1012_behind_all_that_was_posted(
    strict: Server, session_id: str
) -> None:
    async with client_of(strict) as client, Browser(strict.ws_url) as browser:
        for n in range(50):
            await client.post("/events", json=event(session_id, n=n))
        assert await asyncio.to_thread(strict.stop) == 0
        assert await browser.closed() == 1012
        assert [m["data"]["n"] for m in of_the_burst(session_id, browser.messages)] == list(range(50))


def check_client(output: str, url: str) -> None:
    """What the script reports: one init, everything once, and the last ten again on coming back with `since`."""
    lines = output.splitlines()
    assert "init" in lines, f"{url}: {output[-2000:]}"
    assert "error" not in lines, f"{url}: {output[-2000:]}"
    (done,) = (line.removeprefix("done ") for line in lines if line.startswith("done "))
    messages: list[Message] = json.loads(done)
    assert [m["type"] for m in messages].count("init") == 1
    seqs = [m["seq"] for m in messages]
    assert seqs[:-10] == list(range(seqs[0], seqs[0] + len(seqs) - 10))
    assert seqs[-10:] == seqs[-20:-10]
    events = [m for m in messages[:-10] if m["type"] == "event"]
    check_once_and_in_order(events, range(TASKS))


def script_for(url: str, tell: str) -> str:
    return tell + SCRIPT.replace("URL", json.dumps(url)).replace("COUNT", str(TASKS * EACH))


def node_with_websocket() -> list[str]:
    """How to run Node with a WebSocket of its own: 22 has it, 20.10 behind a flag."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on PATH")
    for flags in ([], ["--experimental-websocket"]):
        command = [node, *flags]
        probe = [*command, "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"]
        if subprocess.run(probe, capture_output=True).returncode == 0:
            return command
    pytest.skip("this node has no WebSocket of its own; 20.10 is the first that has")


def node_with_ws() -> tuple[list[str], str]:
    """How to run Node, and what brings the `ws` package into a script; it comes along with a peer of the benchmarks."""
    node, package = shutil.which("node"), REPOSITORY / "bench" / "peers" / "socketio" / "node_modules" / "ws"
    if node is None or not package.is_dir():
        pytest.skip("there is no node on PATH, or no ws package: make peers installs it")
    return [node], f"const WebSocket = require({json.dumps(str(package))});\n"


@pytest.mark.parametrize("client_of_node", ["its own", "ws"])
async def test_node_s_websocket_gets_a_burst_and_comes_back(
    strict: Server, session_id: str, client_of_node: str
) -> None:
    command, head = node_with_ws() if client_of_node == "ws" else (node_with_websocket(), "")
    script = script_for(strict.ws_url, f"{head}const tell = (line) => console.log(line);\n")
    process = await asyncio.create_subprocess_exec(
        *command, "--no-warnings", "-e", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        async with client_of(strict) as client, asyncio.timeout(DEADLINE_SECONDS):
            lines = [await process.stdout.readline()]
            assert lines == [b"init\n"]
            await burst((client, client), session_id)
            output = b"".join(lines) + (await process.communicate())[0]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    check_client(output.decode(), strict.ws_url)


class Site(SimpleHTTPRequestHandler):
    """Serves a folder, and takes what its page tells."""

    news: asyncio.Queue[str]
    loop: asyncio.AbstractEventLoop

    def do_POST(self) -> None:
        line = self.rfile.read(int(self.headers["content-length"])).decode()
        self.send_response(204)
        self.end_headers()
        self.loop.call_soon_threadsafe(self.news.put_nowait, line)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def site(folder: Path, news: "asyncio.Queue[str]") -> Iterator[int]:
    handler = type("Handler", (Site,), {"news": news, "loop": asyncio.get_running_loop()})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, name="page")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def chromium() -> str:
    """The browser's program."""
    return find_chromium()


TELL_BY_POST = """
let telling = Promise.resolve();
const tell = (line) => { telling = telling.then(() => fetch("/told", {method: "POST", body: line})); };
"""


@asynccontextmanager
async def page(program: str, folder: Path, port: int, ws_url: str) -> AsyncIterator[None]:
    """Chromium on a page that runs the script."""
    (folder / "index.html").write_text(f"<!doctype html><script>{script_for(ws_url, TELL_BY_POST)}</script>")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            f"--user-data-dir={profile}", "--remote-debugging-port=0", f"http://localhost:{port}/",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(2 * DEADLINE_SECONDS):
                yield
        finally:
            process.terminate()
            await process.wait()


async def test_a_page_in_chromium_gets_a_burst_and_comes_back(
    redis_server: RedisServer, tmp_path: Path, session_id: str, chromium: str
) -> None:
    news: asyncio.Queue[str] = asyncio.Queue()
    with site(tmp_path, news) as port:
        environment = {"CORS_ORIGINS": f"http://localhost:{port}", "AGENT_ORCHESTRATOR_NAMESPACE": session_id}
        with Server("coordinator", redis_server.url, tmp_path, environment) as server:
            async with client_of(server) as client, page(chromium, tmp_path, port, server.ws_url):
                lines = [await news.get()]
                assert lines == ["init"]
                await burst((client, client), session_id)
                while not lines[-1].startswith("done "):
                    lines.append(await news.get())
    check_client("\n".join(lines), server.ws_url)


async def test_a_page_in_chromium_from_elsewhere_is_refused_with_4403(
    redis_server: RedisServer, tmp_path: Path, session_id: str, chromium: str
) -> None:
    news: asyncio.Queue[str] = asyncio.Queue()
    environment = {"AGENT_ORCHESTRATOR_NAMESPACE": session_id}
    with (
        site(tmp_path, news) as port,
        Server("coordinator", redis_server.url, tmp_path, environment) as server,
    ):
        async with page(chromium, tmp_path, port, server.ws_url):
            assert await news.get() == "closed 4403"
