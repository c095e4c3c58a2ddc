"""The dashboard that comes along: a page and its files, which `make dashboard` builds into `api/static`."""

import html
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from agent_bus.settings import Settings
from api.static_folder import PAGE, STATIC

# The names of these files change with what is in them.
FOREVER = "public, max-age=31536000, immutable"

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Agent orchestrator</title>
<h1>The dashboard has not been built</h1>
<p>Everything else works: agents can report, and be stopped.</p>
<p>In a checkout of the source, <code>make dashboard</code> builds it (packages have to be within reach); then load this
page again. The API is described at <a href="docs">/docs</a>.</p>
"""


class Assets(StaticFiles):
    """The files beside the page."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """A file, to be kept by the browser."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = FOREVER
        return response


def headers_for(settings: Settings, nonce: str) -> dict[str, str]:
    """What the page may do: talk to the two servers, show pictures that it has made itself, and nothing else.

    nonce: for the style elements that keep a page from scrolling behind a dialog.
    """
    documents = urlsplit(settings.document_server_public_url)
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": "'self' blob: data:",
        "font-src": "'self'",
        "connect-src": f"'self' {documents.scheme}://{documents.netloc}",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def routes(settings: Settings, folder: Path = STATIC) -> list[BaseRoute]:
    """The page at `/` and its files. Where the page has not been built, what is at `/` tells how to."""

    def filled(page: str, nonce: str) -> str:
        values = {"%CSP_NONCE%": nonce, "%DOCUMENTS_URL%": html.escape(settings.document_server_public_url)}
        for placeholder, value in values.items():
            page = page.replace(placeholder, value)
        return page

    def page(_: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        try:
            text = (folder / PAGE).read_text("utf-8")
        except FileNotFoundError:
            return HTMLResponse(NOT_BUILT, 404, headers_for(settings, nonce))
        return HTMLResponse(filled(text, nonce), headers=headers_for(settings, nonce))

    return [
        Route("/", page, include_in_schema=False),
        Mount("/assets", Assets(directory=folder / "assets", check_dir=False), middleware=[Middleware(GZipMiddleware)]),
    ]
