"""From the JSON that Claude Code gives its hooks to what is reported, and from the outcome to the answer it expects.

Seen on Claude Code 2.1.331; fields that other versions add are kept as they are.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import from_json, to_json

from agent_bus import timestamps
from agent_bus.event_encoding import NumberTooLarge, encode_event
from agent_bus.event_records import EventRecord
from agent_bus.hooks import HookKind, HookReport
from agent_bus.identifiers import NAME_LENGTH
from agent_bus.messages import Event, SessionId
from api.coordinator.ingest import InvalidEvent
from api.errors import explain

AGENT_NAME = "claude-code"
STOP_REASON = "Stopped by a person in agent-orchestrator; a new prompt goes on"

# What the program tells itself, in the form of a prompt, when something that it left running has ended.
_WAKE = "<task-notification>"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,60}", re.ASCII)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_KINDS: Mapping[str, HookKind] = {
    "UserPromptSubmit": "prompt",
    "PreToolUse": "tool",
    "PostToolUse": "used",
    "PostToolUseFailure": "used",
    "PostToolBatch": "used",
    "PermissionDenied": "used",
    "Stop": "end",
    "StopFailure": "end",
    "SessionStart": "start",
    "SessionEnd": "exit",
}
# Fields that have a name of ours, or say what the session already does.
_TRANSLATED = frozenset(
    ("hook_event_name", "session_id", "session_name", "event_type", "timestamp", "id", "seq", "transcript_path",
     "tool_response", "prompt", "last_assistant_message", "tool_calls", "content", "role")
)  # fmt: skip
PREVIEW_CHARACTERS = 16 * 1024


class HookInput(BaseModel):
    """What every hook says; the rest is by event."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    hook_event_name: str
    session_id: SessionId
    prompt_id: str | None = None
    prompt: str | None = None
    cwd: str | None = None
    tool_use_id: str | None = None
    agent_id: str | None = None
    source: str | None = None
    last_assistant_message: str | None = None
    tool_calls: list[dict[str, JsonValue]] | None = None


class Hook:
    """One hook's call. `report` is what it says; `answer` is what the program is told."""

    def __init__(self, body: bytes, *, session_name: str = "", agent_name: str = "", max_event_bytes: int) -> None:
        """session_name, agent_name: what the program's environment says, if anything.

        Raises InvalidEvent for what is not a hook's JSON.
        """
        try:
            fields = from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise InvalidEvent(f"The body is not JSON: {error}") from error
        try:
            self._input = HookInput.model_validate(fields)
        except ValidationError as error:
            raise InvalidEvent(explain(error)) from error
        if not _WORD.fullmatch(self._input.hook_event_name):
            raise InvalidEvent(f"hook_event_name {self._input.hook_event_name[:80]!r} is not the name of a hook event")
        self._session_name = session_name[:NAME_LENGTH].replace("\x00", "") or self._input.session_id
        self._agent_name = agent_name[:NAME_LENGTH] or AGENT_NAME
        self._timestamp = timestamps.now()
        self._max_bytes = max_event_bytes
        extra = self._input.model_extra or {}
        self._fields = {name: value for name, value in extra.items() if name not in _TRANSLATED}
        self.kind = self._kind()
        self.report = self._report()

    @property
    def _name(self) -> str:
        return self._input.hook_event_name

    def _kind(self) -> HookKind:
        kind = _KINDS.get(self._name, "other")
        if kind == "prompt" and (self._input.prompt or "").lstrip().startswith(_WAKE):
            return "wake"
        # Compaction starts the conversation over, not the program's work.
        return "other" if kind == "start" and self._input.source == "compact" else kind

    def _report(self) -> HookReport:
        said = self._input
        uses = [said.tool_use_id, *(call.get("tool_use_id") for call in said.tool_calls or ())]
        # A subagent in the background may belong to an earlier prompt than the one that the program is at.
        prompt_id = "" if said.agent_id else said.prompt_id
        if self.kind == "start":
            start, events = self._event("session_start", **self._fields, source=said.source), []
        else:
            start, events = self._event("session_start", source=_snake_case(self._name)), list(self._events())
        return HookReport(
            session_id=said.session_id,
            kind=self.kind,
            events=events,
            start=start,
            finish=self._event("session_stop", reason=self._why_it_ended()),
            stopped=self._event("session_stop", reason="stopped"),
            prompt_id=_token(prompt_id),
            tool_use_ids=[use for use in map(_token, uses) if use],
        )

    def _why_it_ended(self) -> str:
        if self._name == "Stop":
            return "the turn has ended"
        detail = self._fields.get("error") or self._fields.get("reason")
        what = "the turn has failed" if self._name == "StopFailure" else "the program has ended"
        return f"{what}: {detail}" if isinstance(detail, str) else what

    def _events(self) -> Sequence[EventRecord]:
        said, fields = self._input, self._fields
        own = {name: getattr(said, name) for name in ("prompt_id", "tool_use_id", "agent_id") if getattr(said, name)}
        match self._name:
            case "UserPromptSubmit" if self.kind == "wake":
                return [self._event("task_notification", **fields, **own, text=said.prompt)]
            case "UserPromptSubmit":
                return [self._event("message", **fields, **own, role="user", content=_text(said.prompt))]
            case "PreToolUse":
                return [self._event("pre_tool", **_with_input(fields), **own)]
            case "PostToolUse" | "PostToolUseFailure":
                output = (said.model_extra or {}).get("tool_response")
                return [self._event("post_tool", **_with_input(fields), **own, tool_output=output)]
            case "PostToolBatch":
                # Each tool's result has been told already.
                return [self._event("post_tool_batch", **fields, **own, tool_use_ids=list(self._batch()))]
            case "Stop" | "StopFailure" if said.last_assistant_message:
                content = _text(said.last_assistant_message)
                return [self._event("message", **fields, **own, role="assistant", content=content)]
            case "Stop":
                return []
        more = {"last_assistant_message": said.last_assistant_message, "source": said.source}
        own |= {name: value for name, value in more.items() if value is not None}
        return [self._event(_snake_case(self._name), **_with_input(fields), **own)]

    def _batch(self) -> Sequence[str]:
        return [use for call in self._input.tool_calls or () if (use := _token(call.get("tool_use_id")))]

    def _event(self, event_type: str, **fields: Any) -> EventRecord:
        head = {
            "event_type": event_type,
            "session_id": self._input.session_id,
            "session_name": self._session_name,
            "timestamp": self._timestamp,
            "project_dir": self._input.cwd,
            "agent_name": self._agent_name,
        }
        for cut in (False, True):
            said = {name: _shortened(name, value) for name, value in fields.items()} if cut else fields
            try:
                record = encode_event(Event.model_validate({**said, **head}))
            except ValidationError as error:
                raise InvalidEvent(explain(error)) from error
            except NumberTooLarge as error:
                raise InvalidEvent(str(error)) from error
            if len(record.json_tail) <= self._max_bytes:
                return record
        return encode_event(Event.model_validate({**head, "truncated": True}))

    def answer(self, *, go: bool) -> dict[str, Any]:
        """What Claude Code takes: nothing to go on, or the order to stop.

        Before a tool both are needed: `continue: false` alone lets the tool run first, a denial alone merely gives the
        model another turn.
        """
        if go:
            return {}
        answer: dict[str, Any] = {"continue": False, "stopReason": STOP_REASON}
        if self.kind == "tool":
            answer["hookSpecificOutput"] = {
                "hookEventName": self._name,
                "permissionDecision": "deny",
                "permissionDecisionReason": STOP_REASON,
            }
        return answer


def _snake_case(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _token(value: object) -> str:
    """An id that may stand in a list; '' for what is none."""
    return value if isinstance(value, str) and len(value) <= NAME_LENGTH and not re.search(r"\s", value) else ""


def _text(text: str | None) -> list[dict[str, str]]:
    return [{"type": "text", "text": text or ""}]


def _with_input(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the types that events have."""
    said = dict(fields)
    if "tool_input" in said and not isinstance(said["tool_input"], dict | None):
        said["tool_input"] = {"value": said["tool_input"]}
    for name in ("error", "tool_name", "reason"):
        if name in said and not isinstance(said[name], str | None):
            said[name] = to_json(said[name]).decode()
    return said


def _shortened(name: str, value: Any) -> Any:
    """What the value began with and how long it was, in the type that the field has; the value if it is small."""
    encoded = to_json(value)
    if len(encoded) <= PREVIEW_CHARACTERS:
        return value
    notice = {"truncated": True, "original_bytes": len(encoded)}
    if name == "content":
        return [{"type": "text", "text": value[0]["text"][:PREVIEW_CHARACTERS], **notice}]
    preview = (value if isinstance(value, str) else encoded.decode())[:PREVIEW_CHARACTERS]
    if isinstance(value, str) and name != "tool_output":
        return f"{preview}… (cut from {len(encoded)} bytes)"
    return {**notice, "preview": preview}
