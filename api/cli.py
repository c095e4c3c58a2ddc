"""The command line, `agent-orchestrator`. What a command needs is imported when it runs, so that `--help` is quick."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.acl_commands import acl
from api.cannot_start import CannotStart
from api.command_settings import Command, InvalidSetting, load_settings, with_redis
from api.command_settings import project_dir as _project_dir

if TYPE_CHECKING:
    import logging

    from agent_bus.blueprints import Blueprints
    from agent_bus.settings import Settings
    from api.schemas import SchemaName

COORDINATOR_PORT, DOCUMENTS_PORT = 8765, 8766
PORT = click.IntRange(1, 65535)


class Commands(click.Group):
    """Commands whose expected failures are one line on standard error and status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except CannotStart as error:
            raise click.ClickException(str(error)) from error


def _redis_url(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--redis-url",
        metavar="URL",
        envvar="REDIS_URL",
        show_envvar=True,
        show_default=default,
        help="redis://host:6379/0, rediss://… for TLS, unix:///path/to.sock, or redis+sentinel://host,host/service/0.",
    )


def _host(command: Command) -> Command:
    return click.option("--host", default="127.0.0.1", help="The address to listen on.")(command)


def _insecure(command: Command) -> Command:
    return click.option(
        "--insecure", is_flag=True, help="Let other machines in without a token: something in front decides who may."
    )(command)


def _port(default: int) -> Callable[[Command], Command]:
    return click.option("--port", type=PORT, default=default, help="The port to listen on.")


def _both_ports(command: Command) -> Command:
    command = click.option(
        "--documents-port", type=PORT, default=DOCUMENTS_PORT, help="The port of the document server."
    )(command)
    return click.option("--port", type=PORT, default=COORDINATOR_PORT, help="The port of the coordinator.")(command)


_of_the_project = _redis_url("the one that runs for the project, else redis://localhost:6379/0")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100},
    epilog="Settings for which there is no option are read from the environment; docs/operations.md lists them.",
)
@click.version_option(package_name="agent-orchestrator", message="%(prog)s %(version)s", prog_name="agent-orchestrator")
def main() -> None:
    """See every coding agent live in the browser, on every replica; lose nothing; stop one for real.

    `agent-orchestrator up` runs everything in this terminal. The other commands run one part each, for more replicas or
    under a supervisor of your own, and look after what is there.
    """


@main.command()
@_project_dir
@_host
@_both_ports
@_redis_url("a Redis of its own")
@click.option("--workers", type=click.IntRange(min=0), default=1, help="How many processes work on background jobs.")
@click.option("--coordinators", type=click.IntRange(min=1), default=1, help="How many coordinators share their port.")
@_insecure
def up(
    project_dir: Path | None,
    host: str,
    port: int,
    documents_port: int,
    redis_url: str | None,
    workers: int,
    coordinators: int,
    *,
    insecure: bool,
) -> None:
    """Run the whole system in this terminal until Ctrl-C.

    Starts Redis (unless one is named), the coordinator, the document server and the workers; starts again what dies;
    and stops all in order, losing nothing that was acknowledged. A second Ctrl-C hurries.

    A Redis of its own keeps its data in .agent-orchestrator/redis of the project, and the next `up` has it all again.
    While it runs, its address stands in .agent-orchestrator/redis-url, where agents on this machine find it.
    """
    from api import terminal
    from api.up import Layout, run

    settings = load_settings(project_dir)
    if redis_url:
        settings = with_redis(settings, redis_url)
    begin("up", terminal.TerminalHandler)
    run(settings, Layout(host, port, documents_port, workers, coordinators, insecure))


@main.command()
@_of_the_project
@_host
@_port(COORDINATOR_PORT)
@_project_dir
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, help="How many processes share the port, each a coordinator."
)
@_insecure
@click.option("--listening", "descriptors", type=click.IntRange(min=3), multiple=True, hidden=True)
def coordinator(
    redis_url: str | None,
    host: str,
    port: int,
    project_dir: Path | None,
    processes: int,
    descriptors: tuple[int, ...],
    *,
    insecure: bool,
) -> None:
    """Run one coordinator: sessions, events, agents and the WebSocket.

    Any number may run on one Redis; browsers and agents may use whichever they like. One uses one processor; with
    --processes several serve on one port, and one that dies is started again.
    """
    from api import bus_contract, listening, redis_check, terminal
    from api.exposure import refuse_exposed

    begin("coordinator", terminal.TerminalHandler if processes > 1 else None)
    settings = with_redis(load_settings(project_dir), redis_url)
    if descriptors:
        # One of several processes; the one that started it has looked at Redis, and at whom it lets in.
        sockets = listening.inherited(descriptors)
    else:
        refuse_exposed(settings, host, insecure=insecure)
        redis_check.refuse_unfit(settings.redis_url, settings.keys.servers_check)
        bus_contract.refuse_newer(settings)
        sockets = listening.bind(host, port)
    if processes > 1:
        from api.processes import run

        run(settings, sockets, host, port, processes)
        return
    # Loaded after the port is ours: a taken one is told at once.
    from api.coordinator.app import create_app
    from api.serving import serve

    serve(create_app, settings, sockets)


@main.command()
@_of_the_project
@_host
@_port(DOCUMENTS_PORT)
@_project_dir
@_insecure
def documents(redis_url: str | None, host: str, port: int, project_dir: Path | None, *, insecure: bool) -> None:
    """Run one document server.

    Any number may run on one Redis, if they share where the bytes go: a folder by default, or what
    AGENT_ORCHESTRATOR_BLOB_STORE_URL names. Documents' addresses begin with DOCUMENT_SERVER_PUBLIC_URL.
    """
    from api import bus_contract, listening, redis_check
    from api.addresses import public_url
    from api.exposure import refuse_exposed

    begin("documents")
    settings = with_redis(load_settings(project_dir), redis_url)
    refuse_exposed(settings, host, insecure=insecure)
    settings = settings.model_copy(update={"document_server_public_url": public_url(settings, host, port)})
    redis_check.refuse_unfit(settings.redis_url, settings.keys.servers_check)
    bus_contract.refuse_newer(settings)
    sockets = listening.bind(host, port)
    # Loaded after the port is ours: a taken one is told at once.
    from api.documents.app import create_app
    from api.serving import serve

    serve(create_app, settings, sockets)


@main.command()
@_of_the_project
@_project_dir
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="none",
    help="The port on which it answers GET /metrics, /health and /ready.",
)
@click.option("--metrics-host", default="127.0.0.1", help="The address for that.")
@_insecure
def worker(
    redis_url: str | None, project_dir: Path | None, metrics_port: int, metrics_host: str, *, insecure: bool
) -> None:
    """Run one worker for background jobs. SIGTERM lets it finish the job at hand.

    Its metrics ask nobody for a token, so --metrics-host takes this machine's loopback only, unless --insecure is said.
    """
    from api import bus_contract, listening, redis_check
    from api.exposure import is_exposed

    begin("worker")
    settings = with_redis(load_settings(project_dir), redis_url, part="worker")
    if metrics_port:
        if is_exposed(metrics_host) and not insecure:
            raise CannotStart(
                f"other machines reach {metrics_host}, and a worker's metrics ask nobody for a token: leave out "
                "--metrics-host, or say --insecure if something in front of it decides who gets in"
            )
        listening.close(listening.bind(metrics_host, metrics_port, option="--metrics-port"))
    redis_check.refuse_unfit(settings.redis_url, settings.keys.workers_check)
    bus_contract.refuse_newer(settings)
    named = {"REDIS_URL": settings.redis_url, "AGENT_ORCHESTRATOR_PROJECT_DIR": str(settings.project_dir)}
    # The API does not import workers; this process becomes one. -P keeps a project's own folder of that name out.
    argv = [sys.executable, "-P", "-m", "workers"]
    if metrics_port:
        argv += ["--metrics-port", str(metrics_port), "--metrics-host", metrics_host]
    os.execve(sys.executable, argv, {**os.environ, **named})  # noqa: S606


@main.command()
@_project_dir
@_host
@_both_ports
@_redis_url("the one that runs for the project, else the one that `up` would start")
@click.pass_context
def doctor(
    ctx: click.Context, project_dir: Path | None, host: str, port: int, documents_port: int, redis_url: str | None
) -> None:
    """Look at Redis, the ports, the data folder and the workers, and say what is wrong and what to do.

    Works whether the system runs or not. Ends with status 0 if all is well, and 1 otherwise.
    """
    from api import doctor

    settings = load_settings(project_dir)
    if redis_url:
        settings = with_redis(settings, redis_url)
    findings = doctor.examine(settings, redis_url, host=host, port=port, documents_port=documents_port)
    for line in doctor.report(findings):
        click.echo(line)
    ctx.exit(0 if all(finding.well for finding in findings) else 1)


@main.command()
@click.argument("name", type=click.Choice(["coordinator", "documents", "messages"]))
def schema(name: "SchemaName") -> None:
    """Print what clients' types can be generated from, as JSON.

    The OpenAPI document of the coordinator or of the documents server, or the schema of the WebSocket's messages in the
    same form.
    """
    from api.schemas import schema_of

    click.echo(json.dumps(schema_of(name), indent=2))


@main.command()
@click.argument("file")
@_of_the_project
@_project_dir
def backup(file: str, redis_url: str | None, project_dir: Path | None) -> None:
    """Write all sessions, documents and agents to FILE (`-`: standard output) while everything runs.

    Ends with status 1 if something could not be read; the rest is in FILE all the same.
    """
    from api import backup_commands

    settings = with_redis(load_settings(project_dir), redis_url)
    backup_commands.ended(lambda: backup_commands.back_up(settings, file))


@main.command()
@click.argument("file")
@_of_the_project
@_project_dir
def restore(file: str, redis_url: str | None, project_dir: Path | None) -> None:
    """Put what `backup` wrote to FILE (`-`: standard input) into a Redis without sessions and documents.

    FILE is read through before anything is written. If it breaks off, the same command goes on.
    """
    from api import backup_commands

    settings = with_redis(load_settings(project_dir), redis_url)
    backup_commands.ended(lambda: backup_commands.put_back(settings, file))


@main.group()
def agents() -> None:
    """Bring agents' blueprints in from folders, or write them out."""


@agents.command("import")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_of_the_project
@_project_dir
@click.pass_context
def import_agents(ctx: click.Context, folder: Path, redis_url: str | None, project_dir: Path | None) -> None:
    """Take every agent's folder in DIR; what is there by the same name is changed.

    DIR may also be a project: then the folders are those in its .agent-orchestrator/agents. Ends with status 1 if a
    folder could not be used; the others are taken all the same.
    """
    from agent_bus.blueprint_folders import import_folders

    settings = with_redis(load_settings(project_dir), redis_url)
    done = _with_blueprints(settings, lambda blueprints: import_folders(blueprints, folder, only_unknown=False))
    for what, names in (("created", done.created), ("updated", done.updated), ("unchanged", done.skipped)):
        for name in names:
            click.echo(f"{what} {name}")
    for problem in done.problems:
        click.echo(f"left out {problem}", err=True)
    ctx.exit(1 if done.problems else 0)


@agents.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@_of_the_project
@_project_dir
def export_agents(folder: Path, redis_url: str | None, project_dir: Path | None) -> None:
    """Write every agent to a folder of its name in DIR, as `agents import` reads it.

    Files of other names in these folders are left alone.
    """
    from agent_bus.blueprint_folders import export_folders

    settings = with_redis(load_settings(project_dir), redis_url)
    try:
        names = _with_blueprints(settings, lambda blueprints: export_folders(blueprints, folder))
    except OSError as error:
        raise CannotStart(f"can't write to {error.filename or folder} ({error.strerror})") from error
    for name in names:
        click.echo(f"wrote {name}")


@main.group()
def token() -> None:
    """Make and revoke the tokens that the servers ask for.

    They ask for one as soon as AGENT_ORCHESTRATOR_TOKENS_FILE names a file of them; a change of it is in force within a
    second. Agents, agent-bridge and its hooks send theirs from AGENT_ORCHESTRATOR_TOKEN.
    """


def _tokens_file(command: Command) -> Command:
    return click.option(
        "--file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="AGENT_ORCHESTRATOR_TOKENS_FILE",
        show_envvar=True,
        required=True,
        help="The file of tokens; it holds their hashes, and is made if need be.",
    )(command)


@token.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(["agent", "viewer", "operator"]), required=True, help="What it is good for.")
@_tokens_file
def create_token(name: str, role: str, file: Path) -> None:
    """Make a token and print it, this once: only its hash is kept.

    An agent sends events and hooks, and reads nothing. A viewer reads everything and changes nothing. An operator does
    everything: stops, deletes, edits, uploads.
    """
    from api.token_commands import create

    click.echo(create(file, name, role))
    click.echo(f"{file} lets {name} in as {role}. The token is not shown again.", err=True)


@token.command("list")
@_tokens_file
def list_tokens(file: Path) -> None:
    """List the names, roles and ages of the tokens."""
    from api.token_commands import table

    for line in table(file):
        click.echo(line)


@token.command("revoke")
@click.argument("name")
@_tokens_file
def revoke_token(name: str, file: Path) -> None:
    """Take a token back. Within a second it opens nothing any more, and what it has open is closed."""
    from api.token_commands import revoke

    revoke(file, name)
    click.echo(f"{name} is let in no longer.", err=True)


main.add_command(acl)


def begin(part: str, handler: "Callable[[str], logging.Handler] | None" = None) -> None:
    """Opens the log, and the trace where one is wanted, of a part that runs until it is stopped.

    handler: makes what shows the log of a part that shows others', too. Raises InvalidSetting.
    """
    from agent_bus import tracing
    from agent_bus.log_lines import InvalidFormat
    from api import logs

    try:
        logs.configure(handler(part) if handler else None)
        if handler is None:
            tracing.start(part)
        else:
            tracing.check()
    except (InvalidFormat, tracing.NotInstalled) as error:
        raise InvalidSetting(str(error)) from error


def _with_blueprints(settings: "Settings", work: "Callable[[Blueprints], Any]") -> Any:
    import asyncio

    from agent_bus.blueprints import Blueprints
    from agent_bus.bus import Bus
    from agent_bus.connection import connect
    from api import bus_contract, redis_check

    redis_check.require(settings.redis_url)
    bus_contract.refuse_newer(settings)

    async def run() -> Any:
        async with connect(settings.redis_url, name="agents") as redis:
            bus = Bus(redis, settings.keys, replay_window=settings.replay_window, replication=settings.replication)
            return await work(Blueprints(bus))

    return asyncio.run(run())


if __name__ == "__main__":
    main()
