import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from agent_bus.keys import Keys
from api import embedded_redis
from api.cannot_start import CannotStart
from api.embedded_redis import (
    LOG_BYTES,
    LONGEST_SOCKET_PATH,
    VERSION_FILE,
    EmbeddedRedis,
    ServerVersion,
    candidates,
    choose,
    choose_for,
    prepare,
    version_of,
)
from api.redis_users import ACL_FILE, PASSWORDS_FILE, RedisUrls
from tests.processes import wait_until

KEY = Keys().due("test")


@pytest.fixture(autouse=True)
def short_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where sockets go whose paths are too long, as tests' folders often make them; removed with what is in it."""
    with tempfile.TemporaryDirectory(prefix="ao-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def v(text: str) -> ServerVersion:
    version = ServerVersion.parse(text)
    assert version is not None
    return version


@contextmanager
def running(own: EmbeddedRedis) -> Iterator["redis.Redis"]:
    """The server as a worker has it, ended by SIGTERM as the supervisor does."""
    with (
        subprocess.Popen(own.program.argv) as process,
        redis.Redis.from_url(own.urls.worker, driver_info=None) as client,
    ):

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

        wait_until(answers, "redis-server to answer")
        try:
            yield client
        finally:
            process.terminate()
            process.wait()


@pytest.mark.parametrize(
    ("server", "wrote", "reads"),
    [
        ("redis 6.2.14", "redis 6.2.14", True),
        ("redis 6.2.6", "redis 6.2.14", True),
        ("redis 7.0.1", "redis 6.2.14", True),
        ("redis 6.2.14", "redis 7.0.1", False),
        ("redis 8.2.0", "redis 7.4.1", True),
        ("valkey 7.2.5", "redis 7.2.4", True),
        ("valkey 8.0.1", "redis 7.4.1", False),
        ("redis 7.2.4", "valkey 8.0.1", True),
        ("redis 6.2.14", "valkey 7.2.5", False),
        ("redis 8.2.0", "valkey 9.0.0", False),
        ("valkey 8.0.1", "valkey 8.1.0", False),
    ],
)
def test_which_server_reads_whose_data(server: str, wrote: str, reads: bool) -> None:
    assert v(server).reads_what(v(wrote)) is reads


@pytest.mark.parametrize("text", ["", "redis", "redis seven", "keydb 6.3.4", "redis 7"])
def test_a_damaged_version_is_no_version(text: str) -> None:
    assert ServerVersion.parse(text) is None


def test_the_first_server_that_is_new_enough_is_taken() -> None:
    versions = {Path("/old"): v("redis 5.0.7"), Path("/broken"): None, Path("/good"): v("redis 6.2.14")}
    chosen = choose(None, Path("/data"), servers=lambda: iter(versions), version_of=versions.__getitem__)
    assert chosen == (Path("/good"), v("redis 6.2.14"))


def test_a_later_server_is_taken_where_the_first_can_not_read_the_data() -> None:
    versions = {Path("/older"): v("redis 6.2.14"), Path("/newer"): v("redis 7.2.4")}
    chosen = choose(v("redis 7.0.0"), Path("/data"), servers=lambda: iter(versions), version_of=versions.get)
    assert chosen[0] == Path("/newer")


@pytest.mark.parametrize(
    ("have", "wrote", "said"),
    [
        ([], None, "there is no redis-server on this machine: install"),
        (["redis 5.0.7"], None, "redis 5.0.7 is too old: install redis-server 6.2 or newer"),
        (["redis 6.2.14"], "redis 7.0.1", "was written by redis 7.0.1, which redis 6.2.14 can't read: install"),
    ],
)
def test_without_a_server_that_will_do_one_line_says_what_to_install(
    have: list[str], wrote: str | None, said: str
) -> None:
    versions = {Path(text): v(text) for text in have}
    with pytest.raises(CannotStart) as refusal:
        choose(v(wrote) if wrote else None, Path("/data"), servers=lambda: iter(versions), version_of=versions.get)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_server_on_the_path_comes_before_the_bundled_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "valkey-server"
    server.write_text("#!/bin/sh\necho 'Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc bits=64'\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert next(candidates()) == server
    assert version_of(server) == v("valkey 8.0.1")


def test_what_can_not_be_run_has_no_version(tmp_path: Path) -> None:
    assert version_of(tmp_path / "nothing") is None


def test_what_was_written_is_there_at_the_next_start(tmp_path: Path) -> None:
    with running(prepare(tmp_path)) as client:
        client.set(KEY, "value")
    with running(prepare(tmp_path)) as client:
        assert client.get(KEY) == b"value"
        assert client.info()["maxmemory_policy"] == "noeviction"
        assert client.info()["aof_enabled"] == 1


def test_agents_that_outlive_a_restart_are_let_in_again(tmp_path: Path) -> None:
    urls = []
    for _ in range(2):
        own = prepare(tmp_path)
        urls.append(own.urls)
        with running(own), redis.Redis.from_url(urls[0].bridge, driver_info=None) as bridge:
            assert bridge.get(Keys().epoch) is None
    assert urls[0] == urls[1]


def test_data_from_before_there_were_users_is_taken_over_and_its_agents_are_bridges(tmp_path: Path) -> None:
    own = prepare(tmp_path)
    at = own.program.argv.index("--aclfile")
    argv = own.program.argv[:at] + own.program.argv[at + 2 :]
    with running(replace(own, program=replace(own.program, argv=argv), urls=RedisUrls(*[own.address] * 3))) as client:
        client.set(KEY, "old")
    for name in (ACL_FILE, PASSWORDS_FILE):
        (own.folder / name).unlink()
    with running(prepare(tmp_path)) as client, redis.Redis.from_url(own.address, driver_info=None) as without:
        assert client.get(KEY) == b"old"
        assert without.get(Keys().epoch) is None
        for command in (("GET", KEY), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("HGETALL", Keys().blueprints)):
            with pytest.raises(redis.exceptions.NoPermissionError):
                without.execute_command(*command)


def test_the_users_are_those_of_the_namespace(tmp_path: Path) -> None:
    own = prepare(tmp_path, Keys("other"))
    with running(own), redis.Redis.from_url(own.urls.api, driver_info=None) as client:
        assert client.get(Keys("other").epoch) is None
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.get(Keys().epoch)


def test_passwords_are_in_files_of_this_user_alone_and_in_no_argument(tmp_path: Path) -> None:
    own = prepare(tmp_path)
    said = json.loads((own.folder / PASSWORDS_FILE).read_text("utf-8"))
    assert sorted(said) == ["api", "bridge", "worker"]
    for name in (ACL_FILE, PASSWORDS_FILE):
        assert stat.S_IMODE((own.folder / name).stat().st_mode) == 0o600
    for password in said.values():
        assert password not in " ".join(own.program.argv)
        assert password not in own.address
        assert password not in (own.folder / ACL_FILE).read_text("utf-8")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"api": "short", "worker": "short", "bridge": "short"}'])
def test_a_damaged_file_of_passwords_is_one_line_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    folder = prepare(tmp_path).folder
    (folder / PASSWORDS_FILE).write_text(text, "utf-8")
    with pytest.raises(CannotStart, match="remove it, and new ones are made"):
        prepare(tmp_path)


def test_only_this_user_reaches_the_data(tmp_path: Path) -> None:
    own = prepare(tmp_path)
    with running(own):
        assert stat.S_IMODE(own.socket.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE(own.folder.stat().st_mode) == 0o700


def test_a_path_too_long_for_a_socket_moves_the_socket_and_not_the_data(tmp_path: Path) -> None:
    data = tmp_path / ("long folder " * 10)
    data.mkdir()
    own = prepare(data)
    try:
        assert len(os.fsencode(own.socket)) <= LONGEST_SOCKET_PATH
        assert stat.S_IMODE(own.socket.parent.stat().st_mode) == 0o700
        assert own.folder.parent == data
        with running(own) as client:
            assert client.ping()
    finally:
        own.tidy()
    assert not own.socket.parent.exists()


def test_a_long_folder_for_temporary_files_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("t" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    own = prepare(deep)
    own.tidy()
    assert not list(deep.glob("agent-orchestrator-*"))


def test_a_path_with_blanks_and_signs_is_understood(tmp_path: Path) -> None:
    data = tmp_path / "a b?c#d%e"
    data.mkdir()
    with running(prepare(data)) as client:
        assert client.ping()


def test_older_software_is_kept_from_newer_data_which_stays_as_it_is(tmp_path: Path) -> None:
    own = prepare(tmp_path)
    (own.folder / VERSION_FILE).write_text("redis 99.0.0\n")
    for attempt in (prepare, choose_for):
        with pytest.raises(CannotStart, match=r"written by redis 99\.0\.0"):
            attempt(tmp_path)
    assert (own.folder / VERSION_FILE).read_text() == "redis 99.0.0\n"


def test_what_a_killed_server_left_is_cleared_away(tmp_path: Path) -> None:
    (prepare(tmp_path).socket).write_text("left over")
    with running(prepare(tmp_path)) as client:
        assert client.ping()


def test_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = prepare(tmp_path).log
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    prepare(tmp_path)
    assert not log.exists()
    assert log.with_suffix(".log.1").stat().st_size == LOG_BYTES + 1


def test_the_last_line_of_the_log_is_what_it_said_last(tmp_path: Path) -> None:
    own = prepare(tmp_path)
    assert own.last_words() == ""
    own.log.write_text("first\nlast \n")
    assert own.last_words() == "last"


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / embedded_redis.FOLDER).write_text("")
    with pytest.raises(CannotStart, match="can't keep Redis's data in"):
        prepare(tmp_path)
