"""The answer to who asks for too much: which limit it is, whose, and where it is set."""

from math import ceil

from starlette.responses import JSONResponse

from api.errors import problem


def too_many(whose: str, limit: str, setting: str, wait: float, **more: object) -> JSONResponse:
    """429. whose: as it is to be read; limit: of what how much; wait: the seconds until there is something left.

    more: what else the answer says.
    """
    seconds = max(1, ceil(wait))
    detail = f"{whose} is over its limit of {limit} a second; try again in {seconds} s, or raise {setting}"
    return problem(429, detail, {"Retry-After": str(seconds)}, **more)


TOKEN_SETTING = "AGENT_ORCHESTRATOR_TOKEN_REQUESTS_PER_SECOND"  # noqa: S105  the name of a setting
