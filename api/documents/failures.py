"""How the documents server fails: the shape of its errors, and what each route's description says of them."""

from typing import Any

from pydantic import BaseModel

_TEXTS = {
    400: "The request can't be read, or is addressed to a host that is not allowed",
    403: "The page that sent this is not allowed to",
    404: "There is no such document",
    408: "The body stalled",
    412: "The document is not in a version that `If-Match` names",
    413: "The body is too large; the detail names the limit",
    416: "The document has no such bytes",
    422: "Something in the request is not valid; the detail says what",
    500: "The document's bytes are missing",
    503: "Redis or the blob store is not reachable; try again",
}


class Problem(BaseModel):
    """An error: a sentence, or a list of what was wrong and where."""

    detail: str | list[dict[str, Any]]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The description of a route's errors, beside those that every route has."""
    return {status: {"model": Problem, "description": _TEXTS[status]} for status in (400, *statuses, 503)}
