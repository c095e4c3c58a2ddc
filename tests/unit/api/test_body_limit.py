"""The limit on bodies: announced or not, in one part or many."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from api.body_limit import PIECE_BYTES, BodyLimit, BodyRoom
from api.errors import install_error_handlers

LIMIT = 100
ROOM = 1000


def application(room: BodyRoom | None = None) -> BodyLimit:
    app = FastAPI()
    install_error_handlers(app)

    @app.post("/{path}")
    async def read(request: Request) -> int:
        return len(await request.body())

    return BodyLimit(app, limit=LIMIT, room=room or BodyRoom(10**9), exempt=lambda scope: scope["path"] == "/upload")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application()), base_url="http://localhost") as client:
        yield client


async def parts(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


async def test_a_body_up_to_the_limit_passes(client: httpx.AsyncClient) -> None:
    for sent in (b"", b"x" * LIMIT):
        assert (await client.post("/a", content=sent)).json() == len(sent)
    assert (await client.post("/a", content=parts(50, 50))).json() == 100


async def test_a_larger_body_is_refused_with_the_limit_in_words(client: httpx.AsyncClient) -> None:
    for content in (b"x" * (LIMIT + 1), parts(LIMIT + 1), parts(60, 60), parts(*[1] * 200)):
        response = await client.post("/a", content=content)
        assert response.status_code == 413
        assert "100 bytes" in response.json()["detail"]
        assert response.headers["connection"] == "close"


async def test_what_limits_itself_is_left_alone(client: httpx.AsyncClient) -> None:
    assert (await client.post("/upload", content=b"x" * 500)).json() == 500


async def ask(announced: bytes) -> list[Message]:
    """What a request without a body and with this Content-Length is answered."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "passed"})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", announced)]}
    await BodyLimit(app, limit=LIMIT, room=BodyRoom(ROOM))(scope, receive, send)
    return sent


@pytest.mark.parametrize("announced", [b"101", b"0101", b"9" * 20])
async def test_an_announcement_is_enough_to_refuse(announced: bytes) -> None:
    assert (await ask(announced))[0]["status"] == 413


@pytest.mark.parametrize("announced", [b"100", b"", b"-1", b"many", b"1e9"])
async def test_an_announcement_that_says_nothing_is_left_to_the_server(announced: bytes) -> None:
    assert await ask(announced) == [{"type": "passed"}]


@pytest.mark.parametrize("announced", [b"\xb2", b"9" * 5000])
async def test_no_announcement_breaks_the_limit(announced: bytes) -> None:
    assert await ask(announced)


async def test_other_scopes_pass() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await BodyLimit(app, limit=0, room=BodyRoom(ROOM))(
        {"type": "websocket", "headers": [(b"content-length", b"5")]}, receive, send
    )
    assert seen


async def test_all_bodies_together_are_limited_too_and_the_room_is_given_back() -> None:
    room = BodyRoom(ROOM)
    transport = httpx.ASGITransport(application(room))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        # As if other requests had so much; the client sends each body in two pieces, the last of which is empty.
        room.used = ROOM - 2 * PIECE_BYTES - 50
        assert (await client.post("/a", content=b"x" * 50)).json() == 50
        refused = await client.post("/a", content=b"x" * 51)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "try again" in refused.json()["detail"]
        in_parts = await client.post("/a", content=parts(*[1] * 50))
        assert in_parts.status_code == 503, "many small pieces take more than their bytes"
        assert room.used == ROOM - 2 * PIECE_BYTES - 50
        # One that limits itself takes none of it.
        assert (await client.post("/upload", content=b"x" * 500)).json() == 500


async def test_stops_have_room_where_there_is_none_for_anything_else() -> None:
    full, own = BodyRoom(ROOM), BodyRoom(ROOM)
    full.take(ROOM)
    read: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        read.append(await receive())

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    limited = BodyLimit(app, limit=LIMIT, room=full, control_room=own)
    await limited({"type": "http", "method": "POST", "path": "/sessions/stop", "headers": []}, receive, send)
    assert read == [{"type": "http.request", "body": b"{}"}]
    assert own.used == 0
    with pytest.raises(HTTPException, match="try again shortly"):
        await limited({"type": "http", "method": "POST", "path": "/agents", "headers": []}, receive, send)
