"""Each request is named, counted, timed and, where traces are wanted, traced: around all else, and at little cost.

It has to see what goes past the framework and what is refused in front of it, so it is the outermost layer.
"""

import re
import secrets
from collections.abc import MutableMapping
from itertools import count
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_bus import tracing
from agent_bus.log_lines import request_id
from api.metrics import RequestMetrics
from api.noted import REQUEST_ID, give_name, noted_status
from api.websocket_protocol import wire_of

# What goes into headers and logs as it came must be short and harmless.
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._:+=/@-]{1,128}")
_TRACE_CONTEXT = (b"traceparent", b"tracestate")

_ROUTE = "agent_orchestrator.route"
UNKNOWN_ROUTE = "other"
"""Paths that nobody serves are not counted one by one: there is no end to them."""
PAGE = "page"
"""The dashboard with its files, and what describes the API to people."""


def name_route(scope: MutableMapping[str, Any], template: str) -> None:
    """Says which route a request takes that goes past the framework."""
    scope[_ROUTE] = template


class Instrumentation:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, *, noted: frozenset[str] = frozenset()) -> None:
        """noted: whatever is posted to these paths is answered by noted answers only; see `api.noted`."""
        self._app = app
        self._metrics = metrics
        self._noted = noted
        # Unique among processes, and cheaper than a random number for each request.
        self._prefix = secrets.token_hex(6).encode()
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes it on."""
        kind = scope["type"]
        if kind == "http":
            if tracing.active():
                await self._traced(scope, receive, send)
            elif scope["path"] in self._noted and scope["method"] == "POST":
                await self._quick(scope, receive, send)
            else:
                await self._request(scope, receive, send)
        elif kind == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> int:
        began = perf_counter()
        name = self._name(scope)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # A list of its own, for some answers are sent more than once.
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID, name)]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            self._metrics.answered(scope["method"], route_of(scope), status, perf_counter() - began)
        return status

    async def _quick(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        for key, value in scope["headers"]:
            if key == REQUEST_ID and _ACCEPTABLE.fullmatch(value):
                give_name(scope, value)
        try:
            await self._app(scope, receive, send)
        finally:
            self._metrics.answered("POST", scope["path"], noted_status(scope), perf_counter() - began)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "POST" and scope["path"] in self._noted:
            name_route(scope, scope["path"])
        parent = {key.decode(): value.decode("latin-1") for key, value in scope["headers"] if key in _TRACE_CONTEXT}
        attributes = {"http.request.method": method, "url.path": scope["path"]}
        with tracing.span(method, "SERVER", attributes=attributes, parent=parent) as span:
            status = await self._request(scope, receive, send)
            route = route_of(scope)
            span.rename(f"{method} {route}")
            span.set("http.route", route)
            span.set(tracing.REQUEST_ID, request_id.get().decode())
            if status:
                span.set("http.response.status_code", status)
            if status >= 500:
                span.fail(f"answered with {status}")

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._name(scope)
        code: int | None = None

        async def tell(message: Message) -> None:
            nonlocal code
            if message["type"] == "websocket.close":
                code = message.get("code", 1000)
            await send(message)

        try:
            await self._app(scope, receive, tell)
        finally:
            wire = wire_of(scope)
            self._metrics.closed(wire.ended_with if wire is not None and wire.ended_with is not None else code)

    def _name(self, scope: Scope) -> bytes:
        """The request's name: the client's own, if it is one that can be repeated."""
        for key, value in scope["headers"]:
            if key == REQUEST_ID and _ACCEPTABLE.fullmatch(value):
                name = bytes(value)
                break
        else:
            name = b"%b-%x" % (self._prefix, next(self._numbers))
        request_id.set(name)
        return name


def route_of(scope: Scope) -> str:
    """The template of the route that a request took."""
    named: str | None = scope.get(_ROUTE)
    if named is not None:
        return named
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return UNKNOWN_ROUTE if scope.get("endpoint") is None else PAGE
