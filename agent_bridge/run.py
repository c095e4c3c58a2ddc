"""`agent-bridge run -- CMD…`: any command as a session that can be watched, and stopped with everything it started."""

import asyncio
import contextlib
import logging
import os
import sys
import uuid
from pathlib import Path

import click

from agent_bridge import AgentBridge
from agent_bridge.supervisor import Grace, Supervisor
from agent_bus import tracing
from agent_bus.allowances import InvalidLimit
from agent_bus.discovery import PROJECT_DIR_VARIABLE, find_redis_url

_SECONDS = click.FloatRange(min=0)


def say(text: str) -> None:
    """Speaks to the person, beside what the command writes."""
    # Nobody may be listening, which is no reason to trouble the command.
    with contextlib.suppress(OSError):
        click.echo(f"agent-bridge: {text}", err=True)


# Options end where the command begins, with `--` or without: what follows is the command's own.
@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--session-id", metavar="S", help="Resumes or begins this session; without it, a fresh one.")
@click.option("--name", metavar="N", help="What the session is called; without it, by its id.")
@click.option("--agent", metavar="A", help="The name of the agent's blueprint.")
@click.option(
    "--project-dir",
    metavar="D",
    type=click.Path(path_type=Path),
    help="The project that the session is about; without it, the working directory.",
)
@click.option(
    "--redis-url", metavar="U", help="Without it: REDIS_URL, the project's redis-url file, the local default."
)
@click.option("--capture", is_flag=True, help="Show the command's output in the session, too.")
@click.option("--interrupt-seconds", type=_SECONDS, default=5.0, show_default=True, help="After a stop's SIGINT.")
@click.option("--terminate-seconds", type=_SECONDS, default=5.0, show_default=True, help="After its SIGTERM.")
@click.option("--kill-seconds", type=_SECONDS, default=5.0, show_default=True, help="After its SIGKILL.")
@click.option("--quiet", is_flag=True, help="Do not print the id of a fresh session.")
@click.argument("command", metavar="-- CMD…", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    command: tuple[str, ...],
    session_id: str | None,
    name: str | None,
    agent: str | None,
    project_dir: Path | None,
    redis_url: str | None,
    interrupt_seconds: float,
    terminate_seconds: float,
    kill_seconds: float,
    *,
    capture: bool,
    quiet: bool,
) -> None:
    """Run a command as a session that can be stopped.

    A stop sends SIGINT, then SIGTERM, then SIGKILL to the command and all that it started, wherever that went. Ctrl-C
    is passed on to all of it; a second one soon after ends it. SIGTERM and SIGHUP end it as well. The exit code is
    the command's; 128+n when it died of signal n.
    """
    hint = "--redis-url" if redis_url is not None else "REDIS_URL"
    of_project = {PROJECT_DIR_VARIABLE: str(project_dir)} if project_dir is not None else {}
    redis_url = find_redis_url(redis_url, os.environ | of_project)
    _check(redis_url, hint)
    if session_id is None:
        session_id = str(uuid.uuid4())
        if not quiet:
            say(f"session {session_id}; stop it with agent-bridge stop {session_id}")
    _speak_up()
    try:
        bridge = AgentBridge(
            session_id=session_id,
            session_name=name,
            project_dir=(project_dir or Path.cwd()).absolute(),
            agent_name=agent,
            redis_url=redis_url,
        )
    except InvalidLimit as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--session-id or --name") from error
    grace = Grace(interrupt_seconds, terminate_seconds, kill_seconds)
    try:
        tracing.start("bridge")
    except tracing.NotInstalled as error:
        # The command is run all the same: it is what matters here.
        say(str(error))
    try:
        code = asyncio.run(_run(bridge, command, grace, capture=capture))
    finally:
        tracing.stop()
    sys.exit(code)


async def _run(bridge: AgentBridge, command: tuple[str, ...], grace: Grace, *, capture: bool) -> int:
    async with bridge:
        return await Supervisor(bridge, command, grace=grace, capture=capture, say=say).run()


def _check(redis_url: str, hint: str) -> None:
    # Imported here: the bridge loads Redis's client in its own thread, while the command starts.
    from agent_bus.connection import InvalidRedisUrl, check_url

    try:
        check_url(redis_url)
    except InvalidRedisUrl as error:
        raise click.BadParameter(str(error), param_hint=hint) from error


class _Once(logging.Handler):
    """Says each kind of warning once: the terminal is the command's, and Redis may come and go."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[object] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Says it, unless its like has been said."""
        if record.msg not in self._said:
            self._said.add(record.msg)
            say(self.format(record))


def _speak_up() -> None:
    logger = logging.getLogger("agent_bridge")
    logger.addHandler(_Once())
    logger.propagate = False
