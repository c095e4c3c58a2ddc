"""Who may talk to the servers from a browser: any page a user visits can reach a local port.

A bare `POST` and a WebSocket handshake are sent by browsers without asking first (CORS stops neither), and a name that
an attacker controls can be pointed at 127.0.0.1 (DNS rebinding). So `Host` must be a known name, and an `Origin`, where
there is one, must be the server's own or listed. Programs that send no `Origin` work as they are.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import problem
from api.roles import SAFE_METHODS

# 4403: the application's "forbidden"; not worth coming back. (RFC 6455 section 7.4.2 leaves 4000 to 4999 to us.)
FORBIDDEN_ORIGIN = 4403
# A control frame has 125 bytes (RFC 6455 section 5.5), two of which are the code.
CLOSE_REASON_BYTES = 123

_ASKED = (b"host", b"origin")


# Most requests come under one name. Whoever makes up others can't have more than so many remembered.
KNOWN_NAMES = 128


@lru_cache(maxsize=KNOWN_NAMES)
def hostname(authority: str) -> str:
    """The name in a `Host` header, lower case, without port or brackets; '' if it can't be read."""
    try:
        parts = urlsplit(f"//{authority}")
        # Read here, since a port that is none makes it no authority.
        _ = parts.port
        return (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


@lru_cache(maxsize=KNOWN_NAMES)
def is_loopback(name: str) -> bool:
    """Whether a host name means this machine itself."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def own_origins(host: str) -> tuple[str, str]:
    """The origins of the pages that a server has under this `Host`, which must have been found to be a known one."""
    return f"http://{host}", f"https://{host}"


async def close_socket(receive: Receive, send: Send, code: int, reason: str) -> None:
    """Refuses a WebSocket whose handshake nobody has answered yet."""
    # Accepted first, since a browser's script sees the code of a close and not the status of a handshake.
    await receive()
    await send({"type": "websocket.accept"})
    shown = reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore")
    await send({"type": "websocket.close", "code": code, "reason": shown})


class NeighbourhoodGuard:
    """ASGI middleware that refuses unknown hosts, and state changes and WebSockets from foreign pages."""

    def __init__(self, app: ASGIApp, *, origins: Iterable[str], hosts: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts, origins = ([value for name, value in scope["headers"] if name == wanted] for wanted in _ASKED)
        # Which of several counts, a proxy in front may see otherwise.
        if len(hosts) > 1 or len(origins) > 1:
            detail = "Host and Origin may come once each (RFC 9112 section 3.2, RFC 6454 section 7.3)"
            await self._refuse(scope, receive, send, 400, detail)
            return
        host = hosts[0].decode("latin-1") if hosts else ""
        origin = origins[0].decode("latin-1") if origins else None
        if not self._host_allowed(hostname(host)):
            detail = f"Host {host!r} is not allowed; list it in AGENT_ORCHESTRATOR_ALLOWED_HOSTS"
            await self._refuse(scope, receive, send, 400, detail)
        elif origin is not None and self._guarded(scope) and not self._origin_allowed(origin, host):
            detail = f"Origin {origin!r} is not allowed; list it in CORS_ORIGINS"
            await self._refuse(scope, receive, send, 403, detail)
        else:
            await self._app(scope, receive, send)

    @staticmethod
    def _guarded(scope: Scope) -> bool:
        return scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS

    def _host_allowed(self, name: str) -> bool:
        return is_loopback(name) or name in self._hosts or "*" in self._hosts

    def _origin_allowed(self, origin: str, host: str) -> bool:
        return origin in self._origins or "*" in self._origins or origin in own_origins(host)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
        if scope["type"] == "websocket":
            await close_socket(receive, send, FORBIDDEN_ORIGIN, detail)
            return
        await problem(status, detail)(scope, receive, send)
