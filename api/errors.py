"""Errors as every route answers them: `{"detail": …}`, with a status that says whether to try again."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException

logger = logging.getLogger(__name__)

# Redis that restarts on its append-only file is back within about a second.
RETRY_AFTER_SECONDS = "1"


class Problem(BaseModel):
    """An error: a sentence that says what to do, or a list of the fields at fault."""

    detail: str | list[dict[str, Any]]


DETAIL: dict[str, Any] = {"model": Problem}
"""For a route's `responses`: this status comes with a Problem."""


def problem(status: int, detail: Any, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as it goes over the wire."""
    return JSONResponse({"detail": detail}, status, headers)


def explain(error: ValidationError | RequestValidationError) -> list[dict[str, Any]]:
    """What was wrong and where, without repeating the input: it may be large, secret, or not JSON at all."""
    return [{"loc": list(item["loc"]), "msg": item["msg"], "type": item["type"]} for item in error.errors()]


def install_error_handlers(app: FastAPI) -> None:
    """Makes every failure of the app a JSON answer."""

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, error.detail, dict(error.headers or {}))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ValidationError | RequestValidationError)
        return problem(422, explain(error))

    async def redis_away(request: Request, error: Exception) -> JSONResponse:
        logger.warning("redis unavailable for %s %s: %s", request.method, request.url.path, error)
        return problem(503, "Redis is not reachable; try again shortly", {"Retry-After": RETRY_AFTER_SECONDS})

    async def redis_refused(request: Request, error: Exception) -> JSONResponse:
        logger.error("redis refused %s %s: %s", request.method, request.url.path, error)
        return problem(503, f"Redis refused the request: {error}", {"Retry-After": RETRY_AFTER_SECONDS})

    async def failed(request: Request, error: Exception) -> JSONResponse:
        logger.error("unhandled error in %s %s", request.method, request.url.path, exc_info=error)
        return problem(500, "Internal error; the server's log says more")

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, invalid)
    app.add_exception_handler(RedisConnectionError, redis_away)
    app.add_exception_handler(RedisTimeoutError, redis_away)
    app.add_exception_handler(RedisError, redis_refused)
    app.add_exception_handler(Exception, failed)
