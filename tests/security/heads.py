"""Heads of requests that have no end, or none within what is taken; nothing is kept of them."""

from api.http_protocol import FIELDS, HEAD_BYTES, URL_BYTES, WEBSOCKET_FIELD_BYTES
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System
from tests.security.wire import exchange, request, status_of

GROUP: Attacks = {}
BEGUN = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
FRAMED = b"Content-Type: multipart/form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip
# What comes at once is read at once, and is only then too large.
LARGE = 10 * HEAD_BYTES


@into(GROUP, "endless-head", "a head, a trailer or a chunk's extension without an end")
def endless_head(system: System, tries: Tries) -> None:
    for server, path in ((system.coordinator, b"/events"), (system.documents, b"/documents")):
        chunked = BEGUN.replace(b"GET /health", b"POST " + path) + FRAMED
        for what, sent in (
            ("a field's value", BEGUN + b"X-A: " + b"x" * LARGE),
            ("a field's name", BEGUN + b"x" * LARGE),
            ("a folded value", BEGUN + b"X-A: b" + b"\r\n c" * (LARGE // 4)),
            ("large fields", BEGUN + (b"X-A: " + b"x" * 1000 + b"\r\n") * (LARGE // 1000)),
            ("fields, and an end", request("GET", "/health", *["X-A: b"] * FIELDS)),
            ("cookies, and an end", request("GET", "/health", *["Cookie: " + "x" * 6000] * 11)),
            ("a token, and an end", request("GET", "/health", "Authorization: Bearer " + "x" * LARGE)),
            ("a trailer", chunked + b"0\r\n" + (b"X-A: " + b"x" * 1000 + b"\r\n") * (LARGE // 1000)),
            ("trailers", chunked + b"0\r\n" + b"X-A: b\r\n" * (LARGE // 8)),
            ("a chunk's extension", chunked + b"1;" + b"x" * LARGE),
        ):
            # Refused for its fields or its framing, whichever is noticed first.
            tries.refuse(what, status_of(exchange(server.port, sent)), 431, 400)
        tries.control("as many fields as are taken", works=status_of(
            exchange(server.port, request("GET", "/health", *["X-A: b"] * (FIELDS - 2)))) == 200)  # fmt: skip
        large = ["X-A: " + "x" * 6000] * 10
        tries.control("a head of 60 KB", works=status_of(
            exchange(server.port, request("GET", "/health", *large))) == 200)  # fmt: skip
    handshake = request("GET", "/ws", *UPGRADE, "X-A: " + "x" * WEBSOCKET_FIELD_BYTES)
    tries.refuse("a field of a handshake", status_of(exchange(system.coordinator.port, handshake)), 431)


@into(GROUP, "long-address", "an address that is longer than is taken, or has no end")
def long_address(system: System, tries: Tries) -> None:
    for server, path in ((system.coordinator, "/sessions"), (system.documents, "/documents")):
        for before, kind in (
            ("/", "x"), (f"{path}/", "x"), (f"{path}?cursor=", "x"), (f"{path}?tags=", "a,"), (f"{path}?", "limit=1&"),
            (f"{path}/", "%2e%2e%2f"), (f"http://localhost{path}?x=", "x"), ("/?", "?"), (f"{path}/../", "../"),
        ):  # fmt: skip
            target = (before + kind * URL_BYTES)[: URL_BYTES + 1]
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                status = status_of(exchange(server.port, request(method, target)))
                tries.refuse(f"{method} {before}{kind}…", status, 414)
            endless = b"GET " + (before + kind * 10 * URL_BYTES).encode()
            tries.refuse(f"GET {before}{kind}… without an end", status_of(exchange(server.port, endless)), 414)
        longest = "/health?" + "x" * (URL_BYTES - len("/health?"))
        tries.control("the longest that is taken", works=status_of(
            exchange(server.port, request("GET", longest))) == 200)  # fmt: skip
    ticket = "/ws?ticket=" + "x" * URL_BYTES
    status = status_of(exchange(system.guarded.port, request("GET", ticket, *UPGRADE)))
    tries.refuse("a ticket", status, 414)
