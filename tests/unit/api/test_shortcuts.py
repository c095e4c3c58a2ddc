"""The way past the framework: what takes it, and that it ends where the other one does."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_bus.settings import Settings
from agent_bus.timestamps import now
from api.body_limit import BodyRoom
from api.coordinator import app as coordinator
from api.coordinator import events
from api.shortcuts import Shortcuts, answering, plain_length, read_body
from tests.processes import RedisServer, Server

LIMIT = 2000
LISTED = "https://front.example"
Client = httpx.AsyncClient


def request_with(*pairs: tuple[str, str]) -> Scope:
    return {"type": "http", "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]}


@pytest.mark.parametrize(
    ("pairs", "length"),
    [
        ([], 0),
        ([("content-length", "0")], 0),
        ([("host", "x"), ("content-length", "42"), ("accept", "*/*")], 42),
        ([("content-length", "007")], 7),
        ([("transfer-encoding", "chunked")], None),
        ([("content-length", "42"), ("transfer-encoding", "chunked")], None),
        ([("transfer-encoding", "chunked"), ("content-length", "42")], None),
        ([("content-length", "42"), ("origin", "http://localhost:5173")], None),
        ([("origin", ""), ("content-length", "42")], None),
        ([("content-length", "9" * 18)], 10**18 - 1),
        *(([("content-length", odd)], None) for odd in ("", "-1", "+1", "1.0", " 1", "1,1", "\xb2", "0x1", "9" * 19)),
    ],
)
def test_a_length_is_plain_if_it_is_a_number_and_no_web_page_sends_it(
    pairs: list[tuple[str, str]], length: int | None
) -> None:
    assert plain_length(request_with(*pairs)) == length


def receiving(*messages: Message) -> Receive:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return receive


def part(body: bytes | None = None, more: bool | None = None) -> Message:
    given = {"body": body, "more_body": more}
    return {"type": "http.request"} | {name: value for name, value in given.items() if value is not None}


GONE: Message = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([part(b"whole")], b"whole"),
        ([part()], b""),
        ([part(b"in ", True), part(b"two", False)], b"in two"),
        ([part(b"", True), part(b"late", True), part()], b"late"),
        ([part(b"x", True)] * 5 + [part(b"", False), GONE], b"xxxxx"),
    ],
)
async def test_a_body_is_read_to_its_end_and_no_further(messages: list[Message], body: bytes) -> None:
    room = BodyRoom(LIMIT)
    assert await read_body(receiving(*messages), LIMIT, room) == body
    assert room.used == len(body)


@pytest.mark.parametrize("messages", [[GONE], [part(b"half", True), GONE]])
async def test_a_client_that_leaves_within_its_body_has_sent_none(messages: list[Message]) -> None:
    room = BodyRoom(LIMIT)
    with pytest.raises(ClientDisconnect):
        await read_body(receiving(*messages), LIMIT, room)
    assert room.used == 0


async def test_a_body_that_goes_on_beyond_the_limit_is_refused_without_reading_it_all() -> None:
    parts = [part(b"x" * LIMIT, True), part(b"x", True), part(b"never read", True)]
    with pytest.raises(HTTPException, match="limit of 2000 bytes") as refusal:
        await read_body(receiving(*parts), LIMIT, BodyRoom(2 * LIMIT))
    assert refusal.value.status_code == 413


@pytest.mark.parametrize("messages", [[part(b"x" * 60)], [part(b"x" * 30, True), part(b"x" * 30)]])
async def test_a_body_that_has_no_room_among_the_others_is_to_come_again(messages: list[Message]) -> None:
    room = BodyRoom(100)
    room.used = 50
    with pytest.raises(HTTPException, match="try again") as refusal:
        await read_body(receiving(*messages), LIMIT, room)
    assert (refusal.value.status_code, (refusal.value.headers or {})["Retry-After"], room.used) == (503, "1", 50)


async def test_a_body_takes_its_room_until_it_has_been_dealt_with_whatever_came_of_it() -> None:
    room = BodyRoom(100)
    seen: list[int] = []

    async def handle(scope: Scope, _: bytes) -> Response:
        seen.append(room.used)
        if scope["path"] == "/fail":
            raise ZeroDivisionError
        return PlainTextResponse("ok")

    async def send(_: Message) -> None:
        seen.append(room.used)

    for path in "/well", "/fail":
        scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        await answering(handle, LIMIT, room)(scope, receiving(part(b"body")), send)
    assert seen == [4, 0, 0] * 2


async def answer(handle: Callable[[Scope, bytes], Any], *messages: Message) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/events", "headers": []}
    await answering(handle, LIMIT, BodyRoom(LIMIT))(scope, receiving(*(messages or (part(b"body"),))), send)
    return sent


async def fail_with(error: Exception) -> tuple[int, dict[str, str], Any]:
    async def handle(_: Scope, body: bytes) -> Response:
        raise error

    start, body = await answer(handle)
    assert (start["type"], body.get("more_body", False)) == ("http.response.start", False)
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    assert named["content-type"] == "application/json"
    return start["status"], named, json.loads(body["body"])["detail"]


async def test_a_handler_gets_the_whole_body_and_its_answer_is_sent() -> None:
    async def handle(scope: Scope, body: bytes) -> Response:
        return PlainTextResponse(scope["path"].encode() + body, 201)

    start, body = await answer(handle, part(b" a", True), part(b"b"))
    assert (start["status"], body["body"]) == (201, b"/events ab")


async def test_nobody_is_answered_who_has_left() -> None:
    async def handle(_: Scope, body: bytes) -> Response:
        raise AssertionError("what was not sent must not be handled")

    assert await answer(handle, part(b"ha", True), GONE) == []


async def test_redis_away_is_503_with_when_to_try_again() -> None:
    status, named, detail = await fail_with(RedisConnectionError("x"))
    assert (status, named["retry-after"], "not reachable" in detail) == (503, "1", True)
    status, named, detail = await fail_with(OutOfMemoryError("no memory"))
    assert (status, named["retry-after"], "no memory" in detail) == (503, "1", True)


async def test_an_http_error_keeps_its_status_and_headers() -> None:
    status, named, detail = await fail_with(HTTPException(418, "Tea only", {"X-Pot": "yes"}))
    assert (status, named["x-pot"], detail) == (418, "yes", "Tea only")


async def test_an_unexpected_error_is_told_to_the_log_and_not_to_the_client(caplog: pytest.LogCaptureFixture) -> None:
    status, _, detail = await fail_with(ZeroDivisionError("s3cret"))
    assert (status, "s3cret" in detail) == (500, False)
    assert "POST /events" in caplog.text
    assert "s3cret" in caplog.text


async def test_what_has_no_shortcut_goes_the_long_way() -> None:
    went: list[str] = []

    def way(name: str) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            went.append(f"{name} {scope['path']}")

        return app

    async def send(_: Message) -> None:
        raise AssertionError("nobody answers here")

    short = way("short")
    both = Shortcuts(way("long"), lambda scope: short if scope["path"] == "/a" else None)
    for path in "/a", "/b":
        await both({"type": "http", "path": path}, receiving(), send)
    assert went == ["short /a", "long /b"]


@asynccontextmanager
async def started(redis_url: str) -> AsyncIterator[httpx.ASGITransport]:
    """The coordinator's application with its lifespan, in this process."""
    served = coordinator.create_app(Settings(REDIS_URL=redis_url))
    said: asyncio.Queue[Message] = asyncio.Queue()
    events: asyncio.Queue[Message] = asyncio.Queue()
    said.put_nowait({"type": "lifespan.startup"})
    running = asyncio.create_task(served.app({"type": "lifespan", "state": {}}, said.get, events.put))
    assert (await events.get())["type"] == "lifespan.startup.complete"
    yield httpx.ASGITransport(served.app, raise_app_exceptions=False)
    said.put_nowait({"type": "lifespan.shutdown"})
    assert (await events.get())["type"] == "lifespan.shutdown.complete"
    await running


@pytest.fixture
async def client(redis_server: RedisServer, keys: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("CORS_ORIGINS", LISTED)
    monkeypatch.setenv("AGENT_ORCHESTRATOR_MAX_EVENT_BYTES", str(LIMIT))
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", keys.namespace)
    async with (
        started(redis_server.url) as transport,
        Client(transport=transport, base_url="http://localhost:8765") as client,
    ):
        yield client


@pytest.fixture
def short_way(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the shortcut was asked, as the lengths that it saw."""
    seen: list[int | None] = []

    def noted(scope: Scope) -> int | None:
        seen.append(plain_length(scope))
        return seen[-1]

    monkeypatch.setattr(coordinator, "plain_length", noted)
    return seen


def event(**fields: Any) -> dict[str, Any]:
    at = {"event_type": "message", "session_id": "s", "session_name": "s", "timestamp": now()}
    return at | fields


async def in_parts(body: bytes) -> AsyncIterator[bytes]:
    """A body without a length, as HTTP sends it in chunks."""
    for at in range(0, len(body), 10):
        yield body[at : at + 10]


def said(answer: httpx.Response) -> tuple[int, Any, dict[str, str]]:
    """All of an answer, without what differs from one event to the next."""
    body = answer.json()
    # `Vary` is for caches, and none keeps the answer to a POST; each request has a name of its own.
    left_out = {"vary", "x-request-id"} | ({"content-length"} if body.pop("id", None) else set())
    return answer.status_code, body, {name: value for name, value in answer.headers.items() if name not in left_out}


VALID = json.dumps(event()).encode()
BODIES = {
    "valid": VALID,
    "with more fields": json.dumps(event(more={"a": [1, "ü"]}, id=7)).encode(),
    "as large as allowed": VALID.ljust(LIMIT),
    "empty": b"",
    "no json": b"{",
    "no object": b"[1]",
    "not utf-8": b'{"event_type": "\xff"}',
    "not a number of json": b'{"n": NaN}',
    "too large a number": json.dumps(event()).encode()[:-1] + b', "n": 1e999}',
    "without its fields": b"{}",
    "of an unknown type": json.dumps(event(event_type="?")).encode(),
    "with an empty id": json.dumps(event(session_id="")).encode(),
    "at no time": json.dumps(event(timestamp="yesterday")).encode(),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_both_ways_answer_alike(client: Client, short_way: list[int | None], body: bytes) -> None:
    short = await client.post("/events", content=body)
    long = await client.post("/events", content=in_parts(body))
    assert short_way == [len(body), None], "the first of them should have gone the short way, and only that"
    assert said(short) == said(long)


STOPS = ["s", "never-heard-of", "ü", "a b", "stop", "%2F", "a%2Fb", "", "x" * 300, "%00"]


@pytest.mark.parametrize("session_id", STOPS)
async def test_both_ways_stop_alike(client: Client, session_id: str) -> None:
    await client.post("/events", content=VALID)
    path = f"/sessions/{session_id}/stop"
    # What was stopped by the first is answered as stopped already.
    await client.post(path, content=in_parts(b"{}"))
    short, long = await client.post(path), await client.post(path, content=in_parts(b"{}"))
    assert said(short) == said(long)
    assert said(await client.post(path, content=b"{}")) == said(long)


async def test_events_of_both_ways_are_kept_in_order(client: Client) -> None:
    for n in range(10):
        body = json.dumps(event(n=n)).encode()
        answer = await client.post("/events", content=body if n % 2 else in_parts(body))
        assert answer.status_code == 200
    found = (await client.get("/events/s")).json()["events"]
    assert [kept["n"] for kept in found] == list(range(10))


@pytest.mark.parametrize("error", [RedisConnectionError("x"), OutOfMemoryError("full"), ZeroDivisionError("s3cret")])
async def test_both_ways_fail_alike(client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(*_: object) -> Response:
        raise error

    monkeypatch.setattr(events, "accept_event", fail)
    short, long = await client.post("/events", content=VALID), await client.post("/events", content=in_parts(VALID))
    assert said(short) == said(long)
    assert short.status_code in (500, 503)
    assert "s3cret" not in short.text


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:8765"])
async def test_a_page_that_may_gets_its_cors_headers(client: Client, origin: str) -> None:
    answer = await client.post("/events", content=VALID, headers={"origin": origin})
    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin") == (LISTED if origin == LISTED else None)
    refused = await client.post("/events", content=b"{", headers={"origin": LISTED})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (422, LISTED)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
async def test_a_foreign_page_is_refused_and_its_event_not_kept(client: Client, origin: str) -> None:
    answer = await client.post("/events", content=VALID, headers={"origin": origin})
    assert (answer.status_code, set(answer.json())) == (403, {"detail"})
    assert (await client.get("/events/s")).status_code == 404


async def test_a_foreign_host_is_refused_on_the_short_way_too(client: Client) -> None:
    answer = await client.post("/events", content=VALID, headers={"host": "rebound.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("way", [bytes, in_parts], ids=["announced", "in parts"])
async def test_too_large_a_body_is_413_on_either_way(client: Client, way: Callable[[bytes], Any]) -> None:
    answer = await client.post("/events", content=way(VALID.ljust(LIMIT + 1)))
    assert (answer.status_code, f"{LIMIT} bytes" in answer.json()["detail"]) == (413, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405_and_say_which_one_is_served(client: Client, method: str) -> None:
    answer = await client.request(method, "/events", headers={"content-length": "0"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.fixture(scope="module")
def server(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = {"AGENT_ORCHESTRATOR_MAX_EVENT_BYTES": str(LIMIT), "AGENT_ORCHESTRATOR_NAMESPACE": "shortcuts"}
    with Server("coordinator", redis_server.url, tmp_path_factory.mktemp("shortcuts"), environment) as server:
        yield server


def exchange(server: Server, *parts: bytes, leave: bool = False) -> bytes:
    """What a server answers to bytes, until it closes; told to leave, the client goes first."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        for part in parts:
            connection.sendall(part)
        if leave:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def request(*lines: str, body: bytes = b"") -> bytes:
    head = ["POST /events HTTP/1.1", "Host: localhost", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def test_a_body_shorter_than_its_length_is_not_an_event(server: Server) -> None:
    body = json.dumps(event(session_id="short")).encode()
    assert b"200 OK" not in exchange(server, request(f"Content-Length: {len(body) + 1}", body=body), leave=True)
    assert httpx.get(f"{server.url}/events/short").status_code == 404


def test_what_follows_a_body_is_another_request(server: Server) -> None:
    body = json.dumps(event(session_id="pipelined")).encode()
    one = request(f"Content-Length: {len(body)}", body=body)
    last = request(f"Content-Length: {len(body)}", "Connection: close", body=body)
    answer = exchange(server, one + one, last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert len(httpx.get(f"{server.url}/events/pipelined").json()["events"]) == 3


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: +5"],
        ["Content-Length: five"],
    ],
)
def test_a_length_that_can_not_be_meant_is_refused(server: Server, lines: list[str]) -> None:
    answer = exchange(server, request(*lines, body=b"5\r\nhello\r\n0\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_that_comes_in_pieces_is_one_event(server: Server) -> None:
    body = json.dumps(event(session_id="pieces")).encode()
    whole = request(f"Content-Length: {len(body)}", "Expect: 100-continue", "Connection: close", body=body)
    answer = exchange(server, *(whole[at : at + 7] for at in range(0, len(whole), 7)))
    assert b"HTTP/1.1 200 OK" in answer


def test_a_chunked_body_is_an_event_too(server: Server) -> None:
    body = json.dumps(event(session_id="chunked")).encode()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    answer = exchange(server, request("Transfer-Encoding: chunked", "Connection: close", body=chunks))
    assert answer.startswith(b"HTTP/1.1 200 OK")
