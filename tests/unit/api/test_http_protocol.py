"""A real uvicorn server, on either loop, and clients that send too much, too slowly, or nothing at all."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Self

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from api import http_protocol
from api.doors import SPARE, Doors
from api.http_protocol import FIELDS, HEAD_BYTES, PIPELINED, URL_BYTES, WEBSOCKET_FIELD_BYTES, BoundedProtocol
from api.websocket_protocol import WireProtocol
from tests.unit.both_loops import on_both_loops
from tests.unit.live import eventually

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = b"x" * (8 * 1024 * 1024)


class Site:
    """The server; what its application was asked, and what its bodies were."""

    def __init__(self, doors: Doors | None = None) -> None:
        self.doors = doors or Doors()
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.left = 0
        self.may_answer = asyncio.Event()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        if scope["path"] == "/wait":
            await self.may_answer.wait()
        answer = LARGE if scope["path"] == "/large" else b"ok"
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]}
        )
        await send({"type": "http.response.body", "body": answer[:100], "more_body": True})
        await send({"type": "http.response.body", "body": answer[100:]})

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        # Small buffers, inherited by each connection: one that does not read is noticed soon.
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        self.port: int = listener.getsockname()[1]
        kinds: dict[str, Any] = {
            "http": partial(BoundedProtocol, doors=self.doors), "ws": partial(WireProtocol, doors=self.doors),
        }  # fmt: skip
        config = uvicorn.Config(
            self._app, interface="asgi3", log_config=None, lifespan="off", timeout_keep_alive=30, **kinds
        )
        self.server = uvicorn.Server(config)
        serving = asyncio.create_task(self.server._serve([listener]))
        try:
            await eventually(lambda: self.server.started, "the server")
            yield self
        finally:
            self.may_answer.set()
            self.server.should_exit = self.server.force_exit = True
            for connection in list(self.server.server_state.connections):
                connection.transport.abort()
            await serving


class Client:
    """A connection of bytes."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._site.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            # As packets of their own.
            await asyncio.sleep(0)

    async def drip(self, piece: bytes) -> None:
        """Says it over and over, until nobody listens any more."""
        with suppress(OSError):
            while not self.reader.at_eof() and not self.writer.transport.is_closing():
                await self.say(piece)
                await asyncio.sleep(0.005)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return int(head[0].split()[1]), fields, await self.reader.readexactly(int(fields["content-length"]))

    async def refusal(self) -> tuple[int, str]:
        """The status and the detail; the connection has to be closed after it."""
        status, fields, body = await self.answer()
        assert fields["connection"] == "close"
        assert fields["content-type"] == "application/json"
        await self.end()
        detail: str = json.loads(body)["detail"]
        return status, detail

    async def end(self) -> bytes:
        with suppress(ConnectionError):
            return await self.reader.read()
        return b""


def with_field(size: int) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * size + b"\r\n\r\n"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for long, as far as a test is concerned."""
    for name in "HEAD_SECONDS", "STALL_SECONDS", "LINGER_SECONDS":
        monkeypatch.setattr(http_protocol, name, 0.2)


@on_both_loops
async def test_what_is_within_the_limits_passes_whole_in_pieces_and_in_a_row() -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(GET)
        assert (await client.answer())[0] == 200
        await client.say(*(bytes([byte]) for byte in GET))
        assert (await client.answer())[0] == 200
        await client.say(with_field(HEAD_BYTES - 100))
        assert (await client.answer())[0] == 200
        await client.say(GET * 10)
        assert [(await client.answer())[0] for _ in range(10)] == [200] * 10
        await client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"y" * 60_000, b"y" * 40_000)
        assert (await client.answer())[0] == 200
        chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (n, b"z" * n) for n in range(1, 200))
        await client.say(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, b"0\r\nT: 1\r\n\r\n"
        )
        assert (await client.answer())[0] == 200
        assert [len(body) for body in site.bodies if body] == [100_000, 19_900]


@on_both_loops
async def test_a_head_that_is_too_large_is_refused_whether_it_ends_or_not() -> None:
    async with Site().open() as site:
        for said in (
            [with_field(HEAD_BYTES)],
            [b"GET / HTTP/1.1\r\n", *[b"X: y\r\n" * 1000] * 100],
            [b"GET / HTTP/1.1\r\nX: ", *[b"x" * 4096] * 100],
            [b"GET / HTTP/1.1\r\nX", *[b"x" * 4096] * 100],
        ):
            async with Client(site) as client:
                with suppress(ConnectionError):
                    await client.say(*said)
                status, detail = await client.refusal()
                assert status == 431
                assert f"{HEAD_BYTES} bytes" in detail or f"{FIELDS} header fields" in detail
        async with Client(site) as client:
            await client.say(GET)
            assert (await client.answer())[0] == 200
            await client.say(with_field(HEAD_BYTES))
            assert (await client.refusal())[0] == 431
        await eventually(lambda: site.connections == 0, "the connections to be gone")
        assert len(site.asked) == 1


@on_both_loops
async def test_a_refusal_is_never_taken_for_the_answer_to_the_request_before() -> None:
    async with Site().open() as site:
        for refused in with_field(HEAD_BYTES), b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * URL_BYTES:
            async with Client(site) as client:
                with suppress(ConnectionError):
                    await client.say(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + refused)
                assert await client.end() == b""


@on_both_loops
async def test_too_many_fields_are_refused() -> None:
    async with Site().open() as site:
        for fields, expected in (FIELDS - 1, 200), (FIELDS, 431):
            async with Client(site) as client:
                await client.say(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * fields + b"\r\n")
                assert (await client.answer())[0] == expected


@on_both_loops
async def test_a_url_that_is_too_long_is_refused_whether_it_ends_or_not() -> None:
    async with Site().open() as site:
        async with Client(site) as client:
            await client.say(b"GET /" + b"a" * (URL_BYTES - 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.answer())[0] == 200
        for url in b"/" + b"a" * URL_BYTES, b"/?" + b"a" * URL_BYTES, b"/%" + b"41" * URL_BYTES:
            for rest in b" HTTP/1.1\r\nHost: a\r\n\r\n", b"":
                async with Client(site) as client:
                    await client.say(b"GET " + url + rest)
                    assert await client.refusal() == (414, f"The URL is longer than the limit of {URL_BYTES} bytes")


@on_both_loops
async def test_what_is_not_http_is_told_so_as_json() -> None:
    async with Site().open() as site:
        for said in (
            b"\xff\xfe\r\n\r\n",
            b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02",
        ):
            async with Client(site) as client:
                await client.say(said)
                assert (await client.refusal())[0] == 400
        assert site.asked == []


@on_both_loops
async def test_a_length_that_contradicts_itself_is_refused() -> None:
    """Two servers in a row that read it differently would take one request's body for another request."""
    async with Site().open() as site:
        for fields in (
            b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked, identity", b"Content-Length: -1", b"Content-Length: 5x",
            b"Content-Length: 99999999999999999999999",
        ):  # fmt: skip
            async with Client(site) as client:
                await client.say(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\nhello")
                assert (await client.refusal())[0] == 400, fields


@on_both_loops
async def test_a_head_a_byte_at_a_time_is_given_up(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(b"GET / HTTP/1.1\r\nX: ")
        dripping = asyncio.create_task(client.drip(b"x"))
        status, detail = await client.refusal()
        await dripping
        assert (status, "did not come within" in detail) == (408, True)
        assert site.asked == []


@on_both_loops
async def test_the_next_head_on_a_connection_has_its_time_too(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(GET)
        assert (await client.answer())[0] == 200
        await client.say(b"GET / HTTP/1.1\r\nX: ")
        dripping = asyncio.create_task(client.drip(b"x"))
        assert (await client.refusal())[0] == 408
        await dripping


@on_both_loops
async def test_who_connects_and_says_nothing_or_empty_lines_is_let_go(soon: None) -> None:
    async with Site().open() as site, Client(site) as silent, Client(site) as blank:
        dripping = asyncio.create_task(blank.drip(b"\r\n"))
        assert await silent.end() == b""
        await blank.end()
        await dripping
        await eventually(lambda: site.connections == 0, "the connections to be gone")


@on_both_loops
async def test_a_body_of_which_nothing_comes_any_more_is_given_up(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
        status, detail = await client.refusal()
        assert (status, "of the body" in detail) == (408, True)
        await eventually(lambda: site.left == 1, "the application to hear of it")
        assert site.bodies == []


@on_both_loops
async def test_a_body_that_comes_slowly_is_waited_for(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            # Altogether longer than nothing may come.
            await asyncio.sleep(http_protocol.STALL_SECONDS / 20)
            await client.say(b"x")
        assert (await client.answer())[0] == 200
        assert site.bodies == [b"x" * 40]


@on_both_loops
async def test_an_application_that_thinks_is_not_taken_for_a_slow_client(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        await eventually(lambda: site.asked, "the request")
        await asyncio.sleep(3 * http_protocol.STALL_SECONDS)
        site.may_answer.set()
        assert (await client.answer())[0] == 200


@on_both_loops
async def test_framing_without_a_body_in_it_has_an_end() -> None:
    async with Site().open() as site:
        for endless in b"1;" + b"e" * 4096, b"0\r\n" + b"T: " + b"t" * 4096, b"0\r\n" + b"T: t\r\n" * 1000:
            async with Client(site) as client:
                with suppress(ConnectionError):
                    await client.say(CHUNKED, endless, *[endless.lstrip(b"01;\r\n")] * 200)
                assert (await client.refusal())[0] == 431
        assert site.bodies == []


@on_both_loops
async def test_requests_that_pile_up_behind_one_are_not_kept_without_end() -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + GET * (PIPELINED + 1))
        assert await client.end() == b""
        await eventually(lambda: site.connections == 0, "the connection to be gone")
        assert site.asked == ["/wait"]


@on_both_loops
async def test_who_does_not_read_an_answer_is_let_go(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await client.say(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        await eventually(lambda: site.asked, "the request")
        await eventually(lambda: site.connections == 0, "the connection to be gone")


@on_both_loops
async def test_who_reads_an_answer_slowly_has_all_of_it(soon: None) -> None:
    async with Site().open() as site, Client(site) as client:
        await client.say(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        size = 0
        while data := await client.reader.read(256 * 1024):
            size += len(data)
            await asyncio.sleep(http_protocol.STALL_SECONDS / 20)
        assert size == len(LARGE)


@on_both_loops
async def test_a_full_server_says_so_and_still_hears_stops(caplog: pytest.LogCaptureFixture) -> None:
    async with Site(Doors(most_connections=2)).open() as site, Client(site) as first, Client(site) as second:
        for client in first, second:
            await client.say(GET)
            assert (await client.answer())[0] == 200
        for _ in range(3):
            async with Client(site) as third:
                await third.say(GET)
                status, fields, body = await third.answer()
                assert (status, fields["retry-after"], fields["connection"]) == (503, "1", "close")
                assert "2 connections are open" in json.loads(body)["detail"]
                await third.end()
            await eventually(lambda: site.connections == 2, "the third to be gone")
        async with Client(site) as third:
            await third.say(b"POST /sessions/s/stop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            assert (await third.answer())[0] == 200
        assert caplog.text.count("as many as are taken") == 1
        assert site.asked == ["/", "/", "/sessions/s/stop"]


@on_both_loops
async def test_beyond_those_who_can_be_told_everybody_is_cut_off() -> None:
    async with Site(Doors(most_connections=1)).open() as site:
        clients = [await Client(site).__aenter__() for _ in range(SPARE + 1)]
        await eventually(lambda: site.connections == SPARE + 1, "all to be let in")
        async with Client(site) as last:
            assert await last.end() == b""
        for client in clients:
            client.writer.transport.abort()


@on_both_loops
async def test_websockets_have_a_number_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    async with Site(Doors(most_connections=1, most_websockets=2)).open() as site:
        browsers = [await Client(site).__aenter__() for _ in range(2)]
        for browser in browsers:
            await browser.say(UPGRADE + b"\r\n")
            assert b" 101 " in await browser.reader.readuntil(b"\r\n\r\n")
        for _ in range(2):
            async with Client(site) as third:
                await third.say(UPGRADE + b"\r\n")
                status, fields, body = await third.answer()
                assert (status, fields["retry-after"]) == (503, "1")
                assert "2 WebSockets are open" in json.loads(body)["detail"]
            await eventually(lambda: site.connections == 2, "the third to be gone")
        assert caplog.text.count("WebSockets are open, as many as are taken") == 1
        # They take no connection away from requests.
        async with Client(site) as client:
            await client.say(GET)
            assert (await client.answer())[0] == 200
        browsers[0].writer.transport.abort()
        await eventually(lambda: site.doors.websockets == 1, "one to be gone")
        async with Client(site) as third:
            await third.say(UPGRADE + b"\r\n")
            assert b" 101 " in await third.reader.readuntil(b"\r\n\r\n")
        browsers[1].writer.transport.abort()
        await eventually(lambda: site.doors.websockets == 0, "all to be gone")


@on_both_loops
async def test_a_websocket_is_not_waited_for_like_a_request(soon: None) -> None:
    async with Site().open() as site, Client(site) as browser, Client(site) as silent:
        await browser.say(GET)
        assert (await browser.answer())[0] == 200
        await browser.say(UPGRADE + b"\r\n")
        assert b" 101 " in await browser.reader.readuntil(b"\r\n\r\n")
        # One that was connected later than the WebSocket has been let go by then.
        assert await silent.end() == b""
        async with Client(site) as another:
            assert await another.end() == b""
        assert not browser.reader.at_eof()
        assert site.doors.websockets == 1


@on_both_loops
async def test_a_handshake_is_bounded_like_a_request() -> None:
    async with Site().open() as site:
        for more, expected in (
            (b"X: " + b"x" * (WEBSOCKET_FIELD_BYTES - 1), 101),
            (b"X: " + b"x" * WEBSOCKET_FIELD_BYTES, 431),
            (b"\r\n".join([b"X: y"] * FIELDS), 431),
        ):
            async with Client(site) as client:
                await client.say(UPGRADE + more + b"\r\n\r\n")
                assert int((await client.reader.readuntil(b"\r\n")).split()[1]) == expected
        async with Client(site) as client:
            await client.say(UPGRADE.replace(b"/ws", b"/ws?" + b"a" * (URL_BYTES - 4)) + b"\r\n")
            assert b" 101 " in await client.reader.readuntil(b"\r\n\r\n")
        async with Client(site) as client:
            await client.say(UPGRADE.replace(b"/ws", b"/ws?" + b"a" * URL_BYTES) + b"\r\n")
            assert (await client.answer())[0] == 414
