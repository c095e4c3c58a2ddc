"""From the bytes of a `POST /events` to the record that goes to Redis: validated once, encoded once."""

from pydantic import ValidationError
from pydantic_core import from_json

from agent_bus.event_records import EventRecord
from agent_bus.identifiers import NAME_LENGTH
from agent_bus.messages import Event
from agent_bus.timestamps import microseconds
from api.errors import explain

# Fields that the server gives; a client's own would contradict them.
_SERVER_FIELDS = ("id", "seq")


class InvalidEvent(ValueError):
    """The body is not an event; `detail` is what the client is told."""

    def __init__(self, detail: object) -> None:
        super().__init__(str(detail))
        self.detail = detail


def parse_event(body: bytes) -> tuple[str, EventRecord]:
    """The session's id and the record. Raises InvalidEvent."""
    try:
        # Strict JSON: NaN and Infinity would reach browsers, whose parsers refuse them.
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidEvent(f"The body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidEvent("The body must be a JSON object")
    for name in _SERVER_FIELDS:
        fields.pop(name, None)
    try:
        event = Event.model_validate(fields)
    except ValidationError as error:
        raise InvalidEvent(explain(error)) from error
    encoded = event.model_dump_json().encode()
    if b"Infinity" in encoded or b"NaN" in encoded:
        _refuse_overflow(encoded)
    extra = event.model_extra or {}
    return event.session_id, EventRecord(
        event.event_type,
        event.timestamp,
        microseconds(event.timestamp),
        event.session_name,
        encoded[1:],
        _text(extra.get("project_dir")),
        _text(extra.get("agent_name")),
    )


def _refuse_overflow(encoded: bytes) -> None:
    # 1e999 is JSON, but no double; it can't be relayed as what it was.
    try:
        from_json(encoded, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidEvent("A number in the body is too large for a double") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= NAME_LENGTH else ""
