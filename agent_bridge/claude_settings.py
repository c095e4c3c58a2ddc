"""Claude Code's settings as text: our hooks go in and come out again, and every byte that is not ours stays as it is.

Pure: text in, text out. The text is edited in places rather than parsed and written anew, since the person's own
layout, number formats and equal keys would not survive that.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from agent_bus.coordinator_address import CLAUDE_CODE_HOOK_PATH, HOOK_HEADERS, TOKEN_VARIABLE

START_EVENT = "SessionStart"
"""Takes commands only: Claude Code leaves its HTTP hooks out."""

# What tells about the agent's work. The rest comes often and says nothing about it: text as it is shown, files and
# folders that change beside the agent, the program's own setup.
EVENTS = (
    "PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "UserPromptSubmit", "Stop", "StopFailure",
    "SessionEnd", "SubagentStart", "SubagentStop", "Notification", "PreCompact", "PostCompact", "PermissionRequest",
    "PermissionDenied", "TaskCreated", "TaskCompleted",
)  # fmt: skip

HOOK_SECONDS = 10
"""A hook that is held up longer is given up, and the agent goes on."""
WATCH_SECONDS = 15
"""The watch command has to start a process that outlives it."""

Handler = Mapping[str, Any]
Hooks = Mapping[str, Sequence[Handler]]
"""Hook events, and what is to be called for each."""

_BOM = "\ufeff"
_STRING_OR_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN')
# More digits than any number that is ours; Python converts no more than some thousands.
_LONG_NUMBER = 20


class InvalidSettings(ValueError):
    """The text is nothing that hooks can be put into; says where, in lines and columns from 1, and why."""

    def __init__(self, reason: str, text: str, position: int) -> None:
        # Editors do not count the byte order mark.
        before = text[:position].removeprefix(_BOM)
        self.line = before.count("\n") + 1
        self.column = len(before) - before.rfind("\n")
        super().__init__(f"line {self.line} column {self.column}: {reason}")


def http_hooks(api_url: str, watch_command: str, *, token: bool = False) -> Hooks:
    """Hooks that Claude Code sends to the coordinator itself; the URL is without a slash at the end.

    token: with the token that Claude Code's environment has at that time. It is not written down.
    """
    headers = {header: f"${variable}" for header, variable in HOOK_HEADERS.items()}
    allowed = list(HOOK_HEADERS.values())
    if token:
        headers["Authorization"] = f"Bearer ${TOKEN_VARIABLE}"
        allowed.append(TOKEN_VARIABLE)
    handler = {
        "type": "http",
        "url": f"{api_url}{CLAUDE_CODE_HOOK_PATH}",
        "timeout": HOOK_SECONDS,
        "headers": headers,
        "allowedEnvVars": allowed,
    }
    return {START_EVENT: [_command(watch_command, WATCH_SECONDS)], **{event: [handler] for event in EVENTS}}


def command_hooks(hook_command: str, watch_command: str) -> Hooks:
    """Hooks for versions of Claude Code that can only start a command."""
    handler = _command(hook_command, HOOK_SECONDS)
    return {START_EVENT: [_command(watch_command, WATCH_SECONDS), handler], **{event: [handler] for event in EVENTS}}


def _command(command: str, seconds: int) -> Handler:
    return {"type": "command", "command": command, "timeout": seconds}


def found(text: str) -> dict[str, list[Handler]]:
    """Our hooks in the settings by event, whatever version or options they are of. Raises InvalidSettings."""
    hooks = _root(_filled(text)).value.get("hooks")
    ours = {event: [hook for _, mine in _places(groups) for hook in mine.values()]
            for event, groups in (hooks.items() if isinstance(hooks, dict) else ())}  # fmt: skip
    return {event: handlers for event, handlers in ours.items() if handlers}


def install(text: str, hooks: Hooks) -> str:
    """The settings with these hooks behind the person's own, laid out as the text is; an empty text is `{}`.

    Other hooks of ours make room for them. Raises InvalidSettings.
    """
    text = _filled(text)
    layout = _Layout.of(text)
    ours = found(text)
    for event in ours.keys() - hooks.keys():
        text = _take_out(text, event, keep_empty=False)
    for event, handlers in hooks.items():
        if ours.get(event) == list(handlers):
            continue
        text = _make_room(text, layout, _root(text), "hooks", {})
        text = _make_room(text, layout, _hooks(text), event, [])
        if event in ours:
            text = _take_out(text, event, keep_empty=True)
        text = _append(text, layout, _member(text, _hooks(text), event), {"hooks": list(handlers)})
    return text


def uninstall(text: str, before: str | None) -> str | None:
    """The settings without our hooks; None where nothing is left of a file that install made.

    before: what the file was before install; None for no file. If nobody else has changed the file since, this is what
    comes back. Otherwise only our hooks go, with the lists and the object around them that have become empty and were
    not there before. Raises InvalidSettings.
    """
    ours = found(text)
    if not ours:
        return text
    if install(before or "", ours) == text:
        return before
    was = _root(_filled(before or "")).value
    for event in ours:
        text = _take_out(text, event, keep_empty=event in was.get("hooks", {}))
    hooks = _hooks(text)
    return text if hooks.value or "hooks" in was else _cut(text, _root(text), hooks.index)


def _is_ours(handler: Any) -> bool:
    try:
        match handler:
            case {"type": "http", "url": str(url)}:
                path, headers = urlsplit(url).path, handler.get("headers")
                says_what_ours_say = isinstance(headers, dict) and headers.keys() >= HOOK_HEADERS.keys()
                # Below a proxy's path, the URL alone might be anybody's.
                return path == CLAUDE_CODE_HOOK_PATH or (path.endswith(CLAUDE_CODE_HOOK_PATH) and says_what_ours_say)
            case {"type": "command", "command": str(command)}:
                words = shlex.split(command) or [""]
                program = re.split(r"[/\\]", words[0])[-1].lower().removesuffix(".exe")
                return program == "agent-bridge" and (words[1:2] == ["hook"] or words[1:3] == ["watch", "claude-code"])
    except ValueError:
        # No URL, or no command: quotes or brackets that do not close.
        return False
    return False


def _places(groups: Any) -> list[tuple[int, dict[int, Handler]]]:
    """Which of an event's groups hold hooks of ours, each with these hooks by their place in it."""
    places = []
    for index, group in enumerate(groups if isinstance(groups, list) else []):
        handlers = group.get("hooks") if isinstance(group, dict) else None
        if isinstance(handlers, list) and (mine := {at: it for at, it in enumerate(handlers) if _is_ours(it)}):
            places.append((index, mine))
    return places


def _take_out(text: str, event: str, *, keep_empty: bool) -> str:
    """Takes our hooks out of an event; a group that holds others' hooks as well loses ours only."""
    groups = _member(text, _hooks(text), event)
    # From the end on, so that what is yet to be cut stays where it was found.
    for index, mine in reversed(_places(groups.value)):
        handlers = _member(text, _entries(text, groups)[index], "hooks")
        if len(mine) == len(handlers.value):
            text = _cut(text, groups, index)
            continue
        for at in reversed(mine):
            text = _cut(text, handlers, at)
    left = _member(text, _hooks(text), event)
    return text if left.value or keep_empty else _cut(text, _hooks(text), left.index)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member of an object, an element of a list, or the whole: where it is in the text, and what it says."""

    index: int
    key: str
    gap: str
    """The whitespace before it."""
    start: int
    value_start: int
    end: int
    value: Any


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the text is laid out."""

    newline: str
    indent: str | None
    """One step; None for a text on one line."""
    space: str
    """After a colon, and on one line after a comma."""

    @classmethod
    def of(cls, text: str) -> "_Layout":
        """As the text's first member is."""
        newline = "\r\n" if "\r\n" in text else "\n"
        entries = _entries(text, _root(text))
        if not entries:
            return cls(newline, "  ", " ")
        first = entries[0]
        _, line, indent = first.gap.rpartition("\n")
        return cls(newline, indent if line else None, "" if text[first.value_start - 1] == ":" else " ")

    def line(self, gap: str) -> str | None:
        """The gap as a line's beginning; None if what follows it is on one line with all that it holds."""
        return None if self.indent is None or "\n" not in gap else self.newline + gap.rpartition("\n")[2]

    def render(self, value: Any, gap: str) -> str:
        """The value as it looks after the gap."""
        line = self.line(gap)
        if line is None:
            return json.dumps(value, ensure_ascii=False, separators=(f",{self.space}", f":{self.space}"))
        pretty = json.dumps(value, ensure_ascii=False, indent=self.indent, separators=(",", f":{self.space}"))
        return pretty.replace("\n", line)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONG_NUMBER else float(digits)


def _reject(constant: str) -> None:
    """NaN and its like, which Python reads and Claude Code does not."""
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_reject)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _filled(text: str) -> str:
    """An empty text as an empty object."""
    start = len(_BOM) if text.startswith(_BOM) else 0
    return text if _skip(text, start) < len(text) else f"{text[:start]}{{}}{text[start:] or chr(10)}"


def _root(text: str) -> _Entry:
    start = _skip(text, len(_BOM) if text.startswith(_BOM) else 0)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise InvalidSettings(f"this is not JSON ({error.msg})", text, error.pos) from error
    except ValueError as error:
        place = next(it.start() for it in _STRING_OR_CONSTANT.finditer(text) if not it[0].startswith('"'))
        raise InvalidSettings(f"this is not JSON ({error})", text, place) from error
    except RecursionError as error:
        raise InvalidSettings("this is nested too deeply", text, start) from error
    if (rest := _skip(text, end)) < len(text):
        raise InvalidSettings("this is not JSON (something follows its end)", text, rest)
    if not isinstance(value, dict):
        raise InvalidSettings("the settings must be an object, {…}", text, start)
    return _Entry(0, "", "\n", start, start, end, value)


def _entries(text: str, container: _Entry) -> list[_Entry]:
    """What an object or a list holds. The text has been read as a whole before: there are no errors left in it."""
    entries: list[_Entry] = []
    place = container.value_start + 1
    while text[start := _skip(text, place)] not in "}]":
        key, value_start = "", start
        if isinstance(container.value, dict):
            key, end = _DECODER.raw_decode(text, start)
            value_start = _skip(text, _skip(text, end) + 1)
        value, end = _DECODER.raw_decode(text, value_start)
        entries.append(_Entry(len(entries), key, text[place:start], start, value_start, end, value))
        place = _skip(text, end)
        if text[place] != ",":
            break
        place += 1
    return entries


def _member(text: str, container: _Entry, key: str) -> _Entry:
    """Of equal keys the last, which is the one that counts."""
    return next(entry for entry in reversed(_entries(text, container)) if entry.key == key)


def _hooks(text: str) -> _Entry:
    return _member(text, _root(text), "hooks")


def _make_room(text: str, layout: _Layout, parent: _Entry, key: str, empty: dict[str, Any] | list[Any]) -> str:
    """Sees to it that the parent has a member of that name, of the kind of the empty one."""
    if key not in parent.value:
        return _append(text, layout, parent, empty, key)
    member = _member(text, parent, key)
    if not isinstance(member.value, type(empty)):
        kind = "an object, {…}" if isinstance(empty, dict) else "a list, […]"
        raise InvalidSettings(f"{json.dumps(key)} must be {kind}", text, member.value_start)
    return text


def _append(text: str, layout: _Layout, container: _Entry, value: Any, key: str | None = None) -> str:
    """Puts the value at the end of an object or a list."""
    entries = _entries(text, container)
    name = "" if key is None else f"{json.dumps(key)}:{layout.space}"
    if entries:
        end = entries[-1].end
        # What is before a first entry on one line says nothing about the next ones.
        gap = entries[-1].gap or (layout.space if len(entries) == 1 else "")
        return f"{text[:end]},{gap}{name}{layout.render(value, gap)}{text[end:]}"
    line = layout.line(container.gap)
    gap, closing = ("", "") if line is None else (f"{line}{layout.indent}", line)
    start = container.value_start + 1
    return f"{text[:start]}{gap}{name}{layout.render(value, gap)}{closing}{text[_skip(text, start) :]}"


def _cut(text: str, container: _Entry, index: int) -> str:
    """Takes one entry out, and the comma with it: what `_append` put there is gone without a trace."""
    entries = _entries(text, container)
    entry = entries[index]
    if len(entries) == 1:
        start, end = container.value_start + 1, _skip(text, entry.end)
    elif index == 0:
        start, end = entry.start, entries[1].start
    else:
        start, end = entries[index - 1].end, entry.end
    return text[:start] + text[end:]
