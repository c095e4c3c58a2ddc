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

from agent_bridge import AgentBridge
from agent_bus.discovery import url_file
from agent_bus.keys import Keys
from tests.processes import DEADLINE_SECONDS, REPOSITORY, free_port, redis_binary, wait_until
from tests.redis_users import server_version

SERVICES = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))["services"]


@contextmanager
def running(arguments: list[str], folder: Path) -> Iterator[Path]:
    """The program with its output in a file, asked to end at the end, which it must do in order."""
    log = folder / f"output-{free_port()}"
    environment = os.environ | {"REDIS_URL": "", "AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)}
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


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The data folder of the containers, with Redis started as they do: its users first."""
    port = free_port()
    file = tmp_path / "users.acl"
    here = {
        "at_/access/users.acl": str(file),
        "at_redis://redis:6379/0": f"redis://127.0.0.1:{port}/0",
        "at_8": ".".join(map(str, server_version())),
    }
    made = subprocess.run(
        program("access", **here),
        env=os.environ | {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    flags = [here.get(f"at_{flag}", flag) for flag in SERVICES["redis"]["command"][1:]]
    with (
        running([redis_binary(), *flags, "--port", str(port), "--bind", "127.0.0.1"], tmp_path),
        redis.Redis(port=port, socket_timeout=1) as client,
    ):

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

        wait_until(answers, "redis-server to answer, as its health check asks it")
        yield tmp_path


@pytest.mark.parametrize(("service", "port"), [("coordinator", "8765"), ("documents", "8766")])
def test_the_servers_serve(service: str, port: str, data: Path) -> None:
    own = free_port()
    with running(program(service, **{f"at_{port}": str(own), "at_0.0.0.0": "127.0.0.1"}), data):

        def healthy() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{own}/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(healthy, f"{service} to be healthy")
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{own}/ready").status_code == 200, f"{service} to be ready")


def test_the_worker_works(data: Path) -> None:
    own = free_port()
    with running(program("worker", **{"at_9100": str(own), "at_0.0.0.0": "127.0.0.1"}), data) as log:
        wait_until(lambda: "works on" in log.read_text("utf-8"), "the worker to work")
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{own}/ready").status_code == 200, "it to be ready")
        assert "NOPERM" not in log.read_text("utf-8")


async def test_a_bridge_attaches_with_the_url_that_the_command_prints(data: Path) -> None:
    address = url_file(data).read_text("utf-8").strip().rpartition("@")[2]
    # `docker compose run access …` puts what follows in the command's place.
    command = [program("access")[0], "acl", "url", "bridge", "--address", f"redis://{address}"]
    environment = os.environ | {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(data)}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    async with AgentBridge(session_id="s", redis_url=printed.strip()):
        with redis.Redis.from_url(url_file(data, "api").read_text("utf-8").strip(), driver_info=None) as client:
            assert client.zscore(Keys().leases, "s") is not None


def test_redis_starts_with_its_flags(data: Path) -> None:
    url = url_file(data, "api").read_text("utf-8").strip()
    with redis.Redis.from_url(url, driver_info=None) as client:
        assert client.info()["maxmemory_policy"] == "noeviction"
        assert client.info()["aof_enabled"] == 1
