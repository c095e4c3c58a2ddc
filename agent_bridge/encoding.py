"""From what an agent says to the record that goes to Redis: whatever it is, it becomes an event, and never an error."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from agent_bus import timestamps
from agent_bus.event_records import EventRecord

EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
# The coordinator's limit for events that come over HTTP; what is larger is cut, and says so.
MAX_EVENT_BYTES = 1024 * 1024
PREVIEW_CHARACTERS = 16 * 1024
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """Whose events these are."""

    session_id: str
    session_name: str
    project_dir: str | None = None
    agent_name: str | None = None


def content_blocks(content: str | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Message content as blocks: text becomes one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content)


def encode(identity: SessionIdentity, event_type: str, fields: Mapping[str, Any]) -> EventRecord:
    """An event as of now. Raises ValueError only for an `event_type` that is not a lower-case word."""
    if not EVENT_TYPE.fullmatch(event_type):
        raise ValueError(f"event_type {event_type!r} must be lower-case letters, digits and _, at most 64")
    timestamp = timestamps.now()
    head = {
        "event_type": event_type,
        "session_id": identity.session_id,
        "session_name": identity.session_name,
        "timestamp": timestamp,
    }
    body = _dumps(_EMPTY | dict(fields) | head)
    if len(body) > MAX_EVENT_BYTES:
        body = _dumps(_EMPTY | {name: _shortened(name, value) for name, value in fields.items()} | head)
    return EventRecord(
        event_type=event_type,
        timestamp=timestamp,
        score=timestamps.microseconds(timestamp),
        session_name=identity.session_name,
        json_tail=body[1:],
        project_dir=identity.project_dir or "",
        agent_name=identity.agent_name or "",
    )


# Absent fields come back as null, whichever way an event came in.
_EMPTY: dict[str, Any] = dict.fromkeys(
    ("tool_name", "tool_input", "tool_output", "error", "exit_code", "reason", "role", "content")
)


def _dumps(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError, RecursionError):
        return _dumps_anything(value)


def _dumps_anything(value: object) -> bytes:
    import json

    return json.dumps(_plain(value, MAX_DEPTH), ensure_ascii=False).encode()


def _plain(value: object, depth: int) -> object:
    """The value with what JSON can't say put into words: lone surrogates, NaN, objects, cycles."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {str(_plain(str(key), 0)): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth - 1) for item in value]
    return _plain(repr(value), 0) if depth else "…"


def _shortened(name: str, value: object) -> object:
    encoded = _dumps(value)
    if len(encoded) <= PREVIEW_CHARACTERS:
        return value
    text = value if isinstance(value, str) else encoded.decode()
    notice = {"truncated": True, "original_bytes": len(encoded), "preview": text[:PREVIEW_CHARACTERS]}
    if name == "content":
        return [{"type": "text", "text": notice["preview"], "truncated": True, "original_bytes": len(encoded)}]
    if name in ("error", "reason"):
        return f"{text[:PREVIEW_CHARACTERS]}… (cut from {len(encoded)} bytes)"
    return notice
