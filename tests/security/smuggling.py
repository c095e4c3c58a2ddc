"""Requests in requests: what a proxy in front may take for one, and the server for two."""

import uuid

from tests.security.attacks import Attacks, Tries, into
from tests.security.sizes import chunked
from tests.security.system import System
from tests.security.wire import CUT_OFF, exchange, request

GROUP: Attacks = {}
KEEP = "Connection: keep-alive"
CHUNKED = "Transfer-Encoding: chunked"


@into(GROUP, "smuggled-request", "a request hidden in the body of another")
def smuggled_request(system: System, tries: Tries) -> None:
    url = system.coordinator.url
    victim = system.session()
    hidden = request("POST", f"/sessions/{victim}/stop")
    chunks = chunked(hidden)
    size = len(hidden)
    whole = f"Content-Length: {size}"

    def post(*headers: str | bytes, body: bytes) -> bytes:
        return request("POST", "/events", *headers, KEEP, body=b"") + body

    ways: dict[str, bytes] = {
        "length and chunks": post(f"Content-Length: {size + 5}", CHUNKED, body=b"0\r\n\r\n" + hidden),
        "chunks and length": post(CHUNKED, "Content-Length: 4", body=chunks),
        "two lengths": post("Content-Length: 2", f"Content-Length: {size + 2}", body=b"{}" + hidden),
        "two lengths in one": post(f"Content-Length: 2, {size + 2}", body=b"{}" + hidden),
        "a length with a sign": post("Content-Length: +2", body=b"{}" + hidden),
        "a negative length": post("Content-Length: -1", body=hidden),
        "a length in hex": post("Content-Length: 0x2", body=b"{}" + hidden),
        "a length after a tab and NUL": post(b"Content-Length: \t2\0", body=b"{}" + hidden),
        "a folded length": post("Content-Length:", " 2", body=b"{}" + hidden),
        "a folded encoding": post("Transfer-Encoding:", " chunked", whole, body=hidden),
        "a space before the colon": post("Content-Length : 2", body=b"{}" + hidden),
        "a space before the name": post(" Content-Length: 2", body=b"{}" + hidden),
        "an encoding in capitals, and a length": post("TRANSFER-ENCODING: CHUNKED", "Content-Length: 3", body=chunks),
        "an unknown encoding": post("Transfer-Encoding: xchunked", whole, body=hidden),
        "chunks, then another": post("Transfer-Encoding: chunked, identity", body=chunks),
        "encodings given twice": post("Transfer-Encoding: identity", CHUNKED, body=chunks),
        "an encoding after a vertical tab": post(b"Transfer-Encoding: \x0bchunked", whole, body=hidden),
        "a chunk's size with a sign": post(CHUNKED, body=b"+2\r\n{}\r\n0\r\n\r\n" + hidden),
        "a chunk's size in 0x": post(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n" + hidden),
        "a chunk's size of 20 digits": post(CHUNKED, body=b"f" * 20 + b"\r\n{}" + hidden),
        "a chunk's size with spaces": post(CHUNKED, body=b"2 2\r\n{}\r\n0\r\n\r\n" + hidden),
        "a negative chunk": post(CHUNKED, body=b"-1\r\n" + hidden),
        "a chunk without its end": post(CHUNKED, body=b"2\r\n{}0\r\n\r\n" + hidden),
        "a chunk longer than its size": post(CHUNKED, body=b"1\r\n{}\r\n0\r\n\r\n" + hidden),
        "line feeds alone between chunks": post(CHUNKED, body=b"2\n{}\n0\n\n" + hidden),
        "a line feed in an extension": post(CHUNKED, body=b"2;\nxx\r\n{}\r\n0\r\n\r\n" + hidden),
        "a line feed in a header": post(b"X: y\nTransfer-Encoding: chunked", "Content-Length: 0", body=chunks),
        "a carriage return in a header": post(b"X: y\rTransfer-Encoding: chunked", whole, body=hidden),
        "a NUL in a header's name": post(b"Content\0-Length: 2", body=b"{}" + hidden),
        "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
        "HTTP/0.9": b"GET /health\r\n\r\n" + hidden,
        "HTTP/1.0 with chunks": post(CHUNKED, body=chunks).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + hidden,
        "a line end in the target": b"GET /health HTTP/1.1\r\nX: y\r\n\r\n".replace(b"/health", b"/hea\rlth") + hidden,
        "a space in the target": request("GET", "/hea lth HTTP/1.1", KEEP) + hidden,
        "an upgrade to h2c": request("GET", "/health", "Connection: Upgrade, HTTP2-Settings, close",
                                     "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    }  # fmt: skip
    probe = request("GET", "/health")
    for what, sent in ways.items():
        # The probe ends the connection, where it is not ended by then.
        answers = exchange(system.coordinator.port, sent + probe)
        statuses: list[int | str] = [answer.status for answer in answers]
        first, *others = statuses or [CUT_OFF]
        healthy = [answer.body for answer in answers[1:] if not answer.body.startswith(b'{"status":"healthy"')]
        if what == "an upgrade to h2c":
            tries.harmless(what, "ignored", held=(first, others) == (200, []))
        else:
            # One that is read as it stands, all of it as the body of the first, is no two.
            tries.refuse(what, f"{first} and {others}" if healthy else first, 400, 413, 422, CUT_OFF)
    status = system.client.get(f"{url}/sessions/{victim}").json()["status"]
    tries.harmless("all of these", "nothing stopped", held=status == "running")
    name = f"s-{uuid.uuid4().hex}"
    pipelined = request("GET", "/health", KEEP) + request("POST", f"/sessions/{name}/stop", KEEP) + hidden
    found = [answer.status for answer in exchange(system.coordinator.port, pipelined)]
    tries.control("requests one after the other are answered in turn", works=found == [200, 404, 200])
