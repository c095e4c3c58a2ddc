"""Bodies of reports: events, and the JSON that Claude Code gives its hooks."""

import json

import orjson

from agent_bus.event_records import EventRecord
from agent_bus.messages import StoredEvent
from agent_bus.timestamps import microseconds
from api.coordinator.claude_hooks import Hook
from api.coordinator.ingest import InvalidEvent, parse_event
from tests.fuzz.harness import Harnesses, into

GROUP: Harnesses = {}

HEAD = {"event_type": "message", "session_id": "s", "session_name": "n", "timestamp": "2026-01-24T10:00:00.5+00:00"}
MORE: tuple[dict[str, object], ...] = (
    {},
    {"timestamp": "2026-01-24T10:00:00Z", "id": 7, "seq": 9},
    {"event_type": "pre_tool", "tool_name": "Bash", "tool_input": {"command": "ls", "n": [1, 2.5, None, True]}},
    {"event_type": "post_tool", "tool_name": "x" * 200, "tool_output": {"a": [{"b": "ä😀\u2028"}]}, "error": "no"},
    {"event_type": "session_stop", "exit_code": -9, "reason": "killed"},
    {"role": "assistant", "content": [{"type": "text", "text": "</script>"}, {"type": "image", "data": 1}]},
    {
        "project_dir": "/p",
        "agent_name": "a",
        "x": 12345678901234567890123,
        "usage": {"input_tokens": 1},
        "cost_usd": 0.1,
    },
    {"session_id": "ä: {}*?[", "session_name": '\\"', "z": "\x7f"},
)
WORDS = (
    b'"event_type"', b'"session_id"', b'"session_name"', b'"timestamp"', b'"tool_name"', b'"tool_input"',
    b'"tool_output"',
    b'"error"', b'"exit_code"', b'"reason"', b'"role"', b'"content"', b'"type"', b'"text"', b'"message"', b'"user"',
    b'"post_tool"', b'"session_stop"', b"null", b"true", b"1e999", b"-0.0", b"NaN", b"Infinity", b"\\ud800", b"\\u0000",
    b"[[", b'{"a":', b"1234567890123456789012345", b"\\\\", b'\\"', b"2026-01-24T10:00:00Z", b"+00:00",
    b"\xf0\x9f\x98\x80",
)  # fmt: skip


@into(
    GROUP, "event", "an event that is kept is strict JSON with the same meaning, read again; all else is InvalidEvent",
    seeds=tuple(json.dumps(HEAD | more, ensure_ascii=False).encode() for more in MORE), words=WORDS,
)  # fmt: skip
def event(data: bytes) -> None:
    try:
        session_id, record = parse_event(data)
    except InvalidEvent as refusal:
        orjson.dumps(refusal.detail)
        return
    kept = holds(record)
    assert kept.session_id == session_id
    again_id, again = parse_event(b"{" + record.json_tail)
    assert (again_id, again) == (session_id, record)


def holds(record: EventRecord) -> StoredEvent:
    """The event as browsers and readers get it; fails where they could not read it, or would read another one."""
    stored = b'{"id":1,' + record.json_tail
    fields = orjson.loads(stored)
    json.loads(stored.decode("utf-8"), parse_constant=_refuse)
    kept = StoredEvent.model_validate_json(stored)
    assert fields["id"] == kept.id == 1
    assert (kept.event_type, kept.timestamp, kept.session_name) == (
        record.event_type,
        record.timestamp,
        record.session_name,
    )
    assert microseconds(kept.timestamp) == record.score
    assert b"\n" not in record.json_tail
    for argument in (*record.description(), *record.arguments()):
        if isinstance(argument, str):
            argument.encode()
    return kept


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


HOOKS: tuple[dict[str, object], ...] = (
    {"hook_event_name": "UserPromptSubmit", "prompt": "do it\nnow", "prompt_id": "p"},
    {"hook_event_name": "UserPromptSubmit", "prompt": "<task-notification><task-id>a1</task-id></task-notification>"},
    {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1"},
    {"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_response": {"stdout": "x"}, "tool_use_id": "t1"},
    {"hook_event_name": "PostToolUseFailure", "tool_name": "Bash", "error": "no", "tool_use_id": "t 1"},
    {"hook_event_name": "PostToolBatch", "tool_calls": [{"tool_use_id": "a"}, {"tool_use_id": 1}, 3]},
    {
        "hook_event_name": "Stop",
        "last_assistant_message": "done",
        "background_tasks": [{"type": "subagent", "status": "running"}],
    },
    {"hook_event_name": "StopFailure", "error": {"a": 1}, "reason": "x"},
    {"hook_event_name": "SessionStart", "source": "compact", "cwd": "/p", "exit_code": "x"},
    {"hook_event_name": "SubagentStart", "agent_id": "g", "content": 1, "role": "root"},
    {"hook_event_name": "SessionEnd", "reason": 7, "tool_input": [1], "text": "x" * 40_000},
)
LIMIT = 32 * 1024


@into(
    GROUP, "hook", "a hook is a report whose events are as good as any, and no larger; all else is InvalidEvent",
    seeds=tuple(json.dumps({"session_id": "s", **hook}).encode() for hook in HOOKS),
    words=(*WORDS, b'"hook_event_name"', b'"PreToolUse"', b'"Stop"', b'"prompt"', b'"agent_id"', b'"tool_use_id"',
           b'"background_tasks"', b'"last_assistant_message"', b'"tool_calls"', b'"prompt_id"', b"<task-notification>"),
)  # fmt: skip
def hook(data: bytes) -> None:
    named = {"session_name": "n\0", "agent_name": "a"} if data[:1] == b" " else {"session_name": "", "agent_name": ""}
    try:
        said = Hook(data, max_event_bytes=LIMIT, **named)
    except InvalidEvent as refusal:
        orjson.dumps(refusal.detail)
        return
    report = said.report
    for record in (
        *report.events,
        report.finish,
        report.stopped,
        report.start._replace(session_name=_name_of(report.start)),
    ):
        assert len(record.json_tail) <= LIMIT
        assert holds(record).session_id == report.session_id
    for words in (report.open.split(" "), [report.agent_id, report.prompt_id, *report.tool_use_ids]):
        assert all("\n" not in word for word in words)
    for go in (True, False):
        orjson.dumps(said.answer(go=go))


def _name_of(record: EventRecord) -> str:
    # A title stands beside the event, and not in it.
    return str(orjson.loads(b"{" + record.json_tail)["session_name"])
