"""HTTP as cheaply as a load generator needs it: one request at a time, answers that tell their length."""

import socket

TIMEOUT_SECONDS = 20.0


class ServerClosed(Exception):
    """The server closed a connection that was to be kept."""


def request_bytes(port: int, method: str, path: str, body: str = "", content_type: str = "application/json") -> bytes:
    """A request as it goes over the wire."""
    data = body.encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n"
    if data or method in ("POST", "PATCH"):
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


class KeptAlive:
    """A connection that stays open from one request to the next."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def send(self, request: bytes) -> None:
        """Sends a request; `read` its answer before the next."""
        self.socket.sendall(request)

    def read(self) -> tuple[int, bytes] | None:
        """Reads what is there: status and body once the answer is complete, else None. Raises ServerClosed."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ServerClosed(f"the server on port {self.port} closed a connection")
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return None
        self._received.clear()
        return int(head[9:12]), bytes(body)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Sends a request and waits for its answer."""
        self.send(request)
        while (answer := self.read()) is None:
            pass
        return answer

    def close(self) -> None:
        """Hangs up."""
        self.socket.close()
