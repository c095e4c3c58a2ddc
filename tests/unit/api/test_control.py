"""What gets through whatever else is going on, and nothing beside it."""

import pytest

from api.control import is_control


@pytest.mark.parametrize(
    ("method", "path", "control"),
    [
        ("POST", "/sessions/s/stop", True),
        ("POST", "/sessions/stop", True),
        ("OPTIONS", "/sessions/s/stop", True),
        ("OPTIONS", "/events", False),
        ("GET", "/health", True),
        ("HEAD", "/ready", True),
        ("GET", "/metrics", True),
        ("POST", "/events", False),
        ("POST", "/health", False),
        ("GET", "/sessions/s/stop", False),
        ("POST", "/sessions/a/b/stop", False),
        ("POST", "/stop", False),
        ("GET", "/sessions", False),
        ("GET", "/", False),
    ],
)
def test_stops_and_looks_at_the_server_are_control(method: str, path: str, control: bool) -> None:
    assert is_control(method, path) is control
