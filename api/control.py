"""What must get through whatever else is going on: stopping agents, and asking how the server is."""

import re

STOP = re.compile(r"/sessions/([^/]+)/stop")

_ASKED = frozenset({"/health", "/ready", "/metrics"})


def is_control(method: str, path: str) -> bool:
    """Whether this request is answered even where a limit on how much may be asked for is reached."""
    # A page elsewhere asks first whether it may.
    if method in ("POST", "OPTIONS"):
        return path.endswith("/stop") and (path == "/sessions/stop" or STOP.fullmatch(path) is not None)
    return method in ("GET", "HEAD") and path in _ASKED
