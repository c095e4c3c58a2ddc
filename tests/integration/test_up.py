"""`agent-orchestrator up` as people run it: a process with children of its own."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import redis

from agent_bridge import BlockingAgentBridge
from agent_bus.access_rules import User
from agent_bus.connection import with_credentials
from agent_bus.discovery import url_file
from agent_bus.keys import Keys
from api.project_folder import PARTS
from tests.processes import REPOSITORY, Process, RedisServer, free_port, wait_until
from tests.redis_users import GuardedRedis


class Up(Process):
    """A running system, with a project folder and ports of its own."""

    def __init__(self, project: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        project.mkdir(parents=True, exist_ok=True)
        self.project = project
        self.port, self.documents_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.documents_url = f"http://127.0.0.1:{self.documents_port}"
        arguments = ["-m", "api.cli", "up", "--project-dir", str(project), "--port", str(self.port)]
        arguments += ["--documents-port", str(self.documents_port), *options]
        log = project.parent / f"up-{self.port}.log"
        # Where the socket goes when the project's path is too long for one, as a test's often is.
        self._short = tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp")
        super().__init__(arguments, {"REDIS_URL": "", "TMPDIR": self._short.name} | (environment or {}), log)
        try:
            wait_until(self._running, "the system to run", 60)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}; it wrote:\n{self.output}") from error

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Stops it, and removes what a killed one left."""
        try:
            return super().stop(sig)
        finally:
            self._short.cleanup()

    def _running(self) -> bool:
        assert self.popen.poll() is None, f"ended with {self.popen.returncode}"
        return "is running" in self.output

    def family(self) -> dict[str, psutil.Process]:
        """The supervisor's children by what they run; one that is just being started or reaped is not among them."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.popen.pid).children():
            try:
                command = child.cmdline()
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            found |= {word: child for word in ("coordinator", "documents", "workers") if word in command}
            if command and "-server" in command[0]:
                found["redis"] = child
        return found

    def redis(self) -> redis.Redis:
        """A connection as the servers have it."""
        return redis.Redis.from_url(url_file(self.project, "api").read_text().strip(), driver_info=None)


StartUp = Callable[..., Up]


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[StartUp]:
    started: list[Up] = []

    def start(*options: str, project: Path | None = None) -> Up:
        started.append(Up(project or tmp_path / "project", *options))
        return started[-1]

    yield start
    for system in started:
        system.stop()


def healthy(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/health").json()["status"] == "healthy")
    except httpx.TransportError:
        return False


def run_up(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """`up` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "up", *arguments],
        env=os.environ | {"REDIS_URL": ""} | (environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
    )


def one_line(ended: "subprocess.CompletedProcess[str]", status: int = 1) -> str:
    """What a refused start says, which must be one line and no more."""
    assert ended.returncode == status, ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


def event(session_id: str) -> dict[str, object]:
    moment = "2026-01-24T10:00:00+00:00"
    return {"event_type": "session_start", "session_id": session_id, "session_name": session_id, "timestamp": moment}


def test_everything_is_up_and_says_where_it_is(start_up: StartUp) -> None:
    system = start_up("--workers", "2")
    assert healthy(system.url)
    assert healthy(system.documents_url)
    for told in (f":{system.port}/ws", f":{system.documents_port}", str(system.project / ".agent-orchestrator")):
        assert told in system.output
    wait_until(lambda: "worker-2" in system.output, "the second worker to speak")


def test_several_coordinators_share_the_port_and_stop_with_the_rest(start_up: StartUp) -> None:
    system = start_up("--coordinators", "2")
    wait_until(lambda: system.output.count(f"serving on 127.0.0.1 port {system.port}") == 2, "both to serve")
    coordinators = system.family()["coordinator"].children()
    assert len(coordinators) == 2
    assert httpx.post(f"{system.url}/events", json=event("s-1")).status_code == 200
    assert system.stop() == 0, system.output
    assert "killing it" not in system.output
    assert not any(process.is_running() for process in coordinators)


def test_the_redis_url_is_left_for_this_user_alone_and_taken_away_again(start_up: StartUp) -> None:
    system = start_up()
    path = url_file(system.project)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with system.redis() as client:
        assert client.ping()
    assert system.stop() == 0
    assert not path.exists()


def passwords(system: Up) -> list[str]:
    urls = [url_file(system.project, part).read_text("utf-8").strip() for part in PARTS]
    found = [urlsplit(url).password or "" for url in urls]
    assert all(len(password) > 40 for password in found)
    return found


def test_an_agent_that_finds_the_redis_url_can_do_what_bridges_do_and_no_more(start_up: StartUp) -> None:
    system = start_up()
    url = url_file(system.project).read_text("utf-8").strip()
    with redis.Redis.from_url(url, driver_info=None) as agent:
        for command in (
            ("CONFIG", "GET", "*"),
            ("HGETALL", Keys().blueprints),
            ("FLUSHALL",),
            ("PING",),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                agent.execute_command(*command)
        with BlockingAgentBridge(session_id="s", redis_url=url) as bridge:
            bridge.on_stop(lambda _: None)
            answer = httpx.post(f"{system.url}/sessions/s/stop").json()
            assert answer["message"] == "Session stopped successfully"


def test_no_password_is_shown_anywhere(start_up: StartUp) -> None:
    system = start_up()
    wait_until(lambda: len(system.family()) == 4, "all parts to be there")
    secrets = passwords(system)
    family = psutil.Process(system.popen.pid).children(recursive=True)
    said = [" ".join(process.cmdline()) for process in family]
    environment = os.environ | {"REDIS_URL": ""}
    doctor = [sys.executable, "-m", "api.cli", "doctor", "--project-dir", str(system.project), "--port",
              str(system.port), "--documents-port", str(system.documents_port)]  # fmt: skip
    looked = subprocess.run(doctor, env=environment, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert "All is well" in looked.stdout
    assert system.stop() == 0
    folder = system.project / ".agent-orchestrator"
    said += [looked.stdout, system.output, (folder / "redis" / "redis.log").read_text("utf-8")]
    assert not [secret for secret in secrets for text in said if secret in text]
    # Looking at it was within its rights, too.
    assert "NOPERM" not in system.output
    private = [path for path in (*folder.iterdir(), *(folder / "redis").iterdir()) if path.is_file()]
    telling = [path for path in private if any(secret.encode() in path.read_bytes() for secret in secrets)]
    assert [path.name for path in telling] == ["redis-passwords.json"]
    assert stat.S_IMODE(telling[0].stat().st_mode) == 0o600


def test_a_bridge_that_outlives_the_system_is_there_again_in_the_next(tmp_path: Path, start_up: StartUp) -> None:
    # The socket is at another place where the project's path is too long for it.
    with tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as short:
        first = start_up(project=Path(short) / "p")
        url = url_file(first.project).read_text("utf-8").strip()
        with BlockingAgentBridge(session_id="s", redis_url=url) as bridge:
            assert first.stop() == 0
            second = start_up(project=Path(short) / "p")
            wait_until(
                lambda: httpx.get(f"{second.url}/sessions/s").json().get("presence") == "connected", "it to be back"
            )
            bridge.on_stop(lambda _: None)
            assert httpx.post(f"{second.url}/sessions/s/stop").json()["message"] == "Session stopped successfully"
        assert second.stop() == 0


def test_with_users_in_a_redis_of_ones_own_each_part_is_told_of_its_own(tmp_path: Path) -> None:
    with GuardedRedis(tmp_path / "redis") as guarded:
        environment = {
            "REDIS_URL": guarded.urls.api,
            "AGENT_ORCHESTRATOR_WORKER_REDIS_URL": guarded.urls.worker,
            "AGENT_ORCHESTRATOR_BRIDGE_REDIS_URL": guarded.urls.bridge,
        }
        with Up(tmp_path / "project", environment=environment) as system:
            for part in PARTS:
                assert url_file(system.project, part).read_text("utf-8").strip() == getattr(guarded.urls, part)
            wait_until(lambda: "works on" in system.output, "the worker to work")
            worker = system.family()["workers"].environ()
            assert worker["REDIS_URL"] == guarded.urls.worker
            assert guarded.urls.api not in worker.values()
            assert system.family()["coordinator"].environ()["REDIS_URL"] == guarded.urls.api
            assert system.stop() == 0
        assert "NOPERM" not in system.output
        assert guarded.refused() == []


@pytest.mark.parametrize("user", ["worker", "bridge", "api"])
def test_a_user_that_may_not_what_is_needed_is_one_line(tmp_path: Path, user: str) -> None:
    ports = ("--port", str(free_port()), "--documents-port", str(free_port()), "--project-dir", str(tmp_path))
    with GuardedRedis(tmp_path / "redis") as guarded:
        url = getattr(guarded.urls, user)
        line = one_line(run_up(*ports, environment={"REDIS_URL": url}))
        assert f"does not permit the user {user}" in line
        assert guarded.passwords[User(user)] not in line
        mistaken = with_credentials(url, user, "mistaken")
        line = one_line(run_up(*ports, environment={"REDIS_URL": mistaken}))
        assert f"{user}:***@" in line
        assert "refuses the password: put the right one into the URL" in line
        assert "mistaken" not in line


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_with_status_0_and_no_process_left(start_up: StartUp, sig: signal.Signals) -> None:
    system = start_up()
    family = psutil.Process(system.popen.pid).children(recursive=True)
    assert len(family) >= 4
    assert system.stop(sig) == 0, system.output
    assert "Traceback" not in system.output
    assert "killing it" not in system.output
    assert not [process for process in family if process.is_running()]


def test_a_second_up_has_everything_that_the_first_acknowledged(start_up: StartUp) -> None:
    first = start_up()
    assert httpx.post(f"{first.url}/events", json=event("s-1")).status_code == 200
    written = httpx.post(f"{first.documents_url}/documents", files={"file": ("a.txt", b"text")}).json()
    assert first.stop() == 0
    second = start_up()
    sessions = httpx.get(f"{second.url}/sessions").json()["sessions"]
    assert [session["session_id"] for session in sessions] == ["s-1"]
    assert httpx.get(f"{second.documents_url}/documents/{written['id']}").content == b"text"


def test_what_was_acknowledged_survives_the_supervisors_death_which_ends_all_its_children(start_up: StartUp) -> None:
    first = start_up()
    assert httpx.post(f"{first.url}/events", json=event("s-1")).status_code == 200
    family = first.family()
    first.kill()
    assert len(family) == 4
    wait_until(lambda: not any(process.is_running() for process in family.values()), "all children to be gone")
    second = start_up()
    assert httpx.get(f"{second.url}/sessions/s-1").status_code == 200


@pytest.mark.parametrize("part", ["coordinator", "documents", "workers", "redis"])
def test_a_killed_part_is_back_by_itself(start_up: StartUp, part: str) -> None:
    system = start_up()
    wait_until(lambda: len(system.family()) == 4, "all parts to be there")
    killed = system.family()[part]
    killed.kill()
    wait_until(lambda: system.family().get(part, killed) != killed, f"{part} to be back")
    wait_until(lambda: healthy(system.url) and healthy(system.documents_url), "the servers to be healthy")

    def takes_events() -> bool:
        return httpx.post(f"{system.url}/events", json=event("s-1")).status_code == 200

    wait_until(takes_events, "an event to be taken")
    assert "was killed by SIGKILL; starting it again" in system.output


def test_a_redis_of_ones_own_is_used_and_left_running(start_up: StartUp, own_redis_server: RedisServer) -> None:
    system = start_up("--redis-url", own_redis_server.url)
    assert url_file(system.project).read_text().strip() == own_redis_server.url
    assert "redis" not in system.family()
    assert system.stop() == 0
    with redis.Redis(port=own_redis_server.port) as client:
        assert client.ping()


def test_a_folder_that_shadows_our_packages_does_no_harm(tmp_path: Path, start_up: StartUp) -> None:
    project = tmp_path / "project"
    for name in ("api", "workers", "agent_bus"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise RuntimeError('not this one')")
    log, port, documents_port = tmp_path / "log", free_port(), free_port()
    arguments = ["-P", "-m", "api.cli", "up", "--port", str(port), "--documents-port", str(documents_port)]
    with (
        tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as short,
        Process(arguments, {"REDIS_URL": "", "TMPDIR": short}, log, cwd=project) as system,
    ):
        wait_until(lambda: "is running" in system.output or system.popen.poll() is not None, "the system to run", 60)
        assert healthy(f"http://127.0.0.1:{port}"), system.output


def test_one_system_runs_in_a_folder(start_up: StartUp) -> None:
    system = start_up()
    line = one_line(run_up("--project-dir", str(system.project), "--port", str(free_port())))
    assert f"pid {system.popen.pid}" in line
    assert healthy(system.url)


@pytest.mark.parametrize("option", ["--port", "--documents-port"])
def test_a_taken_port_is_one_line(tmp_path: Path, option: str) -> None:
    other = {"--port": "--documents-port", "--documents-port": "--port"}[option]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        line = one_line(run_up("--project-dir", str(tmp_path), option, str(port), other, str(free_port())))
    assert f"port {port} on 127.0.0.1 is taken" in line
    assert line.endswith(option)


def test_a_redis_that_will_not_do_is_one_line(tmp_path: Path) -> None:
    ports = ("--port", str(free_port()), "--documents-port", str(free_port()), "--project-dir", str(tmp_path))
    with RedisServer(tmp_path / "redis", "--maxmemory-policy", "allkeys-lru") as evicting:
        assert "maxmemory-policy noeviction" in one_line(run_up(*ports, "--redis-url", evicting.url))
    nobody = f"redis://:secret@127.0.0.1:{free_port()}/0"
    line = one_line(run_up(*ports, environment={"REDIS_URL": nobody}))
    assert "no Redis answers" in line
    assert "secret" not in line


def test_a_redis_url_that_is_none_is_one_line_and_a_usage_error(tmp_path: Path) -> None:
    assert "is not a Redis URL" in one_line(run_up("--project-dir", str(tmp_path), "--redis-url", "http://x"), status=2)


def test_data_that_redis_can_not_read_is_one_line_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / ".agent-orchestrator" / "redis"
    folder.mkdir(parents=True)
    for path in (folder / "appendonly.aof", folder / "appendonlydir" / "appendonly.aof.manifest"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("this is no append-only file\n")
    ports = ("--port", str(free_port()), "--documents-port", str(free_port()))
    with tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as short:
        line = one_line(run_up("--project-dir", str(tmp_path), *ports, environment={"TMPDIR": short}))
        assert "redis.log" in line
