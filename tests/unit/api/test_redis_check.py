import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.cannot_start import CannotStart
from api.redis_check import facts, inspect, parse_version, refusals, require, warnings
from tests.processes import RedisServer, free_port

GOOD = {"redis_version": "7.2.4", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1}


def info(**changes: object) -> dict[str, Any]:
    return GOOD | changes


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Something on a port that says the same to everyone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(("text", "version"), [("7.2.4", (7, 2, 4)), ("6.2.0-rc1", (6, 2)), ("", ()), ("x", ())])
def test_versions_are_compared_by_number(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_a_redis_that_will_do_is_neither_refused_nor_warned_of() -> None:
    found = facts(info(), latency_ms=0.1, snapshots=False)
    assert refusals(found) == warnings(found) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"redis_version": "6.0.16"}, "redis 6.0.16 is too old: 6.2 or newer"),
        ({"redis_mode": "cluster"}, "a node of a cluster"),
        ({"role": "slave"}, "read-only replica: name its primary"),
        ({"maxmemory_policy": "volatile-lru"}, "CONFIG SET maxmemory-policy noeviction"),
    ],
)
def test_a_redis_that_will_not_do_is_refused_with_what_to_do(changes: dict[str, object], said: str) -> None:
    (line,) = refusals(facts(info(**changes), latency_ms=0.1, snapshots=False))
    assert said in line


@pytest.mark.parametrize(("snapshots", "lost"), [(True, "since its last snapshot"), (False, "everything")])
def test_a_redis_that_a_crash_costs_data_is_warned_of(snapshots: bool, lost: str) -> None:
    (line,) = warnings(facts(info(aof_enabled=0), latency_ms=0.1, snapshots=snapshots))
    assert lost in line
    assert "CONFIG SET appendonly yes" in line


def test_valkey_is_called_by_its_name_and_judged_by_what_it_speaks() -> None:
    found = facts(info(redis_version="7.2.4", valkey_version="8.0.1"), latency_ms=0, snapshots=False)
    assert found.server == "valkey 8.0.1"
    assert found.version == (7, 2, 4)


def test_what_does_not_tell_its_version_is_not_redis() -> None:
    with pytest.raises(CannotStart, match="is not Redis"):
        facts({}, latency_ms=0, snapshots=False)


def test_a_real_server_is_inspected(redis_server: RedisServer) -> None:
    found = require(redis_server.url)
    assert found.append_only
    assert not found.loading
    assert found.latency_ms > 0


def test_a_wrong_password_is_told_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = RedisServer(tmp_path, "--requirepass", "right")
    monkeypatch.setattr(server, "_answers", lambda: _listens(server.port))
    with server:
        with pytest.raises(CannotStart, match="refuses the password: put the right one into the URL") as refusal:
            inspect(f"redis://:mistaken@127.0.0.1:{server.port}/0")
        assert "mistaken" not in str(refusal.value)
        with pytest.raises(CannotStart, match="refuses the password"):
            inspect(server.url)
        assert inspect(f"redis://:right@127.0.0.1:{server.port}/0").append_only


def test_something_else_on_the_port_is_told() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url, pytest.raises(CannotStart, match="is not Redis"):
        inspect(url)


def test_nobody_on_the_port_is_told() -> None:
    with pytest.raises(CannotStart, match=r"no Redis answers at redis://127\.0\.0\.1:\d+/0 \(.*\): start it"):
        inspect(f"redis://127.0.0.1:{free_port()}/0")


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost:no-port/0", "redis+sentinel://"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(CannotStart):
        inspect(url)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
