"""`agent-bridge watch claude-code`: Claude Code's SessionStart hook. Starts the watcher of its program and returns."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import click

from agent_bridge.process_table import identify
from agent_bridge.watch_folder import watch_folder
from agent_bus.discovery import PROJECT_DIR_VARIABLE, find_redis_url

PID_VARIABLE = "CLAUDE_PID"
BRIDGED_VARIABLE = "AGENT_BRIDGE_SESSION"
SESSION_NAME_VARIABLE, AGENT_NAME_VARIABLE = "AGENT_ORCHESTRATOR_SESSION_NAME", "AGENT_ORCHESTRATOR_AGENT_NAME"
DEFAULT_AGENT_NAME = "claude-code"
_MOST_INPUT_BYTES = 1024 * 1024
_SECONDS = click.FloatRange(min=0)


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """What a watcher is told: whom to watch, for which session, where to report, and how long a stop's stages last.

    started: the program's start, as `process_table` counts. skip_bytes: how long the transcript was at that time.
    """

    pid: int
    started: float
    session_id: str
    session_name: str
    agent_name: str
    project_dir: str
    transcript: str
    skip_bytes: int
    redis_url: str
    hook_seconds: float = 1.0
    interrupt_seconds: float = 5.0
    terminate_seconds: float = 5.0
    kill_seconds: float = 5.0

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `as_json` wrote."""
        said = json.loads(text)
        return cls(**{field.name: said[field.name] for field in fields(cls)})

    def as_json(self) -> str:
        """For the watcher's standard input: arguments can be read by everybody on the machine."""
        return json.dumps(asdict(self))


class CannotWatch(Exception):
    """Why there will be no watcher, for people."""


@click.group()
def watch() -> None:
    """Watch an agent's program, so that it can be stopped at any moment."""


@watch.command("claude-code")
@click.option("--redis-url", metavar="U", help="Without it: REDIS_URL, the project's redis-url file, or the default.")
@click.option("--project-dir", metavar="D", help="The project whose redis-url file to read.")
@click.option("--hook-seconds", type=_SECONDS, default=1.0, show_default=True, help="For the next hook to stop it.")
@click.option("--interrupt-seconds", type=_SECONDS, default=5.0, show_default=True, help="After a stop's SIGINT.")
@click.option("--terminate-seconds", type=_SECONDS, default=5.0, show_default=True, help="After its SIGTERM.")
@click.option("--kill-seconds", type=_SECONDS, default=5.0, show_default=True, help="After its SIGKILL.")
def claude_code(redis_url: str | None, project_dir: str | None, **seconds: float) -> None:
    """Watch the Claude Code that runs this as its SessionStart hook.

    Reads the hook's JSON. Whatever goes wrong costs one line: Claude Code goes on, and its HTTP hooks still report.
    """
    if os.environ.get(BRIDGED_VARIABLE):
        return
    try:
        order = _order(os.environ, sys.stdin.buffer.read(_MOST_INPUT_BYTES), redis_url, project_dir, seconds)
        start_watcher(order)
    except (CannotWatch, OSError) as error:
        click.echo(f"agent-bridge watch: {error}", err=True)


def _order(
    environ: Mapping[str, str],
    body: bytes,
    redis_url: str | None,
    project_dir: str | None,
    seconds: Mapping[str, float],
) -> WatchOrder:
    said = _hook_input(body)
    pid = environ.get(PID_VARIABLE, "")
    program = identify(int(pid)) if pid.isascii() and pid.isdigit() and len(pid) <= 10 else None
    if program is None:
        raise CannotWatch(f"{PID_VARIABLE} names no process; Claude Code 2.1.331 sets it, older versions may not")
    of_project = {PROJECT_DIR_VARIABLE: project_dir} if project_dir else {}
    transcript = Path(said.get("transcript_path") or "")
    size = 0
    with contextlib.suppress(OSError):
        size = transcript.stat().st_size if said.get("transcript_path") else 0
    return WatchOrder(
        pid=program.pid,
        started=program.started,
        session_id=said["session_id"],
        session_name=environ.get(SESSION_NAME_VARIABLE) or said["session_id"],
        agent_name=environ.get(AGENT_NAME_VARIABLE) or DEFAULT_AGENT_NAME,
        project_dir=said.get("cwd") or str(Path.cwd()),
        transcript=str(transcript) if said.get("transcript_path") else "",
        skip_bytes=size,
        redis_url=find_redis_url(redis_url, {**environ, **of_project}),
        **seconds,
    )


def _hook_input(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise CannotWatch(f"standard input is not a hook's JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("session_id"), str):
        raise CannotWatch("standard input names no session_id; run this as a SessionStart hook of Claude Code")
    return {name: value for name, value in said.items() if isinstance(value, str)}


def start_watcher(order: WatchOrder) -> int:
    """Starts the watcher in a process session of its own and returns its pid. Raises OSError."""
    # What Claude Code's children are known by must not be the watcher's.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE")}
    log = watch_folder() / f"{order.pid}.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "ab") as output:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "agent_bridge.watcher"], env=environ, cwd="/", start_new_session=True,
            stdin=subprocess.PIPE, stdout=output, stderr=output,
        )  # fmt: skip
    assert watcher.stdin is not None
    with watcher.stdin as told:
        told.write(order.as_json().encode())
    return watcher.pid
