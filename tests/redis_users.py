"""A real redis-server with the users that the rules make, and what it has refused them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from agent_bus.access_rules import User, acl_file, new_passwords
from agent_bus.connection import with_credentials
from agent_bus.keys import Keys
from api.embedded_redis import version_of
from api.redis_users import RedisUrls, urls_with
from tests.processes import AS_TEXT, REPOSITORY, RedisServer, free_port, redis_binary

ADMINISTRATOR = "administrator"


def server_version() -> tuple[int, ...]:
    """The version of the redis-server that tests run."""
    version = version_of(Path(redis_binary()))
    assert version is not None
    return version.number


class GuardedRedis(RedisServer):
    """A redis-server whose users may do what the rules say; tests themselves look at it as an administrator."""

    def __init__(self, folder: Path, keys: Keys | None = None, version: tuple[int, ...] | None = None) -> None:
        """version: for which the rules are made, by default the server's own."""
        folder.mkdir(parents=True, exist_ok=True)
        self.passwords = new_passwords()
        file = folder / "users.acl"
        rules = acl_file(keys or Keys(), self.passwords, version or server_version())
        file.write_text(f"{rules}user {ADMINISTRATOR} on >{ADMINISTRATOR} ~* &* +@all\n", "utf-8")
        super().__init__(folder, "--aclfile", str(file))
        self.urls: RedisUrls = urls_with(self.url, self.passwords)

    def __enter__(self) -> "GuardedRedis":
        self.start()
        return self

    @contextmanager
    def administrator(self) -> Iterator["redis.Redis"]:
        """A client that may do anything."""
        with redis.Redis.from_url(with_credentials(self.url, ADMINISTRATOR, ADMINISTRATOR)) as client:
            yield client

    def refused(self) -> list[str]:
        """What our users asked for and were refused, a line each."""
        with self.administrator() as client:
            entries: list[dict[str, Any]] = client.acl_log()
        return [
            f"{entry['username']}: {entry['reason']} {entry['object']} ({entry['context']}; {entry['client-info']})"
            for entry in entries
            if entry["username"] in set(User)
        ]


def start_with(url: str, part: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What becomes of a coordinator, a documents server or a worker with a URL that does not let it do its work."""
    port = ["--metrics-port" if part == "worker" else "--port", str(free_port())]
    environment = os.environ | AS_TEXT | {"REDIS_URL": url, "AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder)}
    command = [sys.executable, "-m", "api.cli", part, *port]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
