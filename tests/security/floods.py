"""Who asks for more than there is for one: they are told so, and neither others nor stops wait for them."""

import contextlib
import json
import select
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from api.doors import SPARE
from api.roles import Role
from tests.processes import DEADLINE_SECONDS, Server, wait_until
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import PAGE, System, event
from tests.security.wire import CUT_OFF, Answer, exchange, request

GROUP: Attacks = {}

MOST_CONNECTIONS, MOST_WEBSOCKETS = 20, 3
MOST_BODIES_BYTES, MOST_UPLOADS = 1024 * 1024, 2
# Ten at once, and another each second: whoever asks faster is over it soon, on any machine.
ONE_A_SECOND = "1"
MOST_TRIES = 200
SMALL = {
    "AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND": ONE_A_SECOND,
    "AGENT_ORCHESTRATOR_MAX_CONNECTIONS": str(MOST_CONNECTIONS),
    "AGENT_ORCHESTRATOR_MAX_WEBSOCKETS": str(MOST_WEBSOCKETS),
    "AGENT_ORCHESTRATOR_MAX_BODIES_BYTES": str(MOST_BODIES_BYTES),
    "AGENT_ORCHESTRATOR_MAX_UPLOADS": str(MOST_UPLOADS),
    "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": "0.1",
    "AGENT_ORCHESTRATOR_TOKEN": "",
    "CORS_ORIGINS": PAGE,
}


@dataclass(frozen=True, slots=True)
class Limited:
    """Servers with small limits. open, documents: everybody is an operator there; guarded: it knows the tokens."""

    open: Server
    guarded: Server
    documents: Server


def limited(system: System, stack: ExitStack) -> Limited:
    def server(part: str, name: str, environment: dict[str, str]) -> Server:
        own = {"AGENT_ORCHESTRATOR_NAMESPACE": f"security-{name}"} | SMALL | environment
        return system.watch(Server(part, system.redis_url, system.folder / name, own))

    anybody = {"AGENT_ORCHESTRATOR_TOKENS_FILE": ""}
    holders = {
        "AGENT_ORCHESTRATOR_TOKENS_FILE": str(system.tokens_file),
        "AGENT_ORCHESTRATOR_TOKEN_REQUESTS_PER_SECOND": ONE_A_SECOND,
    }
    with ThreadPoolExecutor() as pool:
        starting = [
            pool.submit(server, part, name, environment)
            for part, name, environment in (
                ("coordinator", "limited", anybody),
                ("coordinator", "limited-guarded", holders),
                ("documents", "limited", anybody),
            )
        ]
    return Limited(*(each.result() for each in starting))


def told(answer: httpx.Response, whose: str, setting: str) -> int | str:
    """The status of a refusal; if it is one for too much, only if it says whose it is and what to do."""
    if answer.status_code != 429:
        return answer.status_code
    detail = answer.json()["detail"]
    if int(answer.headers["retry-after"]) >= 1 and detail.startswith(f"The {whose!s} is over") and setting in detail:
        return 429
    return f"429, but {detail}"


def refusal(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first answer but a good one, or the last of many."""
    for _ in range(MOST_TRIES):
        if not (answer := ask()).is_success:
            return answer
    return answer


@into(GROUP, "session-flood", "a session that reports without end, in other spellings, too")
def session_flood(system: System, tries: Tries) -> None:
    url = system.beside(limited).open.url
    whose, setting = "session 'runaway'", "AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND"
    hook = {"hook_event_name": "UserPromptSubmit", "session_id": "runaway", "prompt": "go on", "cwd": "/"}
    plain, hooked = json.dumps(event("runaway", "message")), json.dumps(hook)
    ways: dict[str, tuple[str, str, dict[str, str]]] = {
        "a report": ("/events", plain, {}),
        "a report from a page": ("/events", plain, {"Origin": PAGE}),
        "a hook": ("/hooks/claude-code", hooked, {}),
        "an escaped id": ("/events", plain.replace('"runaway"', r'"\u0072una\u0077ay"'), {}),
        "an escaped name of a field": ("/events", plain.replace('"session_id"', r'"session\u005fid"'), {}),
        "two ids": ("/events", plain.replace('"session_id": "', '"session_id": "another", "session_id": "'), {}),
        "another name and type": ("/events", json.dumps(event("runaway", "odd") | {"session_name": "x"}), {}),
        "a beginning": ("/events", json.dumps(event("runaway")), {}),
        "an end": ("/events", json.dumps(event("runaway", "session_stop")), {}),
        "an address from elsewhere": ("/events", plain, {"X-Forwarded-For": "192.0.2.1"}),
        "a query": ("/events?session_id=another", plain, {}),
    }
    allowed = [system.client.post(f"{url}/events", content=plain).status_code for _ in range(10)]
    tries.control("ten at once", works=allowed == [200] * 10)
    for what, (path, body, headers) in ways.items():

        def say(path: str = path, body: str = body, headers: dict[str, str] = headers) -> httpx.Response:
            return system.client.post(url + path, content=body, headers=headers)

        tries.refuse(what, told(refusal(say), whose, setting), 429)
    for path, body in (("/events", json.dumps(event("another"))),
                       ("/hooks/claude-code", json.dumps(hook | {"session_id": "a-third"}))):  # fmt: skip
        tries.control("others report", works=system.client.post(url + path, content=body).status_code == 200)
    for path in ("/health", "/ready", "/metrics", "/sessions/runaway", "/events/runaway"):
        tries.control("all can be read", works=system.client.get(url + path).status_code == 200)
    stopped = system.client.post(f"{url}/sessions/runaway/stop")
    tries.control("it can be stopped", works=stopped.status_code in (200, 202))


@into(GROUP, "token-flood", "a token that is asked with without end")
def token_flood(system: System, tries: Tries) -> None:
    url = system.beside(limited).guarded.url
    setting = "AGENT_ORCHESTRATOR_TOKEN_REQUESTS_PER_SECOND"
    names = {role: f"token {role.value!r}" for role in Role}
    agent = system.headers(Role.AGENT)
    number = 0

    def report() -> httpx.Response:
        # Each in the name of another session.
        nonlocal number
        number += 1
        return system.client.post(f"{url}/events", json=event(f"of-many-{number}"), headers=agent)

    tries.refuse("reports of many sessions", told(refusal(report), names[Role.AGENT], setting), 429)
    viewer = system.tokens[Role.VIEWER]
    for spelt in (f"Bearer {viewer}", f"bearer {viewer}", f"BEARER   {viewer}"):
        for method, path in (("GET", "/sessions"), ("GET", "/none"), ("POST", "/ws-ticket"), ("GET", "/whoami")):

            def ask(method: str = method, path: str = path, spelt: str = spelt) -> httpx.Response:
                answer = system.client.request(method, url + path, headers={"Authorization": spelt})
                if path == "/ws-ticket" and answer.is_success:
                    system.secrets.append(answer.json()["ticket"])
                return answer if answer.status_code != 404 else httpx.Response(200)

            how = f"{method} {path} as {spelt.replace(viewer, '…')}"
            tries.refuse(how, told(refusal(ask), names[Role.VIEWER], setting), 429)
    metrics = [system.client.get(f"{url}/metrics", headers=system.headers(Role.VIEWER)) for _ in range(30)]
    tries.control("what watches the server is answered", works=all(answer.is_success for answer in metrics))
    operator = system.headers(Role.OPERATOR)
    running = system.client.post(f"{url}/events", json=event("s-limited"), headers=operator)
    tries.control("another token reports", works=running.status_code == 200)
    answer = refusal(lambda: system.client.get(f"{url}/sessions", headers=operator))
    tries.refuse("an operator's", told(answer, names[Role.OPERATOR], setting), 429)
    stops = [system.client.post(f"{url}/sessions/s-limited/stop", headers=operator) for _ in range(30)]
    tries.control("even so, it stops agents", works=all(stop.status_code in (200, 202) for stop in stops))
    tries.control("anybody asks for /health", works=system.client.get(f"{url}/health").status_code == 200)


@contextmanager
def connected(server: Server, count: int, sent: bytes = b"GET /hea") -> Iterator[list[socket.socket]]:
    """Connections that have begun a request."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_SECONDS)
            made.append(stack.enter_context(contextlib.closing(connection)))
            connection.sendall(sent)
        yield made


def first(answers: list[Answer]) -> int | str:
    """How a request is answered; a refusal for want of room has to say when to come again."""
    if not answers:
        return CUT_OFF
    answer = answers[0]
    return "503 without Retry-After" if answer.status == 503 and not answer.header("retry-after") else answer.status


def handshake(url: str) -> int | str:
    """How a WebSocket is refused; "open" if it is not."""
    try:
        with connect(url, max_size=None):
            return "open"
    except InvalidStatus as error:
        return error.response.status_code


@into(GROUP, "many-connections", "more connections and WebSockets than are taken")
def many_connections(system: System, tries: Tries) -> None:
    server = system.beside(limited).open

    def asked(sent: bytes) -> int | str:
        return first(exchange(server.port, sent))

    report = json.dumps(event("s-crowded")).encode()
    assert asked(request("POST", "/events", body=report)) == 200
    with ExitStack() as stack:
        browsers: list[ClientConnection] = []
        for _ in range(MOST_WEBSOCKETS):
            browsers.append(stack.enter_context(connect(server.ws_url, max_size=None)))
            browsers[-1].recv(timeout=DEADLINE_SECONDS)
        for _ in range(5):
            tries.refuse("one WebSocket more", handshake(server.ws_url), 503)
        with connected(server, MOST_CONNECTIONS) as begun:
            for what, sent in (
                ("GET /sessions", request("GET", "/sessions")),
                ("GET /", request("GET", "/")),
                ("a report", request("POST", "/events", body=report)),
                ("a hook", request("POST", "/hooks/claude-code", body=b"{}")),
                ("a path that ends like a stop's", request("POST", "/agents/x/stop")),
                ("a stop with GET", request("GET", "/sessions/s-crowded/stop")),
                ("/health with POST", request("POST", "/health")),
                ("/health and more", request("GET", "/health/sessions")),
            ):
                tries.refuse(what, asked(sent), 503)
            behind = request("GET", "/health", "Connection: keep-alive") + request("GET", "/sessions")
            statuses = [answer.status for answer in exchange(server.port, behind)]
            tries.refuse("a request behind /health", 503 if statuses == [200, 503] else statuses, 503)
            tries.refuse("a WebSocket beyond both", handshake(server.ws_url), 503)
            for path in ("/health", "/ready", "/metrics"):
                tries.control("/health, /ready and /metrics", works=asked(request("GET", path)) == 200)
            stopped = exchange(server.port, request("POST", "/sessions/s-crowded/stop"))
            tries.control("a stop", works=stopped[0].status in (200, 202))
            for browser in browsers:
                # Whoever is in hears of it.
                while '"status":"stopped"' not in str(browser.recv(timeout=DEADLINE_SECONDS)):
                    pass
            tries.control("browsers hear of it", works=True)
            begun[0].sendall(b"lth HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            tries.control("and who was there is served", works=b" 200 " in begun[0].recv(65536))
        with connected(server, MOST_CONNECTIONS + SPARE):
            for _ in range(5):
                tries.refuse("beyond those who can be told", asked(request("GET", "/health")), CUT_OFF)
    wait_until(lambda: asked(request("GET", "/sessions")) == 200, "there to be room again")
    tries.control("all, once there is room", works=True)
    # One for WebSockets, and one for each time that it was full.
    said = server.output.count("as many as are taken")
    tries.harmless("all of these", "not each told in the log", held=1 < said < 4)


@contextmanager
def held(server: Server, count: int, begun: bytes, more: bytes) -> Iterator[None]:
    """Requests that have begun and are held, so that more is refused."""

    def gone(connections: list[socket.socket]) -> bool:
        return bool(select.select(connections, [], [], 0)[0])

    while True:
        with connected(server, count, begun) as connections:
            wait_until(lambda: gone(connections) or first(exchange(server.port, more)) == 503, "all to be held")
            # If what was asked meanwhile took their room, it is they who were refused.
            if not gone(connections):
                yield
                return


@into(GROUP, "many-bodies", "more bodies and uploads under way than are held at once")
def many_bodies(system: System, tries: Tries) -> None:
    servers = system.beside(limited)
    half = b"x" * (MOST_BODIES_BYTES // 2 - 10_000)
    begun = request("POST", "/events", f"Content-Length: {len(half) + 1}") + half
    # More than is left, and not more than comes at once: who is refused has taken nothing.
    report = request("POST", "/events", body=json.dumps(event("s-roomy", text="x" * 30_000)).encode())
    others = [
        ("POST", "/hooks/claude-code"),
        ("POST", "/agents"),
        ("PATCH", "/agents/x"),
        ("PATCH", "/sessions/x/metadata"),
    ]
    reports = [report, *(request(*route, body=b"x" * 30_000) for route in others)]
    form = "Content-Type: multipart/form-data; boundary=B"
    part = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    upload = request("POST", "/documents", form, body=part + b"x\r\n--B--\r\n")
    uploads = [upload, request("POST", "/documents", form, "Transfer-Encoding: chunked") + b"1\r\n-\r\n0\r\n\r\n"]
    begun_upload = request("POST", "/documents", form, "Content-Length: 1000") + part
    for server, count, beginning, ways, good in (
        (servers.open, 2, begun, reports, 200),
        (servers.documents, MOST_UPLOADS, begun_upload, uploads, 201),
    ):

        def asked(sent: bytes, server: Server = server) -> int | str:
            return first(exchange(server.port, sent))

        with held(server, count, beginning, ways[0]):
            for sent in ways:
                tries.refuse(sent.partition(b" HTTP")[0].decode(), asked(sent), 503)
            tries.control("/health is answered", works=asked(request("GET", "/health")) == 200)
            if server is servers.open:
                stopped = asked(request("POST", "/sessions/none/stop"))
                tries.control("stops are heard", works=stopped == 404)
        wait_until(lambda: asked(ways[0]) == good, "room again")  # noqa: B023 - called here
        tries.control("all, once there is room", works=True)
