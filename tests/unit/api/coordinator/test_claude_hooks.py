"""Claude Code's hook JSON, as the program sends it: what is reported, and what it is answered."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus.identifiers import NAME_LENGTH
from api.coordinator.claude_hooks import PREVIEW_CHARACTERS, STOP_REASON, Hook
from api.coordinator.ingest import InvalidEvent

LIMIT = 1024 * 1024
COMMON = {
    "session_id": "c1", "transcript_path": "/home/u/.claude/projects/p/c1.jsonl", "cwd": "/src/app", "prompt_id": "p1",
    "permission_mode": "default",
}  # fmt: skip
BASH = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "toolu_1"}
BATCH = {"tool_calls": [{**BASH, "tool_response": "a"}, {**BASH, "tool_use_id": "toolu_2", "tool_response": "b"}]}
SUBAGENT = {"id": "a1", "type": "subagent", "status": "running"}


def hook(name: str, **fields: Any) -> Hook:
    return Hook(json.dumps({**COMMON, "hook_event_name": name, **fields}).encode(), max_event_bytes=LIMIT)


def events(hook: Hook) -> list[dict[str, Any]]:
    return [json.loads(b"{" + record.json_tail) for record in hook.report.events]


def only(hook: Hook) -> dict[str, Any]:
    (event,) = events(hook)
    return event


def test_a_prompt_is_a_users_message() -> None:
    said = hook("UserPromptSubmit", prompt="do it")
    event = only(said)
    assert (said.kind, said.report.prompt_id) == ("prompt", "p1")
    assert (event["event_type"], event["role"], event["content"]) == (
        "message", "user", [{"type": "text", "text": "do it"}],
    )  # fmt: skip
    assert (event["session_id"], event["session_name"]) == ("c1", "c1")
    assert said.report.start.description()[2:] == ("do it", "/src/app", "claude-code")


def test_what_the_program_tells_itself_is_not_a_persons_prompt() -> None:
    said = hook("UserPromptSubmit", prompt="<task-notification>\n<task-id>b</task-id>")
    assert (said.kind, only(said)["event_type"]) == ("wake", "task_notification")


def test_a_tool_is_told_before_it_is_used() -> None:
    said = hook("PreToolUse", **BASH)
    event = only(said)
    assert (said.kind, list(said.report.tool_use_ids)) == ("tool", ["toolu_1"])
    assert (event["event_type"], event["tool_name"], event["tool_input"], event["tool_use_id"]) == (
        "pre_tool", "Bash", {"command": "ls"}, "toolu_1",
    )  # fmt: skip


def test_a_result_is_told_with_what_it_took() -> None:
    said = hook("PostToolUse", **BASH, tool_response={"stdout": "x"}, duration_ms=19)
    event = only(said)
    assert (said.kind, event["event_type"], event["tool_output"], event["duration_ms"], event["error"]) == (
        "used", "post_tool", {"stdout": "x"}, 19, None,
    )  # fmt: skip


def test_a_failure_is_a_result_with_its_error() -> None:
    event = only(hook("PostToolUseFailure", **BASH, error="Exit code 3", is_interrupt=False, duration_ms=7))
    assert (event["event_type"], event["error"], event["duration_ms"], event["tool_use_id"]) == (
        "post_tool", "Exit code 3", 7, "toolu_1",
    )  # fmt: skip


def test_a_batch_ends_its_tools_and_does_not_repeat_their_results() -> None:
    said = hook("PostToolBatch", **BATCH)
    event = only(said)
    assert (said.kind, list(said.report.tool_use_ids)) == ("batch", ["toolu_1", "toolu_2"])
    assert (event["event_type"], event["tool_use_ids"]) == ("post_tool_batch", ["toolu_1", "toolu_2"])
    assert "tool_response" not in json.dumps(event)


def test_the_end_of_a_turn_is_the_assistants_last_message_and_the_end_of_the_run() -> None:
    said = hook("Stop", last_assistant_message="All done.", background_tasks=[])
    event = only(said)
    assert (said.kind, event["event_type"], event["role"], event["content"][0]["text"]) == (
        "end", "message", "assistant", "All done.",
    )  # fmt: skip
    assert json.loads(b"{" + said.report.finish.json_tail)["event_type"] == "session_stop"


def test_an_end_without_words_says_nothing() -> None:
    assert events(hook("Stop", last_assistant_message="")) == []


@pytest.mark.parametrize(
    ("tasks", "kind"),
    [
        ([SUBAGENT], "other"),
        ([{**SUBAGENT, "status": "completed"}], "end"),
        ([{**SUBAGENT, "type": "shell"}], "end"),
        ([], "end"),
        ("?", "end"),
    ],
)
def test_a_turn_whose_subagents_go_on_has_not_ended(tasks: object, kind: str) -> None:
    assert hook("Stop", last_assistant_message="x", background_tasks=tasks).kind == kind


def test_a_turn_that_failed_says_why() -> None:
    said = hook("StopFailure", error="rate_limit", last_assistant_message="API Error")
    assert said.kind == "end"
    assert json.loads(b"{" + said.report.finish.json_tail)["reason"] == "the turn has failed: rate_limit"


def test_a_start_of_the_program_is_the_events_own_start() -> None:
    said = hook("SessionStart", source="resume", model="m")
    start = json.loads(b"{" + said.report.start.json_tail)
    assert (said.kind, events(said)) == ("start", [])
    assert (start["event_type"], start["source"], start["model"]) == ("session_start", "resume", "m")


def test_compaction_is_not_a_start() -> None:
    said = hook("SessionStart", source="compact")
    assert (said.kind, only(said)["event_type"]) == ("other", "session_start")


def test_the_end_of_the_program_is_kept_with_its_reason() -> None:
    said = hook("SessionEnd", reason="prompt_input_exit")
    assert (said.kind, only(said)["event_type"], only(said)["reason"]) == ("exit", "session_end", "prompt_input_exit")


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("Notification", "notification"),
        ("PreCompact", "pre_compact"),
        ("PermissionRequest", "permission_request"),
        ("HTTPThing2Done", "http_thing2_done"),
    ],
)
def test_all_others_are_kept_under_their_own_names(name: str, event_type: str) -> None:
    said = hook(name, agent_id="a1", agent_type="Explore", message="m")
    event = only(said)
    assert (said.kind, event["event_type"], event["agent_id"], event["agent_type"], event["message"]) == (
        "other", event_type, "a1", "Explore", "m",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "event_type"),
    [("SubagentStart", "begun", "subagent_start"), ("SubagentStop", "done", "subagent_stop")],
)
def test_a_subagent_begins_and_ends_under_its_own_id(name: str, kind: str, event_type: str) -> None:
    said = hook(name, agent_id="a1", agent_type="Explore")
    assert (said.kind, said.report.open, only(said)["event_type"]) == (kind, "agent:a1 ", event_type)


def test_a_subagents_tools_are_its_own() -> None:
    said = hook("PreToolUse", **BASH, agent_id="a1")
    assert (said.report.open, said.report.agent) == ("a1/toolu_1 ", "agent:a1 ")


def test_the_notice_that_wakes_the_program_names_the_subagent_that_has_ended() -> None:
    said = hook("UserPromptSubmit", prompt="<task-notification>\n<task-id>a1</task-id>\n</task-notification>")
    assert said.report.open == "agent:a1 "


@pytest.mark.parametrize("broken", [rb'"\ud83d"', b'"\xff"', rb'"a\udc00b"'])
def test_half_an_emoji_does_not_keep_a_hook_from_being_heard(broken: bytes) -> None:
    body = b'{"session_id": "c1", "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": %b}}'
    said = Hook(body % broken, max_event_bytes=LIMIT)
    assert said.kind == "tool"
    assert "\ufffd" in only(said)["tool_input"]["command"] or "?" in only(said)["tool_input"]["command"]


def test_a_subagents_prompt_does_not_stand_for_the_programs() -> None:
    assert hook("PreToolUse", **BASH, agent_id="a1").report.prompt_id == ""


def test_the_programs_environment_names_the_session_and_the_agent() -> None:
    body = json.dumps({**COMMON, "hook_event_name": "Notification"}).encode()
    event = only(Hook(body, session_name="Nightly", agent_name="reviewer", max_event_bytes=LIMIT))
    assert event["session_name"] == "Nightly"
    long = only(Hook(body, session_name="x\x00" * NAME_LENGTH, max_event_bytes=LIMIT))
    assert set(long["session_name"]) == {"x"}


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("do it", "do it"),
        ("\n\n  Fix the tests \nand more", "Fix the tests"),
        ("x" * 200, "x" * 79 + "…"),
        ("", "c1"),
        ("\x00", "c1"),
    ],
)
def test_a_session_without_a_name_is_called_by_what_it_is_first_told(prompt: str, title: str) -> None:
    assert hook("UserPromptSubmit", prompt=prompt).report.start.session_name == title


def test_a_name_from_the_environment_comes_before_the_prompt() -> None:
    body = json.dumps({**COMMON, "hook_event_name": "UserPromptSubmit", "prompt": "p"}).encode()
    said = Hook(body, session_name="Nightly", agent_name="reviewer", max_event_bytes=LIMIT)
    assert said.report.start.description()[2:] == ("Nightly", "/src/app", "reviewer")


def test_before_a_tool_the_order_to_stop_denies_it_too() -> None:
    answer = hook("PreToolUse", **BASH).answer(go=False)
    assert (answer["continue"], answer["stopReason"]) == (False, STOP_REASON)
    assert answer["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": STOP_REASON,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["PostToolUse", "PostToolUseFailure", "PostToolBatch", "UserPromptSubmit"])
def test_elsewhere_the_order_to_stop_is_enough(name: str) -> None:
    assert hook(name, prompt="p").answer(go=False) == {"continue": False, "stopReason": STOP_REASON}


def test_who_may_go_on_is_told_nothing() -> None:
    assert hook("PreToolUse", **BASH).answer(go=True) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"7", b"{}", b'{"session_id": "s"}', b'{"hook_event_name": "Stop"}',
        b'{"hook_event_name": 7, "session_id": "s"}', b'{"hook_event_name": "Stop", "session_id": "a/b"}',
        b'{"hook_event_name": "a b", "session_id": "s"}', b'{"hook_event_name": "", "session_id": "s"}',
        b'{"hook_event_name": "Stop", "session_id": "s", "x": NaN}',
        b'{"hook_event_name": "Notification", "session_id": "s", "x": 1e999}',
        b"[" * 100_000, b'{"a":' * 100_000, b'{"hook_event_name": "Stop", "session_id": "s", "x": ' + b"[" * 5000,
        b'{"hook_event_name": "Stop", "session_id": "s", "x": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_hooks_json_is_refused_with_what_is_wrong(body: bytes) -> None:
    with pytest.raises(InvalidEvent) as refused:
        Hook(body, max_event_bytes=LIMIT)
    assert refused.value.detail


@pytest.mark.parametrize("shape", [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_hook_that_is_nested_too_deeply_is_refused_in_words(shape: tuple[bytes, bytes]) -> None:
    opening, closing = shape
    nested = opening * 50_000 + b"1" + closing * 50_000
    for body in (nested, json.dumps(COMMON).encode()[:-1] + b',"hook_event_name":"Stop","x":' + nested + b"}"):
        with pytest.raises(InvalidEvent, match="nested too deeply"):
            Hook(body, max_event_bytes=LIMIT)


@pytest.mark.parametrize(
    ("field", "value"),
    [("tool_input", [1]), ("tool_input", "x"), ("error", {"a": 1}), ("exit_code", "x"), ("reason", 7)],
)
def test_a_field_of_another_type_than_events_give_it_is_kept_aside(field: str, value: object) -> None:
    event = only(hook("PostToolUse", **{**BASH, field: value}))
    assert event["other_fields"] == {field: value}
    assert event[field] is None


def test_what_is_larger_than_an_event_may_be_is_cut_and_says_so() -> None:
    said = hook("PostToolUse", **BASH, tool_response={"stdout": "x" * LIMIT})
    event = only(said)
    assert event["tool_output"]["truncated"] is True
    assert event["tool_output"]["original_bytes"] > LIMIT
    assert len(event["tool_output"]["preview"]) == PREVIEW_CHARACTERS
    assert event["tool_input"] == {"command": "ls"}


def test_a_long_prompt_is_cut_as_text() -> None:
    event = only(hook("UserPromptSubmit", prompt="ä" * LIMIT))
    assert event["content"][0]["truncated"] is True
    assert event["content"][0]["text"] == "ä" * PREVIEW_CHARACTERS


def test_too_many_fields_are_left_out_and_the_event_kept() -> None:
    event = only(hook("Notification", **{f"field_{number}": "x" * 1000 for number in range(2000)}))
    assert event["truncated"] is True
    assert event["event_type"] == "notification"


@given(
    st.dictionaries(
        st.sampled_from([*COMMON, *BASH, "hook_event_name", "prompt", "error", "tool_response", "tool_calls", "content",
                         "role", "id", "seq", "event_type", "timestamp", "exit_code", "reason", "source", "agent_id"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        ),
    )
)  # fmt: skip
def test_any_json_is_a_report_or_an_error_that_explains(fields: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidEvent):
        said = Hook(json.dumps({**COMMON, "hook_event_name": "PreToolUse", **fields}).encode(), max_event_bytes=LIMIT)
        assert all(event["session_id"] == said.report.session_id for event in events(said))


@pytest.mark.parametrize("name", ["PreToolUse", "PostToolUse", "PostToolBatch", "UserPromptSubmit", "Stop", "Whatever"])
def test_fields_with_names_of_ours_change_nothing_of_ours(name: str) -> None:
    theirs = dict.fromkeys(("text", "tool_output", "tool_use_ids", "role", "content", "event_type", "id", "seq"), "x")
    said = hook(name, prompt="<task-notification>", last_assistant_message="m", **theirs)
    (event,) = events(said)
    assert event["event_type"] != "x"
    assert "id" not in event
    assert "seq" not in event
