"""`up`: the whole system under one supervisor, from the first check to the last process."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from importlib.metadata import version

from agent_bus.connection import redact
from agent_bus.coordinator_address import TOKEN_VARIABLE
from agent_bus.log_lines import chosen_format
from agent_bus.settings import Settings
from api import embedded_redis, listening, project_folder, redis_check, terminal
from api.addresses import base_url, dashboard_url, public_url
from api.cannot_start import CannotStart
from api.embedded_redis import EmbeddedRedis
from api.exposure import is_exposed, refuse_exposed
from api.programs import environment, python, server, until_healthy
from api.redis_users import RedisUrls
from api.signals import stop_signals, unless
from api.static_folder import is_built
from api.supervisor import Child, Program, Supervisor
from api.token_file import token_source

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.01
LOADING_NOTICE_SECONDS = 5.0
WORKER_GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts listen, and how many there are of them."""

    host: str
    port: int
    documents_port: int
    workers: int
    coordinators: int = 1
    insecure: bool = False
    """Other machines may be let in without a token."""


def run(settings: Settings, layout: Layout) -> None:
    """Runs the system until SIGINT, SIGTERM or SIGHUP. Raises CannotStart when it can't be started as asked.

    settings: an empty `redis_url` means a Redis of its own.
    """
    refuse_exposed(settings, layout.host, insecure=layout.insecure)
    # Looked at here, so that it is said once and in one line.
    token_source(settings)
    data = project_folder.prepare(settings.project_dir)
    with project_folder.locked(data):
        check_ports(layout)
        if settings.redis_url:
            found = redis_check.require(settings.redis_url, settings.keys.servers_check)
            if layout.workers:
                redis_check.require(settings.worker_redis_url or settings.redis_url, settings.keys.workers_check)
            for line in redis_check.warnings(found):
                logger.warning("redis: %s", line)
            system = System(settings, layout, None, f"{found.server} at {redact(settings.redis_url)}")
        else:
            own = embedded_redis.prepare(data, settings.keys)
            settings = settings.model_copy(
                update={
                    "redis_url": own.urls.api,
                    "worker_redis_url": own.urls.worker,
                    "bridge_redis_url": own.urls.bridge,
                }
            )
            system = System(settings, layout, own, f"its own, {own.version}, at {own.address}")
        asyncio.run(system.run())


def check_ports(layout: Layout) -> None:
    """Raises CannotStart when a port is not to be had."""
    if layout.port == layout.documents_port:
        raise CannotStart(f"port {layout.port} is given twice: choose another with --port or --documents-port")
    listening.close(listening.bind(layout.host, layout.port))
    listening.close(listening.bind(layout.host, layout.documents_port, option="--documents-port"))


def programs(settings: Settings, layout: Layout) -> tuple[Program, Program, list[Program]]:
    """The coordinator, the documents server and the workers, on the Redis that the settings name."""
    for_workers = environment(settings) | {"REDIS_URL": settings.worker_redis_url or settings.redis_url}
    # The dashboard comes from the coordinator's port and reads documents from the other; each has to know where.
    for_servers = environment(settings) | {
        "DOCUMENT_SERVER_PUBLIC_URL": public_url(settings, layout.host, layout.documents_port),
        "AGENT_ORCHESTRATOR_DASHBOARD_URL": dashboard_url(settings, layout.host, layout.port),
    }
    coordinator = server(
        "coordinator", layout.host, layout.port, for_servers, processes=layout.coordinators, insecure=layout.insecure
    )
    documents = server("documents", layout.host, layout.documents_port, for_servers, insecure=layout.insecure)
    workers = [
        Program(
            name="worker" if layout.workers == 1 else f"worker-{number}",
            argv=(*python(), "workers"),
            environment=for_workers,
            stop_order=1,
            grace_seconds=WORKER_GRACE_SECONDS,
        )
        for number in range(1, layout.workers + 1)
    ]
    return coordinator, documents, workers


class System:
    """One run of the whole system."""

    def __init__(self, settings: Settings, layout: Layout, own_redis: EmbeddedRedis | None, redis: str) -> None:
        """redis: the Redis in use, as it is shown."""
        self._settings = settings
        self._layout = layout
        self._own_redis = own_redis
        self._redis = redis

    async def run(self) -> None:
        """Starts everything, waits for a signal, stops everything. Raises CannotStart."""
        stop = asyncio.Event()
        supervisor = Supervisor(terminal.writer())
        with (
            stop_signals(stop, supervisor, what="servers, then workers, then Redis"),
            contextlib.ExitStack() as announcement,
        ):
            try:
                if await unless(stop, self._start(supervisor, announcement)):
                    self._announce()
                    await unless(stop, supervisor.wait())
            finally:
                await supervisor.stop()
                if self._own_redis is not None:
                    self._own_redis.tidy()
        logger.info("all stopped")

    def _announce(self) -> None:
        if chosen_format() == "text":
            terminal.say(self.banner())
        else:
            logger.info("%s", self.banner().strip())

    def banner(self) -> str:
        """What a person wants to know once it runs."""
        url, documents = (
            base_url(self._layout.host, port) for port in (self._layout.port, self._layout.documents_port)
        )
        logs = "this terminal"
        if self._own_redis is not None:
            logs += f"; Redis's own: {self._own_redis.log}"
        lines = [
            ("Dashboard", url if is_built() else "not built; in a checkout of the source, make dashboard builds it"),
            ("API", f"{url}  (described at {url}/docs)"),
            ("WebSocket", f"{url.replace('http', 'ws', 1)}/ws"),
            ("Documents", f"{documents}  (described at {documents}/docs)"),
            ("Redis", self._redis),
            ("Data", str(self._settings.data)),
            ("Logs", logs),
        ]
        if self._settings.asks_for_tokens:
            file = self._settings.tokens_file
            lines.append(("Tokens", f"asked for, as {TOKEN_VARIABLE if file is None else file} says"))
        elif is_exposed(self._layout.host):
            lines.append(("Beware", "other machines can reach it, and it asks nobody for a token"))
        listing = "\n".join(f"  {label:<11}{text}" for label, text in lines)
        return f"\nagent-orchestrator {version('agent-orchestrator')} is running\n\n{listing}\n\n  Ctrl-C stops it.\n"

    async def _start(self, supervisor: Supervisor, announcement: contextlib.ExitStack) -> None:
        if self._own_redis is not None:
            await self._loaded(await supervisor.start(self._own_redis.program), self._own_redis)
        url = self._settings.redis_url
        urls = RedisUrls(url, self._settings.worker_redis_url or url, self._settings.bridge_redis_url or url)
        announcement.enter_context(project_folder.announced(self._settings.project_dir, urls))
        coordinator, documents, workers = programs(self._settings, self._layout)
        servers = [
            (await supervisor.start(coordinator), self._layout.port),
            (await supervisor.start(documents), self._layout.documents_port),
        ]
        for worker in workers:
            await supervisor.start(worker)
        await asyncio.gather(*(until_healthy(child, self._layout.host, port) for child, port in servers))

    async def _loaded(self, child: Child, redis: EmbeddedRedis) -> None:
        """Waits until the server has read its data, however long that takes while it lives."""
        loop = asyncio.get_running_loop()
        notice = loop.time() + LOADING_NOTICE_SECONDS
        while True:
            if child.last_end is not None:
                said = redis.last_words() or "it wrote nothing"
                raise CannotStart(f"Redis {child.last_end} at its start; the last line of {redis.log}: {said}")
            if redis.socket.exists():
                with contextlib.suppress(CannotStart):
                    if not (await asyncio.to_thread(redis_check.inspect, redis.urls.api)).loading:
                        return
            if loop.time() > notice:
                logger.info("Redis is still loading its data")
                notice += LOADING_NOTICE_SECONDS
            await asyncio.sleep(POLL_SECONDS)
