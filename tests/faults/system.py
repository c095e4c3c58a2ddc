"""The whole system as real processes on free ports: Redis, two coordinators, a documents server, two workers."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import redis

from agent_bus.keys import Keys
from agent_bus.replication import MIN_REPLICAS_VARIABLE
from tests.faults.proxy import Proxy
from tests.processes import Process, RedisServer, Server, free_port, redis_binary, wait_until, worker

T = TypeVar("T")

COORDINATORS, WORKERS, SENTINELS = 2, 2, 3
STOP_WAIT_SECONDS = 2.0
SMALL_DISK_BYTES = 24 * 1024 * 1024
DOWN_AFTER_MS = 1000
KEYS = Keys()
MOVED_CLOCK = Path(__file__).with_name("moved_clock")


class NotPossibleHere(Exception):
    """This machine can't have that fault; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a fault needs of the system.

    proxied: who reaches Redis through the proxy. sentinels: Redis has a replica, and three sentinels that watch it.
    small_disk: whose files are on a file system of their own, which is soon full.
    min_replicas: how many replicas must have received what is acknowledged.
    moving_clocks: the coordinators' wall clocks can be moved.
    environment: names and values, for all its parts.
    """

    proxied: Literal["nobody", "agents", "everyone"] = "nobody"
    sentinels: bool = False
    small_disk: Literal["nobody's", "blobs", "redis"] = "nobody's"
    min_replicas: int = 0
    moving_clocks: bool = False
    environment: tuple[tuple[str, str], ...] = ()


def moving_clock(file: Path) -> dict[str, str]:
    """What a process's environment says for its wall clock to be off by what the file says."""
    return {"PYTHONPATH": str(MOVED_CLOCK), "FAULTS_CLOCK_FILE": str(file)}


def set_clock(file: Path, seconds: float) -> None:
    """Has the clocks that the file is for be off by so much."""
    written = file.with_suffix(".new")
    written.write_text(str(seconds), "ascii")
    written.replace(file)


class System:
    """Use as `async with System(layout, folder) as system`; whatever was started has ended after the block."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self.layout = layout
        self.folder = folder
        self.small_disk = folder / "small-disk"
        self.coordinators: list[Server] = []
        self.workers: list[Process] = []
        self.complaints: list[str] = []
        """What its processes should not have done when they were to end."""
        self._proxy: Proxy | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._stack = stack
            await self._start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        if self.layout.small_disk != "nobody's":
            await asyncio.to_thread(self._mount)
        self.redis_folder = self.small_disk if self.layout.small_disk == "redis" else self.folder / "redis"
        self.redis = RedisServer(self.redis_folder)
        self._stack.callback(self.redis.kill)
        await asyncio.to_thread(self.redis.start)
        self.redis_url = self.agents_redis_url = self.redis.url
        if self.layout.sentinels:
            self.redis_url = self.agents_redis_url = await self._start_sentinels()
        if self.layout.proxied != "nobody":
            self._proxy = await self._stack.enter_async_context(Proxy(self.redis.port))
            self.agents_redis_url = f"redis://127.0.0.1:{self._proxy.port}/0"
            if self.layout.proxied == "everyone":
                self.redis_url = self.agents_redis_url
        self._stack.push_async_callback(self._stop_parts)
        starts: list[Callable[[], None]] = [
            *[self.start_coordinator] * COORDINATORS, self.start_documents, *[self.start_worker] * WORKERS,
        ]  # fmt: skip
        results = await asyncio.gather(*map(asyncio.to_thread, starts), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    @property
    def proxy(self) -> Proxy:
        """The proxy, where the layout has one."""
        assert self._proxy is not None
        return self._proxy

    def start_coordinator(self, port: int | None = None) -> None:
        """Starts one more; blocks until it is healthy."""
        environment = self.environment | {"AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": str(STOP_WAIT_SECONDS)}
        port = port or free_port()
        if self.layout.moving_clocks:
            environment |= moving_clock(self._clock(port))
        folder = self.folder / "project"
        self.coordinators.append(Server("coordinator", self.redis_url, folder, environment, port=port))

    def _clock(self, port: int) -> Path:
        return self.folder / f"clock-{port}"

    def move_clock(self, index: int, seconds: float) -> None:
        """Has a coordinator's wall clock be so far off."""
        set_clock(self._clock(self.coordinators[index].port), seconds)

    def restart_coordinator(self, index: int) -> None:
        """Starts one that has ended again, under its port; blocks until it is healthy."""
        self.start_coordinator(self.coordinators[index].port)
        self.coordinators[index] = self.coordinators.pop()

    def start_documents(self, port: int | None = None) -> None:
        """Starts the documents server; blocks until it is healthy."""
        self.documents = Server("documents", self.redis_url, self.folder / "project", self._blobs(), port=port)

    @property
    def blobs(self) -> Path:
        """The folder of the blob store."""
        if self.layout.small_disk == "blobs":
            return self.small_disk
        return self.folder / "project" / ".agent-orchestrator" / "blobs"

    def unfinished_uploads(self) -> set[Path]:
        """The files that uploads which have not ended, or never will, have in the blob store."""
        return {path for path in (self.blobs / KEYS.namespace).rglob("*#*") if path.is_file()}

    def start_worker(self) -> None:
        """Starts one more worker; blocks until it works."""
        started = worker(self.redis_url, self.folder / "project", self._blobs())
        self.workers.append(started)
        # One that has not begun yet does not end in order.
        wait_until(lambda: " works on " in started.output, "a worker to work")

    @property
    def environment(self) -> dict[str, str]:
        """What the settings of every process say."""
        replicas = self.layout.min_replicas
        return dict(self.layout.environment) | ({MIN_REPLICAS_VARIABLE: str(replicas)} if replicas else {})

    def _blobs(self) -> dict[str, str]:
        if self.layout.small_disk != "blobs":
            return self.environment
        return self.environment | {"AGENT_ORCHESTRATOR_BLOB_STORE_URL": self.small_disk.as_uri()}

    def adopt(self, process: Process) -> None:
        """Has a process end with the system at the latest."""
        self._stack.callback(process.kill)

    async def _stop_parts(self) -> None:
        parts: list[Process] = [*self.coordinators, *self.workers]
        if hasattr(self, "documents"):
            parts.append(self.documents)
        stops: list[Awaitable[int]] = [asyncio.to_thread(part.stop) for part in parts]
        for part, result in zip(parts, await asyncio.gather(*stops, return_exceptions=True), strict=True):
            if isinstance(result, subprocess.TimeoutExpired):
                self.complaints.append(f"{part.log.stem} did not end within {result.timeout:g} s of a SIGTERM")
            elif isinstance(result, BaseException):
                raise result
            elif result and result != -signal.SIGKILL:
                self.complaints.append(f"{part.log.stem} ended with {result}; its last words:\n{part.output[-1000:]}")

    async def _start_sentinels(self) -> str:
        self.replica = RedisServer(self.folder / "replica", "--replicaof", "127.0.0.1", str(self.redis.port))
        self._stack.callback(self.replica.kill)
        await asyncio.to_thread(self.replica.start)
        ports = [free_port() for _ in range(SENTINELS)]
        for port in ports:
            folder = self.folder / f"sentinel-{port}"
            folder.mkdir()
            config = folder / "sentinel.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor primary 127.0.0.1 {self.redis.port} 2\n"
                f"sentinel down-after-milliseconds primary {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout primary {5 * DOWN_AFTER_MS}\n"
            )
            process = subprocess.Popen(
                [redis_binary(), str(config), "--sentinel"], stdout=subprocess.DEVNULL, start_new_session=True
            )
            self._stack.callback(_kill, process)
        self._sentinel_port = ports[0]
        await asyncio.to_thread(wait_until, self._sentinels_agree, "the sentinels to know the replica and each other")
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"redis+sentinel://{hosts}/primary/0"

    def _sentinels_agree(self) -> bool:
        with redis.Redis(port=self._sentinel_port, socket_timeout=1) as sentinel, contextlib.suppress(redis.RedisError):
            primary = sentinel.sentinel_master("primary")
            return bool(primary["num-slaves"] == 1 and primary["num-other-sentinels"] == SENTINELS - 1)
        return False

    def primary_port(self) -> int | None:
        """Whom the sentinels name."""
        with redis.Redis(port=self._sentinel_port, socket_timeout=1) as sentinel, contextlib.suppress(redis.RedisError):
            _, port = sentinel.sentinel_get_master_addr_by_name("primary")
            return int(port)
        return None

    def ask_redis(self, *command: Any, port: int | None = None) -> Any:
        """What Redis itself answers, past the proxy."""
        with redis.Redis(port=port or self.redis.port, socket_timeout=5) as client:
            return client.execute_command(*command)

    def tags_are_materialised(self) -> bool:
        """Whether the workers have counted the newest tags."""
        version = self.ask_redis("GET", KEYS.tags_version)
        return version is None or version == self.ask_redis("HGET", KEYS.tags_aggregate, "version")

    def _mount(self) -> None:
        self.small_disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(self.small_disk)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise NotPossibleHere("there is no `mount` for a small file system") from error
        if done.returncode:
            raise NotPossibleHere(f"a small file system can't be mounted here: {done.stderr.strip()}")
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(self.small_disk)], check=True)

    def fill_disk(self) -> None:
        """Leaves no byte free on the small disk."""
        with (self.small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                os.write(filler.fileno(), bytes(1 << 16))

    def free_disk(self) -> None:
        """Gives the space back."""
        (self.small_disk / "filler").unlink()


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
