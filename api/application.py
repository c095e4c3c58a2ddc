"""What both servers have in common: security, CORS, a limit on bodies, errors as JSON."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp

from agent_bus.settings import Settings
from api.errors import install_error_handlers, problem
from api.security import NeighbourhoodGuard
from api.shortcuts import Find, Shortcuts

VERSION = "0.1.0"


class JsonCORSMiddleware(CORSMiddleware):
    """CORS as the library does it, but refusals are JSON like every error."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        return problem(answer.status_code, f"{bytes(answer.body).decode()}; see CORS_ORIGINS", {"Vary": "Origin"})


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_application(title: str, description: str, lifespan: Lifespan) -> FastAPI:
    """An application without routes. Resources are opened by `lifespan`, which puts them on `app.state`."""
    app = FastAPI(title=title, description=description, version=VERSION, lifespan=lifespan)
    install_error_handlers(app)
    return app


def guard(app: ASGIApp, settings: Settings, shortcuts: Find | None = None, *, origins: tuple[str, ...] = ()) -> ASGIApp:
    """The application as it is served: hosts and origins are checked before anything else looks at a request.

    shortcuts: which requests go straight to a handler after that. origins: whose pages are welcome, beside the
    application's own and those that the settings list.
    """
    origins = (*settings.cors_origins, *origins)
    with_cors = JsonCORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["ETag", "Content-Disposition", "X-Total-Count", "Retry-After"],
    )
    inner = Shortcuts(with_cors, shortcuts) if shortcuts is not None else with_cors
    return NeighbourhoodGuard(inner, origins=origins, hosts=settings.allowed_hosts)
