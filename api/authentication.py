"""Whose request it is, and whether they may: the one gate in front of all routes, where tokens are in use.

It costs a hash and no I/O: neither Redis nor a thread is asked, except for a ticket, once a WebSocket.
"""

import asyncio
from asyncio import Future, TimerHandle
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_bus.allowances import Allowances
from agent_bus.coordinator_address import TOKEN_VARIABLE
from api.control import is_control
from api.errors import problem
from api.rate_limits import TOKEN_SETTING, too_many
from api.roles import Roles, who_may
from api.security import FORBIDDEN_ORIGIN, close_socket
from api.token_file import RELOAD_SECONDS, TokenSource
from api.tokens import Principal
from api.websocket_protocol import wire_of

UNAUTHORIZED = 4401
"""The application's "unauthorized": come back with a new ticket, and with another token where that is refused."""
FORBIDDEN = FORBIDDEN_ORIGIN
"""4403: the token's role may not; not worth coming back with it."""
TRY_AGAIN_LATER = 1013
"""IANA's "try again later": whether a ticket is good can't be asked at present."""

_PRINCIPAL = "agent_orchestrator.principal"
_SCHEME = b"bearer"
_TICKET = b"ticket="

NEEDED = (
    f"A token is needed: send it as `Authorization: Bearer …` (agents and agent-bridge take it from {TOKEN_VARIABLE}); "
    "`agent-orchestrator token create` makes one"
)
UNKNOWN = "This token is not known here, or no longer; `agent-orchestrator token create` makes another"
# What goes into a close frame has room for 123 bytes.
SOCKET_NEEDED = "a token is needed: connect with ?ticket=… from POST /ws-ticket, or send Authorization: Bearer …"
SOCKET_UNKNOWN = "this token is not known here, or no longer"
TICKET_SPENT = "this ticket was used, is older than 30 s, or its token was revoked: get another by POST /ws-ticket"
NOT_ASKED = "Redis is not reachable; try again shortly, with another ticket"

TakeTicket = Callable[[str], Awaitable[str | None]]
"""Whom a ticket was given to, by the token's digest. Raises RedisError."""


def principal_of(scope: Scope) -> Principal | None:
    """Whose request this is; None where no tokens are in use, or none was needed."""
    principal = scope.get(_PRINCIPAL)
    return principal if isinstance(principal, Principal) else None


class Authentication:
    """ASGI middleware that lets through who may, and tells the others why not."""

    def __init__(
        self,
        app: ASGIApp,
        tokens: TokenSource,
        *,
        take_ticket: TakeTicket | None = None,
        dressed: Callable[[ASGIApp], ASGIApp] = lambda app: app,
        requests_per_second: float = 0,
    ) -> None:
        """take_ticket: for WebSockets that can't send a header. dressed: a refusal, so that web pages can read it.

        requests_per_second: what each token is good for; 0 for no limit.
        """
        self._app = app
        self._allowances = Allowances(requests_per_second)
        self._tokens = tokens
        self._take_ticket = take_ticket
        self._dressed = dressed
        # WebSockets outlive the look at their token, so it is looked at again for as long as any is open.
        self._open: dict[Future[None], Principal] = {}
        self._timer: TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        roles = who_may(scope["method"], scope["path"])
        if roles is None or _is_preflight(scope):
            await self._app(scope, receive, send)
            return
        presented = bearer(scope)
        principal = self._tokens().holder_of(presented) if presented else None
        if principal is None:
            # RFC 6750 section 3: what is wrong with a token is said only to who has sent one.
            challenge = "Bearer" if presented is None else 'Bearer error="invalid_token"'
            answer = problem(401, NEEDED if presented is None else UNKNOWN, {"WWW-Authenticate": challenge})
        elif principal.role not in roles:
            answer = problem(
                403,
                f"The token {principal.name!r} has the role {principal.role}; this needs {_listed(roles)}",
                {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        elif (wait := self._allowances.take(principal.digest)) and not is_control(scope["method"], scope["path"]):
            limit = f"{self._allowances.per_second:g} requests"
            answer = too_many(f"The token {principal.name!r}", limit, TOKEN_SETTING, wait)
        else:
            scope[_PRINCIPAL] = principal
            await self._app(scope, receive, send)
            return
        await self._dressed(answer)(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            principal, refusal = await self._who(scope)
        except (RedisError, OSError):
            await close_socket(receive, send, TRY_AGAIN_LATER, NOT_ASKED)
            return
        if principal is None:
            await close_socket(receive, send, UNAUTHORIZED, refusal)
            return
        roles = who_may("GET", scope["path"])
        if roles is not None and principal.role not in roles:
            reason = f"the token's role is {principal.role}; this needs {_listed(roles)}"
            await close_socket(receive, send, FORBIDDEN, reason)
            return
        scope[_PRINCIPAL] = principal
        await self._until_revoked(principal, scope, receive, send)

    async def _who(self, scope: Scope) -> tuple[Principal | None, str]:
        """Whose WebSocket it is, or why that is not known."""
        if (presented := bearer(scope)) is not None:
            return self._tokens().holder_of(presented) if presented else None, SOCKET_UNKNOWN
        query: bytes = scope["query_string"]
        if self._take_ticket is None or _TICKET not in query:
            return None, SOCKET_NEEDED
        digest = await self._take_ticket(QueryParams(query).get("ticket", ""))
        return None if digest is None else self._tokens().of_digest(digest), TICKET_SPENT

    async def _until_revoked(self, principal: Principal, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        revoked: Future[None] = loop.create_future()

        async def hear() -> Message:
            hearing = asyncio.ensure_future(receive())
            either: tuple[Future[Any], ...] = (hearing, revoked)
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                return hearing.result() if hearing.done() else {"type": "websocket.disconnect", "code": UNAUTHORIZED}
            finally:
                hearing.cancel()

        self._open[revoked] = principal
        if self._timer is None:
            self._timer = loop.call_later(RELOAD_SECONDS, self._look)
        try:
            await self._app(scope, hear, send)
        finally:
            del self._open[revoked]
        if not revoked.done():
            return
        if wire := wire_of(scope):
            # Also when it has been closed otherwise by now, and behind all that was written to it.
            wire.end(UNAUTHORIZED)
        else:
            # The client may have left at the same moment; then the server raises an OSError.
            with suppress(OSError):
                await send({"type": "websocket.close", "code": UNAUTHORIZED, "reason": SOCKET_UNKNOWN})

    def _look(self) -> None:
        """Tells the WebSockets whose token is not in force any more."""
        tokens = self._tokens()
        for revoked, principal in self._open.items():
            if tokens.of_digest(principal.digest) != principal and not revoked.done():
                revoked.set_result(None)
        self._timer = asyncio.get_running_loop().call_later(RELOAD_SECONDS, self._look) if self._open else None


def bearer(scope: Scope) -> bytes | None:
    """The token that was sent; None for no token, and b"" for a header that is nothing of the kind, or several."""
    found = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            found = token.strip() if found is None and scheme.lower() == _SCHEME else b""
    return found


def _is_preflight(scope: Scope) -> bool:
    """Whether a browser asks what a page may do: it does so without the page's headers, and the CORS layer answers."""
    return scope["method"] == "OPTIONS" and {b"origin", b"access-control-request-method"} <= {
        name for name, _ in scope["headers"]
    }


def _listed(roles: Roles) -> str:
    return " or ".join(sorted(roles))
