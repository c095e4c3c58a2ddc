"""Bodies, heads and forms that are too large, however their size is hidden."""

import gzip
import json

from api.coordinator.claude_code import MAX_HOOK_BYTES
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import MAX_EVENT_BYTES, MAX_UPLOAD_BYTES, System, event
from tests.security.wire import CUT_OFF, exchange, request, status_of

GROUP: Attacks = {}


def chunked(body: bytes, size: int = 8192) -> bytes:
    """A body in chunks, as it goes over the wire."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def padded(size: int) -> bytes:
    """An event of so many bytes."""
    head = json.dumps(event("padded", x="")).encode()
    return head[:-2] + b"x" * (size - len(head)) + head[-2:]


@into(GROUP, "large-body", "a body beyond the limit, announced or not, or packed")
def large_body(system: System, tries: Tries) -> None:
    port = system.coordinator.port
    routes = [("POST", "/events"), ("POST", "/sessions/stop"), ("POST", "/agents"), ("PATCH", "/agents/x"),
              ("POST", "/sessions/x/stop"), ("DELETE", "/sessions/x"), ("PATCH", "/sessions/x/metadata")]  # fmt: skip
    large = padded(MAX_EVENT_BYTES + 1)
    for method, path in routes:
        for what, sent in (
            ("announced", request(method, path, body=large)),
            ("announced only", request(method, path, f"Content-Length: {MAX_EVENT_BYTES + 1}")),
            ("of 18 digits", request(method, path, "Content-Length: 999999999999999999")),
        ):
            tries.refuse(f"{method} {path} {what}", status_of(exchange(port, sent)), 413)
        # Who reads no body need not refuse one that is too large.
        status = status_of(exchange(port, request(method, path, "Transfer-Encoding: chunked") + chunked(large)))
        tries.refuse(f"{method} {path} in chunks", status, 413, 404)
    for length in ("99999999999999999999", "1e3", "+5", "0x10", " ", "5 5"):
        status = status_of(exchange(port, request("POST", "/events", f"Content-Length: {length}", body=b"{}")))
        tries.refuse(f"Content-Length: {length}", status, 400, 411, 422, CUT_OFF)
    packed = gzip.compress(padded(MAX_EVENT_BYTES * 100), 9)
    assert len(packed) < MAX_EVENT_BYTES
    for encoding in ("gzip", "deflate", "br", "zstd", "gzip, gzip"):
        answers = exchange(port, request("POST", "/events", f"Content-Encoding: {encoding}", body=packed))
        tries.refuse(f"a body packed with {encoding}", status_of(answers), 422)
    hook = request("POST", "/hooks/claude-code", f"Content-Length: {MAX_HOOK_BYTES + 1}")
    tries.refuse("a hook", status_of(exchange(port, hook)), 413)
    patch = request("PATCH", f"/documents/{system.upload()}", body=b'{"description":"' + b"x" * MAX_EVENT_BYTES + b'"}')
    tries.refuse("a description", status_of(exchange(system.documents.port, patch)), 413)
    tries.control("a body of just the limit", works=status_of(
        exchange(port, request("POST", "/events", body=padded(MAX_EVENT_BYTES)))) == 200)  # fmt: skip


@into(GROUP, "large-upload", "a file beyond the limit, or a form that has no end of parts")
def large_upload(system: System, tries: Tries) -> None:
    port = system.documents.port
    kind = "Content-Type: multipart/form-data; boundary=B"

    def form(content: bytes, more: bytes = b"") -> bytes:
        part = b'--B\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n'
        return more + part + content + b"\r\n--B--\r\n"

    large = form(b"x" * (MAX_UPLOAD_BYTES + 1))
    tries.refuse("announced", status_of(exchange(port, request("POST", "/documents", kind, body=large))), 413)
    sent = request("POST", "/documents", kind, "Transfer-Encoding: chunked") + chunked(large)
    tries.refuse("in chunks", status_of(exchange(port, sent)), 413)
    sent = request("POST", "/documents", kind, f"Content-Length: {10 * MAX_UPLOAD_BYTES}")
    tries.refuse("announced only", status_of(exchange(port, sent)), 413)
    plain = b'--B\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    for what, body in (
        ("60 parts", form(b"x", plain % (b"n", b"v") * 60)),
        ("a field of 100 KB", form(b"x", plain % (b"tags", b"a" * 100_000))),
        ("a header of 100 KB", form(b"x", plain % (b"n" * 100_000, b"v"))),
        ("a part of 1,000 headers", form(b"x", b"--B\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n\r\n")),
        ("two files", form(b"x", form(b"y").removesuffix(b"--B--\r\n"))),
        ("no end", form(b"x")[:-8]),
        ("a boundary of 5 KB", form(b"x")),
        ("101 tags", form(b"x", plain % (b"tags", b",".join(b"t%d" % n for n in range(101))))),
    ):
        own = "Content-Type: multipart/form-data; boundary=" + "B" * 5000 if "boundary" in what else kind
        status = status_of(exchange(port, request("POST", "/documents", own, body=body)))
        tries.refuse(what, status, 400, 413, 422)
    found = system.client.get(f"{system.documents.url}/documents", params={"filename": "large"}).json()
    left = [
        path
        for path in (system.folder / "open").rglob("*")
        if path.is_file() and path.stat().st_size > MAX_UPLOAD_BYTES
    ]
    tries.harmless(
        "all of these", "nothing kept", held=not found and not [path for path in left if path.suffix != ".log"]
    )
    ok = request("POST", "/documents", kind, body=form(b"x" * MAX_UPLOAD_BYTES))
    tries.control("a file of just the limit", works=status_of(exchange(port, ok)) == 201)


@into(GROUP, "large-head", "a request line and headers without end")
def large_head(system: System, tries: Tries) -> None:
    for server in (system.coordinator, system.documents):
        for what, sent in (
            ("an address of 70 KB", request("GET", "/health?" + "x" * 70_000)),
            ("a path of 60 KB", request("GET", "/sessions/" + "x" * 60_000)),
            ("an id of 60 KB", request("POST", f"/sessions/{'x' * 60_000}/stop")),
            ("a cursor of 60 KB", request("GET", "/sessions?cursor=" + "x" * 60_000)),
            ("10,000 parameters", request("GET", "/sessions?" + "limit=1&" * 8000)),
            ("a token of 60 KB", request("GET", "/sessions", "Authorization: Bearer " + "x" * 60_000)),
            ("an origin of 60 KB", request("POST", "/sessions/stop", "Origin: http://" + "x" * 60_000)),
            ("a host of 60 KB", request("GET", "/health", host="x" * 60_000)),
            ("a request id of 60 KB", request("GET", "/none", "X-Request-ID: " + "x" * 60_000)),
            ("a trace of 60 KB", request("GET", "/none", "traceparent: " + "x" * 60_000)),
        ):
            answers = exchange(server.port, sent)
            if answers and answers[0].status == 200:
                tries.harmless(what, "answered", held=what.startswith(("an address", "10,000", "a token")))
            else:
                tries.refuse(what, status_of(answers), 400, 403, 404, 414, 422, 431)
        tries.control("the server goes on", works=system.client.get(f"{server.url}/health").is_success)
