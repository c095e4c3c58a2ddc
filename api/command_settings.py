"""What commands take from their options and from the environment, and how they complain of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from agent_bus.discovery import Part
    from agent_bus.settings import Settings

ENVIRONMENT_PREFIX = "AGENT_ORCHESTRATOR_"

Command = Callable[..., Any]


class InvalidSetting(click.ClickException):
    """The environment says something that can't be understood; like a wrong option, one line and status 2."""

    exit_code = 2


def project_dir(command: Command) -> Command:
    """The option that names the project."""
    return click.option(
        "--project-dir",
        type=click.Path(path_type=Path),
        envvar="AGENT_ORCHESTRATOR_PROJECT_DIR",
        show_envvar=True,
        show_default="the working directory",
        help="The project; its data lies in the folder .agent-orchestrator in it.",
    )(command)


def load_settings(project_dir: Path | None) -> "Settings":
    """The settings of this process. Raises InvalidSetting, naming the variable."""
    from pydantic import ValidationError

    from agent_bus.settings import Settings

    try:
        return Settings(project_dir=(project_dir or Path.cwd()).resolve())
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"{ENVIRONMENT_PREFIX}{name.upper()}"
        raise InvalidSetting(f"{variable}: {first['msg'].removeprefix('Value error, ')}") from error


def with_redis(settings: "Settings", redis_url: str | None, part: "Part" = "api") -> "Settings":
    """The settings with the Redis to use. Raises InvalidSetting when its URL can't be understood."""
    from agent_bus.connection import InvalidRedisUrl

    try:
        return settings.with_redis(redis_url, part=part)
    except InvalidRedisUrl as error:
        raise InvalidSetting(str(error)) from error
