"""Web pages that somebody on this machine visits: they reach local ports, from any site, under any name."""

import socket

from tests.processes import Server
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import PAGE, System, event, socket_outcome
from tests.security.wire import exchange, request, status_of

GROUP: Attacks = {}
FORBIDDEN = 4403


def foreign(port: int) -> list[str]:
    """Origins that are not the server's own and not listed, some of them nearly."""
    return [
        "http://evil.example", "https://evil.example", "null", "", "file://", "http://localhost",
        f"http://localhost:{port + 1}", f"http://127.0.0.1.evil.example:{port}", f"http://localhost:{port}.evil.example",
        "http://front.example.evil.example", "http://evil-front.example", "https://front.example", "http://front.example/",
        "http://FRONT.example", "http://front.example:81", f"ftp://127.0.0.1:{port}", "*", "http://front.example, null",
    ]  # fmt: skip


@into(GROUP, "foreign-page-changes", "a page from elsewhere changes something")
def foreign_page_changes(system: System, tries: Tries) -> None:
    session_id = system.session()
    document_id = system.upload()
    coordinator = [
        ("POST", "/events"), ("POST", f"/sessions/{session_id}/stop"), ("POST", "/sessions/stop"),
        ("POST", "/hooks/claude-code"), ("DELETE", f"/sessions/{session_id}"), ("POST", "/ws-ticket"),
        ("PATCH", f"/sessions/{session_id}/metadata"), ("POST", "/agents"),
    ]  # fmt: skip
    documents = [
        ("POST", "/documents"),
        ("DELETE", f"/documents/{document_id}"),
        ("PATCH", f"/documents/{document_id}"),
    ]
    for server, routes in ((system.coordinator, coordinator), (system.documents, documents)):
        for origin in foreign(server.port):
            for method, path in routes:
                answer = system.client.request(method, server.url + path, headers={"Origin": origin})
                tries.refuse(f"{method} {path} from {origin!r}", answer.status_code, 403)
    status = system.client.get(f"{system.coordinator.url}/sessions/{session_id}").json()["status"]
    tries.harmless("a stop from a foreign page", "nothing stopped", held=status == "running")
    for what, origin in (("a listed page", PAGE), ("the own page", system.coordinator.url)):
        url = f"{system.coordinator.url}/sessions/{session_id}/stop"
        answer = system.client.post(url, headers={"Origin": origin})
        tries.control(f"{what} stops", works=answer.json()["success"])


@into(GROUP, "simple-requests", "a form or a beacon, which browsers send without asking first")
def simple_requests(system: System, tries: Tries) -> None:
    session_id = system.session()
    url = system.coordinator.url
    body = str(event("planted")).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        for path in ("/events", f"/sessions/{session_id}/stop", "/sessions/stop", "/hooks/claude-code", "/ws-ticket"):
            headers = {"Origin": "http://evil.example", "Content-Type": kind, "Sec-Fetch-Site": "cross-site"}
            answer = system.client.post(url + path, content=body, headers=headers)
            tries.refuse(f"{kind} to {path}", answer.status_code, 403)
    form = {"file": ("planted.html", b"<script>", "text/html")}
    for origin in ("http://evil.example", "null"):
        answer = system.client.post(f"{system.documents.url}/documents", files=form, headers={"Origin": origin})
        tries.refuse(f"an upload by a form from {origin}", answer.status_code, 403)
    answer = system.client.post(f"{url}/sessions/{session_id}/stop", headers={"Origin": url})
    tries.control("the own page stops without a body", works=answer.json()["status"] == "stopped")
    tries.control("a program without an Origin reports", works=system.report(session_id).status_code == 200)


@into(GROUP, "foreign-page-listens", "a page from elsewhere opens a WebSocket")
def foreign_page_listens(system: System, tries: Tries) -> None:
    url = system.coordinator.ws_url
    for origin in foreign(system.coordinator.port):
        outcome = socket_outcome(url, additional_headers={"Origin": origin})
        tries.refuse(f"a handshake from {origin!r}", outcome, FORBIDDEN)
    for what, origin in (("a listed page", PAGE), ("the own page", system.coordinator.url)):
        outcome = socket_outcome(url, additional_headers={"Origin": origin})
        tries.control(f"{what} listens", works=outcome == "init")
    tries.control("a program without an Origin listens", works=socket_outcome(url) == "init")


@into(GROUP, "foreign-page-reads", "a page from elsewhere reads an answer, or asks whether it may")
def foreign_page_reads(system: System, tries: Tries) -> None:
    for server, path in ((system.coordinator, "/sessions"), (system.documents, "/documents")):
        for origin in ("http://evil.example", "null", "http://front.example.evil.example"):
            seen = system.client.get(server.url + path, headers={"Origin": origin}).headers
            tries.harmless(
                f"GET {path} from {origin}", "no Access-Control-Allow-Origin",
                held="access-control-allow-origin" not in seen,
            )  # fmt: skip
            for method in ("POST", "DELETE", "PATCH"):
                asks = {"Origin": origin, "Access-Control-Request-Method": method,
                        "Access-Control-Request-Headers": "authorization"}  # fmt: skip
                answer = system.client.options(server.url + path, headers=asks)
                tries.refuse(f"preflight of {method} from {origin}", answer.status_code, 400)
                tries.harmless(
                    "a preflight's refusal", "no Access-Control-Allow-Origin",
                    held="access-control-allow-origin" not in answer.headers,
                )  # fmt: skip
        welcome = system.client.get(server.url + path, headers={"Origin": PAGE}).headers
        credentials = "access-control-allow-credentials" in welcome
        tries.harmless("a welcome page's cookies", "no credentials", held=not credentials)
        tries.control(f"a listed page reads {path}", works=welcome["access-control-allow-origin"] == PAGE)


@into(GROUP, "private-network", "a page from elsewhere asks whether it may reach into a private network")
def private_network(system: System, tries: Tries) -> None:
    for server, path in ((system.coordinator, "/sessions/stop"), (system.documents, "/documents")):

        def allowed(origin: str, asked: str, server: Server = server, path: str = path) -> set[str | None]:
            asks = {"Origin": origin, "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Private-Network": asked}  # fmt: skip
            seen = system.client.options(server.url + path, headers=asks).headers
            return {seen.get(f"access-control-allow-{name}") for name in ("origin", "private-network")}

        for origin in foreign(server.port):
            for asked in ("true", "TRUE", "1", "true, true"):
                tries.harmless(
                    f"{path} from {origin!r}, {asked}", "nothing allowed", held=allowed(origin, asked) == {None}
                )
        for what, origin in (("a listed page", PAGE), ("the own page", server.url)):
            tries.control(f"{what} may", works=allowed(origin, "true") == {origin, "true"})


@into(GROUP, "dns-rebinding", "a name of the attacker's that points at 127.0.0.1")
def dns_rebinding(system: System, tries: Tries) -> None:
    names = [
        "evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0:{port}",
        "[::]:{port}", "localhost@evil.example", "2130706433", "", "evil.example#localhost", "localhost\\.evil.example",
        "localhost:80:evil.example", "front.example",
    ]  # fmt: skip
    for server, paths in (
        (system.coordinator, ("/", "/sessions", "/docs", "/openapi.json", "/health", "/metrics")),
        (system.documents, ("/documents", "/docs", "/health")),
    ):
        for template in names:
            name = template.format(port=server.port)
            for path in paths:
                answers = exchange(server.port, request("GET", path, f"Host: {name}"))
                tries.refuse(f"GET {path} at {name!r}", status_of(answers), 400)
            for path in ("/sessions/stop", "/documents"):
                answers = exchange(server.port, request("POST", path, f"Host: {name}", f"Origin: http://{name}"))
                tries.refuse(f"POST {path} at {name!r}", status_of(answers), 400)
        # Which of two a proxy goes by, and which the server, is nothing to find out.
        for pair in (("localhost", "evil.example"), ("evil.example", "localhost")):
            answers = exchange(server.port, request("GET", "/health", *(f"Host: {name}" for name in pair)))
            tries.refuse(f"both of {pair}", status_of(answers), 400)
        answers = exchange(server.port, request("GET", "/health", "Forwarded: host=evil.example",
                                                "X-Forwarded-Host: localhost", host="evil.example"))  # fmt: skip
        tries.refuse("X-Forwarded-Host: localhost", status_of(answers), 400)
        for name in ("localhost", "127.0.0.1", "[::1]", "app.localhost"):
            answers = exchange(server.port, request("GET", "/health", host=f"{name}:{server.port}"))
            tries.control(f"{name}", works=status_of(answers) == 200)
    port = system.coordinator.port
    for origin in (None, f"http://evil.example:{port}", PAGE):
        headers = {} if origin is None else {"Origin": origin}
        with socket.create_connection(("127.0.0.1", port)) as connection:
            outcome = socket_outcome(f"ws://evil.example:{port}/ws", sock=connection, additional_headers=headers)
        tries.refuse(f"a WebSocket at evil.example from {origin}", outcome, FORBIDDEN)
    tries.control("a WebSocket at localhost", works=socket_outcome(f"ws://localhost:{port}/ws") == "init")
