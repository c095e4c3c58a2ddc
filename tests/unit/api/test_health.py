import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.health import ask, is_healthy
from tests.processes import free_port


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """A server with one answer; yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("body", "healthy"),
    [
        (b'{"status": "healthy", "service": "coordinator"}', True),
        (b'{"status": "ill"}', False),
        (b"[1]", False),
        (b"<html>", False),
        (b"\xff", False),
    ],
)
def test_only_what_says_that_it_is_healthy_is(body: bytes, healthy: bool) -> None:
    with answering(200, body) as port:
        assert is_healthy("127.0.0.1", port) is healthy


def test_a_server_that_listens_everywhere_is_asked_here() -> None:
    with answering(200, b'{"status": "healthy"}') as port:
        assert is_healthy("0.0.0.0", port)  # noqa: S104 - nothing is bound here


def test_nobody_is_not_healthy() -> None:
    port = free_port()
    assert not is_healthy("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        ask("127.0.0.1", port)
