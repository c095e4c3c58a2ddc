"""The commands of docker-compose.yml are run as they stand there, but for the port, the address and the data folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis
import yaml

from tests.processes import DEADLINE_SECONDS, REPOSITORY, RedisServer, free_port, redis_binary, wait_until

SERVICES = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))["services"]


@contextmanager
def running(arguments: list[str], folder: Path, redis_url: str = "") -> Iterator[Path]:
    """The program with its output in a file, asked to end at the end, which it must do in order."""
    log = folder / "output"
    environment = os.environ | {"REDIS_URL": redis_url, "AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, env=environment, cwd=folder, stdout=output, stderr=output)
    try:
        yield log
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0, log.read_text("utf-8")
    finally:
        process.kill()
        process.wait()


def program(service: str, **here: str) -> list[str]:
    """The service's command, run by the installed console script; `here` is what is put in another's place."""
    command = [here.get(f"at_{argument}", argument) for argument in SERVICES[service]["command"]]
    return [str(Path(sys.executable).with_name("agent-orchestrator")), *command]


@pytest.mark.parametrize(("service", "port"), [("coordinator", "8765"), ("documents", "8766")])
def test_the_servers_serve(service: str, port: str, redis_server: RedisServer, tmp_path: Path) -> None:
    own = free_port()
    with running(program(service, **{f"at_{port}": str(own), "at_0.0.0.0": "127.0.0.1"}), tmp_path, redis_server.url):

        def healthy() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{own}/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(healthy, f"{service} to be healthy")


def test_the_worker_works(redis_server: RedisServer, tmp_path: Path) -> None:
    own = free_port()
    with running(
        program("worker", **{"at_9100": str(own), "at_0.0.0.0": "127.0.0.1"}), tmp_path, redis_server.url
    ) as log:
        wait_until(lambda: "works on" in log.read_text("utf-8"), "the worker to work")
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{own}/ready").status_code == 200, "it to be ready")


def test_redis_starts_with_its_flags(tmp_path: Path) -> None:
    port = free_port()
    flags = SERVICES["redis"]["command"][1:]
    with (
        running([redis_binary(), *flags, "--port", str(port), "--bind", "127.0.0.1"], tmp_path),
        redis.Redis(port=port, socket_timeout=1) as client,
    ):

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

        wait_until(answers, "redis-server to answer")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("appendonly")["appendonly"] == "yes"
