"""Our servers as programs of a supervisor, and how it knows that they are well."""

import asyncio
import sys

from agent_bus.log_lines import FORMAT_VARIABLE, chosen_format
from agent_bus.settings import Settings
from api import health
from api.cannot_start import CannotStart
from api.supervisor import Child, Program

POLL_SECONDS = 0.01
# Far above the second that a server needs, for slow disks and busy machines.
START_SECONDS = 60.0
# More than `api.serving` takes at most to see off its clients and finish its requests.
SERVER_GRACE_SECONDS = 20.0
# One that supervises processes of its own gives each of them that long, and ends after the last.
SUPERVISOR_GRACE_SECONDS = SERVER_GRACE_SECONDS + 5.0


def python() -> tuple[str, ...]:
    """Runs a module of ours; `-P` keeps a project's own `api` or `workers` folder from being taken for it."""
    return (sys.executable, "-P", "-m")


def environment(settings: Settings) -> dict[str, str]:
    """What every part is told. By environment, for a URL may hold a password and all users can see arguments."""
    return {
        "REDIS_URL": settings.redis_url,
        # Each part is told of its own user only.
        "AGENT_ORCHESTRATOR_WORKER_REDIS_URL": "",
        "AGENT_ORCHESTRATOR_BRIDGE_REDIS_URL": "",
        "AGENT_ORCHESTRATOR_PROJECT_DIR": str(settings.project_dir),
        "PYTHONUNBUFFERED": "1",
        # What they write is shown by this process, so they are on no terminal and could not tell.
        FORMAT_VARIABLE: chosen_format(),
    }


def server(
    part: str, host: str, port: int, environment: dict[str, str], *, processes: int = 1, insecure: bool = False
) -> Program:
    """The command that serves a part of the system; with more than one process, it supervises these itself."""
    argv = (*python(), "api.cli", part, "--host", host, "--port", str(port))
    if processes > 1:
        argv += ("--processes", str(processes))
    if insecure:
        argv += ("--insecure",)
    grace = SERVER_GRACE_SECONDS if processes == 1 else SUPERVISOR_GRACE_SECONDS
    return Program(name=part, argv=argv, environment=environment, grace_seconds=grace)


async def until_healthy(child: Child, host: str, port: int) -> None:
    """Waits until a server answers on the port. Raises CannotStart when the child ends before, or takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_SECONDS
    name = child.program.name
    while not await asyncio.to_thread(health.is_healthy, host, port):
        if child.last_end is not None:
            raise CannotStart(f"{name} {child.last_end} before it was healthy; what it wrote above says why")
        if loop.time() > deadline:
            raise CannotStart(f"{name} was not healthy after {START_SECONDS:g} s; what it wrote above may say why")
        await asyncio.sleep(POLL_SECONDS)
