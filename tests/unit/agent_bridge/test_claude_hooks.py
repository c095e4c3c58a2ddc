"""Hooks for somebody's own client of the Claude Agent SDK: what they report, and what they answer after a stop."""

import logging
from typing import Any, cast

import pytest

from agent_bridge.bridge import AgentBridge
from agent_bridge.claude_hooks import Hooks, bridge_hooks
from agent_bridge.claude_reports import STOPPED
from agent_bridge.errors import BridgeNotEntered

CALL = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1"}


class Bridge:
    """What the hooks need of a bridge."""

    session_id = "s"

    def __init__(self) -> None:
        self.stop_requested = False
        self.left = False
        self.told: list[tuple[str, dict[str, Any]]] = []

    async def event(self, event_type: str, **fields: Any) -> bool:
        if self.left:
            raise BridgeNotEntered
        self.told.append((event_type, fields))
        return True

    def hooks(self) -> Hooks:
        return bridge_hooks(cast(AgentBridge, self))


async def call(hooks: Hooks, event: Any, **fields: Any) -> Any:
    (matcher,) = hooks[event]
    assert matcher.matcher is None
    (callback,) = matcher.hooks
    return await callback({"hook_event_name": event, **fields}, None, {"signal": None})


async def test_they_report_prompts_tools_and_subagents_and_say_nothing_to_them() -> None:
    bridge = Bridge()
    hooks = bridge.hooks()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("UserPromptSubmit", {"prompt": "go"}),
        ("PreToolUse", CALL),
        ("PostToolUse", CALL | {"tool_response": "out"}),
        ("PostToolUseFailure", CALL | {"error": "no"}),
        ("SubagentStart", {"agent_id": "a", "agent_type": "x"}),
        ("SubagentStop", {"agent_id": "a", "agent_type": "x"}),
        ("Notification", {"message": "m"}),
        ("PreCompact", {"trigger": "auto"}),
    ]
    assert [await call(hooks, event, **fields) for event, fields in calls] == [{}] * len(hooks) == [{}] * len(calls)
    assert [event for event, _ in bridge.told] == [
        "message", "pre_tool", "post_tool", "post_tool", "subagent_start", "subagent_stop", "notification",
        "pre_compact",
    ]  # fmt: skip
    assert bridge.told[1][1] == CALL


async def test_after_a_stop_no_tool_and_no_turn_begins_and_what_ends_is_still_reported() -> None:
    bridge = Bridge()
    hooks = bridge.hooks()
    bridge.stop_requested = True
    answer = await call(hooks, "PreToolUse", **CALL)
    assert (answer["continue_"], answer["stopReason"]) == (False, STOPPED)
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert (await call(hooks, "UserPromptSubmit", prompt="more"))["decision"] == "block"
    assert await call(hooks, "PostToolUse", **CALL, tool_response="out") == {"continue_": False, "stopReason": STOPPED}
    assert [(event, fields.get("error")) for event, fields in bridge.told] == [
        ("pre_tool", None), ("post_tool", STOPPED), ("message", None), ("post_tool", None),
    ]  # fmt: skip


async def test_a_bridge_that_has_been_left_is_told_nothing_and_breaks_nothing() -> None:
    bridge = Bridge()
    hooks = bridge.hooks()
    bridge.left = True
    assert await call(hooks, "PreToolUse", **CALL) == {}
    assert bridge.told == []


@pytest.mark.parametrize("stopped", [True, False])
async def test_what_can_not_be_reported_is_logged_and_no_consent_after_a_stop(
    stopped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bridge = Bridge()
    bridge.stop_requested = stopped
    caplog.set_level(logging.INFO, "agent_bridge")
    answer = await call(bridge.hooks(), "UserPromptSubmit")
    assert answer.get("decision") == ("block" if stopped else None)
    assert "could not be reported" in caplog.text
