"""Starting what is measured: Redis, our parts and the peers; the server on one processor, all else on another."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import redis as redis_client

from agent_bus.scripts import script
from bench.peers.dialects import Dialect
from bench.ways import OURS
from tests.processes import REPOSITORY, RedisServer, free_port, wait_until

T = TypeVar("T")

STOP_SECONDS = 15.0
PEERS = REPOSITORY / "bench" / "peers"
PEERS_PYTHON = REPOSITORY / ".venv-peers" / "bin" / "python"
# The server is measured; everything else shares the other processor.
PROCESSORS = sorted(os.sched_getaffinity(0))
SERVER, REST = PROCESSORS[0], PROCESSORS[-1]
# Redis keeps what it is given in memory only: what a disk costs is not what is compared here.
REDIS_OPTIONS = ("--appendonly", "no")


class NotAvailable(Exception):
    """A peer can't be started here; the message says what is missing."""


@contextmanager
def on_processor(number: int) -> Iterator[None]:
    """Keeps processes that are started in the block to one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A Redis, on the processor that is not the measured server's."""
    with ExitStack() as stack:
        with on_processor(REST):
            server = stack.enter_context(RedisServer(folder, *REDIS_OPTIONS, *options))
        with redis_client.Redis.from_url(server.url) as client:
            client.script_load(script("append_events").text)
        yield server


class Program:
    """A process that listens on a port; what it costs is read from outside."""

    def __init__(self, argv: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._log = log
        with on_processor(SERVER), log.open("ab") as output:
            self.popen = subprocess.Popen(
                argv, env=os.environ | dict(environment or {}), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            wait_until(self._listens, f"{argv} to listen")
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}; it wrote:\n{log.read_text('utf-8', 'replace')}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listens(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"ended with {self.popen.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that is not enough."""
        self.popen.terminate()
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def processor_seconds(self) -> float:
        """User and system time that it has taken so far."""
        return processor_seconds(self.popen.pid)

    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(psutil.Process(self.popen.pid).memory_info().rss)


def processor_seconds(pid: int) -> float:
    """User and system time that a process has taken so far: to the nanosecond where the kernel says so (Linux)."""
    stats = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if stats:
        return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def our(part: str, redis_url: str, folder: Path, environment: Mapping[str, str] | None = None) -> Program:
    """One of our servers: `coordinator` or `documents`."""
    port = free_port()
    argv = [sys.executable, "-m", "api.cli", part, "--redis-url", redis_url, "--port", str(port)]
    # One session says here what the whole system can take; its limit is counted all the same.
    own = {
        "AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder), "PYTHONPATH": str(REPOSITORY),
        "AGENT_ORCHESTRATOR_SESSION_EVENTS_PER_SECOND": "1000000",
    }  # fmt: skip
    return Program(argv, port, folder / f"{part}-{port}.log", own | dict(environment or {}))


def _executable(dialect: Dialect) -> str:
    if dialect.environment == "project":
        return sys.executable
    if dialect.environment == "peers":
        if not PEERS_PYTHON.is_file():
            raise NotAvailable("the peers' packages are not installed; run it by `make bench`")
        return str(PEERS_PYTHON)
    node = shutil.which("node")
    if node is None or not (PEERS / "socketio" / "node_modules").is_dir():
        raise NotAvailable("Node.js or Socket.IO's packages are not installed; install Node.js 18 or newer with npm")
    return node


@contextmanager
def serving(way: Dialect, redis_url: str, folder: Path) -> Iterator[Program]:
    """The server of a way, with what it needs beside it. Raises NotAvailable."""
    with ExitStack() as stack:
        if way.name == OURS:
            yield stack.enter_context(our("coordinator", redis_url, folder))
            return
        program, port = _executable(way), free_port()
        _, script, *options = way.command
        argv = [program, str(PEERS / script), *options, "--port", str(port), "--redis-url", redis_url]
        if way.publisher:
            _, beside = way.publisher
            with on_processor(REST), (folder / f"{way.name}-publisher.log").open("ab") as output:
                publisher = subprocess.Popen(
                    [program, str(PEERS / beside), "--redis-url", redis_url], stdout=output, stderr=output
                )
            stack.callback(publisher.wait)
            stack.callback(publisher.terminate)
        yield stack.enter_context(Program(argv, port, folder / f"{way.name}-{port}.log"))


def peer(name: str, folder: Path, *options: str) -> Program:
    """A peer that is no relay, by its file's name without the ending."""
    port = free_port()
    argv = [sys.executable, str(PEERS / f"{name}.py"), "--port", str(port), *options]
    return Program(argv, port, folder / f"{name}-{port}.log", {"PYTHONPATH": str(REPOSITORY)})


class Load:
    """A load generator in a process of its own, on the processor that is not the measured server's."""

    def __init__(self, module: str, order: Any) -> None:
        with on_processor(REST):
            self._process = subprocess.Popen(
                [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
            )
        self.pid = self._process.pid
        self._say(json.dumps(asdict(order)))

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a load generator ended with {self._process.wait()}")
        return line

    def wait_ready(self) -> None:
        """Returns when it has connected; it begins with `begin`."""
        assert self._hear() == "ready\n"

    def begin(self) -> None:
        """Lets it begin."""
        self._say("go")

    def outcome(self, kind: type[T]) -> T:
        """What came of it; waits for it."""
        answer = kind(**json.loads(self._hear()))
        self._process.wait()
        return answer
