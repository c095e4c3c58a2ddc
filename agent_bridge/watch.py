"""`agent-bridge watch claude-code`: Claude Code's SessionStart hook. Starts the watcher of its program and returns."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import click

from agent_bridge.process_table import ProcessIdentity, look_up
from agent_bridge.watch_folder import open_log, tidy, watch_folder
from agent_bus import timestamps
from agent_bus.discovery import PROJECT_DIR_VARIABLE, find_redis_url
from agent_bus.identifiers import NAME_LENGTH, check_session_id

PID_VARIABLE = "CLAUDE_PID"
BRIDGED_VARIABLE = "AGENT_BRIDGE_SESSION"
SESSION_NAME_VARIABLE, AGENT_NAME_VARIABLE = "AGENT_ORCHESTRATOR_SESSION_NAME", "AGENT_ORCHESTRATOR_AGENT_NAME"
DEFAULT_AGENT_NAME = "claude-code"
_MOST_INPUT_BYTES = 1024 * 1024
_SECONDS = click.FloatRange(min=0)


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """What a watcher is told: whom to watch, for which session, where to report, and how long a stop's stages last.

    started: the program's start, as `process_table` counts. skip_bytes: how long the transcript was when the order was
    given. since: when that was. resumed: the program takes up the session of another one.
    """

    pid: int
    started: float
    session_id: str
    session_name: str
    agent_name: str
    project_dir: str
    transcript: str
    skip_bytes: int
    since: str
    redis_url: str
    resumed: bool = False
    hook_seconds: float = 1.0
    interrupt_seconds: float = 5.0
    terminate_seconds: float = 5.0
    kill_seconds: float = 5.0

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `as_json` wrote. Raises ValueError for anything else, such as a part of it."""
        said = json.loads(text)
        try:
            return cls(**{field.name: said[field.name] for field in fields(cls)})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the order of a watcher: {error!r}") from error

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
        start_watcher(_order(os.environ, _input(), redis_url, project_dir, seconds))
    except (CannotWatch, OSError, ValueError) as error:
        # Nobody may be listening, or the disk be full; what a buffer holds would be an error once more at exit.
        with contextlib.suppress(OSError):
            os.write(2, f"agent-bridge watch: {error}\n".encode(errors="replace"))


def _input() -> bytes:
    if sys.stdin is None:
        raise CannotWatch("standard input is closed; run this as a SessionStart hook of Claude Code")
    return sys.stdin.buffer.read(_MOST_INPUT_BYTES)


def _order(
    environ: Mapping[str, str],
    body: bytes,
    redis_url: str | None,
    project_dir: str | None,
    seconds: Mapping[str, float],
) -> WatchOrder:
    since = timestamps.now()
    said = _hook_input(body)
    program = _program(environ.get(PID_VARIABLE, ""))
    of_project = {PROJECT_DIR_VARIABLE: project_dir} if project_dir else {}
    transcript, skip_bytes = _transcript(said.get("transcript_path", ""))
    return WatchOrder(
        pid=program.pid,
        started=program.started,
        session_id=said["session_id"],
        session_name=environ.get(SESSION_NAME_VARIABLE, "")[:NAME_LENGTH] or said["session_id"],
        agent_name=environ.get(AGENT_NAME_VARIABLE, "")[:NAME_LENGTH] or DEFAULT_AGENT_NAME,
        project_dir=said.get("cwd") or str(Path.cwd()),
        transcript=transcript,
        skip_bytes=skip_bytes,
        since=since,
        redis_url=find_redis_url(redis_url, {**environ, **of_project}),
        resumed=said.get("source") == "resume",
        **seconds,
    )


def _hook_input(body: bytes) -> dict[str, str]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CannotWatch(f"standard input is not a hook's JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("session_id"), str):
        raise CannotWatch("standard input names no session_id; run this as a SessionStart hook of Claude Code")
    try:
        check_session_id(said["session_id"])
    except ValueError as error:
        raise CannotWatch(str(error)) from error
    return {name: value for name, value in said.items() if isinstance(value, str)}


def _program(said: str) -> ProcessIdentity:
    """The program that this is a hook of: what is stopped must not be another that the number happens to name."""
    pid = int(said) if said.isascii() and said.isdigit() and len(said) <= 10 else 0
    above = look_up(os.getppid())
    while above is not None and above.pid != pid:
        above = look_up(above.parent) if above.parent != above.pid else None
    if pid == 0 or above is None:
        raise CannotWatch(
            f"{PID_VARIABLE} is {said[:20]!r} and names no program that started this; Claude Code 2.1.331 sets it, "
            "older versions may not"
        )
    return above.identity


def _transcript(path: str) -> tuple[str, int]:
    """The transcript's path, '' for none, and how long it is; the program may have yet to make it."""
    if not path:
        return "", 0
    try:
        return str(Path(path).absolute()), Path(path).stat().st_size
    except OSError:
        return str(Path(path).absolute()), 0
    except ValueError:
        # No file can have such a name.
        return "", 0


def start_watcher(order: WatchOrder) -> int:
    """Starts the watcher in a process session of its own and returns its pid. Raises OSError."""
    # What Claude Code's children are known by must not be the watcher's.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE")}
    folder = watch_folder()
    tidy(folder)
    with os.fdopen(open_log(folder, order.pid), "ab") as output:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "agent_bridge.watcher"], env=environ, cwd="/", start_new_session=True,
            stdin=subprocess.PIPE, stdout=output, stderr=output,
        )  # fmt: skip
    assert watcher.stdin is not None
    with watcher.stdin as told:
        told.write(order.as_json().encode())
    return watcher.pid
