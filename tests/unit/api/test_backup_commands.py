"""The two commands with real files, a real Redis and a terminal; what they hold is for the tests of `agent_bus`."""

import asyncio
import json
import os
import pty
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.keys import Keys
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import Driver, record

SESSIONS = 3


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    out: bytes
    told: list[str]


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands on a namespace of a Redis."""

    redis_url: str
    folder: Path
    keys: Keys

    def run(
        self, *arguments: str | Path, namespace: str = "", before: Callable[[], None] | None = None, **options: object
    ) -> Ended:
        environment = {
            "REDIS_URL": self.redis_url,
            "AGENT_ORCHESTRATOR_NAMESPACE": namespace or self.keys.namespace,
            "AGENT_ORCHESTRATOR_PROJECT_DIR": str(self.folder / "project"),
        }
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        ended = subprocess.run(
            [sys.executable, "-m", "api.cli", *map(str, arguments)], env=os.environ | environment, preexec_fn=before,
            **streams,  # type: ignore[call-overload]
        )  # fmt: skip
        return Ended(ended.returncode, ended.stdout, (ended.stderr or b"").decode().splitlines())


@pytest.fixture
def commands(redis_server: RedisServer, tmp_path: Path, keys: Keys) -> Commands:
    async def fill() -> None:
        async with connect(redis_server.url, name="test") as client:
            driver = Driver(Bus(client, keys))
            for number in range(SESSIONS):
                await driver.append([record("session_start", f"s{number}")], f"s{number}")

    asyncio.run(fill())
    (tmp_path / "backups").mkdir()
    return Commands(redis_server.url, tmp_path, keys)


def files(commands: Commands) -> list[str]:
    return sorted(path.name for path in (commands.folder / "backups").iterdir())


def test_a_backup_is_its_users_alone_and_says_what_it_has(commands: Commands) -> None:
    file = commands.folder / "backups" / "a.tar"
    ended = commands.run("backup", file)
    assert (ended.status, ended.out) == (0, b"")
    (line,) = ended.told
    assert line.startswith("backed up 3 sessions with 3 events, 0 documents with 0 bytes, 0 agents in ")
    assert (file.stat().st_mode & 0o777, files(commands)) == (0o600, ["a.tar"])
    restored = commands.run("restore", file, namespace=f"{commands.keys.namespace}-2")
    assert (restored.status, restored.told) == (
        0,
        ["restored 3 sessions with 3 events, 0 documents with 0 bytes, 0 agents"],
    )


def test_a_backup_goes_through_standard_streams(commands: Commands) -> None:
    ended = commands.run("backup", "-")
    assert ended.status == 0
    restored = commands.run("restore", "-", namespace=f"{commands.keys.namespace}-2", input=ended.out)
    assert (restored.status, restored.told[0].split()[:2]) == (0, ["restored", "3"])


def test_a_newer_backup_takes_the_place_of_an_older_one_when_it_is_whole(commands: Commands) -> None:
    file = commands.folder / "backups" / "a.tar"
    file.write_bytes(b"older")

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    ended = commands.run("backup", file, before=little_room)
    assert (ended.status, len(ended.told)) == (1, 1)
    assert "can't write to" in ended.told[0]
    assert (file.read_bytes(), files(commands)) == (b"older", ["a.tar"])
    assert commands.run("backup", file).status == 0
    assert file.read_bytes() != b"older"


def test_a_full_disk_is_one_line(commands: Commands) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = commands.run("backup", "-", stdout=full)
    assert (ended.status, ended.told) == (
        1,
        ["Error: can't write to standard output (No space left on device); no backup was made"],
    )


def test_a_reader_that_goes_away_is_one_line(commands: Commands) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = commands.run("backup", "-", stdout=writer)
    os.close(writer)
    assert (ended.status, len(ended.told)) == (1, 1)
    assert "nobody reads" in ended.told[0]


@pytest.mark.parametrize(
    ("target", "told"), [("", "is not a file"), ("no/such/a.tar", "No such file or directory"), ("/dev/null", "file")]
)
def test_what_can_not_be_written_is_told(commands: Commands, target: str, told: str) -> None:
    ended = commands.run("backup", commands.folder / "backups" / target)
    assert (ended.status, len(ended.told)) == (1, 1)
    assert told in ended.told[0]


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_file_must_be_named(commands: Commands, command: str) -> None:
    assert commands.run(command).status == 2


def test_a_terminal_gets_no_backup_and_sees_how_far_it_is(commands: Commands) -> None:
    terminal, end = pty.openpty()
    refused = commands.run("backup", "-", stdout=end)
    assert (refused.status, len(refused.told)) == (1, 1)
    assert "nothing for a terminal" in refused.told[0]
    assert commands.run("backup", commands.folder / "backups" / "a.tar", stderr=end).status == 0
    shown = os.read(terminal, 65536).decode()
    assert "3 of 3 sessions" in shown
    assert "backed up 3 sessions" in shown
    os.close(end)
    os.close(terminal)


def test_what_can_not_be_read_is_told_and_the_status_is_1(commands: Commands) -> None:
    with redis.Redis.from_url(commands.redis_url) as database:
        database.hset(commands.keys.session("s1"), "archive", f"{'0' * 32} 10 5 1 1")
    file = commands.folder / "backups" / "a.tar"
    ended = commands.run("backup", file)
    assert ended.status == 1
    assert ended.told[0].startswith("left out session s1: ")
    assert "backed up 2 sessions" in ended.told[1]
    assert commands.run("restore", file, namespace=f"{commands.keys.namespace}-2").status == 0


def test_a_restore_says_in_one_line_why_it_refuses(commands: Commands) -> None:
    file = commands.folder / "backups" / "a.tar"
    assert commands.run("backup", file).status == 0
    whole = file.read_bytes()

    def refused(name: str | Path, told: str, **options: str) -> None:
        ended = commands.run("restore", name, **options)
        assert (ended.status, len(ended.told)) == (1, 1), ended
        assert ended.told[0].startswith("Error: ")
        assert told in ended.told[0]

    refused(file, "is not empty: 3 sessions and 0 documents are there already")
    other = {"namespace": f"{commands.keys.namespace}-2"}
    refused(file.with_name("none.tar"), "No such file or directory", **other)
    refused(file.parent, "Is a directory", **other)
    file.write_bytes(whole[:5000])
    refused(file, "cut off", **other)
    file.write_bytes(whole.replace(b'"version": 1', b'"version": 9'))
    refused(file, "format 9", **other)
    file.write_bytes(b"something else")
    refused(file, "can't be restored", **other)
    file.write_bytes(whole)
    with redis.Redis.from_url(commands.redis_url) as database:
        database.hset(Keys(other["namespace"]).restoration, mapping={"backup": "another", "done": "1"})
    refused(file, "another backup", **other)


def test_a_blob_store_that_can_not_be_written_is_told_and_the_restore_goes_on_later(commands: Commands) -> None:
    file, other = commands.folder / "backups" / "a.tar", f"{commands.keys.namespace}-2"
    assert commands.run("backup", file).status == 0
    blobs = commands.folder / "project" / ".agent-orchestrator" / "blobs"
    (blobs / other).write_text("in the way")
    ended = commands.run("restore", file, namespace=other)
    assert (ended.status, len(ended.told)) == (1, 1)
    assert "storing" in ended.told[0]
    assert "goes on" in ended.told[0]
    (blobs / other).unlink()
    assert commands.run("restore", file, namespace=other).status == 0


def test_without_redis_it_is_one_line(commands: Commands, tmp_path: Path) -> None:
    away = Commands("redis://127.0.0.1:1/0", tmp_path, commands.keys)
    for command in ("backup", "restore"):
        ended = away.run(command, tmp_path / "a.tar")
        assert (ended.status, len(ended.told)) == (1, 1)
        assert "no Redis answers" in ended.told[0]


def test_help_tells_the_statuses_and_how_to_go_on(commands: Commands) -> None:
    assert b"status 1" in commands.run("backup", "--help").out
    assert b"goes on" in commands.run("restore", "--help").out


def test_the_manifest_is_read_with_tar(commands: Commands) -> None:
    file = commands.folder / "backups" / "a.tar"
    commands.run("backup", file)
    shown = subprocess.run(["tar", "-xOf", file, "manifest.json"], capture_output=True, check=True).stdout
    assert json.loads(shown)["sessions"] == SESSIONS


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_neither_works_beside_a_newer_version(commands: Commands, redis_server: RedisServer, command: str) -> None:
    with redis.Redis(port=redis_server.port) as client:
        client.set(commands.keys.contract, "99.0")
    ended = commands.run(command, commands.folder / "backups" / "a.tar")
    assert (ended.status, len(ended.told)) == (1, 1)
    assert "A newer version of this software works on this namespace" in ended.told[0]
    assert files(commands) == []
