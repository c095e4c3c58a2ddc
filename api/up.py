"""`up`: the whole system under one supervisor, from the first check to the last process."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from agent_bus.connection import redact
from agent_bus.settings import LOOPBACK_HOSTS, Settings
from agent_bus.tasks import end
from api import embedded_redis, health, listening, project_folder, redis_check, terminal
from api.addresses import base_url, public_url
from api.cannot_start import CannotStart
from api.embedded_redis import EmbeddedRedis
from api.supervisor import Child, Program, Supervisor

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.01
# Far above the second that a server needs, for slow disks and busy machines.
START_SECONDS = 60.0
LOADING_NOTICE_SECONDS = 5.0
# More than `api.serving` takes at most to see off its clients and finish its requests.
SERVER_GRACE_SECONDS = 20.0
WORKER_GRACE_SECONDS = 15.0
# timeout(1), among others, signals a process and then its group: so quick a second signal is no person's.
SAME_REQUEST_SECONDS = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts listen, and how many workers there are."""

    host: str
    port: int
    documents_port: int
    workers: int


def run(settings: Settings, layout: Layout) -> None:
    """Runs the system until SIGINT, SIGTERM or SIGHUP. Raises CannotStart when it can't be started as asked.

    settings: an empty `redis_url` means a Redis of its own.
    """
    data = project_folder.prepare(settings.project_dir)
    with project_folder.locked(data):
        check_ports(layout)
        if settings.redis_url:
            found = redis_check.require(settings.redis_url)
            for line in redis_check.warnings(found):
                logger.warning("redis: %s", line)
            system = System(settings, layout, None, f"{found.server} at {redact(settings.redis_url)}")
        else:
            own = embedded_redis.prepare(data)
            settings = settings.model_copy(update={"redis_url": own.url})
            system = System(settings, layout, own, f"its own, {own.version}, at {own.url}")
        asyncio.run(system.run())


def check_ports(layout: Layout) -> None:
    """Raises CannotStart when a port is not to be had."""
    if layout.port == layout.documents_port:
        raise CannotStart(f"port {layout.port} is given twice: choose another with --port or --documents-port")
    listening.close(listening.bind(layout.host, layout.port))
    listening.close(listening.bind(layout.host, layout.documents_port, option="--documents-port"))


def programs(settings: Settings, layout: Layout) -> tuple[Program, Program, list[Program]]:
    """The coordinator, the documents server and the workers, on the Redis that the settings name."""
    # By environment, for a URL may hold a password and arguments are seen by everyone on the machine.
    environment = {
        "REDIS_URL": settings.redis_url,
        "AGENT_ORCHESTRATOR_PROJECT_DIR": str(settings.project_dir),
        "PYTHONUNBUFFERED": "1",
    }
    coordinator_url = base_url(layout.host, layout.port)
    own_pages = (coordinator_url, f"http://127.0.0.1:{layout.port}")
    for_documents = environment | {
        # The dashboard comes from the coordinator's port and reads documents from the other.
        "CORS_ORIGINS": ",".join(dict.fromkeys((*settings.cors_origins, *own_pages))),
        "DOCUMENT_SERVER_PUBLIC_URL": public_url(settings, layout.host, layout.documents_port),
    }
    coordinator = _server("coordinator", layout.host, layout.port, environment)
    documents = _server("documents", layout.host, layout.documents_port, for_documents)
    workers = [
        Program(
            name="worker" if layout.workers == 1 else f"worker-{number}",
            argv=(*python(), "workers"),
            environment=environment,
            stop_order=1,
            grace_seconds=WORKER_GRACE_SECONDS,
        )
        for number in range(1, layout.workers + 1)
    ]
    return coordinator, documents, workers


def python() -> tuple[str, ...]:
    """Runs a module of ours; `-P` keeps a project's own `api` or `workers` folder from being taken for it."""
    return (sys.executable, "-P", "-m")


def _server(part: str, host: str, port: int, environment: dict[str, str]) -> Program:
    return Program(
        name=part,
        argv=(*python(), "api.cli", part, "--host", host, "--port", str(port)),
        environment=environment,
        stop_order=0,
        grace_seconds=SERVER_GRACE_SECONDS,
    )


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
        supervisor = Supervisor(terminal.show)
        with _signals(stop, supervisor), contextlib.ExitStack() as announcement:
            try:
                if await unless(stop, self._start(supervisor, announcement)):
                    terminal.say(self.banner())
                    await unless(stop, supervisor.wait())
            finally:
                await supervisor.stop()
                if self._own_redis is not None:
                    self._own_redis.tidy()
        logger.info("all stopped")

    def banner(self) -> str:
        """What a person wants to know once it runs."""
        url, documents = (
            base_url(self._layout.host, port) for port in (self._layout.port, self._layout.documents_port)
        )
        logs = "this terminal"
        if self._own_redis is not None:
            logs += f"; Redis's own: {self._own_redis.log}"
        lines = [
            ("API", f"{url}  (described at {url}/docs)"),
            ("WebSocket", f"{url.replace('http', 'ws', 1)}/ws"),
            ("Documents", f"{documents}  (described at {documents}/docs)"),
            ("Redis", self._redis),
            ("Data", str(self._settings.data)),
            ("Logs", logs),
        ]
        if self._layout.host not in LOOPBACK_HOSTS:
            lines.append(("Beware", "other machines can reach it, and it asks nobody for a password"))
        listing = "\n".join(f"  {label:<11}{text}" for label, text in lines)
        return f"\nagent-orchestrator {version('agent-orchestrator')} is running\n\n{listing}\n\n  Ctrl-C stops it.\n"

    async def _start(self, supervisor: Supervisor, announcement: contextlib.ExitStack) -> None:
        if self._own_redis is not None:
            await self._loaded(await supervisor.start(self._own_redis.program), self._own_redis)
        announcement.enter_context(project_folder.announced(self._settings.project_dir, self._settings.redis_url))
        coordinator, documents, workers = programs(self._settings, self._layout)
        servers = [
            (await supervisor.start(coordinator), self._layout.port),
            (await supervisor.start(documents), self._layout.documents_port),
        ]
        for worker in workers:
            await supervisor.start(worker)
        await asyncio.gather(*(self._healthy(child, port) for child, port in servers))

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
                    if not (await asyncio.to_thread(redis_check.inspect, redis.url)).loading:
                        return
            if loop.time() > notice:
                logger.info("Redis is still loading its data")
                notice += LOADING_NOTICE_SECONDS
            await asyncio.sleep(POLL_SECONDS)

    async def _healthy(self, child: Child, port: int) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        name = child.program.name
        while not await asyncio.to_thread(health.is_healthy, self._layout.host, port):
            if child.last_end is not None:
                raise CannotStart(f"{name} {child.last_end} before it was healthy; what it wrote above says why")
            if loop.time() > deadline:
                raise CannotStart(f"{name} was not healthy after {START_SECONDS:g} s; what it wrote above may say why")
            await asyncio.sleep(POLL_SECONDS)


@contextlib.contextmanager
def _signals(stop: asyncio.Event, supervisor: Supervisor) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    asked = 0.0

    def ask_to_stop() -> None:
        nonlocal asked
        if not stop.is_set():
            logger.info("stopping: servers, then workers, then Redis; Ctrl-C again hurries")
            stop.set()
            asked = loop.time()
        elif loop.time() > asked + SAME_REQUEST_SECONDS:
            logger.info("hurrying")
            supervisor.hurry()

    for sig in SIGNALS:
        loop.add_signal_handler(sig, ask_to_stop)
    try:
        yield
    finally:
        for sig in SIGNALS:
            loop.remove_signal_handler(sig)


async def unless(stop: asyncio.Event, work: Coroutine[None, None, object]) -> bool:
    """Does the work, or gives it up once `stop` is set; tells whether it was done. Raises what the work raises."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait(), name="await a signal")
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        doing.result()
        return True
    await end([doing])
    return False
