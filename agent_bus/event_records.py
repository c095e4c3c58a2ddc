"""Events in the form in which the scripts take them. Light enough to import into an agent's process."""

from typing import NamedTuple


class EventRecord(NamedTuple):
    """One event, encoded once: its JSON object without the opening brace, so that its id can be put in front.

    score: the timestamp in microseconds since 1970; it orders sessions by their creation.
    """

    event_type: str
    timestamp: str
    score: int
    session_name: str
    json_tail: bytes
    project_dir: str = ""
    agent_name: str = ""

    def description(self) -> tuple[str | int, ...]:
        """When it was and whose it is, as `append_events.lua` takes it."""
        return self.timestamp, self.score, self.session_name, self.project_dir, self.agent_name
