"""What `agent-orchestrator backup` and `restore` do: files, terminals and signals around the work in `agent_bus`."""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar, cast

import click
from redis.exceptions import RedisError

from agent_bus.archive import Archive
from agent_bus.backup import Backup, PastLost, Progress
from agent_bus.backup_file import BackupDamaged
from agent_bus.backup_format import BackupReader, BackupTooNew, LeftOut, Manifest
from agent_bus.blobs import Blobs, BlobStoreFailed
from agent_bus.bus import Bus
from agent_bus.connection import connect, redact
from agent_bus.restoration import AnotherRestoration, Occupied, Restoration
from agent_bus.settings import Settings
from api import bus_contract, redis_check
from api.cannot_start import CannotStart
from api.signals import SIGNALS, unless

STANDARD_STREAM = "-"
# Members begin with headers of 512 bytes; each write of so many bytes is a system call.
BUFFER_BYTES = 1024 * 1024
REDRAW_SECONDS = 0.1

T = TypeVar("T")


def ended(work: Callable[[], int]) -> NoReturn:
    """Does it and ends the process at once.

    Where a thread of the blob store's library is still at work, an orderly end of the interpreter may abort.
    """
    try:
        status = work()
    except CannotStart as error:
        click.echo(f"Error: {error}", err=True)
        status = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def back_up(settings: Settings, target: str) -> int:
    """Writes a backup to a file, or to standard output for `-`; returns the status to end with.

    Raises CannotStart; then there is no file.
    """
    redis_check.require(settings.redis_url)
    bus_contract.refuse_newer(settings)
    with _output(target) as out:

        async def work() -> Manifest:
            async with _opened(settings, "backup") as (bus, archive, blobs):
                with _progress() as progress:
                    return await Backup(bus, archive, blobs, progress).write(out, version("agent-orchestrator"))

        manifest = _run(settings, work, left="no backup was made")
    where = "" if target == STANDARD_STREAM else f" in {target}, {_size(Path(target).stat().st_size)}"
    return _tell(f"backed up {_told(manifest)}{where}", manifest.left_out)


def put_back(settings: Settings, source: str) -> int:
    """Puts a backup from a file, or from standard input for `-`, into an empty namespace.

    Returns the status to end with. Raises CannotStart.
    """
    redis_check.require(settings.redis_url)
    bus_contract.refuse_newer(settings)
    with _input(source) as file:

        async def work() -> tuple[Manifest, list[LeftOut]]:
            backup = BackupReader(file)
            async with _opened(settings, "restore") as (bus, archive, blobs):
                with _progress() as progress:
                    restoration = Restoration(bus, archive, blobs, progress)
                    return await restoration.run(backup), restoration.left_out

        try:
            manifest, left_out = _run(
                settings, work, left="once that is mended, the same command again goes on where this one ended"
            )
        except BackupTooNew as error:
            raise CannotStart(f"{source}: {error}") from error
        except BackupDamaged as error:
            raise CannotStart(f"{source} can't be restored: {error}") from error
        except Occupied as error:
            raise CannotStart(
                f"namespace {settings.namespace!r} of Redis at {redact(settings.redis_url)} is not empty: {error}. "
                "Restore into another Redis, or into another namespace with AGENT_ORCHESTRATOR_NAMESPACE"
            ) from error
        except AnotherRestoration as error:
            raise CannotStart(
                f"the restoration of another backup into namespace {settings.namespace!r} broke off: restore that one "
                "again to go on with it, or use another namespace with AGENT_ORCHESTRATOR_NAMESPACE"
            ) from error
    return _tell(f"restored {_told(manifest)}", left_out)


class _Ended(Exception):
    """A signal asked for the end."""


def _run(settings: Settings, work: Callable[[], Coroutine[None, None, T]], *, left: str) -> T:
    """Does the work; the usual signals end it in order. left: how things stand when it fails. Raises CannotStart."""
    results: list[T] = []

    async def keep_result() -> None:
        results.append(await work())

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if not await unless(stop, keep_result()):
            raise _Ended

    try:
        asyncio.run(until_told())
        return results[0]
    except _Ended as error:
        raise CannotStart(f"ended before it was done; {left}") from error
    except PastLost as error:
        raise CannotStart(f"{error}; {left}") from error
    except RedisError as error:
        raise CannotStart(f"Redis at {redact(settings.redis_url)}: {error}; {left}") from error
    except BlobStoreFailed as error:
        raise CannotStart(f"{_reason(error)}; {left}") from error


def _reason(error: BlobStoreFailed) -> str:
    # What the store's library adds in more lines is its own structures.
    cause = str(error.__cause__ or "").partition("\n")[0]
    return f"{error} ({cause})" if cause else str(error)


@asynccontextmanager
async def _opened(settings: Settings, name: str) -> AsyncIterator[tuple[Bus, Archive, Blobs]]:
    blobs = Blobs.from_settings(settings)
    async with connect(settings.redis_url, name=name) as redis:
        bus = Bus(redis, settings.keys, replay_window=settings.replay_window)
        yield bus, Archive.from_settings(settings), blobs


@contextlib.contextmanager
def _output(target: str) -> Iterator[BinaryIO]:
    """What a backup is written to. A file gets its name once it is whole, and is the user's alone."""
    if target == STANDARD_STREAM:
        if sys.stdout.isatty():
            raise CannotStart("a backup is nothing for a terminal: name a file, or send standard output elsewhere")
        with _writing("standard output"):
            try:
                yield sys.stdout.buffer
                sys.stdout.buffer.flush()
            except OSError:
                # The interpreter would try once more at its exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise
        return
    path = Path(target)
    if path.exists() and not path.is_file():
        raise CannotStart(f"{path} is not a file: name one, or `-` for standard output")
    with _writing(str(path)):
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            with open(descriptor, "wb", buffering=BUFFER_BYTES) as file:  # noqa: PTH123 - it is open already
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
            _keep_name(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _writing(what: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise CannotStart(f"nobody reads {what} any more; no backup was made") from error
    except OSError as error:
        raise CannotStart(f"can't write to {what} ({error.strerror}); no backup was made") from error


def _keep_name(folder: Path) -> None:
    """Makes a new name in a folder last through a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _input(source: str) -> Iterator[BinaryIO]:
    """What a backup is read from: read twice, so that standard input is kept in a temporary file meanwhile."""
    try:
        if source == STANDARD_STREAM:
            with tempfile.TemporaryFile() as kept:
                shutil.copyfileobj(sys.stdin.buffer, kept, BUFFER_BYTES)
                yield cast(BinaryIO, kept)
        else:
            with Path(source).open("rb") as file:
                yield file
    except OSError as error:
        raise CannotStart(f"can't read {source} ({error.strerror})") from error


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Shows how far it has come in one line of a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    shown = 0.0

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if done < total and now < shown + REDRAW_SECONDS:
            return
        shown = now
        sys.stderr.write(f"\r\x1b[K{done:,} of {total:,} {what}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def _told(manifest: Manifest) -> str:
    return (
        f"{manifest.sessions:,} sessions with {manifest.events:,} events, {manifest.documents:,} documents with "
        f"{_size(manifest.document_bytes)}, {manifest.blueprints:,} agents"
    )


def _tell(summary: str, left_out: list[LeftOut]) -> int:
    for one in left_out:
        click.echo(f"left out {one.kind} {one.id}: {one.why}", err=True)
    # Standard output may be the backup.
    click.echo(summary, err=True)
    return 1 if left_out else 0


def _size(count: float) -> str:
    if count < 1024:
        return f"{count:.0f} bytes"
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} GiB"
