"""`agent-bridge ps`: which sessions there are; and how the commands show things to people."""

import contextlib
import json
import time
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import click

from agent_bridge.coordinator import Coordinator, Json, with_coordinator
from agent_bus.timestamps import microseconds

HEADINGS = ("NAME", "ID", "AGENT", "STATUS", "PRESENCE", "AGE", "LAST ACTIVITY", "PROJECT")
LONGEST_NAME = 40
NOTHING = "-"
LONGEST_SENSE = 300
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))

# What a tool is about, where its input has it; otherwise the first text in it.
_MAIN_INPUTS = ("command", "file_path", "notebook_path", "path", "pattern", "url", "query", "description", "prompt")
_KNOWN = frozenset({
    "id", "event_type", "session_id", "session_name", "timestamp", "tool_name", "tool_input", "tool_output", "error",
    "role", "content",
})  # fmt: skip


@click.command()
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as the API gives them.")
@with_coordinator
def ps(coordinator: Coordinator, *, everything: bool, as_json: bool) -> None:
    """List the sessions that are running, newest first."""
    sessions = coordinator.sessions(None if everything else "running")
    empty = True
    for line in map(json.dumps, sessions) if as_json else table(sessions):
        empty = False
        click.echo(line)
    if empty:
        say("there are no sessions" if everything else "no session is running")


def table(sessions: Iterable[Json]) -> Iterator[str]:
    """The sessions under headings, in columns; no line where there are none."""
    now = time.time_ns() // 1000
    rows = [_row(session, now) for session in sessions]
    if not rows:
        return
    rows.insert(0, HEADINGS)
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def line_of(event: Json) -> str:
    """One event for people: the time here, its type, and what it is about; an error in red."""
    clock = datetime.fromisoformat(event["timestamp"]).astimezone().strftime("%H:%M:%S")
    parts = [clock, f"{event['event_type']:<13}", one_line(_sense(event), LONGEST_SENSE)]
    if event.get("error") is not None:
        parts.append(click.style(one_line(f"error: {event['error']}", LONGEST_SENSE), fg="red"))
    return " ".join(part for part in parts if part).rstrip()


def one_line(text: str, longest: int | None = None) -> str:
    """The text without line breaks and without what could steer a terminal, shortened where it is too long."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if longest is None or len(line) <= longest else line[: longest - 1] + "…"


def say(text: str) -> None:
    """Speaks to the person, beside what the command prints."""
    with contextlib.suppress(OSError):
        click.echo(f"agent-bridge: {text}", err=True)


def _row(session: Json, now: int) -> tuple[str, ...]:
    name = session["session_name"]
    return (
        # Most clients give the id as the name; once is enough.
        NOTHING if name == session["session_id"] else one_line(name, LONGEST_NAME),
        session["session_id"],
        one_line(session.get("agent_name") or NOTHING, LONGEST_NAME),
        session["status"],
        session.get("presence") or NOTHING,
        _span(now - microseconds(session["created_at"])),
        f"{_span(now - microseconds(session['modified_at']))} ago",
        one_line(session.get("project_dir") or NOTHING),
    )


def _span(length: int) -> str:
    """Microseconds as people say them. Another machine's clock may be ahead of ours."""
    seconds = max(0, length // 1_000_000)
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _sense(event: Json) -> str:
    if event.get("tool_name") is not None:
        return f"{event['tool_name']} {_main_input(event.get('tool_input') or {})}"
    if event.get("content") is not None:
        texts = (block.get("text") or f"[{block.get('type')}]" for block in event["content"])
        return f"{event.get('role') or ''}: {' '.join(map(str, texts))}"
    others = {name: value for name, value in event.items() if name not in _KNOWN and value is not None}
    return " ".join(f"{name}={_compact(value)}" for name, value in others.items())


def _main_input(given: Json) -> str:
    named = (given[name] for name in _MAIN_INPUTS if given.get(name))
    first: Any = next(named, None) or next((value for value in given.values() if isinstance(value, str)), None)
    return _compact(given if first is None else first) if given else ""


def _compact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
