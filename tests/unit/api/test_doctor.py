import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent_bus.settings import Settings
from api import doctor, embedded_redis, health, project_folder, token_commands
from api.cannot_start import CannotStart
from api.doctor import Finding
from api.redis_users import RedisUrls
from tests.processes import RedisServer, free_port, wait_until, worker


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("REDIS_URL", raising=False)
    return Settings(project_dir=tmp_path, namespace=f"t-doctor-{os.getpid()}")


def test_a_fresh_folder_is_well_and_nothing_is_made_in_it(settings: Settings) -> None:
    finding = doctor.look_at_folder(settings.data)
    assert finding.well
    assert "made at the first start" in finding.text
    assert not settings.data.exists()


def test_a_folder_in_use_is_well(settings: Settings) -> None:
    project_folder.prepare(settings.project_dir)
    finding = doctor.look_at_folder(settings.data)
    assert finding.well
    assert "GiB free" in finding.text


def test_a_project_that_is_not_there_is_wrong(settings: Settings) -> None:
    assert not doctor.look_at_folder(settings.project_dir / "missing" / ".agent-orchestrator").well


def test_a_full_disk_is_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))
    finding = doctor.look_at_folder(settings.data)
    assert not finding.well
    assert "make room" in finding.text


def test_a_free_port_is_well() -> None:
    port = free_port()
    finding = doctor.look_at_port("coordinator", "127.0.0.1", port, "--port")
    assert finding == Finding("coordinator", True, f"not running; port {port} is free")


@pytest.mark.parametrize(
    ("answer", "well", "said"),
    [
        ({"status": "healthy"}, True, "answers on port 1, healthy"),
        ({"status": "healthy", "service": "coordinator"}, True, "healthy"),
        ({"status": "healthy", "service": "documents"}, False, "something else answers on port 1: stop it, or choose"),
        ({"status": "ill"}, False, "says that it is ill"),
        (None, False, "with --port"),
    ],
)
def test_what_answers_on_a_port_is_judged(
    answer: dict[str, str] | None, well: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "ask", lambda *_: answer)
    finding = doctor.look_at_port("coordinator", "127.0.0.1", 1, "--port")
    assert finding.well is well
    assert said in finding.text


@contextmanager
def silent_listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_listener_that_does_not_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(health, "ask", ask)
    with silent_listener() as port:
        finding = doctor.look_at_port("documents", "127.0.0.1", port, "--documents-port")
    assert not finding.well
    assert "does not answer" in finding.text


def test_where_nothing_runs_the_redis_that_would_be_started_is_named(settings: Settings) -> None:
    (finding,) = doctor.look_at_redis(settings, None, running=False)
    assert finding.well
    assert "not running; `agent-orchestrator up` starts its own" in finding.text


def test_data_that_no_server_here_reads_is_wrong_before_anything_is_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise CannotStart("written by redis 99")

    monkeypatch.setattr(embedded_redis, "choose_for", refuse)
    assert doctor.look_at_redis(settings, None, running=False) == [Finding("redis", False, "written by redis 99")]


def test_a_good_redis_is_well_and_needs_no_worker_while_nothing_runs(
    settings: Settings, redis_server: RedisServer
) -> None:
    redis, workers = doctor.look_at_redis(settings, redis_server.url, running=False)
    assert redis.well
    assert "append-only file on, nothing evicted" in redis.text
    assert workers.well
    assert "none, as nothing runs" in workers.text


def test_a_running_system_without_a_worker_is_wrong(settings: Settings, redis_server: RedisServer) -> None:
    _, workers = doctor.look_at_redis(settings, redis_server.url, running=True)
    assert not workers.well
    assert "agent-orchestrator worker" in workers.text


def test_a_worker_is_seen_while_it_lives(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    def look() -> Finding:
        return doctor.look_at_workers(settings, redis_server.url, running=True)

    environment = {"AGENT_ORCHESTRATOR_NAMESPACE": settings.namespace}
    with worker(redis_server.url, tmp_path, environment):
        wait_until(lambda: look().well, "the worker to be seen")
        assert "1 alive" in look().text
    assert not look().well


def test_everything_wrong_with_a_redis_is_told(settings: Settings, tmp_path: Path) -> None:
    options = ("--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    with RedisServer(tmp_path / "redis", *options) as server:
        findings = doctor.look_at_redis(settings, server.url, running=False)
    assert [finding.well for finding in findings] == [False, False, True]
    assert "maxmemory-policy noeviction" in findings[0].text
    assert "appendonly yes" in findings[1].text


def test_a_redis_that_is_away_is_wrong_and_its_password_is_kept(settings: Settings) -> None:
    (finding,) = doctor.look_at_redis(settings, f"redis://:secret@127.0.0.1:{free_port()}/0", running=False)
    assert not finding.well
    assert "secret" not in finding.text


def test_the_redis_that_a_running_system_announced_is_looked_at(settings: Settings, redis_server: RedisServer) -> None:
    data = project_folder.prepare(settings.project_dir)
    # A bridge's user could not be asked.
    urls = RedisUrls(api=redis_server.url, worker=redis_server.url, bridge=f"redis://127.0.0.1:{free_port()}")
    with project_folder.locked(data), project_folder.announced(settings.project_dir, urls):
        redis, _ = doctor.look_at_redis(settings, None, running=False)
    assert redis.well
    assert redis_server.url in redis.text


def test_the_report_ends_with_a_verdict(settings: Settings) -> None:
    ports = {"port": free_port(), "documents_port": free_port()}
    findings = doctor.examine(settings, None, host="127.0.0.1", **ports)
    assert list(doctor.report(findings))[-1] == "All is well."
    assert list(doctor.report([*findings, Finding("x", False, "y")]))[-1] == "1 of 6 need attention."


def test_without_tokens_only_this_machine_is_let_in(settings: Settings) -> None:
    assert "only this machine" in doctor.look_at_tokens(settings, "127.0.0.1").text
    finding = doctor.look_at_tokens(settings, "0.0.0.0")  # noqa: S104 - nothing is bound here
    assert not finding.well
    assert "--insecure" in finding.text


def test_the_tokens_are_counted_and_a_file_that_can_not_be_used_is_wrong(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    settings = settings.model_copy(update={"tokens_file": file})
    assert not doctor.look_at_tokens(settings, "127.0.0.1").well
    token_commands.create(file, "ci", "agent")
    assert doctor.look_at_tokens(settings, "127.0.0.1") == Finding(
        "tokens", True, f"1 in {file}, which only its user can read"
    )
    token_commands.revoke(file, "ci")
    assert "nobody is let in" in doctor.look_at_tokens(settings, "127.0.0.1").text
