"""What both servers have in common: security, CORS, a limit on bodies, errors as JSON."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from agent_bus.settings import Settings
from api.errors import install_error_handlers
from api.security import NeighbourhoodGuard

VERSION = "0.1.0"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_application(title: str, description: str, lifespan: Lifespan) -> FastAPI:
    """An application without routes. Resources are opened by `lifespan`, which puts them on `app.state`."""
    app = FastAPI(title=title, description=description, version=VERSION, lifespan=lifespan)
    install_error_handlers(app)
    return app


def guard(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application as it is served: hosts and origins are checked before anything else looks at a request."""
    with_cors = CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["ETag", "Content-Disposition", "X-Total-Count", "Retry-After"],
    )
    return NeighbourhoodGuard(with_cors, origins=settings.cors_origins, hosts=settings.allowed_hosts)
