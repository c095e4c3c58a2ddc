"""Asking a server how it is, as `up` and `doctor` do."""

import http.client
import json
from typing import Any

PATIENCE_SECONDS = 2.0
LARGEST_ANSWER = 64 * 1024

_HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def ask(host: str, port: int, *, patience: float = PATIENCE_SECONDS) -> dict[str, Any] | None:
    """What `GET /health` answers on a server that listens on `host`; None when it is not an answer of ours.

    Raises OSError when nothing can be reached there.
    """
    connection = http.client.HTTPConnection(_HERE.get(host, host), port, timeout=patience)
    try:
        # By a name that every server lets in, whatever it listens on.
        connection.request("GET", "/health", headers={"Host": "localhost", "Connection": "close"})
        answer = connection.getresponse()
        body = json.loads(answer.read(LARGEST_ANSWER))
    except (http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return body if isinstance(body, dict) and "status" in body else None


def is_healthy(host: str, port: int) -> bool:
    """Whether one of our servers answers there and is well."""
    try:
        answer = ask(host, port)
    except OSError:
        return False
    return answer is not None and answer["status"] == "healthy"
