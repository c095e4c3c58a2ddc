"""From the JSON that Claude Code gives its hooks to what is reported, and from the outcome to the answer it expects.

Seen on Claude Code 2.1.331; fields that other versions add are kept as they are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
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

TITLE_LENGTH = 80

# What the program tells itself, in the form of a prompt, when something that it left running has ended.
_WAKE = "<task-notification>"
_TASK = re.compile(r"<task-id>([^<\s]+)</task-id>")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_KINDS: Mapping[str, HookKind] = {
    "UserPromptSubmit": "prompt",
    "PreToolUse": "tool",
    "PostToolUse": "used",
    "PostToolUseFailure": "used",
    "PostToolBatch": "batch",
    "SubagentStart": "begun",
    "SubagentStop": "done",
    "PermissionDenied": "used",
    "Stop": "end",
    "StopFailure": "end",
    "SessionStart": "start",
    "SessionEnd": "exit",
}
# What the session has already, and names that an event's own must not be taken for.
_KNOWN = frozenset(
    ("transcript_path", "cwd", "session_name", "event_type", "timestamp", "id", "seq", "content", "role", "text",
     "tool_output", "tool_use_ids", "other_fields")
)  # fmt: skip
# Of a field of an event that is too large, so much is kept.
PREVIEW_CHARACTERS = 16 * 1024


class HookInput(BaseModel):
    """What every hook says; the rest is by event, and by version."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    hook_event_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,50}$")]
    session_id: SessionId


class Hook:
    """One hook's call. `report` is what it says; `answer` is what the program is told."""

    def __init__(self, body: bytes, *, session_name: str = "", agent_name: str = "", max_event_bytes: int) -> None:
        """session_name, agent_name: what the program's environment says, if anything.

        Raises InvalidEvent for what is not a hook's JSON.
        """
        try:
            head = HookInput.model_validate(_parsed(body))
        except ValidationError as error:
            raise InvalidEvent(explain(error)) from error
        except ValueError as error:
            raise InvalidEvent(f"The body is not JSON: {error}") from error
        self._name, self._session_id = head.hook_event_name, head.session_id
        self._said: Mapping[str, Any] = head.model_extra or {}
        self._session_name = session_name[:NAME_LENGTH].replace("\x00", "") or self._session_id
        self._agent_name = agent_name[:NAME_LENGTH] or AGENT_NAME
        self._timestamp = timestamps.now()
        self._max_bytes = max_event_bytes
        self.kind = self._kind()
        self.report = self._report()

    def _text(self, name: str) -> str:
        value = self._said.get(name)
        return value if isinstance(value, str) else ""

    def _kind(self) -> HookKind:
        kind = _KINDS.get(self._name, "other")
        if kind == "prompt" and self._text("prompt").lstrip().startswith(_WAKE):
            return "wake"
        # Compaction starts the conversation over, not the program's work; a turn whose subagents go on has not ended.
        compaction = kind == "start" and self._text("source") == "compact"
        return "other" if compaction or (kind == "end" and self._subagents_work()) else kind

    def _subagents_work(self) -> bool:
        working = {"type": "subagent", "status": "running"}
        return any(working.items() <= task.items() for task in self._objects("background_tasks"))

    def _objects(self, name: str) -> list[dict[str, Any]]:
        value = self._said.get(name)
        return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def _report(self) -> HookReport:
        starts = self.kind == "start"
        more = self._rest() if starts else {"source": _snake_case(self._name)}
        described = {"project_dir": self._text("cwd") or None, "agent_name": self._agent_name}
        start = self._event("session_start", {**more, **described})
        uses = (self._text("tool_use_id"), *self._batch())
        return HookReport(
            session_id=self._session_id,
            kind=self.kind,
            events=[] if starts else list(self._events()),
            start=start._replace(session_name=self._title()),
            finish=self._event("session_stop", {"reason": self._why_it_ended()}),
            stopped=self._event("session_stop", {"reason": "stopped"}),
            # A subagent in the background may belong to an earlier prompt than the one that the program is at.
            prompt_id="" if self._text("agent_id") else _token(self._text("prompt_id")),
            tool_use_ids=[use for use in map(_token, uses) if use],
            agent_id=_token(self._woken_by() if self.kind == "wake" else self._text("agent_id")),
        )

    def _title(self) -> str:
        """What a session without a name is called: what the environment says, else what it is first told."""
        if self.kind != "prompt" or self._session_name != self._session_id:
            return self._session_name
        lines = [line.strip() for line in self._text("prompt").replace("\x00", "").splitlines()]
        first = next((line for line in lines if line), self._session_id)
        return first if len(first) <= TITLE_LENGTH else f"{first[: TITLE_LENGTH - 1].rstrip()}…"

    def _woken_by(self) -> str:
        """The task whose end wakes the program; a subagent's is called as the subagent is."""
        found = _TASK.search(self._text("prompt"))
        return found[1] if found else ""

    def _why_it_ended(self) -> str:
        if self._name == "Stop":
            return "the turn has ended"
        what = "the turn has failed" if self._name == "StopFailure" else "the program has ended"
        detail = self._text("error") or self._text("reason")
        return f"{what}: {detail}" if detail else what

    def _rest(self, *translated: str) -> dict[str, Any]:
        """All fields but those that the session has already, or that go under another name."""
        return {name: value for name, value in self._said.items() if name not in _KNOWN and name not in translated}

    def _events(self) -> Sequence[EventRecord]:
        match self._name:
            case "UserPromptSubmit" if self.kind == "wake":
                event_type, fields = "task_notification", {**self._rest("prompt"), "text": self._text("prompt")}
            case "UserPromptSubmit":
                event_type, fields = (
                    "message",
                    {**self._rest("prompt"), "role": "user", "content": self._block("prompt")},
                )
            case "PreToolUse":
                event_type, fields = "pre_tool", self._rest()
            case "PostToolUse" | "PostToolUseFailure":
                output = self._said.get("tool_response")
                event_type, fields = "post_tool", {**self._rest("tool_response"), "tool_output": output}
            case "PostToolBatch":
                # Each tool's result has been told already.
                event_type, fields = "post_tool_batch", {**self._rest("tool_calls"), "tool_use_ids": self._batch()}
            case "Stop" | "StopFailure" if self._text("last_assistant_message"):
                content = self._block("last_assistant_message")
                rest = self._rest("last_assistant_message")
                event_type, fields = "message", {**rest, "role": "assistant", "content": content}
            case "Stop":
                return []
            case _:
                event_type, fields = _snake_case(self._name), self._rest()
        return [self._event(event_type, fields)]

    def _block(self, name: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": self._text(name)}]

    def _batch(self) -> list[str]:
        return [use for call in self._objects("tool_calls") if (use := _token(call.get("tool_use_id")))]

    def _event(self, event_type: str, fields: Mapping[str, Any]) -> EventRecord:
        head = {
            "event_type": event_type,
            "session_id": self._session_id,
            "session_name": self._session_name,
            "timestamp": self._timestamp,
        }
        for said in (fields, {name: _shortened(name, value) for name, value in fields.items()}):
            try:
                record = encode_event(_as_event({**said, **head}))
            except NumberTooLarge as error:
                raise InvalidEvent(str(error)) from error
            if len(record.json_tail) <= self._max_bytes:
                return record
        return encode_event(_as_event({**head, "truncated": True}))

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


def _as_event(fields: dict[str, Any]) -> Event:
    """The event; fields that have another type than events give them go together under a name of their own."""
    try:
        return Event.model_validate(fields)
    except ValidationError as error:
        odd = {str(item["loc"][0]) for item in error.errors()}
    kept = {name: value for name, value in fields.items() if name not in odd}
    return Event.model_validate({**kept, "other_fields": {name: fields[name] for name in odd}})


def _parsed(body: bytes) -> Any:
    """The JSON. Raises ValueError. Half an emoji, which is text to the program, is replaced: its hook must be heard."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        try:
            readable = json.dumps(json.loads(body.decode("utf-8", "replace")), ensure_ascii=False)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        return from_json(readable.encode("utf-8", "replace"), allow_inf_nan=False)


def _snake_case(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _token(value: object) -> str:
    """An id that may stand in a list; '' for what is none."""
    return value if isinstance(value, str) and len(value) <= NAME_LENGTH and not re.search(r"\s", value) else ""


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
