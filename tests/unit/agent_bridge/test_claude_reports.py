"""What messages and hooks of the Claude Agent SDK become: each tool call is told once, and usage as increments."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ContentBlock,
    ConversationResetMessage,
    Message,
    ResultMessage,
    ServerToolResultBlock,
    ServerToolUseBlock,
    TaskStartedMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from agent_bridge.claude_reports import (
    STOPPED,
    UNANSWERED,
    Report,
    Reports,
    UsageCounter,
    answer_of_stopped_hook,
    of_hook,
    of_prompt,
    of_stopped_hook,
)

Told = list[tuple[str, dict[str, Any]]]


def told(reports: Iterable[Report]) -> Told:
    return [(report.event_type, dict(report.fields)) for report in reports]


def answer(*blocks: ContentBlock, **more: Any) -> AssistantMessage:
    return AssistantMessage(content=list(blocks), model="m", **more)


def answered(tool_use_id: str, content: str | list[dict[str, Any]] | None, *, is_error: bool = False) -> UserMessage:
    return UserMessage(content=[ToolResultBlock(tool_use_id, content, is_error)])


def result(**more: Any) -> ResultMessage:
    given: dict[str, Any] = {
        "subtype": "success", "duration_ms": 5, "duration_api_ms": 4, "is_error": False, "num_turns": 1,
        "session_id": "c",
    }  # fmt: skip
    return ResultMessage(**(given | more))


def pre(tool_use_id: str = "t1", **more: Any) -> dict[str, Any]:
    call = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": tool_use_id}
    return {"hook_event_name": "PreToolUse", **call, **more}


def post(tool_use_id: str = "t1", **more: Any) -> dict[str, Any]:
    return pre(tool_use_id) | {"hook_event_name": "PostToolUse", "tool_response": {"stdout": "a"}} | more


CALL = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1"}
BASH = ToolUseBlock("t1", "Bash", {"command": "ls"})


@pytest.mark.parametrize(
    ("prompt", "content"),
    [
        ("hello", [[{"type": "text", "text": "hello"}]]),
        ([{"type": "image", "source": {}}], [[{"type": "image", "source": {}}]]),
        ([], []), (None, []), (5, []),
    ],
    ids=repr,
)  # fmt: skip
def test_a_prompt_is_a_message_of_the_user_with_its_text_or_its_blocks(prompt: object, content: list[Any]) -> None:
    assert told(of_prompt(prompt)) == [("message", {"role": "user", "content": blocks}) for blocks in content]


def test_an_answer_is_a_message_of_its_blocks_as_they_come_without_the_tools() -> None:
    message = answer(
        ThinkingBlock("hm", "signature"), TextBlock("text"), BASH,
        ServerToolUseBlock("s", "web_search", {"query": "q"}),
        ServerToolResultBlock("s", {"type": "x"}), parent_tool_use_id="p", error="rate_limit",
    )  # fmt: skip
    assert told(Reports().of_message(message)) == [
        (
            "message",
            {
                "role": "assistant", "parent_tool_use_id": "p", "error": "rate_limit",
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "text", "text": "text"},
                    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
                    {"type": "server_tool_result", "tool_use_id": "s", "content": {"type": "x"}},
                ],
            },
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hook", "events"),
    [
        (pre(), [("pre_tool", CALL)]),
        (pre(agent_id="a", agent_type="x"), [("pre_tool", CALL | {"agent_id": "a"})]),
        (
            post(duration_ms=7, agent_id="a"),
            [("post_tool", CALL | {"tool_output": {"stdout": "a"}, "error": None, "duration_ms": 7, "agent_id": "a"})],
        ),
        (
            pre() | {"hook_event_name": "PostToolUseFailure", "error": "no", "is_interrupt": False},
            [("post_tool", CALL | {"tool_output": None, "error": "no", "is_interrupt": False})],
        ),
        (
            {"hook_event_name": "UserPromptSubmit", "prompt": "hello"},
            [("message", {"role": "user", "content": [{"type": "text", "text": "hello"}]})],
        ),
        ({"hook_event_name": "UserPromptSubmit", "prompt": "<task-notification>\n<task-id>b1"}, []),
        (
            {"hook_event_name": "SubagentStart", "agent_id": "a", "agent_type": "x"},
            [("subagent_start", {"agent_id": "a", "agent_type": "x"})],
        ),
        (
            {"hook_event_name": "SubagentStop", "agent_id": "a", "agent_type": "", "agent_transcript_path": "/p"},
            [("subagent_stop", {"agent_id": "a", "agent_type": ""})],
        ),
        (
            {"hook_event_name": "Notification", "message": "m", "notification_type": "n"},
            [("notification", {"message": "m", "notification_type": "n"})],
        ),
        (
            {"hook_event_name": "PreCompact", "trigger": "auto", "custom_instructions": None},
            [("pre_compact", {"trigger": "auto"})],
        ),
        ({"hook_event_name": "Stop", "stop_hook_active": False}, []),
    ],
    ids=lambda value: value["hook_event_name"] if isinstance(value, dict) else "",
)
def test_what_a_hook_tells(hook: Mapping[str, Any], events: Told) -> None:
    assert told(of_hook(hook)) == events


def test_after_a_stop_a_tool_is_told_as_refused_and_other_hooks_as_ever() -> None:
    assert told(of_stopped_hook(pre())) == [
        ("pre_tool", CALL), ("post_tool", CALL | {"tool_output": None, "error": STOPPED}),
    ]  # fmt: skip
    assert told(of_stopped_hook(post())) == told(of_hook(post()))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PreToolUse", {"continue_": False, "stopReason": STOPPED, "hookSpecificOutput": {
            "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": STOPPED,
        }}),
        ("UserPromptSubmit", {
            "continue_": False, "stopReason": STOPPED, "decision": "block", "reason": STOPPED,
        }),
        ("PostToolUse", {"continue_": False, "stopReason": STOPPED}),
        ("PostToolUseFailure", {"continue_": False, "stopReason": STOPPED}),
        ("SubagentStop", {}),
    ],
)  # fmt: skip
def test_after_a_stop_hooks_let_no_tool_and_no_turn_begin(name: str, expected: Mapping[str, Any]) -> None:
    assert answer_of_stopped_hook(name) == expected


def test_a_call_that_its_hooks_tell_is_not_told_again_from_the_conversation() -> None:
    reports = Reports()
    steps: list[Message | dict[str, Any]] = [answer(BASH), pre(), post(), answered("t1", "a")]
    assert kinds(reports, *steps) == ["pre_tool", "post_tool"]


def test_a_call_whose_hooks_outrun_the_conversation_is_told_once() -> None:
    assert kinds(Reports(), pre(), post(), answer(BASH), answered("t1", "a")) == ["pre_tool", "post_tool"]


def test_a_call_without_hooks_is_told_when_the_conversation_answers_it() -> None:
    reports = Reports()
    assert told(reports.of_message(answer(BASH, parent_tool_use_id="p"))) == []
    error = [{"type": "text", "text": "no such"}, {"type": "text", "text": "tool"}]
    assert told(reports.of_message(answered("t1", error, is_error=True))) == [
        ("pre_tool", CALL | {"parent_tool_use_id": "p"}),
        ("post_tool", CALL | {"parent_tool_use_id": "p", "tool_output": None, "error": "no such\ntool"}),
    ]
    assert told(reports.of_end()) == []


def test_a_call_that_was_refused_or_interrupted_after_its_first_hook_ends_as_the_conversation_says() -> None:
    reports = Reports()
    assert kinds(reports, answer(BASH), pre()) == ["pre_tool"]
    assert told(reports.of_message(answered("t1", "interrupted", is_error=True))) == [
        ("post_tool", CALL | {"tool_output": None, "error": "interrupted"})
    ]


def test_a_call_that_is_answered_without_error_has_the_answer_for_its_output() -> None:
    reports = Reports()
    assert kinds(reports, answer(BASH)) == []
    assert told(reports.of_message(answered("t1", "out")))[1] == (
        "post_tool", CALL | {"tool_output": "out", "error": None}
    )  # fmt: skip


def test_a_call_that_a_stop_refused_is_told_once() -> None:
    reports = Reports()
    assert kinds(reports, answer(BASH)) == []
    assert [report.event_type for report in reports.of_hook(pre(), stopped=True)] == ["pre_tool", "post_tool"]
    assert kinds(reports, answered("t1", STOPPED, is_error=True)) == []


def test_calls_that_began_and_are_never_answered_end_with_the_program() -> None:
    reports = Reports()
    assert kinds(reports, answer(BASH, ToolUseBlock("t2", "Bash", {})), pre()) == ["pre_tool"]
    assert told(reports.of_end()) == [("post_tool", CALL | {"tool_output": None, "error": UNANSWERED})]
    assert told(reports.of_end()) == []


def test_what_a_subagent_does_names_the_call_that_started_it() -> None:
    reports = Reports()
    started = TaskStartedMessage(
        subtype="task_started", data={}, task_id="a", description="", uuid="u", session_id="c", tool_use_id="t0"
    )
    assert kinds(reports, started) == []
    start = {"hook_event_name": "SubagentStart", "agent_id": "a", "agent_type": "x"}
    for hook in (start, pre(agent_id="a"), post(agent_id="a")):
        ((_, fields),) = told(reports.of_hook(hook))
        assert (fields["agent_id"], fields["parent_tool_use_id"]) == ("a", "t0")
    ((_, fields),) = told(reports.of_hook(pre("t2", agent_id="unknown")))
    assert "parent_tool_use_id" not in fields


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, None),
        ({"is_error": True, "errors": ["a", "b"]}, "a\nb"),
        ({"is_error": True, "result": "API Error: 529"}, "API Error: 529"),
        ({"is_error": True, "subtype": "error_max_turns"}, "error_max_turns"),
    ],
    ids=["success", "errors", "result", "subtype"],
)  # fmt: skip
def test_a_result_says_how_the_turn_ended(more: dict[str, Any], error: str | None) -> None:
    denials = [{"tool_name": "Write"}]
    message = result(stop_reason="end_turn", terminal_reason="completed", permission_denials=denials, **more)
    assert told(Reports().of_message(message)) == [
        (
            "result",
            {
                "subtype": more.get("subtype", "success"), "is_error": more.get("is_error", False), "error": error,
                "num_turns": 1, "duration_ms": 5, "stop_reason": "end_turn", "terminal_reason": "completed",
                "permission_denials": denials, "conversation_id": "c",
            },
        )
    ]  # fmt: skip


def sums(*counts: int, cost: float | None = None) -> dict[str, Any]:
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return dict(zip(names, counts, strict=True)) | ({"costUSD": cost} if cost is not None else {})


def usage(model: str, *counts: int, cost: float | None = None) -> tuple[str, dict[str, Any]]:
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    return "usage", {"model": model, **dict(zip(names, counts, strict=True)), "cost_usd": cost}


def test_sums_become_increments_of_each_model() -> None:
    counter = UsageCounter()
    first = {"m": sums(100, 42, 30, 20, cost=0.1), "n": sums(1, 2, 3, 4)}
    assert told(counter.increments(first)) == [usage("m", 100, 42, 30, 20, cost=0.1), usage("n", 1, 2, 3, 4)]
    second = {"m": sums(100, 50, 30, 20, cost=0.3), "n": sums(1, 2, 3, 4)}
    assert told(counter.increments(second)) == [usage("m", 0, 8, 0, 0, cost=0.2)]
    assert told(counter.increments(second)) == []


def test_a_model_whose_sums_fall_was_counted_anew() -> None:
    counter = UsageCounter()
    assert told(counter.increments({"m": sums(100, 42, 30, 20, cost=0.4)}))
    assert told(counter.increments({"m": sums(10, 50, 1, 1, cost=0.1)})) == [usage("m", 10, 50, 1, 1, cost=0.1)]


def test_figures_that_are_missing_count_as_none() -> None:
    assert told(UsageCounter().increments({"m": {"outputTokens": 5}})) == [usage("m", 0, 5, 0, 0)]


def test_a_conversation_that_is_resumed_counts_from_what_it_had_used() -> None:
    counter = UsageCounter()
    counter.begin_at({"m": sums(100, 42, 30, 20, cost=0.4)})
    assert told(counter.increments({"m": sums(101, 42, 30, 20, cost=0.5)})) == [usage("m", 1, 0, 0, 0, cost=0.1)]


def test_a_program_that_does_not_say_what_it_had_used_counts_from_its_first_figures() -> None:
    counter = UsageCounter()
    counter.begin_at(None)
    assert told(counter.increments({"m": sums(100, 42, 30, 20)})) == []
    assert told(counter.increments({"m": sums(101, 42, 30, 20)})) == [usage("m", 1, 0, 0, 0)]


def test_a_conversation_that_was_cleared_is_counted_from_zero_however_much_it_uses() -> None:
    reports = Reports()
    assert kinds(reports, result(model_usage={"m": sums(100, 42, 30, 20)})) == ["usage", "result"]
    assert kinds(reports, ConversationResetMessage("n", "u", "c")) == []
    more = sums(200, 84, 60, 40)
    assert told(reports.of_message(result(model_usage={"m": more})))[0] == usage("m", 200, 84, 60, 40)


def test_answers_are_uncounted_until_figures_come() -> None:
    reports = Reports()
    seen = [reports.uncounted]
    for message in (answer(TextBlock("a")), result(), result(model_usage={}), answer(TextBlock("b"))):
        assert kinds(reports, message) in (["message"], ["result"])
        seen.append(reports.uncounted)
    assert told(reports.of_usage(None)) == []
    assert told(reports.of_usage({"m": sums(1, 1, 1, 1)})) == [usage("m", 1, 1, 1, 1)]
    assert [*seen, reports.uncounted] == [False, True, True, False, True, False]


def kinds(reports: Reports, *steps: Message | dict[str, Any]) -> list[str]:
    return [
        report.event_type
        for step in steps
        for report in (reports.of_hook(step) if isinstance(step, dict) else reports.of_message(step))
    ]
