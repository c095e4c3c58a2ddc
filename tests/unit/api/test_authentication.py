"""The gate: every combination of token, role and kind of request, without a server."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import authentication
from api.authentication import (
    FORBIDDEN,
    NOT_ASKED,
    SOCKET_NEEDED,
    SOCKET_UNKNOWN,
    TICKET_SPENT,
    TRY_AGAIN_LATER,
    UNAUTHORIZED,
    Authentication,
    bearer,
    principal_of,
)
from api.roles import RULES, Role
from api.security import CLOSE_REASON_BYTES
from api.tokens import Tokens, create
from tests.unit.live import eventually

MADE = {role: create(role.value, role) for role in Role}
KNOWN = Tokens([kept for _, kept in MADE.values()])


def token(role: Role) -> bytes:
    return MADE[role][0].encode()


def headers_for(role: Role | None) -> list[tuple[bytes, bytes]]:
    return [] if role is None else [(b"authorization", b"Bearer " + token(role))]


class Client:
    """One request or WebSocket, and what comes back; `passed` are the scopes that the application was asked with."""

    def __init__(self, tokens: Tokens = KNOWN, tickets: dict[str, str] | None = None) -> None:
        self.sent: list[Message] = []
        self.passed: list[Scope] = []
        self.heard: list[Message] = []
        self.says: asyncio.Queue[Message] = asyncio.Queue()
        self.tokens = tokens
        self._tickets = {} if tickets is None else tickets
        self.gate = Authentication(self._app, lambda: self.tokens, take_ticket=self._take, dressed=self._dressed)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.passed.append(scope)
        if scope["type"] == "websocket":
            self.heard.append(await receive())
            await send({"type": "websocket.accept"})
            while self.heard[-1]["type"] != "websocket.disconnect":
                self.heard.append(await receive())

    async def _take(self, ticket: str) -> str | None:
        return self._tickets.pop(ticket, None)

    @staticmethod
    def _dressed(answer: ASGIApp) -> ASGIApp:
        async def dressed(scope: Scope, receive: Receive, send: Send) -> None:
            async def marked(message: Message) -> None:
                await send({**message, "dressed": True})

            await answer(scope, receive, marked)

        return dressed

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def ask(self, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> int | str:
        """The status, or `passed`."""
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": headers,
            "query_string": b"",
        }
        await self.gate(scope, self.says.get, self.send)
        return int(self.sent[0]["status"]) if self.sent else "passed"

    def connect(
        self, headers: list[tuple[bytes, bytes]] | None = None, query: bytes = b"", path: str = "/ws"
    ) -> "asyncio.Task[None]":
        scope = {"type": "websocket", "path": path, "headers": headers or [], "query_string": query, "state": {}}
        self.says.put_nowait({"type": "websocket.connect"})
        return asyncio.create_task(self.gate(scope, self.says.get, self.send))

    async def refused(self, *, headers: list[tuple[bytes, bytes]] | None = None, query: bytes = b"") -> tuple[int, str]:
        """The code and the reason with which a WebSocket is closed that is not let in."""
        await asyncio.wait_for(self.connect(headers, query), 5)
        assert self.passed == []
        accept, close = self.sent
        assert (accept["type"], close["type"]) == ("websocket.accept", "websocket.close")
        assert len(close["reason"].encode()) <= CLOSE_REASON_BYTES
        return close["code"], close["reason"]


def filled(template: str) -> str:
    return template.replace("{path:path}", "x.js").replace("{", "").replace("}", "")


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize(("method", "template", "roles"), RULES)
async def test_who_may_is_let_through_and_nobody_else(
    method: str, template: str, roles: frozenset[Role] | None, role: Role | None
) -> None:
    client = Client()
    got = await client.ask(method, filled(template), headers_for(role))
    if roles is None or role in roles:
        assert got == "passed"
        principal = principal_of(client.passed[0])
        assert (principal.role if principal else None) == (None if roles is None else role)
    else:
        assert got == (401 if role is None else 403)
        assert client.passed == []


async def test_a_refusal_says_what_to_do_and_is_dressed_for_pages() -> None:
    for headers, status, challenge, told in (
        ([], 401, b"Bearer", "agent-orchestrator token create"),
        ([(b"authorization", b"Bearer nope")], 401, b'Bearer error="invalid_token"', "no longer"),
        (headers_for(Role.AGENT), 403, b'Bearer error="insufficient_scope"', "operator or viewer"),
    ):
        client = Client()
        assert await client.ask("GET", "/sessions", headers) == status
        assert dict(client.sent[0]["headers"])[b"www-authenticate"] == challenge
        assert told in json.loads(client.sent[1]["body"])["detail"]
        assert client.sent[0]["dressed"]


@pytest.mark.parametrize(
    "values",
    [
        [b""], [b"Bearer"], [b"Bearer "], [b"Basic " + token(Role.OPERATOR)], [token(Role.OPERATOR)],
        [b"Bearer " + token(Role.OPERATOR) + b"x"], [b"Bearer " + token(Role.OPERATOR)[:-1]],
        [b"Bearer " + token(Role.OPERATOR).upper()], [b"Bearer " + token(Role.OPERATOR) + b" x"],
        [b"Bearer " + MADE[Role.OPERATOR][1].sha256.encode()],
        [b"Bearer " + token(Role.OPERATOR)] * 2, [b"Bearer x", b"Bearer " + token(Role.OPERATOR)],
    ],
)  # fmt: skip
async def test_what_is_nearly_a_token_is_none(values: list[bytes]) -> None:
    assert await Client().ask("GET", "/sessions", [(b"authorization", value) for value in values]) == 401
    code, _ = await Client().refused(headers=[(b"authorization", value) for value in values])
    assert code == UNAUTHORIZED


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
async def test_the_scheme_is_read_as_http_says(scheme: bytes) -> None:
    assert await Client().ask("GET", "/sessions", [(b"authorization", scheme + token(Role.VIEWER))]) == "passed"


@given(value=st.binary(max_size=60), method=st.sampled_from(["GET", "POST", "DELETE"]), path=st.text(max_size=20))
async def test_no_header_opens_anything_by_chance(value: bytes, method: str, path: str) -> None:
    client = Client()
    await client.ask(method, path, [(b"authorization", value)])
    assert all(principal_of(scope) is None for scope in client.passed)
    assert bearer({"headers": [(b"authorization", value)]}) is not None


async def test_preflights_pass_since_browsers_send_no_token_with_them() -> None:
    asked = [(b"origin", b"http://x"), (b"access-control-request-method", b"DELETE")]
    assert await Client().ask("OPTIONS", "/sessions/a", asked) == "passed"
    assert await Client().ask("OPTIONS", "/sessions/a", asked[:1]) == 401
    assert await Client().ask("DELETE", "/sessions/a", asked) == 401


async def test_where_nobody_has_a_token_nobody_is_let_in() -> None:
    assert await Client(Tokens([])).ask("GET", "/sessions", headers_for(Role.OPERATOR)) == 401


async def test_other_scopes_pass() -> None:
    client = Client()
    await client.gate({"type": "lifespan"}, client.says.get, client.send)
    assert [scope["type"] for scope in client.passed] == ["lifespan"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("way", ["header", "ticket"])
async def test_a_socket_is_opened_by_a_header_or_a_ticket_and_hears_what_its_client_says(role: Role, way: str) -> None:
    client = Client(tickets={"t": MADE[role][1].sha256})
    by_header, by_ticket = (headers_for(role), b""), (None, b"session_id=a&ticket=t")
    serving = client.connect(*(by_header if way == "header" else by_ticket))
    await eventually(lambda: client.sent, "the accept")
    client.says.put_nowait({"type": "websocket.receive", "text": "chatter"})
    client.says.put_nowait({"type": "websocket.disconnect", "code": 1001})
    await asyncio.wait_for(serving, 5)
    assert [message["type"].removeprefix("websocket.") for message in client.heard] == [
        "connect", "receive", "disconnect",
    ]  # fmt: skip
    principal = principal_of(client.passed[0])
    assert principal is not None
    assert principal.role == role
    assert client.sent == [{"type": "websocket.accept"}]


async def test_a_socket_without_either_is_told_what_to_bring() -> None:
    assert await Client().refused() == (UNAUTHORIZED, SOCKET_NEEDED)
    assert await Client().refused(headers=[(b"authorization", b"Bearer nope")]) == (UNAUTHORIZED, SOCKET_UNKNOWN)


async def test_an_agent_may_not_watch() -> None:
    code, reason = await Client().refused(headers=headers_for(Role.AGENT))
    assert (code, "viewer" in reason) == (FORBIDDEN, True)


async def test_a_ticket_is_worth_as_much_as_its_token_now() -> None:
    digest = MADE[Role.VIEWER][1].sha256
    for tokens, tickets in ((KNOWN, {}), (Tokens([]), {"t": digest}), (KNOWN, {"t": ""})):
        assert await Client(tokens, tickets).refused(query=b"ticket=t") == (UNAUTHORIZED, TICKET_SPENT)


async def test_a_ticket_does_not_mend_a_wrong_header_and_is_not_spent_on_it() -> None:
    tickets = {"t": MADE[Role.VIEWER][1].sha256}
    client = Client(tickets=tickets)
    wrong = [(b"authorization", b"Bearer nope")]
    assert await client.refused(headers=wrong, query=b"ticket=t") == (UNAUTHORIZED, SOCKET_UNKNOWN)
    assert tickets


async def test_while_tickets_can_not_be_asked_for_nobody_is_let_in_by_one() -> None:
    async def away(_: str) -> str | None:
        raise RedisConnectionError("away")

    client = Client()
    client.gate = Authentication(client._app, lambda: KNOWN, take_ticket=away)
    assert await client.refused(query=b"ticket=t") == (TRY_AGAIN_LATER, NOT_ASKED)


async def test_a_server_without_tickets_takes_none() -> None:
    client = Client()
    client.gate = Authentication(client._app, lambda: KNOWN)
    assert await client.refused(query=b"ticket=t") == (UNAUTHORIZED, SOCKET_NEEDED)


async def test_a_socket_is_closed_when_its_token_is_revoked_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authentication, "RELOAD_SECONDS", 0.001)
    client = Client()
    viewer = client.connect(headers_for(Role.VIEWER))
    operator = client.connect(headers_for(Role.OPERATOR))
    await eventually(lambda: len(client.sent) == 2, "both to be accepted")
    client.tokens = Tokens([MADE[Role.OPERATOR][1]])
    await asyncio.wait_for(viewer, 5)
    assert client.sent[2:] == [{"type": "websocket.close", "code": UNAUTHORIZED, "reason": SOCKET_UNKNOWN}]
    assert not operator.done()
    client.says.put_nowait({"type": "websocket.disconnect", "code": 1001})
    await asyncio.wait_for(operator, 5)
    await eventually(lambda: client.gate._timer is None, "the end of looking")


async def test_a_token_of_the_same_name_does_not_keep_a_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "RELOAD_SECONDS", 0.001)
    client = Client()
    serving = client.connect(headers_for(Role.VIEWER))
    await eventually(lambda: client.sent, "the accept")
    client.tokens = Tokens([create(Role.VIEWER.value, Role.VIEWER)[1]])
    await asyncio.wait_for(serving, 5)
    assert client.sent[-1]["code"] == UNAUTHORIZED


async def test_a_token_is_good_for_so_many_requests_a_second_and_for_control_always() -> None:
    client = Client()
    client.gate = Authentication(client._app, lambda: KNOWN, dressed=client._dressed, requests_per_second=2)

    async def ask(role: Role, method: str, path: str) -> None:
        client.sent.clear()
        scope = {"type": "http", "method": method, "path": path, "headers": headers_for(role)}

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            client.sent.append(message)

        await client.gate(scope, receive, send)

    for _ in range(20):
        await ask(Role.OPERATOR, "GET", "/sessions")
    assert len(client.passed) == 20
    await ask(Role.OPERATOR, "GET", "/sessions")
    start, body = client.sent
    assert (start["status"], dict(start["headers"])[b"retry-after"], start["dressed"]) == (429, b"1", True)
    detail = json.loads(body["body"])["detail"]
    assert detail.startswith("The token 'operator' is over its limit of 2 requests a second")
    assert "AGENT_ORCHESTRATOR_TOKEN_REQUESTS_PER_SECOND" in detail
    for method, path in ("POST", "/sessions/s/stop"), ("POST", "/sessions/stop"), ("GET", "/metrics"):
        await ask(Role.OPERATOR, method, path)
    await ask(Role.VIEWER, "GET", "/sessions")
    assert len(client.passed) == 24
