"""Who may talk to the servers: every combination of host, origin and kind of request."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from api.security import FORBIDDEN_ORIGIN, NeighbourhoodGuard, hostname, is_loopback

ORIGINS = ("http://localhost:3000", "https://front.example")
HOSTS = ("Server.example", "10.0.0.5")


async def asked(
    kind: str,
    method: str,
    host: bytes | None,
    origin: bytes | None,
    hosts: tuple[str, ...] = HOSTS,
    extra: Sequence[tuple[bytes, bytes]] = (),
) -> list[Message]:
    """What goes back to the client; nothing if the application was asked."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "passed"})

    async def receive() -> Message:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", host)] if host is not None else []
    headers += [(b"origin", origin)] if origin is not None else []
    headers += extra
    scope: dict[str, Any] = {"type": kind, "headers": headers, "path": "/", "query_string": b""}
    if kind == "http":
        scope["method"] = method
    await NeighbourhoodGuard(app, origins=ORIGINS, hosts=hosts)(scope, receive, send)
    return sent


def verdict(sent: list[Message]) -> int | str:
    if sent[0]["type"] == "passed":
        return "passed"
    if sent[0]["type"] == "websocket.accept":
        assert sent[1]["type"] == "websocket.close"
        code: int = sent[1]["code"]
        return code
    status: int = sent[0]["status"]
    return status


GOOD_HOSTS = [b"localhost", b"localhost:8765", b"LOCALHOST:1", b"localhost.", b"127.0.0.1:8765", b"127.9.9.9",
              b"[::1]:8765",
              b"app.localhost:80", b"server.EXAMPLE:443", b"10.0.0.5"]  # fmt: skip
BAD_HOSTS = [None, b"", b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"evil-localhost",
             b"10.0.0.6", b"0.0.0.0", b"[::]", b"[::2]:80", b"[::1", b"server.example.evil", b"sub.server.example",
             b"\xe9vil", b":8765", b"localhost@evil.example", b"128.0.0.1", b"2130706433", b"*"]  # fmt: skip
GOOD_ORIGINS = [
    None,
    b"http://localhost:8765",
    b"https://localhost:8765",
    b"http://localhost:3000",
    b"https://front.example",
]
BAD_ORIGINS = [b"null", b"", b"http://evil.example", b"http://localhost", b"http://localhost:8766", b"http://127.0.0.1:8765",
               b"https://front.example.evil", b"http://front.example", b"https://front.example:8443", b"localhost:8765",
               b"https://FRONT.example/", b"http://localhost:8765.evil", b"file://", b"\xff", b"*"]  # fmt: skip
KINDS = [("http", "GET"), ("http", "HEAD"), ("http", "OPTIONS"), ("http", "POST"), ("http", "PUT"), ("http", "PATCH"),
         ("http", "DELETE"), ("http", "get"), ("http", "QUERY"), ("websocket", "")]  # fmt: skip
GUARDED = [(kind, method) for kind, method in KINDS if method not in ("GET", "HEAD", "OPTIONS")]


@pytest.mark.parametrize(("kind", "method"), KINDS)
@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_known_hosts_pass_without_an_origin(kind: str, method: str, host: bytes) -> None:
    assert verdict(await asked(kind, method, host, None)) == "passed"


@pytest.mark.parametrize(("kind", "method"), KINDS)
@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_unknown_hosts_are_refused_whatever_the_origin(kind: str, method: str, host: bytes | None) -> None:
    refused = FORBIDDEN_ORIGIN if kind == "websocket" else 400
    for origin in (None, b"http://localhost:3000", b"http://" + (host or b"")):
        assert verdict(await asked(kind, method, host, origin)) == refused


@pytest.mark.parametrize(("kind", "method"), GUARDED)
async def test_changes_and_sockets_need_a_known_origin_if_there_is_one(kind: str, method: str) -> None:
    for origin in GOOD_ORIGINS:
        assert verdict(await asked(kind, method, b"localhost:8765", origin)) == "passed", origin
    for origin in BAD_ORIGINS:
        refused = FORBIDDEN_ORIGIN if kind == "websocket" else 403
        assert verdict(await asked(kind, method, b"localhost:8765", origin)) == refused, origin


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("origin", BAD_ORIGINS)
async def test_reading_is_left_to_the_rules_of_the_browser(method: str, origin: bytes) -> None:
    assert verdict(await asked("http", method, b"localhost:8765", origin)) == "passed"


async def test_any_host_can_be_allowed_and_the_origin_still_counts() -> None:
    assert verdict(await asked("http", "POST", b"any.example", None, ("*",))) == "passed"
    assert verdict(await asked("http", "POST", b"any.example", b"http://any.example", ("*",))) == "passed"
    assert verdict(await asked("http", "POST", b"any.example", b"http://evil.example", ("*",))) == 403
    assert verdict(await asked("http", "GET", None, None, ("*",))) == "passed"


@pytest.mark.parametrize("name", ["host", "origin"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_two_of_a_kind_are_refused_whichever_would_count(name: str, kind: str) -> None:
    good = {"host": b"localhost:8765", "origin": b"http://localhost:8765"}
    for second in (good[name], b"http://evil.example"):
        sent = await asked(kind, "POST", good["host"], good["origin"], extra=[(name.encode(), second)])
        assert verdict(sent) == (FORBIDDEN_ORIGIN if kind == "websocket" else 400)


async def test_other_scopes_pass() -> None:
    assert verdict(await asked("lifespan", "", None, None)) == "passed"


async def test_a_refusal_says_what_to_do_as_json() -> None:
    sent = await asked("http", "POST", b"evil.example", None)
    assert b"AGENT_ORCHESTRATOR_ALLOWED_HOSTS" in sent[1]["body"]
    sent = await asked("http", "POST", b"localhost", b"http://evil.example")
    assert b"CORS_ORIGINS" in sent[1]["body"]
    assert dict(sent[0]["headers"])[b"content-type"] == b"application/json"


async def test_a_refusal_of_a_socket_fits_into_a_close_frame() -> None:
    for origin in (b"http://" + b"x" * 500, b"http://" + b"\xe9" * 500):
        sent = await asked("websocket", "", b"localhost", origin)
        assert len(sent[1]["reason"].encode()) <= 123


@given(host=st.binary(max_size=40), origin=st.none() | st.binary(max_size=40), kind=st.sampled_from(KINDS))
async def test_no_header_breaks_the_guard(host: bytes, origin: bytes | None, kind: tuple[str, str]) -> None:
    allowed = is_loopback(hostname(host.decode("latin-1"))) or hostname(host.decode("latin-1")) in (
        "server.example", "10.0.0.5",
    )  # fmt: skip
    passed = verdict(await asked(*kind, host, origin)) == "passed"
    assert not passed or allowed


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("A.example:80", "a.example"),
        ("[::1]:80", "::1"),
        ("a.", "a"),
        ("", ""),
        ("[", ""),
        (":80", ""),
        ("a:b:c", ""),
        ("a:99999", ""),
    ],
)
def test_host_names_are_read_without_port_and_case(authority: str, name: str) -> None:
    assert hostname(authority) == name
