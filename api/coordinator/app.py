"""The coordinator: sessions, events, blueprints and the relay, on port 8765."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_bus.coordinator_address import CLAUDE_CODE_HOOK_PATH
from agent_bus.settings import Settings
from api.application import VERSION, create_application, guard
from api.body_limit import BodyLimit
from api.coordinator import agents, claude_code, dashboard, events, outline, sessions, statistics
from api.coordinator.services import WithServices, open_services
from api.coordinator.websocket import serve_browser
from api.errors import DETAIL, RETRY_AFTER_SECONDS, problem
from api.serving import Served
from api.shortcuts import answering, plain_length

READY_SECONDS = 1.0
STOP = re.compile(r"/sessions/([^/]+)/stop")
DESCRIPTION = "See every agent session live, and stop one for real."


def create_coordinator_api(settings: Settings) -> FastAPI:
    """The application without the guard around it, and without what goes past the framework."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings) as services:
            app.state.services = services
            app.state.blueprints = services.blueprints
            yield

    app = create_application("Agent coordinator", DESCRIPTION, lifespan)

    @app.get("/health", tags=["operation"])
    async def health() -> dict[str, str]:
        """Whether the process is alive; `/ready` says whether it can serve."""
        return {"status": "healthy", "service": "coordinator", "version": VERSION}

    @app.get("/ready", tags=["operation"], responses={503: DETAIL})
    async def ready(services: WithServices) -> JSONResponse:
        """Whether this replica can serve: Redis answers and messages flow."""
        try:
            # Sooner than what probes usually allow.
            async with asyncio.timeout(READY_SECONDS):
                await services.bus.redis.ping()
        except (RedisError, OSError) as error:
            return problem(503, f"Redis does not answer: {error}", {"Retry-After": RETRY_AFTER_SECONDS})
        if not services.relay.ready:
            return problem(503, "The bus subscription is being renewed", {"Retry-After": RETRY_AFTER_SECONDS})
        return JSONResponse({"status": "ready", "connections": services.relay.connections})

    for router in (
        events.router, outline.router, claude_code.router, sessions.router, statistics.router, agents.router,
    ):  # fmt: skip
        app.include_router(router)
    app.router.routes.extend(dashboard.routes(settings))
    return app


def create_app(settings: Settings) -> Served:
    """The application as it is served, and how its browsers are let go when it goes down."""
    app = create_coordinator_api(settings)

    async def browser(scope: Scope, receive: Receive, send: Send) -> None:
        relay = app.state.services.relay
        await serve_browser(scope, receive, send, relay, buffer_bytes=settings.ws_buffer_bytes)

    async def event(_: Scope, body: bytes) -> Response:
        return await events.accept_event(app.state.services, body)

    async def stop(scope: Scope, _: bytes) -> Response:
        path = STOP.fullmatch(scope["path"])
        assert path is not None
        return await sessions.answer_stop(app.state.services, path[1])

    async def hook(scope: Scope, body: bytes) -> Response:
        return await claude_code.accept_hook(app.state.services, Headers(scope=scope), body)

    post_hook = answering(hook, claude_code.MAX_HOOK_BYTES)
    post_event, post_stop = (answering(handle, settings.max_event_bytes) for handle in (event, stop))

    def shortcut(scope: Scope) -> ASGIApp | None:
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            return browser if path == "/ws" else None
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        length = plain_length(scope)
        if path == CLAUDE_CODE_HOOK_PATH and length is not None and length <= claude_code.MAX_HOOK_BYTES:
            return post_hook
        if length is None or length > settings.max_event_bytes:
            return None
        if path == "/events":
            return post_event
        return post_stop if STOP.fullmatch(path) else None

    async def drain() -> None:
        await app.state.services.relay.drain()

    return Served(guard(BodyLimit(app, limit=settings.max_event_bytes), settings, shortcut), drain)
