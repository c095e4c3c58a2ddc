"""What a browser sends over its WebSocket, where nothing is expected of it."""

import contextlib
import struct

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from api.serving import LARGEST_WEBSOCKET_MESSAGE
from api.websocket_protocol import BURST_FRAMES, TOO_MUCH
from tests.processes import DEADLINE_SECONDS
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System

GROUP: Attacks = {}
TOO_LARGE, NO_WEBSOCKET = 1009, 1002


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as a browser writes it."""
    return Frame(opcode, data, fin).serialize(mask=True)


def packed(data: bytes) -> bytes:
    """A text that says that it is compressed, which was not agreed upon."""
    first, *others = frame(Opcode.TEXT, data)
    return bytes([first | 0x40, *others])


def announced(size: int) -> bytes:
    """The beginning of a text of that size, of which nothing follows."""
    return b"\x81\xff" + struct.pack("!Q", size) + b"mask"


def closed_with(system: System, sent: bytes) -> int | str:
    """The code with which a browser is closed that sends this."""
    with connect(system.coordinator.ws_url, max_size=None) as browser:
        browser.recv(timeout=DEADLINE_SECONDS)
        with contextlib.suppress(ConnectionError):
            browser.socket.sendall(sent)
        try:
            while True:
                browser.recv(timeout=DEADLINE_SECONDS)
        except ConnectionClosed:
            return browser.protocol.close_code or "no code"
        except TimeoutError:
            return "open"


def hears(browser: ClientConnection, system: System, text: str) -> bool:
    """Whether a browser is told what is reported now."""
    assert system.report("s-frames", event_type="message", text=text).is_success
    while text not in str(browser.recv(timeout=DEADLINE_SECONDS)):
        pass
    return True


@into(GROUP, "large-frame", "a message of a browser's that is too large, however it is cut or announced")
def large_frame(system: System, tries: Tries) -> None:
    large = b"x" * (LARGEST_WEBSOCKET_MESSAGE + 1)
    half = large[: len(large) // 2 + 1]
    with connect(system.coordinator.ws_url, max_size=None) as other:
        for what, sent, code in (
            ("a text", frame(Opcode.TEXT, large), TOO_LARGE),
            ("bytes", frame(Opcode.BINARY, large), TOO_LARGE),
            ("two halves", frame(Opcode.TEXT, half, fin=False) + frame(Opcode.CONT, half), TOO_LARGE),
            ("halves without an end", frame(Opcode.TEXT, half, fin=False) + frame(Opcode.CONT, half, fin=False),
             TOO_LARGE),
            ("many pieces", frame(Opcode.BINARY, b"", fin=False) + frame(Opcode.CONT, b"x" * 100, fin=False) * 200,
             TOO_LARGE),
            ("one that is announced", announced(len(large)), TOO_LARGE),
            ("one of an exabyte", announced(2**60), TOO_LARGE),
            ("one of no size that there is", announced(2**63), TOO_LARGE),
            ("one that is packed", packed(b"x"), NO_WEBSOCKET),
            ("a ping", b"\x89\xfe" + struct.pack("!H", 126) + b"mask" + b"x" * 126, NO_WEBSOCKET),
        ):  # fmt: skip
            tries.refuse(what, closed_with(system, sent), code)
        tries.control("others hear what is reported", works=hears(other, system, "beside large frames"))
        other.send("x" * LARGEST_WEBSOCKET_MESSAGE)
        other.send([half[:-2].decode(), half[:-2].decode()])
        tries.control("a message of just the limit does no harm", works=hears(other, system, "after a large one"))


@into(GROUP, "frame-flood", "a browser that sends without end")
def frame_flood(system: System, tries: Tries) -> None:
    many = 10 * BURST_FRAMES
    with connect(system.coordinator.ws_url, max_size=None) as other:
        for what, sent in (
            ("texts", frame(Opcode.TEXT, b"x") * many),
            ("empty texts", frame(Opcode.TEXT) * many),
            ("bytes", frame(Opcode.BINARY, b"\x00") * many),
            ("pings", frame(Opcode.PING, b"x" * 125) * many),
            ("pongs that nobody asked for", frame(Opcode.PONG) * many),
            ("pieces without an end", frame(Opcode.TEXT, b"", fin=False) + frame(Opcode.CONT, fin=False) * many),
            ("pings between pieces",
             frame(Opcode.TEXT, b"", fin=False) + (frame(Opcode.PING) + frame(Opcode.CONT, fin=False)) * many),
        ):  # fmt: skip
            tries.refuse(what, closed_with(system, sent), TOO_MUCH)
        tries.control("others hear what is reported", works=hears(other, system, "beside a flood of frames"))
        for _ in range(BURST_FRAMES // 2):
            other.send("x")
        tries.control("some hundred do no harm", works=hears(other, system, "after some frames"))
