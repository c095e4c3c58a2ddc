"""What is well and what is not, with what to do about it; whether the system runs or not."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from agent_bus.connection import connect, redact
from agent_bus.coordinator_address import TOKEN_VARIABLE
from agent_bus.discovery import url_file
from agent_bus.jobs import WorkHealth, work_health
from agent_bus.settings import Settings
from api import embedded_redis, health, listening, project_folder, redis_check
from api.cannot_start import CannotStart
from api.exposure import refuse_exposed
from api.token_file import token_source

# An append-only file may double while it is rewritten, and documents come on top.
LEAST_FREE_BYTES = 512 * 1024 * 1024
# Every event costs a round trip or two; on a machine or in a rack they take well under a millisecond.
SLOW_MS = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is well, and what was seen or must be done."""

    subject: str
    well: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.well else 'WRONG'}  {self.subject:<12} {self.text}"


def examine(settings: Settings, redis_url: str | None, *, host: str, port: int, documents_port: int) -> list[Finding]:
    """Looks at everything. Blocks for some seconds at worst.

    redis_url: as given by the user, None for the one that the project or the environment names.
    """
    coordinator = look_at_port("coordinator", host, port, "--port")
    documents = look_at_port("documents", host, documents_port, "--documents-port")
    running = any(finding.well and "answers" in finding.text for finding in (coordinator, documents))
    return [
        look_at_folder(settings.data),
        look_at_tokens(settings, host),
        *look_at_redis(settings, redis_url, running=running),
        coordinator,
        documents,
    ]


def look_at_folder(data: Path) -> Finding:
    """Whether the data folder, or the one it would be made in, can be written to and has room."""
    there = data if data.is_dir() else data.parent
    if not there.is_dir():
        return Finding("data", False, f"{there} is not a folder: make it, or name another with --project-dir")
    try:
        if there is data:
            for place in (data, data / project_folder.BLOBS):
                if place.exists():
                    with tempfile.TemporaryFile(dir=place):
                        pass
        elif not os.access(there, os.W_OK | os.X_OK):
            return Finding("data", False, f"can't write to {there}: mend that, or name another with --project-dir")
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Finding("data", False, f"can't write to {data} ({error.strerror}): make it writable by this user")
    room = f"{free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return Finding("data", False, f"{data} has only {room}: make room")
    return Finding(
        "data", True, f"{data} is writable, {room}" + ("" if there is data else " (made at the first start)")
    )


def look_at_tokens(settings: Settings, host: str) -> Finding:
    """Whom the servers let in, as the settings of this process say."""
    try:
        tokens = token_source(settings)
        refuse_exposed(settings, host, insecure=False)
    except CannotStart as error:
        return Finding("tokens", False, str(error))
    if tokens is None:
        return Finding("tokens", True, "none is asked for; only this machine is let in")
    if settings.tokens_file is None:
        return Finding("tokens", True, f"one is asked for, an operator's, as {TOKEN_VARIABLE} says")
    if not len(tokens()):
        text = f"{settings.tokens_file} has none, so nobody is let in: `agent-orchestrator token create` makes one"
        return Finding("tokens", False, text)
    return Finding("tokens", True, f"{len(tokens())} in {settings.tokens_file}, which only its user can read")


def look_at_port(part: str, host: str, port: int, option: str) -> Finding:
    """Whether a port is free, or answered by the server that belongs there."""
    try:
        answer = health.ask(host, port)
    except ConnectionRefusedError:
        return _free(part, host, port, option)
    except OSError as error:
        found = _free(part, host, port, option)
        if found.well:
            return found
        return Finding(part, False, f"what listens on port {port} does not answer ({error}): see its log, or stop it")
    if answer is None or answer.get("service", part) != part:
        text = f"something else answers on port {port}: stop it, or choose another port with {option}"
        return Finding(part, False, text)
    if answer["status"] != "healthy":
        return Finding(part, False, f"answers on port {port} and says that it is {answer['status']}: see its log")
    return Finding(part, True, f"answers on port {port}, healthy")


def _free(part: str, host: str, port: int, option: str) -> Finding:
    try:
        listening.close(listening.bind(host, port, option=option))
    except CannotStart as error:
        return Finding(part, False, str(error))
    return Finding(part, True, f"not running; port {port} is free")


def look_at_redis(settings: Settings, redis_url: str | None, *, running: bool) -> list[Finding]:
    """The Redis in use and its workers; or, where none is named and none runs, the one that `up` would start."""
    given = redis_url or settings.redis_url
    if not given and project_folder.holder(settings.data) is None and not _announced_and_alive(settings):
        return [_would_be_started(settings)]
    url = settings.with_redis(redis_url).redis_url
    try:
        found = redis_check.inspect(url)
    except CannotStart as error:
        return [Finding("redis", False, str(error))]
    shown = f"{found.server} at {redact(url)}"
    if found.loading:
        return [Finding("redis", False, f"{shown} is still loading its data: wait, and look again")]
    findings = [Finding("redis", False, line) for line in (*redis_check.refusals(found), *redis_check.warnings(found))]
    if found.latency_ms > SLOW_MS:
        findings.append(
            Finding(
                "redis", False, f"{shown} takes {found.latency_ms:.0f} ms to answer: bring it nearer, or relieve it"
            )
        )
    if not findings:
        text = f"{shown}, append-only file on, nothing evicted, answers in {found.latency_ms:.2f} ms"
        findings.append(Finding("redis", True, text))
    return [*findings, look_at_workers(settings, url, running=running)]


def _announced_and_alive(settings: Settings) -> bool:
    """Whether a system that was killed left a Redis behind that still answers."""
    try:
        redis_check.inspect(url_file(settings.project_dir, "api").read_text("utf-8").strip())
    except (OSError, CannotStart):
        return False
    return True


def _would_be_started(settings: Settings) -> Finding:
    try:
        binary, version = embedded_redis.choose_for(settings.data)
    except CannotStart as error:
        return Finding("redis", False, str(error))
    return Finding("redis", True, f"not running; `agent-orchestrator up` starts its own, {version} ({binary})")


def look_at_workers(settings: Settings, url: str, *, running: bool) -> Finding:
    """Whether somebody takes the jobs."""

    async def ask() -> WorkHealth:
        async with connect(url, name="check", timeout=redis_check.PATIENCE_SECONDS) as redis:
            return await work_health(redis, settings.keys)

    try:
        work = asyncio.run(ask())
    except RedisError as error:
        return Finding("workers", False, f"can't be asked for: {error}")
    waiting = sum(queue.length for queue in work.queues.values())
    failed = sum(queue.failed for queue in work.queues.values())
    jobs = f"{waiting} jobs waiting, {failed} failed lately"
    if work.workers_alive:
        return Finding("workers", True, f"{work.workers_alive} alive, {jobs}")
    if running:
        return Finding("workers", False, f"none is alive, {jobs}: start one with `agent-orchestrator worker`")
    return Finding("workers", True, f"none, as nothing runs; {jobs}")


def report(findings: list[Finding]) -> Iterator[str]:
    """The findings as lines, with a verdict at the end."""
    yield from map(str, findings)
    wrong = sum(not finding.well for finding in findings)
    yield ""
    yield "All is well." if not wrong else f"{wrong} of {len(findings)} need attention."
