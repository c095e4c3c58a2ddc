"""`GET /metrics`, `/health` and `/ready` of a worker, in a thread beside its work."""

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST

from workers.metrics import OK, Pulse, WorkerMetrics, close_in_children

# Scrapers ask one thing and read the answer; who does not is not waited for.
PATIENCE_SECONDS = 5.0

Answer = tuple[int, str, bytes]


def answers(metrics: WorkerMetrics, pulse: Pulse) -> dict[str, Callable[[], Answer]]:
    """What is answered to each path."""

    def health() -> Answer:
        return _json(200, {"status": "healthy", "service": "worker"})

    def ready() -> Answer:
        checks = pulse.checks()
        wrong = [found for found in checks.values() if found != OK]
        if wrong:
            return _json(503, {"detail": "; ".join(wrong), "status": "not ready", "checks": checks})
        return _json(200, {"status": "ready", "checks": checks})

    return {"/metrics": lambda: (200, CONTENT_TYPE_LATEST, metrics.text()), "/health": health, "/ready": ready}


def serve(host: str, port: int, metrics: WorkerMetrics, pulse: Pulse) -> ThreadingHTTPServer:
    """Answers until `shutdown()` is called. Raises OSError when the port is not to be had."""

    class Handler(_Handler):
        known = answers(metrics, pulse)

    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    kind = type("Server", (ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
    server: ThreadingHTTPServer = kind((host, port), Handler)
    close_in_children(server.socket.close)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _json(status: int, body: object) -> Answer:
    return status, "application/json", json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    known: ClassVar[dict[str, Callable[[], Answer]]] = {}
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        """Answers one request."""
        find = self.known.get(self.path.partition("?")[0])
        status, kind, body = find() if find else _json(404, {"detail": "There are /metrics, /health and /ready"})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Who reads metrics does so every few seconds; that is nothing to log."""
