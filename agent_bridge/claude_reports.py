"""From what the Claude Agent SDK says to events. Pure: no program, no bridge.

A tool is reported from its hooks: the first is called before the tool runs, the other carries all that came of it, the
time it took, and which subagent used it. The program calls no second hook for a tool that was refused or interrupted,
and none at all for one that does not exist or was called wrongly; there the conversation tells, where each call is
answered in the end. The ledger in `Reports` sees to it that each call is told once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claude_agent_sdk import (
    AssistantMessage,
    ContentBlock,
    ConversationResetMessage,
    HookJSONOutput,
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

# What a usage event says, and what the program calls it.
_TOKENS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_tokens": "cacheReadInputTokens",
    "cache_write_tokens": "cacheCreationInputTokens",
}
# Which hooks are reported as themselves, and what of them.
_HOOKS = {
    "SubagentStart": ("subagent_start", ("agent_type",)),
    "SubagentStop": ("subagent_stop", ("agent_type",)),
    "Notification": ("notification", ("message", "title", "notification_type")),
    "PreCompact": ("pre_compact", ("trigger", "custom_instructions")),
}
# The program wakes itself with such a prompt when background work has ended; nobody said it.
_NOT_SAID = "<task-notification>"
UNANSWERED = "The program ended before the tool did"
STOPPED = "The session has been stopped"


@dataclass(frozen=True, slots=True)
class Report:
    """An event's type and fields."""

    event_type: str
    fields: Mapping[str, Any]


def of_prompt(content: object) -> Iterator[Report]:
    """A prompt: its text, or content blocks as they are."""
    if isinstance(content, str):
        blocks: list[Any] = [{"type": "text", "text": content}]
    else:
        blocks = list(content) if isinstance(content, Sequence) else []
    if blocks:
        yield Report("message", {"role": "user", "content": blocks})


def of_hook(hook: Mapping[str, Any]) -> Iterator[Report]:
    """What a hook's input tells."""
    name = hook["hook_event_name"]
    whose = _given(hook, "agent_id")
    if name == "PreToolUse":
        yield Report("pre_tool", _tool(hook) | whose)
    elif name == "PostToolUse":
        output = {"tool_output": hook.get("tool_response"), "error": None}
        yield Report("post_tool", _tool(hook) | output | _given(hook, "duration_ms") | whose)
    elif name == "PostToolUseFailure":
        more = _given(hook, "duration_ms", "is_interrupt")
        yield Report("post_tool", _tool(hook) | {"tool_output": None, "error": hook.get("error")} | more | whose)
    elif name == "UserPromptSubmit" and not str(hook["prompt"]).startswith(_NOT_SAID):
        yield from of_prompt(hook["prompt"])
    elif name in _HOOKS:
        event_type, fields = _HOOKS[name]
        yield Report(event_type, _given(hook, *fields) | whose)


def of_stopped_hook(hook: Mapping[str, Any]) -> Iterator[Report]:
    """What a hook's input tells after a stop: the tool that it asks about is not let through."""
    yield from of_hook(hook)
    if hook["hook_event_name"] == "PreToolUse":
        whose = _given(hook, "agent_id")
        yield Report("post_tool", _tool(hook) | {"tool_output": None, "error": STOPPED} | whose)


def answer_of_stopped_hook(name: str) -> HookJSONOutput:
    """What a hook answers after a stop: no tool and no turn begins, and the turn ends after the tool that has run."""
    if name == "PreToolUse":
        return {
            "continue_": False,
            "stopReason": STOPPED,
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": STOPPED,
            },
        }
    if name == "UserPromptSubmit":
        return {"continue_": False, "stopReason": STOPPED, "decision": "block", "reason": STOPPED}
    return {"continue_": False, "stopReason": STOPPED} if name.startswith("PostToolUse") else {}


def _tool(hook: Mapping[str, Any]) -> dict[str, Any]:
    return {name: hook.get(name) for name in ("tool_name", "tool_input", "tool_use_id")}


def _given(source: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: source[name] for name in names if source.get(name) is not None}


class UsageCounter:
    """Makes increments of the program's figures, which are sums for each model since the conversation began.

    The sums go on where the conversation is resumed in another program, and begin anew where it is cleared. A turn that
    was interrupted is in them, while the `usage` of its result says zero.
    """

    def __init__(self) -> None:
        self._told: dict[str, Mapping[str, Any]] | None = {}

    def begin_at(self, sums: Mapping[str, Any] | None) -> None:
        """From where to count; None: from the first figures that come."""
        self._told = None if sums is None else dict(sums)

    def increments(self, sums: Mapping[str, Any]) -> Iterator[Report]:
        """What has been added since the last time."""
        if self._told is None:
            self._told = dict(sums)
        for model, now in sums.items():
            before = self._told.get(model, {})
            if any(_count(now, name) < _count(before, name) for name in _TOKENS.values()):
                before = {}
            self._told[model] = now
            tokens = {ours: _count(now, theirs) - _count(before, theirs) for ours, theirs in _TOKENS.items()}
            cost = now.get("costUSD")
            if cost is not None:
                cost = round(max(0.0, cost - (before.get("costUSD") or 0.0)), 9)
            if any(tokens.values()) or cost:
                yield Report("usage", {"model": model, **tokens, "cost_usd": cost})


def _count(sums: Mapping[str, Any], name: str) -> int:
    return int(sums.get(name) or 0)


@dataclass(slots=True)
class _Call:
    """A tool call that has not been answered. told: as begun. listed: the conversation has shown it."""

    fields: Mapping[str, Any]
    told: bool = False
    listed: bool = False


class Reports:
    """One conversation's reports, in the order in which what they tell of arrives."""

    def __init__(self) -> None:
        self.usage = UsageCounter()
        self.uncounted = False
        """Whether the model has answered since the last figures came."""
        self._calls: dict[str, _Call] = {}
        # Answered by hooks before the conversation has shown them.
        self._settled: set[str] = set()
        self._parents: dict[str, str] = {}

    def of_hook(self, hook: Mapping[str, Any], *, stopped: bool = False) -> Iterator[Report]:
        """What a hook's input tells, perhaps after a stop."""
        for report in of_stopped_hook(hook) if stopped else of_hook(hook):
            fields = dict(report.fields)
            if parent := self._parents.get(fields.get("agent_id", "")):
                fields["parent_tool_use_id"] = parent
            if report.event_type == "pre_tool":
                call = self._calls.setdefault(fields["tool_use_id"], _Call(fields))
                call.told, call.fields = True, fields
            elif report.event_type == "post_tool":
                self._settle(fields["tool_use_id"])
            yield Report(report.event_type, fields)

    def _settle(self, tool_use_id: str) -> None:
        call = self._calls.pop(tool_use_id, None)
        if call is None or not call.listed:
            self._settled.add(tool_use_id)

    def of_message(self, message: Message) -> Iterator[Report]:
        """What a message tells."""
        match message:
            case AssistantMessage():
                self.uncounted = True
                yield from self._of_answer(message)
            case UserMessage(content=list(blocks)):
                yield from self._of_tool_results(blocks)
            case TaskStartedMessage(task_id=agent, tool_use_id=str(parent)):
                self._parents[agent] = parent
            case ConversationResetMessage():
                self.usage.begin_at({})
            case ResultMessage():
                yield from self.of_usage(message.model_usage)
                yield _of_result(message)

    def of_usage(self, sums: Mapping[str, Any] | None) -> Iterator[Report]:
        """What has been used since the last figures; nothing if there are none."""
        if sums is not None:
            self.uncounted = False
            yield from self.usage.increments(sums)

    def _of_answer(self, message: AssistantMessage) -> Iterator[Report]:
        parent = {"parent_tool_use_id": message.parent_tool_use_id} if message.parent_tool_use_id else {}
        for block in message.content:
            if not isinstance(block, ToolUseBlock):
                continue
            if block.id in self._settled:
                self._settled.discard(block.id)
                continue
            fields = {"tool_name": block.name, "tool_input": block.input, "tool_use_id": block.id, **parent}
            self._calls.setdefault(block.id, _Call(fields)).listed = True
        error = {"error": message.error} if message.error else {}
        if blocks := list(_blocks(message.content)):
            yield Report("message", {"role": "assistant", "content": blocks, **error, **parent})

    def _of_tool_results(self, blocks: Iterable[ContentBlock]) -> Iterator[Report]:
        for block in blocks:
            if not isinstance(block, ToolResultBlock):
                continue
            call = self._calls.pop(block.tool_use_id, None)
            if call is None:
                continue
            if not call.told:
                yield Report("pre_tool", call.fields)
            told = {"tool_output": block.content, "error": None}
            if block.is_error:
                told = {"tool_output": None, "error": _text(block.content)}
            yield Report("post_tool", {**call.fields, **told})

    def of_end(self) -> Iterator[Report]:
        """What will never be answered."""
        for call in self._calls.values():
            if call.told:
                yield Report("post_tool", {**call.fields, "tool_output": None, "error": UNANSWERED})
        self._calls.clear()


def _blocks(content: Iterable[ContentBlock]) -> Iterator[dict[str, Any]]:
    """Content as the model gave it, less the tools, which have events of their own."""
    for block in content:
        match block:
            case TextBlock():
                yield {"type": "text", "text": block.text}
            case ThinkingBlock():
                yield {"type": "thinking", "thinking": block.thinking}
            case ServerToolUseBlock():
                yield {"type": "server_tool_use", "id": block.id, "name": block.name, "input": block.input}
            case ServerToolResultBlock():
                yield {"type": "server_tool_result", "tool_use_id": block.tool_use_id, "content": block.content}


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content or ())


def _of_result(message: ResultMessage) -> Report:
    error = None
    if message.is_error:
        error = "\n".join(message.errors or ()) or message.result or message.subtype
    told = {
        "subtype": message.subtype,
        "is_error": message.is_error,
        "error": error,
        "num_turns": message.num_turns,
        "duration_ms": message.duration_ms,
        "stop_reason": message.stop_reason,
        "terminal_reason": message.terminal_reason,
        "permission_denials": message.permission_denials or [],
        # For resuming it; `session_id` is the bridge's.
        "conversation_id": message.session_id,
    }
    return Report("result", told)
