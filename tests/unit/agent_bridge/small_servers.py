"""Servers of a few lines on free loopback ports: one that speaks bytes, one that speaks the coordinator's JSON."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(serve: Serve, host: str = "127.0.0.1") -> Iterator[int]:
    """The port of a server that does this with each connection, one after the other, and then closes it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                connection, _ = listener.accept()
                # The client may leave in the middle of it; that is what some tests are about.
                with connection, contextlib.suppress(OSError):
                    if not over.is_set():
                        serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            over.set()
            # By address, since a test may have replaced how names are looked up.
            with socket.socket(family) as last:
                last.connect((host, port))
            thread.join()


def read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of a request with a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    while len(body) < length:
        body += _some(connection)
    return head, body


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the client left")
    return received


def answering(answer: bytes, requests: list[tuple[bytes, bytes]] | None = None) -> Serve:
    """Reads a request, answers it with these bytes, and closes."""

    def serve(connection: socket.socket) -> None:
        request = read_request(connection)
        if requests is not None:
            requests.append(request)
        connection.sendall(answer)

    return serve


@dataclass
class SmallCoordinator:
    """Answers as it was told to; what it was not told of is 404. `url` is where."""

    url: str = ""
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@contextlib.contextmanager
def small_coordinator() -> Iterator[SmallCoordinator]:
    """A coordinator in name, until the end of the block."""
    told = SmallCoordinator()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.authorizations.append(self.headers.get("Authorization"))
            told.requests.append((self.command, self.path, json.loads(body) if body else None))
            status, answer = told.answers.get((self.command, self.path), (404, {"detail": "Not Found"}))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  the name is the base class's

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
