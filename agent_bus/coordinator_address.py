"""Where commands and hooks on an agent's machine find a coordinator. Imports little: hooks run often."""

import os
from collections.abc import Mapping

API_URL_VARIABLE = "AGENT_ORCHESTRATOR_API_URL"
DEFAULT_API_URL = "http://localhost:8765"
TOKEN_VARIABLE = "AGENT_ORCHESTRATOR_TOKEN"  # noqa: S105  the name, not a token
"""Goes along with every request as `Authorization: Bearer`; a server without a file of tokens asks for this one."""

CLAUDE_CODE_HOOK_PATH = "/hooks/claude-code"
"""Takes Claude Code's hook JSON and answers in its format."""

# What the environment of Claude Code says about its session goes along as headers of a hook's request.
HOOK_HEADERS = {
    "X-Session-Name": "AGENT_ORCHESTRATOR_SESSION_NAME",
    "X-Agent-Name": "AGENT_ORCHESTRATOR_AGENT_NAME",
    # Set where a bridge in the program that drives Claude Code reports already: its hooks then say nothing.
    "X-Bridged-Session": "AGENT_BRIDGE_SESSION",
}


def find_token(environ: Mapping[str, str] = os.environ) -> str:
    """The token to send, '' for none. Raises ValueError, without repeating it, for what no header can carry."""
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError(f"{TOKEN_VARIABLE} is no token: it must be ASCII without blanks")
    return token


def find_api_url(explicit: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The coordinator's URL, without a slash at the end: the argument, else the variable, else the local default."""
    return (explicit or environ.get(API_URL_VARIABLE) or DEFAULT_API_URL).rstrip("/")
