"""What goes over the bus, as frozen models: sessions, events, and the messages that browsers see.

The Lua scripts write these as JSON; the models read them where a program needs more than the bytes, and describe them
to clients (`docs` and the front end take their types from here).
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator

from agent_bus import timestamps
from agent_bus.identifiers import ID_LENGTH, ID_PATTERN, NAME_LENGTH, check_session_id

Status = Literal["running", "finished", "stopped"]
"""`running` until the run ends: by itself (`finished`), or because it was asked to (`stopped`)."""

Presence = Literal["connected", "hooks", "none"]
"""`connected`: a bridge holds the run. `hooks`: it is reported over HTTP and learns of a stop by its next report."""

EVENT_TYPE_PATTERN = r"^[a-z][a-z0-9_]*$"
EVENT_TYPE_LENGTH = 64

SessionId = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_LENGTH, pattern=ID_PATTERN), AfterValidator(check_session_id)
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\x00]+$")]


# What a double, and so a browser, holds exactly.
LARGEST_INTEGER = 2**53


class Message(BaseModel):
    """Frozen, and tolerant of fields that a newer version adds."""

    # What has a default is always there in what is sent, and clients' types are to say so.
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)


class Usage(Message):
    """Tokens that a session has used, as its `usage` events add up."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


class Session(Message):
    """One agent's session, as of the message or answer that carries it.

    Times are the server's clock, except for `created_at`.
    """

    session_id: str
    session_name: str
    status: Status
    created_at: str
    modified_at: str
    project_dir: str | None = None
    agent_name: str | None = None
    presence: Presence = "none"
    stop_confirmed: bool | None = None
    """None: no stop was asked for in this run. False: asked for, not confirmed. True: the agent has ceased."""
    usage: Usage | None = None
    """None: nobody has reported any."""
    cost_usd: float | None = None
    """What it has cost in US dollars, as far as that was reported."""
    run: str | None = None
    """Names the current run, or the last one: a whole number that grows from run to run."""
    events: int = 0
    """How many events are kept of it, late ones too.

    In a message these are the session's events with a lower `seq` than the message's own. An event that follows it,
    even if it is the one that brought the change about, is not counted yet: each `event` message after it adds one.
    """
    started_at: str | None = None
    """When the current run, or the last one, began. None: before this was recorded."""
    ended_at: str | None = None
    """When that run ended: finished, or stopped, be that confirmed or not. None while it goes on."""
    stop_requested_at: str | None = None
    """When a stop of that run was first asked for. None: it was not."""
    stop_confirmed_at: str | None = None
    """When its agent was known to have ceased. None: that is not known, or no stop was asked for."""


class ContentBlock(BaseModel):
    """A piece of a message: `{"type": "text", "text": …}`, or another type with fields of its own."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    type: str


class Event(BaseModel):
    """Something that an agent did. Fields that this version does not know are kept and relayed as they are."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        ser_json_inf_nan="constants",
        json_schema_serialization_defaults_required=True,
    )

    event_type: Annotated[str, StringConstraints(max_length=EVENT_TYPE_LENGTH, pattern=EVENT_TYPE_PATTERN)]
    session_id: SessionId
    session_name: Name
    timestamp: str
    tool_name: str | None = None
    tool_input: dict[str, JsonValue] | None = None
    tool_output: JsonValue = None
    error: str | None = None
    exit_code: Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)] | None = None
    reason: str | None = None
    role: Literal["user", "assistant"] | None = None
    content: list[ContentBlock] | None = None

    @field_validator("timestamp")
    @classmethod
    def _as_agreed(cls, value: str) -> str:
        return timestamps.normalise(value)[0]


class StoredEvent(Event):
    """An event with the number under which it was accepted."""

    id: int


class InitMessage(Message):
    """The first message on a connection: the newest sessions, and the position from which the flow goes on."""

    type: Literal["init"] = "init"
    seq: int
    epoch: str
    sessions: list[Session]
    total: int
    """How many sessions there are; the others come from `GET /sessions` with the cursor `next`."""
    next: str | None = None


class ResumedMessage(Message):
    """The first message on a connection that goes on from `seq` and asked to be told so: what follows, up to `head`."""

    type: Literal["resumed"] = "resumed"
    seq: int
    head: int
    epoch: str


class EventMessage(Message):
    """An event, as it was accepted."""

    type: Literal["event"] = "event"
    seq: int
    data: StoredEvent


class SessionMessage(Message):
    """A session came into being or changed; `stop_requested` says that its agent has been asked to stop."""

    type: Literal["session_created", "session_updated", "stop_requested"]
    seq: int
    session: Session


class SessionDeletedMessage(Message):
    """A session and its history are gone."""

    type: Literal["session_deleted"] = "session_deleted"
    seq: int
    session_id: str


class TagCount(Message):
    """A tag and how many documents have it."""

    name: str
    count: Annotated[int, Field(ge=0)]


class TagsUpdatedMessage(Message):
    """The tag counts have changed."""

    type: Literal["tags_updated"] = "tags_updated"
    seq: int
    tags: list[TagCount]


class DocumentDeletedMessage(Message):
    """A document is gone."""

    type: Literal["document_deleted"] = "document_deleted"
    seq: int
    document_id: str
