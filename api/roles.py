"""Who may ask for what, where tokens are in use. Each route of both servers has its line; no I/O."""

import re
from collections.abc import Iterator
from enum import StrEnum

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(StrEnum):
    """What the holder of a token may do."""

    AGENT = "agent"
    """Report: send events and hooks, for whichever session they name, and read in the answer whether it is to stop.

    A session is not tied to the token that reported it. Its id is the agent's to choose and to take up again from
    another machine, so a token vouches for whoever runs agents and not for one session.
    """
    VIEWER = "viewer"
    """Read everything, blueprints and documents included, and follow it live."""
    OPERATOR = "operator"
    """Everything, what agents may included."""


Roles = frozenset[Role]

ALL: Roles = frozenset(Role)
REPORTERS: Roles = frozenset({Role.AGENT, Role.OPERATOR})
READERS: Roles = frozenset({Role.VIEWER, Role.OPERATOR})
OPERATORS: Roles = frozenset({Role.OPERATOR})
ANYBODY = None
"""Also without a token."""

RULES: tuple[tuple[str, str, Roles | None], ...] = (
    # What probes ask for, the page that asks for a token, and what describes the API.
    ("GET", "/health", ANYBODY),
    ("GET", "/ready", ANYBODY),
    ("GET", "/", ANYBODY),
    ("GET", "/assets/{path:path}", ANYBODY),
    ("GET", "/openapi.json", ANYBODY),
    ("GET", "/docs", ANYBODY),
    ("GET", "/metrics", READERS),
    ("GET", "/whoami", ALL),
    ("POST", "/ws-ticket", READERS),
    ("GET", "/ws", READERS),
    ("POST", "/events", REPORTERS),
    ("POST", "/hooks/claude-code", REPORTERS),
    ("GET", "/events/{session_id}", READERS),
    ("GET", "/events/{session_id}/outline", READERS),
    ("GET", "/sessions", READERS),
    ("GET", "/sessions/{session_id}", READERS),
    ("PATCH", "/sessions/{session_id}/metadata", OPERATORS),
    ("DELETE", "/sessions/{session_id}", OPERATORS),
    ("POST", "/sessions/stop", OPERATORS),
    ("POST", "/sessions/{session_id}/stop", OPERATORS),
    ("GET", "/statistics", READERS),
    ("GET", "/agents", READERS),
    ("POST", "/agents", OPERATORS),
    ("GET", "/agents/{name}", READERS),
    ("PATCH", "/agents/{name}", OPERATORS),
    ("PATCH", "/agents/{name}/status", OPERATORS),
    ("DELETE", "/agents/{name}", OPERATORS),
    ("GET", "/documents", READERS),
    ("POST", "/documents", OPERATORS),
    ("GET", "/documents/tags", READERS),
    ("GET", "/documents/{document_id}", READERS),
    ("PATCH", "/documents/{document_id}", OPERATORS),
    ("DELETE", "/documents/{document_id}", OPERATORS),
    ("GET", "/documents/{document_id}/metadata", READERS),
)


def _patterns() -> Iterator[tuple[str, re.Pattern[str], Roles | None]]:
    for method, template, roles in RULES:
        if "{" in template:
            anything = template.replace("{path:path}", ".*")
            yield method, re.compile(re.sub(r"\{\w+\}", "[^/]+", anything), re.DOTALL), roles


_EXACT = {(method, template): roles for method, template, roles in RULES if "{" not in template}
_PATTERNS = tuple(_patterns())


# Told from ANYBODY by identity.
_NO_RULE: Roles = frozenset()


def has_rule(method: str, path: str) -> bool:
    """Whether a line speaks of this request."""
    return _rule(method, path) is not _NO_RULE


def who_may(method: str, path: str) -> Roles | None:
    """The roles that may ask for this; None for anybody.

    What no line speaks of is for readers if it only reads, and for operators otherwise: a forgotten line locks out
    rather than lets in.
    """
    roles = _rule(method, path)
    if roles is not _NO_RULE:
        return roles
    return READERS if method in SAFE_METHODS else OPERATORS


def _rule(method: str, path: str) -> Roles | None:
    method = "GET" if method == "HEAD" else method
    roles = _EXACT.get((method, path), _NO_RULE)
    if roles is not _NO_RULE:
        return roles
    return next((roles for known, pattern, roles in _PATTERNS if known == method and pattern.fullmatch(path)), _NO_RULE)
