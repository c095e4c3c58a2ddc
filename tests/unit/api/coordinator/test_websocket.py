"""What a browser may ask for in its handshake, and how it is served from there to its close."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from starlette.datastructures import QueryParams
from starlette.types import Message, Scope

from api.coordinator import websocket
from api.coordinator.outbox import INTERNAL_ERROR, START_OVER, Batch, Outbox
from api.coordinator.relay import Relay
from api.coordinator.websocket import BAD_REQUEST, InvalidQuery, read_query, serve_browser
from tests.unit.live import eventually
from tests.wires import MemoryWire


def test_nothing_asked_is_everything_from_now_on() -> None:
    outbox = read_query(QueryParams(""), 1000)
    assert (outbox.sessions, outbox.since, outbox.epoch, outbox.limit) == (frozenset(), None, None, 1000)


def test_a_position_and_sessions_can_be_asked_for() -> None:
    outbox = read_query(QueryParams("since=12&epoch=ab&session_id=a&session_id=b%2Cc&other=1"), 1000)
    assert (outbox.sessions, outbox.since, outbox.epoch) == (frozenset({"a", "b,c"}), 12, "ab")


def test_only_who_asks_is_told_of_a_resumption() -> None:
    assert read_query(QueryParams("since=12&resumed=1"), 1000).tell_resumed
    assert not read_query(QueryParams("since=12"), 1000).tell_resumed


@pytest.mark.parametrize(
    "query",
    ["since=", "since=-1", "since=1.5", "since=x", "since=%C2%B2", "since=" + "9" * 17, "session_id=",
     "session_id=" + "x" * 201, "&".join(f"session_id={n}" for n in range(101))],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_in_words_that_fit_a_close_frame(query: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        read_query(QueryParams(query), 1000)
    assert 0 < len(str(refusal.value).encode()) <= 123


class OneBrowser:
    """A relay for one browser, which does what a test says once it has joined."""

    def __init__(self, play: Callable[[Outbox], Awaitable[None]]) -> None:
        self._play = play
        self.outbox: Outbox | None = None
        self.ended = False

    @contextmanager
    def connected(self, outbox: Outbox) -> Iterator[None]:
        self.outbox = outbox
        try:
            yield
        finally:
            outbox.leave()

    async def join(self, outbox: Outbox) -> None:
        try:
            await self._play(outbox)
        finally:
            self.ended = True


class ReadyWire(MemoryWire):
    """A wire in memory that can be told of room, as the real one is."""

    on_ready: Callable[[], None]


class Server:
    """The server's side of one WebSocket, by ASGI; `wire` is what it offers beside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wire: ReadyWire | None = None) -> None:
        self.sent: list[Message] = []
        self.said: asyncio.Queue[Message] = asyncio.Queue()
        self.said.put_nowait({"type": "websocket.connect"})
        monkeypatch.setattr(websocket, "wire_of", lambda _: wire)

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.leave()

    def leave(self) -> None:
        self.said.put_nowait({"type": "websocket.disconnect", "code": 1005})

    def serve(self, relay: OneBrowser, query: bytes = b"") -> "asyncio.Task[None]":
        scope: Scope = {"type": "websocket", "query_string": query}
        served = serve_browser(scope, self.said.get, self.send, cast(Relay, relay), buffer_bytes=1000)
        return asyncio.create_task(served)


async def two_messages(outbox: Outbox) -> None:
    outbox.put(Batch([b'{"n":1}', b'{"n":2}']))


async def test_without_a_wire_messages_and_the_close_go_by_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(outbox: Outbox) -> None:
        await two_messages(outbox)
        outbox.close(START_OVER)

    server = Server(monkeypatch)
    await asyncio.wait_for(server.serve(OneBrowser(play)), 5)
    assert server.sent == [
        {"type": "websocket.accept"},
        {"type": "websocket.send", "text": '{"n":1}'},
        {"type": "websocket.send", "text": '{"n":2}'},
        {"type": "websocket.close", "code": START_OVER},
    ]


async def test_with_a_wire_nothing_but_the_handshake_goes_by_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = ReadyWire(takes=0)
    server = Server(monkeypatch, wire)
    relay = OneBrowser(two_messages)
    serving = server.serve(relay)
    await eventually(lambda: relay.ended, "the messages")
    assert wire.writes == []
    wire.takes = None
    wire.on_ready()
    assert wire.texts == [b'{"n":1}', b'{"n":2}']
    server.leave()
    await asyncio.wait_for(serving, 5)
    assert server.sent == [{"type": "websocket.accept"}]
    assert relay.outbox is not None
    assert relay.outbox.gone


@pytest.mark.parametrize("wire", [None, ReadyWire()], ids=["asgi", "wire"])
async def test_a_failure_is_logged_and_told_as_1011(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wire: ReadyWire | None
) -> None:
    async def fail(_: Outbox) -> None:
        raise RuntimeError("not foreseen")

    server = Server(monkeypatch, wire)
    serving = server.serve(OneBrowser(fail))
    if wire is not None:
        await eventually(lambda: wire.codes, "the close")
        assert wire.codes == [INTERNAL_ERROR]
        server.leave()
    await asyncio.wait_for(serving, 5)
    assert wire is not None or server.sent[-1] == {"type": "websocket.close", "code": INTERNAL_ERROR}
    assert "not foreseen" in caplog.text


@pytest.mark.parametrize("wire", [None, ReadyWire()], ids=["asgi", "wire"])
async def test_what_a_browser_sends_is_ignored_and_its_leaving_ends_everything(
    monkeypatch: pytest.MonkeyPatch, wire: ReadyWire | None
) -> None:
    async def for_ever(_: Outbox) -> None:
        await asyncio.Event().wait()

    server, relay = Server(monkeypatch, wire), OneBrowser(for_ever)
    serving = server.serve(relay)
    for _ in range(3):
        server.said.put_nowait({"type": "websocket.receive", "text": "chatter"})
    await eventually(lambda: server.said.empty(), "the chatter to be read")
    assert not serving.done()
    server.leave()
    await asyncio.wait_for(serving, 5)
    assert relay.ended


async def test_a_query_that_can_not_be_meant_is_closed_with_4400_and_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, relay = Server(monkeypatch, ReadyWire()), OneBrowser(two_messages)
    await asyncio.wait_for(server.serve(relay, b"since=x"), 5)
    accept, close = server.sent
    assert (accept["type"], close["code"], "since" in close["reason"]) == ("websocket.accept", BAD_REQUEST, True)
    assert relay.outbox is None
