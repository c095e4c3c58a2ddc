"""The coordinator: sessions, events, blueprints and the relay, on port 8765."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_bus.contract import VERSION as CONTRACT
from agent_bus.coordinator_address import CLAUDE_CODE_HOOK_PATH
from agent_bus.settings import Settings
from agent_bus.tickets import Tickets
from api.application import REFUSALS, VERSION, create_application, guard
from api.body_limit import BodyLimit, BodyRoom
from api.control import STOP
from api.coordinator import access, agents, claude_code, dashboard, events, outline, sessions, statistics
from api.coordinator.metrics import CoordinatorMetrics
from api.coordinator.readiness import checks
from api.coordinator.services import WithServices, open_services
from api.coordinator.websocket import serve_browser
from api.errors import DETAIL
from api.instrumentation import Instrumentation, name_route
from api.metrics import add_metrics_route
from api.readiness import readiness
from api.serving import Served
from api.shortcuts import answering, plain_length

NOTED = frozenset({"/events"})
DESCRIPTION = "See every agent session live, and stop one for real."


def create_coordinator_api(settings: Settings, metrics: CoordinatorMetrics | None = None) -> FastAPI:
    """The application without the guard around it, and without what goes past the framework."""
    metrics = CoordinatorMetrics() if metrics is None else metrics

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings, metrics) as services:
            app.state.services = services
            app.state.blueprints = services.blueprints
            yield

    app = create_application("Agent coordinator", DESCRIPTION, lifespan)

    @app.get("/health", tags=["operation"])
    async def health() -> dict[str, str]:
        """Whether the process is alive; `/ready` says whether it can serve."""
        return {"status": "healthy", "service": "coordinator", "version": VERSION, "contract": CONTRACT}

    @app.get("/ready", tags=["operation"], responses={503: DETAIL})
    async def ready(services: WithServices) -> JSONResponse:
        """Whether this replica can serve: Redis answers, messages flow, and it is not going down."""
        return readiness(await checks(services), connections=services.relay.connections)

    for router in (
        access.router, events.router, outline.router, claude_code.router, sessions.router, statistics.router,
        agents.router,
    ):  # fmt: skip
        app.include_router(router, responses=REFUSALS)
    add_metrics_route(app, metrics.registry, lambda: metrics.sample(app.state.services))
    app.router.routes.extend(dashboard.routes(settings))
    return app


def create_app(settings: Settings) -> Served:
    """The application as it is served, and how its browsers are let go when it goes down."""
    metrics = CoordinatorMetrics()
    app = create_coordinator_api(settings, metrics)

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

    # Stops are small, and are to be heard when there is room for nothing else.
    room, stops_room = BodyRoom(settings.max_bodies_bytes), BodyRoom(settings.max_bodies_bytes)
    post_hook = answering(hook, claude_code.MAX_HOOK_BYTES, room)
    post_event = answering(event, settings.max_event_bytes, room)
    post_stop = answering(stop, settings.max_event_bytes, stops_room)

    def shortcut(scope: Scope) -> ASGIApp | None:
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            return browser if path == "/ws" else None
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        length = plain_length(scope)
        if path == CLAUDE_CODE_HOOK_PATH and length is not None and length <= claude_code.MAX_HOOK_BYTES:
            name_route(scope, path)
            return post_hook
        if length is None or length > settings.max_event_bytes:
            return None
        if path == "/events":
            return post_event
        if STOP.fullmatch(path):
            name_route(scope, "/sessions/{session_id}/stop")
            return post_stop
        return None

    async def take_ticket(ticket: str) -> str | None:
        return await Tickets(app.state.services.bus).take(ticket)

    async def drain() -> None:
        await app.state.services.relay.drain()

    limited = BodyLimit(app, limit=settings.max_event_bytes, room=room, control_room=stops_room)
    guarded = guard(limited, settings, shortcut, take_ticket=take_ticket)
    return Served(Instrumentation(guarded, metrics.requests, noted=NOTED), drain)
