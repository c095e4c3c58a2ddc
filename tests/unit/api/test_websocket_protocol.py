"""A real uvicorn server, on either loop, with an application that writes frames past ASGI."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from api import websocket_protocol
from api.websocket_protocol import BURST_FRAMES, TOO_MUCH, WireProtocol, wire_of
from tests.unit.both_loops import on_both_loops
from tests.unit.live import eventually
from tests.wires import RawBrowser

KIB = 1024
# More than the kernel and the transport hold for a browser with a small window.
FLOOD = b"x" * (64 * KIB)
SMALL_BUFFER = 4 * KIB


def frame(text: bytes) -> bytes:
    return Frame(Opcode.TEXT, text).serialize(mask=False)


class Visit:
    """One browser as the application sees it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.asgi_send = send
        self.found = wire_of(scope)
        self.received: list[Message] = []
        self.disconnected = asyncio.Event()
        self.calls = 0

    @property
    def wire(self) -> WireProtocol:
        assert self.found is not None
        return self.found

    async def say(self, text: bytes) -> None:
        """By ASGI."""
        await self.asgi_send({"type": "websocket.send", "text": text.decode()})

    def heard_room(self) -> None:
        self.calls += 1


class Site:
    """The application and the server."""

    def __init__(self, **config: Any) -> None:
        self.visits: list[Visit] = []
        how: dict[str, Any] = {"ws": WireProtocol, "ws_per_message_deflate": False, "lifespan": "off"}
        self._config = uvicorn.Config(self._app, interface="asgi3", log_config=None, **(how | config))

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope, send)
        if visit.found is not None:
            visit.found.on_ready = visit.heard_room
            assert not visit.found.ready, "a wire that is not accepted yet is not ready"
        await receive()
        await send({"type": "websocket.accept"})
        self.visits.append(visit)
        while (message := await receive())["type"] != "websocket.disconnect":
            visit.received.append(message)
        visit.received.append(message)
        visit.disconnected.set()

    async def visit(self) -> Visit:
        """The newest browser, once the application has let it in."""
        await eventually(lambda: self.visits, "a browser")
        return self.visits[-1]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Site"]:
        listener = socket.create_server(("127.0.0.1", 0))
        scheme = "wss" if self._config.is_ssl else "ws"
        self.url = f"{scheme}://localhost:{listener.getsockname()[1]}/"
        server = uvicorn.Server(self._config)
        serving = asyncio.create_task(server._serve([listener]))
        try:
            await eventually(lambda: server.started, "the server")
            yield self
        finally:
            server.should_exit = server.force_exit = True
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            await serving


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that does not take its close is cut off at once, as far as a test is concerned."""
    monkeypatch.setattr(websocket_protocol, "CLOSE_SECONDS", 0.2)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


async def stall(visit: Visit) -> int:
    """Writes until the browser's wire is not ready any more; returns how many frames that took."""
    written = 0
    while visit.wire.ready:
        visit.wire.write(frame(b"%d " % written + FLOOD))
        written += 1
        # The kernel takes some of it now and then.
        await asyncio.sleep(0)
        assert written < 1000
    return written


@on_both_loops
async def test_direct_frames_and_asgi_sends_keep_their_order() -> None:
    async with Site().open() as site, connect(site.url, proxy=None) as browser:
        visit = await site.visit()
        for n in range(0, 300, 3):
            await visit.say(b"%d" % n)
            visit.wire.write(frame(b"%d" % (n + 1)) + frame(b"%d" % (n + 2)))
        assert [await browser.recv() for _ in range(300)] == [str(n) for n in range(300)]


@on_both_loops
async def test_a_close_comes_with_its_code_behind_all_that_was_written() -> None:
    async with Site().open() as site, connect(site.url, proxy=None) as browser:
        visit = await site.visit()
        for n in range(50):
            visit.wire.write(frame(b"%d " % n + FLOOD))
        visit.wire.end(4008)
        assert (visit.wire.open, visit.wire.ready) == (False, False)
        visit.wire.end(4009)
        for n in range(50):
            assert (await browser.recv())[:3].strip("x ") == str(n)
        with pytest.raises(ConnectionClosed) as closed:
            await browser.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4008
        await visit.disconnected.wait()


@on_both_loops
async def test_a_browser_that_never_reads_is_not_ready_and_is_cut_off_when_it_is_closed(soon: None) -> None:
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        await stall(visit)
        assert (visit.wire.open, visit.wire.ready) == (True, False)
        began = asyncio.get_running_loop().time()
        visit.wire.end(4008)
        assert not visit.disconnected.is_set()
        await asyncio.wait_for(visit.disconnected.wait(), 5)
        assert 0.1 < asyncio.get_running_loop().time() - began < 3
        await browser.to_the_end()


@on_both_loops
async def test_a_browser_that_reads_late_but_in_time_gets_everything_and_the_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_protocol, "CLOSE_SECONDS", 30)
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        written = await stall(visit)
        visit.wire.end(4008)
        await browser.until(lambda: browser.close_code is not None, "the close")
        assert [int(text.split()[0]) for text in browser.texts] == list(range(written))
        assert browser.close_code == 4008
        await browser.answer()
        await browser.to_the_end()
        await visit.disconnected.wait()


@on_both_loops
async def test_the_application_is_told_when_a_slow_browser_has_room_again() -> None:
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        total = 0
        for _ in range(3):
            total += await stall(visit)
            calls = visit.calls
            await browser.until(lambda: visit.wire.ready, "room")
            assert visit.calls == calls + 1
        await browser.until(lambda: len(browser.texts) == total, "all of it")


@on_both_loops
async def test_what_is_written_from_the_call_that_there_is_room_stays_in_order() -> None:
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        waiting = [frame(b"%d " % n + FLOOD) for n in range(1000, 1040)]

        def more() -> None:
            while waiting and visit.wire.ready:
                visit.wire.write(waiting.pop(0))

        visit.wire.on_ready = more
        written = await stall(visit)
        await browser.until(lambda: len(browser.texts) == written + 40, "all of it")
        assert [int(text.split()[0]) for text in browser.texts] == [*range(written), *range(1000, 1040)]


@on_both_loops
async def test_a_browser_that_closes_first_is_answered_and_writing_on_is_harmless() -> None:
    async with Site().open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        browser.protocol.send_close(1000, "enough")
        await browser.answer()
        await visit.disconnected.wait()
        assert (visit.wire.open, visit.wire.ready) == (False, False)
        assert visit.received[-1]["code"] == 1000
        visit.wire.end(4008)
        await browser.to_the_end()
        assert browser.close_code == 1000


@on_both_loops
async def test_both_sides_may_close_at_once(soon: None) -> None:
    async with Site().open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        browser.protocol.send_close(1000)
        data = b"".join(browser.protocol.data_to_send())
        visit.wire.end(4008)
        await browser.send(data)
        await browser.to_the_end()
        await visit.disconnected.wait()
        assert browser.close_code == 4008


@on_both_loops
@pytest.mark.parametrize("stalled", [False, True])
async def test_a_browser_that_vanishes_is_noticed(stalled: bool) -> None:
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        if stalled:
            await stall(visit)
        browser.vanish()
        await visit.disconnected.wait()
        assert (visit.wire.open, visit.wire.ready) == (False, False)
        visit.wire.end(4008)
        assert visit.wire.on_ready is not visit.heard_room, "a wire that is gone holds nobody"


@on_both_loops
async def test_a_browser_that_never_answers_its_close_is_cut_off(soon: None) -> None:
    async with Site().open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        visit.wire.end(1012)
        await browser.to_the_end()
        assert browser.close_code == 1012
        await visit.disconnected.wait()


@on_both_loops
async def test_a_close_is_heard_although_nobody_takes_what_the_browser_sent(soon: None) -> None:
    async with Site().open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        for _ in range(20):
            await browser.say(Opcode.TEXT, b"chatter")
        visit.wire.end(1012)
        for _ in range(20):
            await browser.say(Opcode.TEXT, b"more chatter")
        await browser.until(lambda: browser.close_code is not None, "the close")
        await browser.answer()
        await browser.to_the_end()
        await visit.disconnected.wait()


@on_both_loops
async def test_pings_are_answered_between_direct_frames() -> None:
    async with Site().open() as site, connect(site.url, proxy=None) as browser:
        visit = await site.visit()
        for n in range(30):
            visit.wire.write(frame(b"%d" % n))
            pong = await browser.ping(b"ping %d" % n)
            visit.wire.write(frame(b"and %d" % n))
            assert await browser.recv() == str(n)
            await pong
            assert await browser.recv() == f"and {n}"


@on_both_loops
async def test_the_servers_own_pings_go_between_direct_frames_and_corrupt_none() -> None:
    async with Site(ws_ping_interval=0.01, ws_ping_timeout=20).open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        written = 0

        def pings() -> int:
            return sum(frame.opcode is Opcode.PING for frame in browser.frames)

        while pings() < 20:
            for _ in range(5):
                visit.wire.write(frame(b"%d" % written))
                written += 1
            await browser.read()
            await browser.answer()
        await browser.until(lambda: len(browser.texts) == written, "all of it")
        assert [int(text) for text in browser.texts] == list(range(written))


@on_both_loops
async def test_a_browser_that_answers_no_ping_is_closed() -> None:
    async with Site(ws_ping_interval=0.02, ws_ping_timeout=0.1).open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        await browser.to_the_end()
        assert browser.close_code == 1011
        await visit.disconnected.wait()


@on_both_loops
@pytest.mark.parametrize("why", ["keepalive", "end of file", "its own close", "shutdown"])
async def test_a_stalled_browser_is_gone_soon_after_its_transport_was_closed(why: str, soon: None) -> None:
    """Closing a transport waits until its buffer is taken; nobody takes it, so it would stay for ever."""
    pings = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.2} if why == "keepalive" else {}
    async with Site(**pings).open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        await stall(visit)
        if why == "end of file":
            browser.socket.shutdown(socket.SHUT_WR)
        elif why == "its own close":
            browser.protocol.send_close(1000)
            await browser.answer()
        elif why == "shutdown":
            # What uvicorn does with each connection when it stops.
            visit.wire.shutdown()
        await eventually(lambda: not visit.wire.open, "the transport to be closed")
        async with asyncio.timeout(5):
            await eventually(lambda: visit.wire.disconnected, "the connection to be lost")
        await visit.disconnected.wait()


@on_both_loops
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
async def test_frames_of_every_length_arrive_whole(size: int) -> None:
    async with Site().open() as site, connect(site.url, proxy=None, max_size=None) as browser:
        visit = await site.visit()
        visit.wire.write(frame(b"<") + frame(b"x" * size) + frame(b">"))
        await visit.say(b"y" * size)
        assert [await browser.recv() for _ in range(4)] == ["<", "x" * size, ">", "y" * size]


@on_both_loops
@pytest.mark.parametrize("piece", [1, 3, 7])
async def test_a_browser_that_reads_a_few_bytes_at_a_time_gets_all_in_order(piece: int) -> None:
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        sizes = [0, 1, 124, 125, 126, 127, 300, 1500]
        for size in sizes:
            visit.wire.write(frame(b"a" * size))
            await visit.say(b"b" * size)
        visit.wire.end(4009)
        await browser.until(lambda: browser.close_code is not None, "the close", piece=piece)
        assert [len(text) for text in browser.texts] == [size for size in sizes for _ in "ab"]
        assert browser.close_code == 4009


@on_both_loops
async def test_a_message_in_fragments_with_pings_between_reaches_the_application_whole() -> None:
    async with Site().open() as site, RawBrowser(site.url) as browser:
        visit = await site.visit()
        await browser.say(Opcode.TEXT, b"one ", fin=False)
        await browser.say(Opcode.PING, b"?")
        visit.wire.write(frame(b"meanwhile"))
        await browser.say(Opcode.CONT, b"two ", fin=False)
        for byte in Frame(Opcode.CONT, b"three").serialize(mask=True):
            await browser.send(bytes([byte]))
        await eventually(lambda: visit.received, "the message")
        assert visit.received == [{"type": "websocket.receive", "text": "one two three"}]
        await browser.until(lambda: len(browser.frames) == 2, "the pong")
        assert {bytes(frame.data) for frame in browser.frames} == {b"?", b"meanwhile"}


def mask(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


@on_both_loops
async def test_a_browser_that_sends_without_end_is_let_go_and_costs_nothing(soon: None) -> None:
    floods = {
        "pings": [mask(Opcode.PING, b"?" * 125)],
        "pongs": [mask(Opcode.PONG)],
        "messages": [mask(Opcode.TEXT, b"x")],
        "fragments": [mask(Opcode.TEXT, fin=False), *[mask(Opcode.CONT, fin=False)] * 10_000],
    }
    async with Site().open() as site:
        for name, frames in floods.items():
            async with RawBrowser(site.url) as browser:
                await eventually(lambda: site.visits, "the browser")
                visit = site.visits.pop()
                flood = b"".join(frames * (2 * BURST_FRAMES if len(frames) == 1 else 1))
                with suppress(ConnectionError):
                    await browser.send(flood)
                await asyncio.wait_for(visit.disconnected.wait(), 10)
                assert visit.wire.ended_with == TOO_MUCH, name
                # And what the time since then brings.
                assert len(visit.received) < 1.5 * BURST_FRAMES, name
                assert len(visit.wire.frames) == 0, name


@on_both_loops
async def test_a_browser_that_sends_now_and_then_may_do_so_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "BURST_FRAMES", 2000)
    monkeypatch.setattr(websocket_protocol, "FRAMES_PER_SECOND", 10**6)
    async with Site().open() as site, connect(site.url, proxy=None) as browser:
        visit = await site.visit()
        for _ in range(3000):
            await (await browser.ping())
        assert visit.wire.ready


@on_both_loops
async def test_pings_of_a_browser_that_does_not_read_are_not_answered_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket_protocol, "BURST_FRAMES", 10**9)
    async with Site().open() as site, RawBrowser(site.url, buffer_bytes=SMALL_BUFFER) as browser:
        visit = await site.visit()
        await stall(visit)
        held = visit.wire.transport.get_write_buffer_size()
        await browser.send(mask(Opcode.PING, b"?" * 125) * 5000 + mask(Opcode.TEXT, b"after them"))
        await eventually(lambda: visit.received, "the message after the pings")
        assert visit.wire.transport.get_write_buffer_size() <= held


@on_both_loops
async def test_what_is_no_websocket_frame_ends_the_connection_and_nobody_elses() -> None:
    async with Site().open() as site, connect(site.url, proxy=None) as other:
        kept = await site.visit()
        async with RawBrowser(site.url) as browser:
            await eventually(lambda: len(site.visits) == 2, "the second browser")
            await browser.send(b"\xff" * 64)
            await browser.to_the_end()
            assert browser.close_code == 1002
            await site.visits[1].disconnected.wait()
            assert not site.visits[1].wire.ready
        kept.wire.write(frame(b"still here"))
        assert await other.recv() == "still here"


@on_both_loops
async def test_over_tls_frames_and_the_close_arrive_in_order(certificate: tuple[Path, Path]) -> None:
    trust = ssl.create_default_context(cafile=certificate[0])
    how = {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
    async with Site(**how).open() as site, connect(site.url, ssl=trust, proxy=None) as browser:
        visit = await site.visit()
        assert visit.wire.ready
        for n in range(40):
            visit.wire.write(frame(b"%d " % (2 * n) + FLOOD))
            await visit.say(b"%d " % (2 * n + 1))
        visit.wire.end(4008)
        assert [int((await browser.recv()).split()[0]) for _ in range(80)] == list(range(80))
        with pytest.raises(ConnectionClosed) as closed:
            await browser.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4008
        await visit.disconnected.wait()


@on_both_loops
async def test_over_tls_too_a_browser_that_never_reads_is_cut_off(certificate: tuple[Path, Path], soon: None) -> None:
    trust = ssl.create_default_context(cafile=certificate[0])
    how = {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}
    unread = {"max_queue": 1, "ping_interval": None, "close_timeout": 0.1}
    async with Site(**how).open() as site, connect(site.url, ssl=trust, proxy=None, **unread):
        visit = await site.visit()
        await stall(visit)
        visit.wire.end(4008)
        await asyncio.wait_for(visit.disconnected.wait(), 5)


@on_both_loops
async def test_under_another_protocol_there_is_no_wire_and_asgi_is_the_way() -> None:
    async with Site(ws="websockets-sansio").open() as site, connect(site.url, proxy=None) as browser:
        visit = await site.visit()
        assert visit.found is None
        await visit.say(b"hello")
        assert await browser.recv() == "hello"


def test_a_scope_without_state_has_no_wire() -> None:
    assert wire_of({"type": "websocket"}) is None
    assert wire_of({"type": "websocket", "state": {}}) is None
