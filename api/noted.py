"""Answers that leave word of themselves in the request's scope.

What is asked for by the thousand is counted by that, for looking into each message on its way out costs as much as all
other counting. A client's name for its request is given back; without one, a request is named when there is something
to be said of it.
"""

import secrets
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from agent_bus.log_lines import request_id

REQUEST_ID = b"x-request-id"
_STATUS, _NAME = "agent_orchestrator.status", "agent_orchestrator.request_id"


class NotedResponse(Response):
    """An answer that is sent once."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        scope[_STATUS] = self.status_code
        if (name := scope.get(_NAME)) is not None:
            self.raw_headers.append((REQUEST_ID, name))
        await super().__call__(scope, receive, send)


class NotedJSONResponse(NotedResponse, JSONResponse):
    """The same, of something that is JSON."""


def noted_status(scope: Scope) -> int:
    """The status that a request was answered with; 0 if nobody has said so."""
    status: int = scope.get(_STATUS, 0)
    return status


def give_name(scope: MutableMapping[str, Any], name: bytes) -> None:
    """What the request is called in the log, and in the answer if that is a noted one."""
    scope[_NAME] = name
    request_id.set(name)


def ensure_name(scope: MutableMapping[str, Any]) -> None:
    """Names a request of which something is to be said, if it has no name yet."""
    if not request_id.get():
        give_name(scope, secrets.token_hex(8).encode())
