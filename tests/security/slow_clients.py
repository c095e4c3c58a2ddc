"""Clients that take their time: the others don't wait for them, and nothing of theirs stays."""

import contextlib
import socket
from contextlib import ExitStack

import httpx

from tests.processes import Server, wait_until
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import OPEN, System
from tests.security.wire import exchange, request, status_of

GROUP: Attacks = {}
CONNECTIONS = 150
# Fewer than are taken at once, of which there are few: each is held in memory in part.
SLOW_UPLOADS = 20


def opened(stack: ExitStack, server: Server, sent: bytes, count: int = CONNECTIONS) -> list[socket.socket]:
    """Connections that have sent the beginning of something."""
    made = []
    for _ in range(count):
        connection = stack.enter_context(contextlib.closing(socket.create_connection(("127.0.0.1", server.port))))
        connection.sendall(sent)
        made.append(connection)
    return made


@into(GROUP, "slow-requests", "hundreds of requests that never come to their end")
def slow_requests(system: System, tries: Tries) -> None:
    coordinator, documents = system.coordinator, system.documents
    form = "Content-Type: multipart/form-data; boundary=B"
    half = b'--B\r\nContent-Disposition: form-data; name="file"; filename="slow"\r\n\r\nx'
    with ExitStack() as stack:
        for what, server, sent in (
            ("half a request line", coordinator, b"GET /hea"),
            ("half a header", coordinator, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "),
            ("half a report", coordinator, request("POST", "/events", "Content-Length: 100") + b"{"),
            ("half a chunk", coordinator, request("POST", "/agents", "Transfer-Encoding: chunked") + b"100\r\n{"),
            ("half an upload", documents, request("POST", "/documents", form, "Content-Length: 1000") + half),
        ):
            count = SLOW_UPLOADS if server is documents else CONNECTIONS
            opened(stack, server, sent, count)
            if server is documents:
                wait_until(lambda: _uploads(system) == SLOW_UPLOADS, "the uploads to begin")
            for path in ("/health", "/openapi.json"):
                status = system.client.get(server.url + path).status_code
                tries.harmless(f"{count} × {what}", "nobody waits", held=status == 200)
        tries.control("reports go on", works=system.report("slow").is_success)
        tries.control("uploads go on", works=bool(system.upload(b"x", "quick")))
    wait_until(lambda: _uploads(system) == 0, "what was begun to be forgotten")
    slow = system.client.get(f"{documents.url}/documents", params={"filename": "slow"}).json()
    tries.harmless("uploads that broke off", "nothing kept", held=not slow)


def _uploads(system: System) -> int:
    """How many uploads have begun: those have a document's key, and are no documents yet."""
    return len(list(system.database.scan_iter(f"{OPEN.document_prefix}*"))) - system.database.zcard(OPEN.documents)


@into(GROUP, "slow-readers", "clients that ask and do not read")
def slow_readers(system: System, tries: Tries) -> None:
    large = "x" * 30_000
    session_id = system.session()
    for _ in range(60):
        system.report(session_id, event_type="message", text=large)
    document = system.upload(b"y" * 1_000_000, "unread")
    with ExitStack() as stack:
        opened(stack, system.coordinator, request("GET", f"/events/{session_id}", "Connection: keep-alive") * 4, 20)
        opened(stack, system.documents, request("GET", f"/documents/{document}", "Connection: keep-alive") * 4, 20)
        for server, path in ((system.coordinator, f"/sessions/{session_id}"), (system.documents, "/documents")):
            status = system.client.get(server.url + path).status_code
            tries.harmless(f"20 that do not read, at {path}", "nobody waits", held=status == 200)
        answer = exchange(system.documents.port, request("GET", f"/documents/{document}"))
        tries.control("who reads gets all of it", works=status_of(answer) == 200 and len(answer[0].body) == 1_000_000)
    with contextlib.suppress(httpx.HTTPError):
        tries.control("and reports go on", works=system.report(session_id).is_success)
