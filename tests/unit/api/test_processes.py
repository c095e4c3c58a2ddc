from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest

from agent_bus.settings import Settings
from api import listening
from api.metrics import FOLDER_VARIABLE, PROCESS_VARIABLE
from api.processes import programs
from tests.processes import free_port


@pytest.fixture
def sockets() -> Iterator[list[socket]]:
    sockets = [*listening.bind("127.0.0.1", free_port()), *listening.bind("127.0.0.1", free_port())]
    yield sockets
    listening.close(sockets)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(project_dir=tmp_path).model_copy(update={"redis_url": "redis://:secret@host:6379/0"})


def test_each_process_inherits_every_socket_and_is_told_which(settings: Settings, sockets: list[socket]) -> None:
    made = programs(settings, sockets, 3, "/metrics")
    assert [program.name for program in made] == ["coordinator-1", "coordinator-2", "coordinator-3"]
    descriptors = [listener.fileno() for listener in sockets]
    for program in made:
        assert list(program.pass_fds) == descriptors
        assert program.argv[-2:] == tuple(f"--listening={descriptor}" for descriptor in descriptors)


def test_the_redis_url_is_handed_down_where_only_this_user_sees_it(settings: Settings, sockets: list[socket]) -> None:
    (program,) = programs(settings, sockets, 1, "/metrics")
    assert program.environment["REDIS_URL"] == settings.redis_url
    assert "secret" not in " ".join(program.argv)


def test_all_are_stopped_together(settings: Settings, sockets: list[socket]) -> None:
    assert len({program.stop_order for program in programs(settings, sockets, 4, "/metrics")}) == 1


def test_they_count_together_and_what_one_held_is_forgotten_when_it_ends(
    settings: Settings, sockets: list[socket], tmp_path: Path
) -> None:
    one, two = programs(settings, sockets, 2, str(tmp_path))
    assert one.environment[FOLDER_VARIABLE] == two.environment[FOLDER_VARIABLE] == str(tmp_path)
    assert one.environment[PROCESS_VARIABLE] != two.environment[PROCESS_VARIABLE]
    held, counted = tmp_path / "gauge_livesum_coordinator-1.db", tmp_path / "counter_coordinator-1.db"
    others = tmp_path / "gauge_livesum_coordinator-2.db"
    for file in (held, counted, others):
        file.touch()
    assert one.on_end is not None
    one.on_end()
    assert (held.exists(), counted.exists(), others.exists()) == (False, True, True)
