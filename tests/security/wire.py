"""HTTP over a bare socket: what no proper client would send, and every answer that comes back."""

import contextlib
import socket
from dataclasses import dataclass

from tests.processes import DEADLINE_SECONDS

LINE = b"\r\n"
CUT_OFF = "cut off"
"""How a request was refused whose connection was closed without an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. headers: in order, names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of a header; None without it."""
        values = [value for known, value in self.headers if known == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None


def request(
    method: str, target: str | bytes, *headers: str | bytes, body: bytes = b"", host: str = "localhost"
) -> bytes:
    """A request's bytes, its last on the connection unless a header says otherwise.

    A body has its length in front unless the headers have their own idea of it.
    """
    said = [header.encode("latin-1") if isinstance(header, str) else header for header in headers]
    names = {header.partition(b":")[0].strip().lower() for header in said}
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target.encode("latin-1") if isinstance(target, str) else target)]
    if b"host" not in names and host:
        lines.append(b"Host: " + host.encode("latin-1"))
    if body and not names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    if b"connection" not in names:
        lines.append(b"Connection: close")
    return LINE.join([*lines, *said, b"", b""]) + body


def exchange(port: int, sent: bytes) -> list[Answer]:
    """All answers until the server closes the connection. Raises AssertionError if it never does."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS) as connection:
        received = b""
        # A server that refuses may close before it has read everything.
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise AssertionError(f"the connection stayed open after {received[:200]!r}") from None
    return list(answers_in(received))


def status_of(answers: list[Answer]) -> int | str:
    """The only answer's status."""
    assert len(answers) <= 1, f"{len(answers)} answers"
    return answers[0].status if answers else CUT_OFF


def answers_in(received: bytes) -> list[Answer]:
    """The responses in a connection's bytes, interim ones left out. Raises AssertionError for what is none."""
    found = []
    while received:
        head, blank, received = received.partition(LINE * 2)
        assert blank, f"an answer is broken off: {head[:200]!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ")
        assert version == "HTTP/1.1", f"this is no answer: {first[:200]!r}"
        headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        if status == "100":
            continue
        body, received = _body(int(status), dict(headers), received)
        found.append(Answer(int(status), headers, body))
    return found


def _body(status: int, headers: dict[str, str], received: bytes) -> tuple[bytes, bytes]:
    if status in (204, 304):
        return b"", received
    if headers.get("transfer-encoding") != "chunked":
        size = int(headers["content-length"])
        return received[:size], received[size:]
    body = b""
    while True:
        line, _, received = received.partition(LINE)
        size = int(line, 16)
        body, received = body + received[:size], received[size + 2 :]
        if not size:
            return body, received
