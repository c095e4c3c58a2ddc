"""Errors as every route answers them: `{"detail": …}`, with a status that says whether to try again."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from agent_bus.archive_format import Damaged
from agent_bus.blobs import BlobStoreFailed
from agent_bus.bus import NotReplicated
from agent_bus.event_writer import WriterFull
from agent_bus.events import ArchivedObjectGone
from agent_bus.refusals import is_not_permitted
from api.noted import NotedJSONResponse, ensure_name

logger = logging.getLogger(__name__)

# Redis that restarts on its append-only file is back within about a second.
RETRY_AFTER_SECONDS = "1"
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Problem(BaseModel):
    """An error: a sentence that says what to do, or a list of the fields at fault."""

    detail: str | list[dict[str, Any]]


DETAIL: dict[str, Any] = {"model": Problem}
"""For a route's `responses`: this status comes with a Problem."""


def problem(status: int, detail: Any, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """An error as it goes over the wire. more: what it says beside the detail."""
    return NotedJSONResponse({"detail": detail, **more}, status, headers)


def explain(error: ValidationError | RequestValidationError) -> list[dict[str, Any]]:
    """What was wrong and where, without repeating the input: it may be large, secret, or not JSON at all."""
    return [
        # What our own checks say is a sentence already.
        {"loc": list(item["loc"]), "msg": item["msg"].removeprefix("Value error, "), "type": item["type"]}
        for item in error.errors()
    ]


def _allowed(app: FastAPI, request: Request) -> list[str]:
    # The router names the methods of one route only, where several share the path.
    def served(method: str) -> bool:
        scope = dict(request.scope) | {"method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in app.routes)

    return [method for method in METHODS if served(method)]


def answer_to(error: Exception, method: str, path: str) -> JSONResponse:
    """The answer to a request that failed with an error; the log is told what the client is not."""
    if isinstance(error, HTTPException):
        return problem(error.status_code, error.detail, dict(error.headers or {}))
    if isinstance(error, RequestValidationError):
        return problem(422, explain(error))
    if isinstance(error, WriterFull):
        # The writer's own log says it once.
        detail = f"Redis does not keep up: {error}; try again shortly"
        return problem(503, detail, {"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error, AuthenticationError) or is_not_permitted(error):
        logger.error("redis does not let this server do what %s %s takes: %s", method, path, error)
        detail = "Redis does not let this server do that; its log says why"
        return problem(503, detail, {"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        logger.warning("redis unavailable for %s %s: %s", method, path, error)
        return problem(503, "Redis is not reachable; try again shortly", {"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error, BlobStoreFailed):
        cause = str(error.__cause__ or error).partition("\n")[0]
        logger.error("blob store failed in %s %s: %s", method, path, cause)
        return problem(503, "The blob store is not reachable; try again shortly", {"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error, ArchivedObjectGone | Damaged):
        logger.error("the archive can't be read for %s %s", method, path, exc_info=error)
        return problem(500, "The session's older events can't be read from the archive; the server's log says why")
    if isinstance(error, NotReplicated):
        logger.warning("not replicated in time: %s %s", method, path)
        return problem(503, str(error), {"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error, RedisError):
        logger.error("redis refused %s %s: %s", method, path, error)
        return problem(503, f"Redis refused the request: {error}", {"Retry-After": RETRY_AFTER_SECONDS})
    logger.error("unhandled error in %s %s", method, path, exc_info=error)
    return problem(500, "Internal error; the server's log says more")


def install_error_handlers(app: FastAPI) -> None:
    """Makes every failure of the app a JSON answer."""

    async def failed(request: Request, error: Exception) -> JSONResponse:
        ensure_name(request.scope)
        answer = answer_to(error, request.method, request.url.path)
        if answer.status_code == 405:
            answer.headers["Allow"] = ", ".join(_allowed(app, request))
        return answer

    kinds = (HTTPException, RequestValidationError, RedisError, BlobStoreFailed, ArchivedObjectGone, Damaged, Exception)
    for kind in kinds:
        app.add_exception_handler(kind, failed)
