"""The documents server as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from agent_bus.settings import Settings
from api.application import REFUSALS, create_application, guard
from api.body_limit import BodyLimit, BodyRoom
from api.documents import health, routes
from api.documents.metrics import DocumentsMetrics
from api.documents.services import open_services
from api.instrumentation import Instrumentation
from api.metrics import add_metrics_route

DESCRIPTION = "Files that agents and people share: uploads, downloads, what describes them, and the tags in use."


def _is_upload(scope: Scope) -> bool:
    return bool(scope["method"] == "POST" and scope["path"] == "/documents")


def create_documents_api(settings: Settings, metrics: DocumentsMetrics | None = None) -> FastAPI:
    """The application without the guard around it."""
    metrics = DocumentsMetrics() if metrics is None else metrics

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings, metrics) as services:
            app.state.services = services
            yield

    app = create_application("Documents", DESCRIPTION, lifespan)
    app.include_router(health.router)
    app.include_router(routes.router, responses=REFUSALS)
    add_metrics_route(app, metrics.registry, lambda: metrics.sample(app.state.services))
    room = BodyRoom(settings.max_bodies_bytes)
    app.add_middleware(BodyLimit, limit=settings.max_event_bytes, room=room, exempt=_is_upload)
    return app


def create_app(settings: Settings) -> ASGIApp:
    """The application as it is served. Nothing is opened before its lifespan begins."""
    metrics = DocumentsMetrics()
    app = guard(create_documents_api(settings, metrics), settings, origins=settings.dashboard_origins)
    return Instrumentation(app, metrics.requests)
