"""A real server process over small applications."""

import signal
from pathlib import Path

import httpx
import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from api import serving
from api.programs import SERVER_GRACE_SECONDS, SUPERVISOR_GRACE_SECONDS
from tests.processes import Process, free_port, wait_until

APPLICATION = """
import asyncio, sys
from agent_bus.settings import Settings
from api import listening, logs, serving
from api.serving import Served, serve

sockets = set()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], flush=True)
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        sockets.add(send)
        await send({"type": "websocket.send", "text": "hello"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

async def farewell():
    for send in sockets:
        await send({"type": "websocket.send", "text": "flushed"})
        await send({"type": "websocket.close", "code": 1012})
    print("drained", flush=True)

async def fail():
    raise RuntimeError("no farewell")

async def never():
    await asyncio.sleep(3600)

serving.DRAIN_SECONDS = float(sys.argv[3])
drain = {"farewell": farewell, "fail": fail, "never": never, "bare": None}[sys.argv[1]]
logs.configure()
serve(lambda settings: Served(app, drain) if drain else app, Settings(), listening.bind("127.0.0.1", int(sys.argv[2])))
print("served", flush=True)
"""


class Application(Process):
    def __init__(self, folder: Path, drain: str, drain_seconds: float = 5) -> None:
        self.port = free_port()
        super().__init__(["-c", APPLICATION, drain, str(self.port), str(drain_seconds)], {}, folder / "log")
        wait_until(lambda: "lifespan.startup" in self.output, "the application to start")

    def connect(self) -> websockets.sync.client.ClientConnection:
        return websockets.sync.client.connect(f"ws://127.0.0.1:{self.port}/", proxy=None)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_clean_in_the_order_drain_then_lifespan(tmp_path: Path, sig: signal.Signals) -> None:
    with Application(tmp_path, "farewell") as application:
        assert httpx.get(f"http://127.0.0.1:{application.port}").text == "ok"
        assert application.stop(sig) == 0
        lines = [line for line in application.output.splitlines() if "INFO" not in line]
        assert lines == ["lifespan.startup", "drained", "lifespan.shutdown", "served"]


def test_browsers_get_what_is_buffered_and_then_the_code_that_the_application_chose(tmp_path: Path) -> None:
    with Application(tmp_path, "farewell") as application, application.connect() as browser:
        assert browser.recv() == "hello"
        application.popen.terminate()
        assert browser.recv() == "flushed"
        with pytest.raises(ConnectionClosed) as closed:
            browser.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


def test_nobody_new_is_let_in_while_the_others_are_seen_off(tmp_path: Path) -> None:
    with Application(tmp_path, "never", 3600) as application:
        application.popen.terminate()

        def refused() -> bool:
            try:
                httpx.get(f"http://127.0.0.1:{application.port}")
            except httpx.ConnectError:
                return True
            return False

        wait_until(refused, "new connections to be refused")
        assert application.popen.poll() is None
        application.kill()


@pytest.mark.parametrize(("drain", "said"), [("fail", "no farewell"), ("never", "were not seen off within")])
def test_a_farewell_that_fails_or_hangs_does_not_keep_the_server(tmp_path: Path, drain: str, said: str) -> None:
    with Application(tmp_path, drain, 0.05) as application:
        assert application.stop() == 0
        assert said in application.output
        assert "lifespan.shutdown" in application.output


def test_a_bare_application_is_served_without_telling_what_serves_it(tmp_path: Path) -> None:
    with Application(tmp_path, "bare") as application:
        answer = httpx.get(f"http://127.0.0.1:{application.port}")
        assert "server" not in answer.headers
        assert application.stop() == 0


def test_a_browser_that_sends_much_is_let_go(tmp_path: Path) -> None:
    with Application(tmp_path, "bare") as application, application.connect() as browser:
        assert browser.recv() == "hello"
        browser.send("x" * (serving.LARGEST_WEBSOCKET_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as closed:
            browser.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_the_supervisor_gives_servers_the_time_that_they_may_take() -> None:
    assert SUPERVISOR_GRACE_SECONDS > SERVER_GRACE_SECONDS > serving.DRAIN_SECONDS + serving.GRACEFUL_SECONDS
