"""How a server says whether it can serve: each thing that it needs, `ok` or what is wrong with it."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

from api.errors import RETRY_AFTER_SECONDS

OK = "ok"


def readiness(checks: Mapping[str, str], **more: object) -> JSONResponse:
    """200 if everything is `ok`, else 503; with what was looked at, and whatever more there is to tell."""
    wrong = [found for found in checks.values() if found != OK]
    if not wrong:
        return JSONResponse({"status": "ready", "checks": dict(checks)} | more)
    body = {"detail": "; ".join(wrong), "status": "not ready", "checks": dict(checks)}
    return JSONResponse(body | more, 503, {"Retry-After": RETRY_AFTER_SECONDS})
