"""Events that a server makes or takes, encoded once for the scripts."""

from pydantic_core import from_json

from agent_bus import timestamps
from agent_bus.event_records import EventRecord, tool_outcome
from agent_bus.identifiers import NAME_LENGTH
from agent_bus.messages import Event


class NumberTooLarge(ValueError):
    """A number that is JSON but no double, such as 1e999: it can't be relayed as what it was."""

    def __init__(self) -> None:
        super().__init__("A number in the body is too large for a double")


def encode_event(event: Event) -> EventRecord:
    """The event as the scripts take it. Raises NumberTooLarge."""
    encoded = event.model_dump_json().encode()
    if b"Infinity" in encoded or b"NaN" in encoded:
        try:
            from_json(encoded, allow_inf_nan=False)
        except ValueError as error:
            raise NumberTooLarge from error
    extra = event.model_extra or {}
    return EventRecord(
        event.event_type,
        event.timestamp,
        timestamps.microseconds(event.timestamp),
        event.session_name,
        encoded[1:],
        _text(extra.get("project_dir")),
        _text(extra.get("agent_name")),
        tool_outcome(event.event_type, event.tool_name, event.error),
    )


def closing_event(session_id: str, session_name: str, reason: str) -> EventRecord:
    """The event that ends a run which its agent did not end itself."""
    return encode_event(
        Event(
            event_type="session_stop",
            session_id=session_id,
            session_name=session_name,
            timestamp=timestamps.now(),
            reason=reason,
        )
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= NAME_LENGTH else ""
