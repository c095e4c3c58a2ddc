"""Hooks of the Claude Agent SDK that report to a bridge and end the turn after a stop."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from claude_agent_sdk import HookContext, HookInput, HookJSONOutput, HookMatcher
from claude_agent_sdk.types import HookEvent

from agent_bridge.bridge import AgentBridge
from agent_bridge.claude_reports import Report, answer_of_stopped_hook, of_hook, of_stopped_hook
from agent_bridge.errors import BridgeNotEntered

logger = logging.getLogger("agent_bridge")

_HOOKED: tuple[HookEvent, ...] = (
    "PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "SubagentStart", "SubagentStop",
    "Notification", "PreCompact",
)  # fmt: skip

Hooks = dict[HookEvent, list[HookMatcher]]


def bridge_hooks(bridge: AgentBridge) -> Hooks:
    """Hooks for a client of one's own: they report prompts, tools and subagents, and let no tool begin after a stop.

    The bridge must have been entered; what is hooked when it has been left is not reported. Texts, results and usage
    are not in hooks, and nobody ends the program: heed `bridge.wait_for_stop()`.
    """

    async def report(hook: Mapping[str, Any]) -> None:
        await tell(bridge, of_stopped_hook(hook) if bridge.stop_requested else of_hook(hook))

    return hooks(bridge, report)


def hooks(bridge: AgentBridge, report: Callable[[Mapping[str, Any]], Awaitable[None]]) -> Hooks:
    """Hooks that hand each call to `report`, and after a stop of the session have the turn end."""

    async def called(given: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:  # noqa: ARG001
        hook: Mapping[str, Any] = {**given}
        try:
            await report(hook)
        except Exception:
            # The program would take the error for consent.
            logger.exception("a hook of session %s could not be reported", bridge.session_id)
        return answer_of_stopped_hook(hook["hook_event_name"]) if bridge.stop_requested else {}

    return {event: [HookMatcher(hooks=[called])] for event in _HOOKED}


async def tell(bridge: AgentBridge, reports: Iterable[Report]) -> None:
    """Reports in this order, without waiting; not at all when the bridge has been left."""
    with contextlib.suppress(BridgeNotEntered):
        for report in reports:
            await bridge.event(report.event_type, **report.fields)
