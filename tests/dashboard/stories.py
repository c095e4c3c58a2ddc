"""What agents report, as the tests and the pictures need it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

Event = dict[str, Any]


def text(role: str, words: str) -> Event:
    """A message of one block of text."""
    return {"event_type": "message", "role": role, "content": [{"type": "text", "text": words}]}


def tool(
    name: str, tool_input: dict[str, Any], output: Any = None, *, error: str | None = None, key: str
) -> list[Event]:
    """A tool's use: what was asked for, and what came of it."""
    about = {"tool_name": name, "tool_input": tool_input, "tool_use_id": key}
    return [
        {"event_type": "pre_tool", **about},
        {"event_type": "post_tool", **about, "tool_output": output, "error": error},
    ]


class Reporter:
    """Reports one session's events over HTTP, one second of the agent's clock after the other."""

    def __init__(self, http: httpx.Client, session_id: str, *, began: datetime | None = None, **about: str) -> None:
        self._http = http
        self._always = {"session_id": session_id, "session_name": session_id} | about
        self._clock = began or datetime.now(UTC)

    def report(self, *events: Event, seconds: float = 1.0) -> None:
        """Each of them, with so much time after each. Raises httpx.HTTPStatusError."""
        for event in events:
            stamped = self._always | {"timestamp": self._clock.isoformat()} | event
            self._http.post("/events", json=stamped).raise_for_status()
            self._clock += timedelta(seconds=seconds)

    def start(self) -> None:
        """The beginning of a run."""
        self.report({"event_type": "session_start"})

    def end(self, **how: Any) -> None:
        """The end of a run."""
        self.report({"event_type": "session_stop", **how})
