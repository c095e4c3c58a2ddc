"""What both servers have in common: security, tokens, CORS, a limit on bodies, errors as JSON."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp

from agent_bus.settings import Settings
from api.authentication import Authentication, TakeTicket
from api.description import description_route
from api.errors import DETAIL, install_error_handlers, problem
from api.security import NeighbourhoodGuard, own_origins
from api.shortcuts import Find, Shortcuts
from api.token_file import token_source

VERSION = "0.1.0"


class JsonCORSMiddleware(CORSMiddleware):
    """CORS as the library does it, but refusals are JSON like every error.

    Browsers ask before a page may reach into a private network (Private Network Access), and may ask so for the
    server's own page, too: where it was loaded under a public address. So that page counts as listed.
    """

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        """The options are the library's."""
        super().__init__(app, allow_private_network=True, **options)
        self._any_page = CORSMiddleware(app, allow_private_network=True, **(options | {"allow_origins": ["*"]}))

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a preflight."""
        origin = request_headers["origin"]
        if origin in own_origins(request_headers.get("host", "")):
            answer = self._any_page.preflight_response(request_headers)
            answer.headers["Access-Control-Allow-Origin"] = origin
        else:
            answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        return problem(answer.status_code, f"{bytes(answer.body).decode()}; see CORS_ORIGINS", {"Vary": "Origin"})


REFUSALS: dict[int | str, dict[str, Any]] = {401: DETAIL, 403: DETAIL}
"""For routers: what their routes answer where tokens are in use."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_application(title: str, description: str, lifespan: Lifespan) -> FastAPI:
    """An application without routes. Resources are opened by `lifespan`, which puts them on `app.state`."""
    # Requests are traced and counted by `api.instrumentation`, which also sees those that pass the framework by.
    untold: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    app = FastAPI(
        title=title, description=description, version=VERSION, lifespan=lifespan, telemetry=untold,
        docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.router.routes.append(description_route(app))
    install_error_handlers(app)
    return app


def guard(
    app: ASGIApp,
    settings: Settings,
    shortcuts: Find | None = None,
    *,
    origins: tuple[str, ...] = (),
    take_ticket: TakeTicket | None = None,
) -> ASGIApp:
    """The application as it is served: hosts, origins and tokens are checked before anything else looks at a request.

    shortcuts: which requests go straight to a handler after that. origins: whose pages are welcome, beside the
    application's own and those that the settings list. take_ticket: for the WebSockets of pages, where there are any.

    Raises CannotStart when the tokens can't be read.
    """
    origins = (*settings.cors_origins, *origins)
    with_cors = partial(
        JsonCORSMiddleware,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            "ETag",
            "Content-Disposition",
            "X-Total-Count",
            "Retry-After",
            "WWW-Authenticate",
            "X-Request-ID",
        ],
    )
    inner: ASGIApp = with_cors(app)
    if shortcuts is not None:
        inner = Shortcuts(inner, shortcuts)
    if (tokens := token_source(settings)) is not None:
        inner = Authentication(
            inner, tokens, take_ticket=take_ticket, dressed=with_cors,
            requests_per_second=settings.token_requests_per_second,
        )  # fmt: skip
    return NeighbourhoodGuard(inner, origins=origins, hosts=settings.allowed_hosts)
