"""Events in the form in which the scripts take them. Light enough to import into an agent's process."""

from typing import NamedTuple

# In bytes a few times as much, in each of thousands of counts: longer names are cut.
TOOL_NAME_LENGTH = 100


def tool_outcome(event_type: str, tool_name: object, error: object) -> str:
    """What an event tells of a tool whose use has ended, as `statistics.lua` takes it; '' for any other event.

    '0' or '1' for whether it failed, which is when it has an `error`; a space; the tool, '' where that is not known.
    """
    if event_type != "post_tool":
        return ""
    name = tool_name[:TOOL_NAME_LENGTH] if isinstance(tool_name, str) else ""
    return f"{0 if error is None else 1} {name.encode(errors='replace').decode()}"


class EventRecord(NamedTuple):
    """One event, encoded once: its JSON object without the opening brace, so that its id can be put in front.

    score: the timestamp in microseconds since 1970; it orders sessions by their creation.
    outcome: see `tool_outcome`.
    """

    event_type: str
    timestamp: str
    score: int
    session_name: str
    json_tail: bytes
    project_dir: str = ""
    agent_name: str = ""
    outcome: str = ""

    def description(self) -> tuple[str | int, ...]:
        """When it was and whose it is, as `append_events.lua` takes it."""
        return self.timestamp, self.score, self.session_name, self.project_dir, self.agent_name

    def arguments(self) -> tuple[str, bytes]:
        """What it is, and its JSON, as the scripts take an event that they are to accept."""
        return f"{self.event_type} {self.outcome}" if self.outcome else self.event_type, self.json_tail

    def adding(self, name: str, number: int) -> "EventRecord":
        """The same event with one more field, which it must not have yet."""
        return self._replace(json_tail=self.json_tail[:-1] + f',"{name}":{number}}}'.encode())
