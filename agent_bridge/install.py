"""`agent-bridge install claude-code` and `uninstall claude-code`: Claude Code reports to the coordinator by hooks."""

import contextlib
import difflib
import os
import re
import shlex
import shutil
import stat
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click

from agent_bridge import claude_settings
from agent_bridge.claude_settings import Hooks, InvalidSettings
from agent_bus.coordinator_address import API_URL_VARIABLE, DEFAULT_API_URL, TOKEN_VARIABLE, find_api_url
from agent_bus.discovery import DEFAULT_URL, PROJECT_DIR_VARIABLE, URL_VARIABLE, data_folder

PROGRAM = "agent-bridge"
AGENT = "claude-code"
SETTINGS_FOLDER = ".claude"
CONFIG_VARIABLE = "CLAUDE_CONFIG_DIR"
BACKUP_SUFFIX = ".before-agent-bridge"

# One so far: that it is said leaves room for others.
_agent = click.argument("agent", type=click.Choice([AGENT]), expose_value=False)
_scope = click.option(
    "--scope",
    type=click.Choice(["user", "project", "local"]),
    default="user",
    show_default=True,
    help="Whose settings: yours, the project's, or yours for the project.",
)
_project_dir = click.option(
    "--project-dir",
    metavar="D",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="The project; without it, the working directory.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")


@click.command()
@_agent
@_scope
@_project_dir
@click.option("--api-url", metavar="U", help=f"The coordinator; without it: {API_URL_VARIABLE}, {DEFAULT_API_URL}.")
@click.option("--redis-url", metavar="U", help="For the watcher; is written into the settings.")
@click.option(
    "--token/--no-token",
    default=None,
    help=f"Whether hooks send {TOKEN_VARIABLE}; without it, if that is set now. It is not written into the settings.",
)
@click.option("--command-hooks", is_flag=True, help="For versions of Claude Code without HTTP hooks.")
@_dry_run
def install(
    scope: str,
    project_dir: Path | None,
    api_url: str | None,
    redis_url: str | None,
    *,
    token: bool | None,
    command_hooks: bool,
    dry_run: bool,
) -> None:
    """Have Claude Code report to the coordinator.

    Adds hooks to its settings, behind those that are there; nothing else in the file changes. Once more with other
    options replaces them.
    """
    url = _checked_api_url(api_url)
    _check_redis_url(redis_url)
    watch_options = _watch_options(redis_url, project_dir)
    token = bool(os.environ.get(TOKEN_VARIABLE)) if token is None else token
    hooks = _hooks(url, watch_options, token=token, command_hooks=command_hooks)
    path = _settings_file(scope, project_dir)
    backup = _backup_of(path)
    with _told(path):
        before = _read(path)
        after = claude_settings.install(before or "", hooks)
    if dry_run:
        _show(path, before, after)
        return
    if after == before:
        click.echo(f"{path} has these hooks already.")
        return
    with _told(path):
        # While ours are in the file, the backup beside it is of the time before them.
        if before is None:
            backup.unlink(missing_ok=True)
        elif not claude_settings.found(before):
            _write(backup, before, like=path)
        _write(path, after, like=path)
    click.echo(f"Hooks for {len(hooks)} events are in {path} and report to {url}.")
    if backup.exists():
        click.echo(f"The file as it was before: {backup}")
    if redis_url is None and os.environ.get(URL_VARIABLE):
        click.echo(
            f"{URL_VARIABLE} was not written into the file, since it may hold a secret: start Claude Code with it, too."
        )
    elif not watch_options:
        click.echo(
            f"No project's system was found from here, so the watcher will look for Redis at {DEFAULT_URL}. "
            "If yours is another, run this where `make up` runs, or give --redis-url.",
            err=True,
        )
    if scope == "project":
        click.echo(f"Whoever shares this file needs {_program()}, too; --scope local is for you alone.")
    if token:
        click.echo(f"They send the token in {TOKEN_VARIABLE}: start Claude Code with it. A role of agent is enough.")
    click.echo("When the coordinator is away, hooks fail open: the agent goes on without it.")
    click.echo("A running Claude Code takes the hooks up by itself, or when it is next started.")
    click.echo(f"Undo: {_undo(scope, project_dir)}")


@click.command()
@_agent
@_scope
@_project_dir
@_dry_run
def uninstall(scope: str, project_dir: Path | None, *, dry_run: bool) -> None:
    """Have Claude Code report to the coordinator no longer.

    Takes the hooks out of its settings. A file that nobody has changed since becomes again what it was.
    """
    path = _settings_file(scope, project_dir)
    backup = _backup_of(path)
    with _told(path):
        text = _read(path)
        ours = claude_settings.found(text or "")
    if text is None or not ours:
        click.echo(f"{path} has no hooks of {PROGRAM}: nothing to do.")
        return
    with _told(backup):
        before = _read(backup)
        claude_settings.found(before or "")
    with _told(path):
        after = claude_settings.uninstall(text, before)
    if dry_run:
        _show(path, text, after)
        return
    with _told(path):
        if after is None:
            _remove(path)
        else:
            _write(path, after, like=path)
        backup.unlink(missing_ok=True)
    if after is None:
        click.echo(f"{path} is removed: there was none before.")
    elif after == before:
        click.echo(f"The hooks are out of {path}: it is what it was before.")
    else:
        click.echo(f"The hooks are out of {path}; what else is in it stays as you left it.")


def _settings_file(scope: str, project_dir: Path | None) -> Path:
    """Where Claude Code reads the scope's settings."""
    if scope == "user":
        configured = os.environ.get(CONFIG_VARIABLE)
        return (Path(configured) if configured else Path.home() / SETTINGS_FOLDER).absolute() / "settings.json"
    name = "settings.json" if scope == "project" else "settings.local.json"
    return (project_dir or Path.cwd()) / SETTINGS_FOLDER / name


def _backup_of(path: Path) -> Path:
    return path.with_name(f"{path.name}{BACKUP_SUFFIX}")


def _hooks(api_url: str, watch_options: list[str], *, token: bool, command_hooks: bool) -> Hooks:
    program = _program()
    watch = _command(program, "watch", AGENT, *watch_options)
    if not command_hooks:
        return claude_settings.http_hooks(api_url, watch, token=token)
    address = [] if api_url == DEFAULT_API_URL else ["--api-url", api_url]
    return claude_settings.command_hooks(_command(program, "hook", *address), watch)


def _program() -> str:
    """The program's absolute path: what Claude Code is started from may know nothing of this environment."""
    found = shutil.which(PROGRAM, path=sysconfig.get_path("scripts")) or shutil.which(PROGRAM)
    if found is None:
        raise click.ClickException(f"there is no program {PROGRAM} in this environment: install the package with pip")
    return str(Path(found).absolute())


def _command(*words: str) -> str:
    command = shlex.join(words)
    try:
        command.encode()
    except UnicodeEncodeError as error:
        raise click.ClickException(f"settings are UTF-8, which {command!r} is not: rename the folder") from error
    return command


def _watch_options(redis_url: str | None, project_dir: Path | None) -> list[str]:
    """How the watcher finds the Redis, whichever folder Claude Code works in."""
    if redis_url is not None:
        return ["--redis-url", redis_url]
    if os.environ.get(URL_VARIABLE):
        return []
    start = (project_dir or Path(os.environ.get(PROJECT_DIR_VARIABLE) or Path.cwd())).resolve()
    for folder in (start, *start.parents):
        # Folders above may be closed to us.
        with contextlib.suppress(OSError):
            # The system need not run at present.
            if data_folder(folder).is_dir():
                return ["--project-dir", str(folder)]
    return []


def _checked_api_url(explicit: str | None) -> str:
    url = find_api_url(explicit)
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        good = good and parts.port != 0
    except ValueError:
        good = False
    if not good:
        hint = API_URL_VARIABLE if explicit is None else "--api-url"
        raise click.BadParameter(f"{url!r} is not like {DEFAULT_API_URL}", param_hint=hint)
    return url


def _check_redis_url(url: str | None) -> None:
    if url is None:
        return
    # Imported here: it brings Redis's client, which the command needs for nothing else.
    from agent_bus.connection import InvalidRedisUrl, check_url

    try:
        check_url(url)
    except InvalidRedisUrl as error:
        raise click.BadParameter(str(error), param_hint="--redis-url") from error


def _undo(scope: str, project_dir: Path | None) -> str:
    options = [] if scope == "user" else ["--scope", scope]
    if scope != "user" and project_dir is not None:
        options += ["--project-dir", str(project_dir)]
    return shlex.join([PROGRAM, "uninstall", AGENT, *options])


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tells the person what is wrong with a file."""
    try:
        yield
    except InvalidSettings as error:
        raise click.ClickException(f"{path}: {error}. Mend this and try again; nothing was changed.") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or path}: {error.strerror or error}") from error


def _read(path: Path) -> str | None:
    """The text as it is, with its line ends; None for no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        readable = data[: error.start].decode()
        raise InvalidSettings("this is not UTF-8", readable, len(readable)) from error


def _write(path: Path, text: str, *, like: Path) -> None:
    """Puts the text in the file's place all at once; with the mode and the owner of `like`, if there is such a file."""
    # What a link leads to, so that it stays one.
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        # A new file stays with mkstemp's 0600.
        with contextlib.suppress(FileNotFoundError):
            status = like.stat()
            if hasattr(os, "chown"):
                # Only root may give files away; it should, or the person could no longer read the settings.
                with contextlib.suppress(PermissionError):
                    os.chown(temporary, status.st_uid, status.st_gid)
            temporary.chmod(stat.S_IMODE(status.st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove(path: Path) -> None:
    """Removes the file, and the folder that it was made with if nothing else has come into it."""
    path.resolve().unlink()
    if path.parent.name == SETTINGS_FOLDER:
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _show(path: Path, before: str | None, after: str | None) -> None:
    if before == after:
        click.echo(f"{path} would not change.")
        return
    old, new = (os.devnull if text is None else str(path) for text in (before, after))
    for line in difflib.unified_diff(_lines(before), _lines(after), old, new):
        click.echo(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n", nl=False)


def _lines(text: str | None) -> list[str]:
    # Not splitlines(): it takes characters for line ends that may be in the middle of a JSON string.
    return re.findall(r"[^\n]*\n|[^\n]+", text or "")
