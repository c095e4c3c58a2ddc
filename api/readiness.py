"""How a server says whether it can serve: each thing that it needs, `ok` or what is wrong with it."""

import logging
from collections.abc import Mapping

from fastapi.responses import JSONResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.errors import RETRY_AFTER_SECONDS

logger = logging.getLogger(__name__)

OK = "ok"


def redis_away(error: Exception) -> str:
    """What is wrong with Redis, for anybody who asks; where it is, is for the log."""
    logger.warning("redis does not answer a probe: %s", str(error) or "no answer in time")
    late = isinstance(error, TimeoutError | RedisTimeoutError)
    return f"Redis does not answer: {'no answer in time' if late else 'the log of the server says why'}"


def readiness(checks: Mapping[str, str], **more: object) -> JSONResponse:
    """200 if everything is `ok`, else 503; with what was looked at, and whatever more there is to tell."""
    wrong = [found for found in checks.values() if found != OK]
    if not wrong:
        return JSONResponse({"status": "ready", "checks": dict(checks)} | more)
    body = {"detail": "; ".join(wrong), "status": "not ready", "checks": dict(checks)}
    return JSONResponse(body | more, 503, {"Retry-After": RETRY_AFTER_SECONDS})
