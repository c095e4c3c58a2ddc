"""Documents: what somebody uploads for others to open, what its name makes of headers, and what ranges cost."""

import http.client
import re

from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System
from tests.security.wire import Answer, exchange, request, status_of

GROUP: Attacks = {}

ACTIVE = {
    "page.html": "text/html", "page.xhtml": "application/xhtml+xml", "picture.svg": "image/svg+xml",
    "feed.xml": "text/xml",
    "style.xsl": "application/xslt+xml", "paper.pdf": "application/pdf", "code.js": "text/javascript",
    "worker.mjs": "application/javascript", "code.wasm": "application/wasm", "mail.mht": "message/rfc822",
    "old.htc": "text/x-component", "unknown": "application/octet-stream", "typeless": "", "sniffed.txt": "text/plain",
    "app.webmanifest": "application/manifest+json", "charset.html": "text/html; charset=utf-7",
    "UPPER.HTML": "TEXT/HTML",
}  # fmt: skip
SCRIPT = b"<html><svg xmlns='http://www.w3.org/2000/svg'><script>fetch('/sessions')</script></svg></html>"


@into(GROUP, "active-document", "a document with a script in it, opened under the server's address")
def active_document(system: System, tries: Tries) -> None:
    port = system.documents.port
    for name, kind in ACTIVE.items():
        path = f"/documents/{system.upload(SCRIPT, name, kind or 'application/octet-stream')}"
        for what, headers in (
            ("GET", ()),
            ("HEAD", ()),
            ("GET", ("Range: bytes=0-20",)),
            ("GET", ("Accept: text/html",)),
        ):
            (answer,) = exchange_head(port, what, path, *headers)
            tries.harmless(f"{what} of {name}", "attachment, nosniff and sandbox", held=inert(answer))
    answer = exchange(port, request("GET", path))[0]
    tries.control("its bytes are those that were sent", works=answer.body == SCRIPT)
    for bad in ("/documents/<script>alert(1)</script>", "/<script>", "/documents?limit=<script>"):
        (answer,) = exchange(port, request("GET", bad))
        tries.harmless(f"an error that repeats {bad}", "JSON", held=answer.header("content-type") == "application/json")
    for bad in ("/sessions/<script>alert(1)</script>", "/agents/<script>", "/events/<script>"):
        (answer,) = exchange(system.coordinator.port, request("GET", bad))
        tries.harmless(f"an error that repeats {bad}", "JSON", held=answer.header("content-type") == "application/json")


def exchange_head(port: int, method: str, path: str, *headers: str) -> list[Answer]:
    """One answer, whose body is left out where the method leaves it out."""
    answers = exchange(port, request(method, path, *headers)) if method != "HEAD" else None
    return answers if answers is not None else [_head(port, path, *headers)]


def _head(port: int, path: str, *headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("HEAD", path, headers=dict(header.split(": ", 1) for header in headers))
        answer = connection.getresponse()
        return Answer(answer.status, tuple((name.lower(), value) for name, value in answer.getheaders()), b"")
    finally:
        connection.close()


def inert(answer: Answer) -> bool:
    """Whether a browser saves what comes rather than runs it."""
    policy = {part.strip().split(" ")[0] for part in (answer.header("content-security-policy") or "").split(";")}
    return (
        answer.status in (200, 206)
        and (answer.header("content-disposition") or "").startswith("attachment;")
        and answer.header("x-content-type-options") == "nosniff"
        and {"sandbox", "default-src"} <= policy
        and answer.header("access-control-allow-origin") is None
    )


NAMES = [
    b'a"; filename="b.exe', b"a\\\"b", b"a\xe2\x80\xaegnp.exe", b"\xd0\xb8\xd0\xbc\xd1\x8f.txt", b"a;b",
    b"a%0d%0aX-Evil: 1",
    b"a\tb", b"../../etc/passwd", b"..\\..\\boot.ini", b"/etc/passwd", b"a\xff.txt", b"a\x7f", b"a'b",
    b"=?utf-8?b?eA==?=",
    "\u2028.txt".encode(), "\U0001f600.txt".encode(), b"a" * 255, b" ", b"...", b"CON", b"-rf", b"$(touch x)",
    b"a\x0bb",
]  # fmt: skip


@into(GROUP, "name-in-headers", "a file name or type that ends its header and begins another")
def name_in_headers(system: System, tries: Tries) -> None:
    port = system.documents.port

    def post(head: bytes) -> Answer:
        body = b"--B\r\n" + head + b"\r\n\r\nx\r\n--B--\r\n"
        return exchange(
            port, request("POST", "/documents", "Content-Type: multipart/form-data; boundary=B", body=body)
        )[0]

    for name in NAMES:
        answer = post(b'Content-Disposition: form-data; name="file"; filename="' + name + b'"')
        if answer.status == 201:
            downloaded(tries, port, answer, repr(name))
        else:
            tries.refuse(repr(name), answer.status, 422, 400)
    for raw in (b"a\r\nX-Evil: 1", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\0b"):
        answer = post(b'Content-Disposition: form-data; name="file"; filename="' + raw + b'"')
        if answer.status == 201:
            downloaded(tries, port, answer, repr(raw))
        else:
            tries.refuse(repr(raw), answer.status, 400, 422)
    encoded = b"form-data; name=\"file\"; filename*=UTF-8''a%0D%0AX-Evil%3A%201"
    answer = post(b"Content-Disposition: " + encoded)
    if answer.status == 201:
        downloaded(tries, port, answer, "an encoded line end")
    else:
        tries.refuse("an encoded line end", answer.status, 422)
    for kind in (b"text/html\x0bX", b"text/html\x7f", b"text/html; a=\xff", b"text", b"a/b/c", b"text/html, image/png",
                 b"x" * 300 + b"/y", b"text/html\x00"):  # fmt: skip
        answer = post(b'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: ' + kind)
        tries.refuse(f"type {kind[:30]!r}", answer.status, 400, 422)
    answer = post(b'Content-Disposition: form-data; name="file"; filename="plain.txt"\r\nContent-Type: text/plain')
    tries.control("a plain name and type", works=answer.status == 201)


def downloaded(tries: Tries, port: int, created: Answer, what: str) -> None:
    """Holds that the header with a name that was accepted is one header, and means a file of one name."""
    location = created.header("location")
    assert location
    (answer,) = exchange(port, request("GET", location))
    disposition = answer.header("content-disposition") or ""
    one = re.fullmatch(
        r"attachment; filename=\"[A-Za-z0-9 ._()+,=@~-]*\"(; filename\*=UTF-8''[\w!#$&+.^`|~%-]+)?", disposition
    )
    held = one is not None and inert(answer) and answer.header("x-evil") is None
    tries.harmless(what, "one quoted name", held=held)


@into(GROUP, "path-as-name", "paths and encodings that lead out of a folder")
def path_as_name(system: System, tries: Tries) -> None:
    (system.folder / "open" / ".agent-orchestrator" / "canary.txt").write_text("canary")
    ways = [
        "..%2f..%2fcanary.txt", "..%252fcanary.txt", "%2e%2e/canary.txt", "../canary.txt", "..\\canary.txt",
        "..%5ccanary.txt",
        "....//canary.txt", "%2fetc%2fpasswd", "/etc/passwd", "%00", "a%00.txt", "canary.txt%00", "..;/canary.txt",
        "%c0%ae%c0%ae/canary.txt", "%uff0e%uff0e/canary.txt", "C:%5cboot.ini", "~root", "*", ".", "..", "%2e",
        "index.html",
        "../../pyproject.toml", "../index.html", "..%2findex.html",
    ]  # fmt: skip
    for server, prefixes in (
        (system.documents, ("/documents/", "/documents/x/", "/")),
        (system.coordinator, ("/assets/", "/assets/x/", "/sessions/", "/events/", "/agents/", "/")),
    ):
        for prefix in prefixes:
            for way in ways:
                for method in ("GET", "DELETE"):
                    answers = exchange(server.port, request(method, prefix + way))
                    status = status_of(answers)
                    if status == 200:
                        # `/x/..` and `//` are paths like any others; what they may show is what is there for everybody.
                        shown = (
                            b"canary" in answers[0].body
                            or b"root:" in answers[0].body
                            or b"[project]" in answers[0].body
                        )
                        tries.harmless(f"{method} {prefix}{way}", "nothing shown", held=not shown)
                    else:
                        tries.refuse(f"{method} {prefix}{way}", status, 404, 405, 400, 307)
    kept = sorted(path.name for path in system.folder.rglob("*canary.txt*"))
    tries.harmless("all of these", "nothing removed", held=kept == ["canary.txt"])
    page = system.client.get(f"{system.coordinator.url}/")
    asset = re.search(r'src="\./(assets/[^"]+)"', page.text)
    found = system.client.get(f"{system.coordinator.url}/{asset[1]}").status_code if asset else page.status_code
    tries.control("a file of the page", works=found == (200 if asset else 404))
    tries.control("a document", works=status_of(exchange(
        system.documents.port, request("GET", f"/documents/{system.upload()}"))) == 200)  # fmt: skip


@into(GROUP, "range-abuse", "ranges that ask for more than there is, many times over")
def range_abuse(system: System, tries: Tries) -> None:
    size = 10_000
    content = bytes(range(250)) * 40
    path = f"/documents/{system.upload(content)}"
    port = system.documents.port
    ranges = [
        "bytes=" + ",".join(["0-"] * 2000), "bytes=0-0," * 1000, "bytes=0-99999999999999999999",
        "bytes=-99999999999999999999",
        "bytes=99999999999999999999-", "bytes=--1", "bytes=-0", "bytes=5-1", "bytes=a-b", "bytes=\u0661-",
        "bytes=0x1-", "lines=1-2",
        "bytes=10000-", "bytes=1 - 2", "bytes=", "bytes", "=", "bytes=0-1;x", "bytes=+1-2", "bytes=1-2-3", "bytes=1e3-",
    ]  # fmt: skip
    for header in ranges:
        line = f"Range: {header}".encode()
        (answer,) = exchange(port, request("GET", path, line))
        whole = answer.status == 200 and answer.body == content
        part = answer.status == 206 and len(answer.body) <= size and answer.body in content
        if answer.status == 416:
            tries.refuse(header[:30], 416, 416)
        else:
            tries.harmless(header[:30], "the whole or a part, once", held=whole or part)
    (answer,) = exchange(port, request("GET", path, "Range: bytes=0-3"))
    tries.control("bytes=0-3", works=(answer.status, answer.body) == (206, content[:4]))
