import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent_bus.settings import Settings
from api.cannot_start import CannotStart
from api.embedded_redis import prepare
from api.up import Layout, System, check_ports, programs, run
from tests.processes import free_port

LAYOUT = Layout("127.0.0.1", 8765, 8766, workers=1)


@pytest.fixture(autouse=True)
def short_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where sockets go whose paths are too long, as tests' folders often make them; removed with what is in it."""
    with tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("REDIS_URL", "DOCUMENT_SERVER_PUBLIC_URL", "AGENT_ORCHESTRATOR_DASHBOARD_URL",
                 "AGENT_ORCHESTRATOR_TOKENS_FILE", "AGENT_ORCHESTRATOR_TOKEN"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    settings = Settings(project_dir=tmp_path)
    return settings.model_copy(update={"redis_url": "redis://:secret@host:6379/0"})


def test_servers_are_stopped_before_workers_and_these_before_redis(settings: Settings, tmp_path: Path) -> None:
    coordinator, documents, (worker,) = programs(settings, LAYOUT)
    redis = prepare(tmp_path).program
    assert coordinator.stop_order == documents.stop_order < worker.stop_order < redis.stop_order


def test_the_redis_url_is_handed_down_where_only_this_user_sees_it(settings: Settings) -> None:
    coordinator, documents, workers = programs(settings, LAYOUT)
    for program in (coordinator, documents, *workers):
        assert program.environment["REDIS_URL"] == settings.redis_url
        assert "secret" not in " ".join(program.argv)


def test_each_part_is_told_of_its_own_user_alone(settings: Settings) -> None:
    urls = {"worker_redis_url": "redis://worker:w@host", "bridge_redis_url": "redis://bridge:b@host"}
    coordinator, documents, (worker,) = programs(settings.model_copy(update=urls), LAYOUT)
    assert worker.environment["REDIS_URL"] == "redis://worker:w@host"
    for program in (coordinator, documents, worker):
        assert program.environment["AGENT_ORCHESTRATOR_WORKER_REDIS_URL"] == ""
        assert program.environment["AGENT_ORCHESTRATOR_BRIDGE_REDIS_URL"] == ""
    assert coordinator.environment["REDIS_URL"] == documents.environment["REDIS_URL"] == settings.redis_url


def test_a_projects_own_packages_are_not_taken_for_ours(settings: Settings) -> None:
    coordinator, documents, workers = programs(settings, LAYOUT)
    assert {program.argv[:2] for program in (coordinator, documents, *workers)} == {(sys.executable, "-P")}


def test_both_servers_know_where_the_dashboard_and_the_documents_are(settings: Settings) -> None:
    coordinator, documents, _ = programs(settings, Layout("127.0.0.1", 9001, 9002, workers=1))
    for server in (coordinator, documents):
        assert server.environment["AGENT_ORCHESTRATOR_DASHBOARD_URL"] == "http://localhost:9001"
        assert server.environment["DOCUMENT_SERVER_PUBLIC_URL"] == "http://localhost:9002"


@pytest.mark.parametrize(("workers", "names"), [(0, []), (1, ["worker"]), (2, ["worker-1", "worker-2"])])
def test_there_are_as_many_workers_as_asked_for(settings: Settings, workers: int, names: list[str]) -> None:
    _, _, made = programs(settings, Layout("127.0.0.1", 1, 2, workers))
    assert [program.name for program in made] == names


def test_several_coordinators_are_the_coordinators_own_affair(settings: Settings) -> None:
    one, *_ = programs(settings, LAYOUT)
    three, *_ = programs(settings, Layout("127.0.0.1", 8765, 8766, workers=1, coordinators=3))
    assert three.argv == (*one.argv, "--processes", "3")
    assert three.grace_seconds > one.grace_seconds


def test_one_port_for_both_servers_is_refused() -> None:
    port = free_port()
    with pytest.raises(CannotStart, match=f"port {port} is given twice"):
        check_ports(Layout("127.0.0.1", port, port, workers=1))


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])  # noqa: S104 - nothing is bound
def test_the_banner_says_where_everything_is(settings: Settings, host: str, warned: bool) -> None:
    banner = System(settings, Layout(host, 8765, 8766, 1), None, "redis 7.2.4 at redis://:***@host:6379/0").banner()
    for told in ("http://localhost:8765/docs", "ws://localhost:8765/ws", "http://localhost:8766", str(settings.data)):
        assert told in banner
    assert "secret" not in banner
    assert ("other machines can reach it" in banner) is warned


def test_where_tokens_are_asked_for_the_banner_says_so_and_shows_none(settings: Settings, tmp_path: Path) -> None:
    everywhere = Layout("0.0.0.0", 8765, 8766, 1)  # noqa: S104 - nothing is bound
    for update, told in (
        ({"tokens_file": tmp_path / "tokens.json"}, str(tmp_path / "tokens.json")),
        ({"token": SecretStr("s3cret" * 6)}, "AGENT_ORCHESTRATOR_TOKEN"),
    ):
        banner = System(settings.model_copy(update=update), everywhere, None, "redis").banner()
        assert told in banner
        assert "other machines" not in banner
        assert "s3cret" not in banner


def test_the_servers_are_told_that_other_machines_may_come_in(settings: Settings) -> None:
    for insecure in (False, True):
        layout = Layout("127.0.0.1", 1, 2, workers=1, coordinators=2, insecure=insecure)
        coordinator, documents, (worker,) = programs(settings, layout)
        assert ("--insecure" in coordinator.argv) == ("--insecure" in documents.argv) == insecure
        assert "--insecure" not in worker.argv


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - nothing is bound
def test_other_machines_are_refused_before_anything_is_made(settings: Settings, tmp_path: Path, host: str) -> None:
    with pytest.raises(CannotStart, match="--insecure"):
        run(settings, Layout(host, 8765, 8766, workers=1))
    assert list(tmp_path.iterdir()) == []
