"""From what an agent says to the record that goes to Redis: whatever it is, it becomes an event, and never an error."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from agent_bridge.plain import as_plain_json, readable
from agent_bus import timestamps
from agent_bus.event_records import EventRecord, tool_outcome

EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
# The coordinator's limit for events that come over HTTP; what is larger is cut, and says so.
MAX_EVENT_BYTES = 1024 * 1024
PREVIEW_CHARACTERS = 16 * 1024
# When even cut fields are too many: so much of each is kept, as long as all together stay below the second.
SMALL_FIELD_BYTES, SMALL_FIELDS_BYTES = 1024, 64 * 1024

# Absent fields come back as null, whichever way an event came in.
_ABSENT: dict[str, Any] = dict.fromkeys(
    ("tool_name", "tool_input", "tool_output", "error", "exit_code", "reason", "role", "content")
)
# Given by the bus; an agent's own would contradict it.
_OF_THE_BUS = frozenset({"id", "seq"})


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """Whose events these are; made readable once, since every event says it."""

    session_id: str
    session_name: str
    project_dir: str | None = None
    agent_name: str | None = None

    def __post_init__(self) -> None:
        for name in ("session_name", "project_dir", "agent_name"):
            object.__setattr__(self, name, readable(getattr(self, name) or ""))


def content_blocks(content: str | Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """Message content as blocks: text becomes one text block, nothing none."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content)


def encode(identity: SessionIdentity, event_type: str, fields: Mapping[str, Any]) -> EventRecord:
    """An event as of now. Raises ValueError only for an `event_type` that is not a lower-case word."""
    _check_type(event_type)
    timestamp, score = timestamps.now_and_microseconds()
    head = {
        "event_type": event_type,
        "session_id": identity.session_id,
        "session_name": identity.session_name,
        "timestamp": timestamp,
    }
    said = fields
    if not _OF_THE_BUS.isdisjoint(fields):
        said = {name: value for name, value in fields.items() if name not in _OF_THE_BUS}
    body = _dumps({**_ABSENT, **said, **head})
    if len(body) > MAX_EVENT_BYTES:
        body = _dumps(_ABSENT | {name: _cut(name, value) for name, value in said.items()} | head)
    if len(body) > MAX_EVENT_BYTES:
        body = _dumps(_ABSENT | _small_fields(said) | head)
    return EventRecord(
        event_type,
        timestamp,
        score,
        identity.session_name,
        body[1:],
        identity.project_dir or "",
        identity.agent_name or "",
        tool_outcome(event_type, said.get("tool_name"), said.get("error")),
    )


@lru_cache(maxsize=256)
def _check_type(event_type: str) -> None:
    if not EVENT_TYPE.fullmatch(event_type):
        raise ValueError(f"event_type {event_type!r} must be lower-case letters, digits and _, at most 64")


def _dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except Exception:  # noqa: BLE001 - whatever an agent's objects do when they are shown
        return as_plain_json(value)


def _cut(name: str, value: object) -> object:
    """The value, or what it began with and how long it was; of the type that the field has."""
    encoded = _dumps(value)
    if len(encoded) <= PREVIEW_CHARACTERS:
        return value
    text = value if isinstance(value, str) else encoded.decode()
    preview = text[:PREVIEW_CHARACTERS]
    if isinstance(value, str) and name != "tool_output":
        return f"{preview}… (cut from {len(encoded)} bytes)"
    notice = {"truncated": True, "original_bytes": len(encoded)}
    if name == "content":
        return [{"type": "text", "text": preview, **notice}]
    return {**notice, "preview": preview}


def _small_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are small, as long as they are few; how many others there were is said."""
    kept: dict[str, Any] = {}
    size = 0
    for name, value in fields.items():
        cost = len(name) + len(_dumps(value))
        if cost <= SMALL_FIELD_BYTES and size + cost <= SMALL_FIELDS_BYTES:
            kept[name] = value
            size += cost
    return kept | {"truncated": True, "fields_left_out": len(fields) - len(kept)}
