from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest

from agent_bus.settings import Settings
from api import listening
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
    made = programs(settings, sockets, 3)
    assert [program.name for program in made] == ["coordinator-1", "coordinator-2", "coordinator-3"]
    descriptors = [listener.fileno() for listener in sockets]
    for program in made:
        assert list(program.pass_fds) == descriptors
        assert program.argv[-2:] == tuple(f"--listening={descriptor}" for descriptor in descriptors)


def test_the_redis_url_is_handed_down_where_only_this_user_sees_it(settings: Settings, sockets: list[socket]) -> None:
    (program,) = programs(settings, sockets, 1)
    assert program.environment["REDIS_URL"] == settings.redis_url
    assert "secret" not in " ".join(program.argv)


def test_all_are_stopped_together(settings: Settings, sockets: list[socket]) -> None:
    assert len({program.stop_order for program in programs(settings, sockets, 4)}) == 1
