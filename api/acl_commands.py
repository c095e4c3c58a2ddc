"""`agent-orchestrator acl`, as it is typed; what it does is in `redis_access`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.command_settings import InvalidSetting, load_settings
from api.command_settings import project_dir as project_dir_option

if TYPE_CHECKING:
    from agent_bus.discovery import Part


@click.group()
def acl() -> None:
    """Make the users that each part has in Redis, each with the keys, channels and commands that it needs.

    `up` does so for the Redis of its own. For another: write their file, have Redis load it (aclfile in its
    configuration, then a restart or ACL LOAD), and give each part the URL of its user.
    """


_address = click.option(
    "--address",
    metavar="URL",
    default="redis://localhost:6379/0",
    help="Where Redis is; a user and a password in it are replaced.",
)


@acl.command("write")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="What Redis is to load. It has hashes of the passwords, so it may be read by others.",
)
@_address
@click.option(
    "--redis-version",
    default="6.2",
    metavar="VERSION",
    help="What the server is at least; from 7 on, bridges' commands are tied to their keys.",
)
@click.option("--new-passwords", is_flag=True, help="Make new ones, also where there are some; else these are kept.")
@project_dir_option
def write_users(file: Path, address: str, redis_version: str, project_dir: Path | None, *, new_passwords: bool) -> None:
    """Write Redis' file of users, and each one's URL where the parts find it.

    The URLs are in the project's .agent-orchestrator/: redis-url for agents, redis-url-api and redis-url-worker. A part
    that finds no REDIS_URL takes its own.
    """
    from api.redis_access import write

    settings = load_settings(project_dir)
    for line in write(settings, file, _checked(address), redis_version, anew=new_passwords):
        click.echo(line, err=True)


@acl.command("url")
@click.argument("user", type=click.Choice(["api", "worker", "bridge"]))
@_address
@project_dir_option
def user_url(user: "Part", address: str, project_dir: Path | None) -> None:
    """Print a user's URL, with the password in it: bridge for agents, on whichever machine they run."""
    from api.redis_access import url

    click.echo(url(load_settings(project_dir), user, _checked(address)))


def _checked(address: str) -> str:
    from agent_bus.connection import InvalidRedisUrl, check_url

    try:
        return check_url(address)
    except InvalidRedisUrl as error:
        raise InvalidSetting(str(error)) from error
