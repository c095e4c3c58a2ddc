"""From the bytes of a `POST /events` to the record that goes to Redis: validated once, encoded once."""

from pydantic import ValidationError
from pydantic_core import from_json

from agent_bus.event_encoding import NumberTooLarge, encode_event
from agent_bus.event_records import EventRecord
from agent_bus.messages import Event
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
    try:
        return event.session_id, encode_event(event)
    except NumberTooLarge as error:
        raise InvalidEvent(str(error)) from error
