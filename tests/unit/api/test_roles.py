"""Who may what: each route of both servers has a line, and each line its roles."""

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount, Route

from agent_bus.settings import Settings
from api.coordinator.app import create_coordinator_api
from api.documents.app import create_documents_api
from api.roles import ALL, ANYBODY, OPERATORS, READERS, REPORTERS, RULES, Role, has_rule, who_may


def routes() -> Iterator[tuple[str, str]]:
    """What both servers say that they have, and what they have without saying so."""
    for app in (create_coordinator_api(Settings()), create_documents_api(Settings())):
        for path, methods in app.openapi()["paths"].items():
            yield from ((method.upper(), path) for method in methods)
        for route in app.routes:
            if isinstance(route, Route):
                yield from ((method, route.path) for method in route.methods or ())
            elif isinstance(route, Mount):
                yield "GET", f"{route.path}/{{path:path}}"


@pytest.mark.parametrize(("method", "path"), sorted(set(routes())))
def test_every_route_has_a_line_that_says_who_may(method: str, path: str) -> None:
    assert has_rule(method, re.sub(r"\{.*?\}", "x", path)), f"say in api/roles.py who may {method} {path}"


def test_no_line_is_for_a_route_that_there_is_not() -> None:
    # The WebSocket goes past the framework.
    assert {(method, path) for method, path, _ in RULES} - {("GET", "/ws")} <= set(routes())
    assert len({(method, path) for method, path, _ in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("method", "path", "roles"),
    [
        ("GET", "/health", ANYBODY),
        ("HEAD", "/health", ANYBODY),
        ("POST", "/health", OPERATORS),
        ("GET", "/", ANYBODY),
        ("GET", "/assets/index-1.js", ANYBODY),
        ("GET", "/assets", READERS),
        ("GET", "/assetsx", READERS),
        ("POST", "/assets/x", OPERATORS),
        ("GET", "/whoami", ALL),
        ("POST", "/events", REPORTERS),
        ("POST", "/hooks/claude-code", REPORTERS),
        ("GET", "/events/a", READERS),
        ("GET", "/events/a\nb", READERS),
        ("POST", "/events/a", OPERATORS),
        ("POST", "/events/", OPERATORS),
        ("POST", "/EVENTS", OPERATORS),
        ("post", "/events", OPERATORS),
        ("POST", "//events", OPERATORS),
        ("POST", "/sessions/a/stop", OPERATORS),
        ("POST", "/sessions/stop", OPERATORS),
        ("POST", "/ws-ticket", READERS),
        ("HEAD", "/documents/1", READERS),
        ("DELETE", "/documents/1", OPERATORS),
        ("OPTIONS", "/documents", READERS),
        ("GET", "/unheard-of", READERS),
        ("BREW", "/unheard-of", OPERATORS),
    ],
)
def test_who_may(method: str, path: str, roles: frozenset[Role] | None) -> None:
    assert who_may(method, path) == roles


@given(method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "QUERY", "get", ""]), path=st.text())
def test_what_nobody_thought_of_is_for_operators(method: str, path: str) -> None:
    if not has_rule(method, path):
        assert who_may(method, path) == OPERATORS


@given(path=st.text())
def test_nothing_but_what_is_listed_is_for_anybody(path: str) -> None:
    public = {"/health", "/ready", "/", "/openapi.json", "/docs"}
    assert who_may("GET", path) is not None or path in public or path.startswith("/assets/")


def test_roles_are_words_in_json() -> None:
    assert json.dumps(list(Role)) == '["agent", "viewer", "operator"]'
