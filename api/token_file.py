"""The file of tokens: read by the servers, which notice its changes, and changed by `agent-orchestrator token`."""

import contextlib
import fcntl
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent_bus.settings import Settings
from api.cannot_start import CannotStart
from api.roles import Role
from api.tokens import InvalidTokens, Token, Tokens, digest_of, parse, render

logger = logging.getLogger(__name__)

TOKENS_FILE_VARIABLE = "AGENT_ORCHESTRATOR_TOKENS_FILE"
RELOAD_SECONDS = 1.0
"""A token that was revoked is good for no longer than this."""
ENVIRONMENT_NAME = "environment"
"""What the token is called that the environment gives."""

TokenSource = Callable[[], Tokens]
"""The tokens in force at this moment."""
Edit = Callable[[list[Token]], list[Token]]
Stamp = tuple[int, ...]


class Unusable(Exception):
    """The file can't be used; the message names it, and says what to do."""


def read(path: Path) -> list[Token]:
    """The tokens in the file. Raises Unusable."""
    try:
        # A pipe in its place must not hold up a server.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise Unusable(f"{path} is no file: name another")
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Unusable(f"{path} is open to others (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}")
            with os.fdopen(descriptor, encoding="utf-8", closefd=False) as file:
                return parse(file.read())
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise Unusable(f"{path} does not exist: `agent-orchestrator token create` makes it") from None
    except OSError as error:
        raise Unusable(f"{path} can't be read ({error.strerror}): make it this user's own, with mode 0600") from error
    except (InvalidTokens, UnicodeDecodeError) as error:
        raise Unusable(f"{path} is no file of tokens ({error}): mend it, or make another") from error


def change(path: Path, edit: Edit) -> None:
    """Puts the edited tokens in the file's place, all at once. Two that change it at once do so in turn.

    A file that does not exist is made. Raises Unusable, and what `edit` raises; then nothing has changed.
    """
    # What a link leads to, so that it stays one.
    target = path.resolve()
    with _alone(target.parent):
        tokens = edit(read(target) if target.exists() else [])
        _write(target, render(tokens))


class WatchedFile:
    """The tokens of a file, as they change: a file that can't be used any more leaves those that were in force."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises Unusable: nobody is let in, or kept out, by a file that could not be read once."""
        self._path = path
        self._clock = clock
        self._stamp = self._look()
        self._tokens = Tokens(read(path))
        self._looked = clock()

    def __call__(self) -> Tokens:
        """The tokens in force. Looks at the file at most once in `RELOAD_SECONDS`."""
        now = self._clock()
        if now - self._looked >= RELOAD_SECONDS:
            self._looked = now
            # Taken before reading, so that what changes meanwhile is noticed the next time.
            if (stamp := self._look()) != self._stamp:
                self._stamp = stamp
                self._reload()
        return self._tokens

    def _reload(self) -> None:
        try:
            self._tokens = Tokens(read(self._path))
        except Unusable as error:
            logger.warning("the %d tokens that were known stay in force: %s", len(self._tokens), error)
        else:
            logger.info("%d tokens are in force, as %s says", len(self._tokens), self._path)

    def _look(self) -> Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        # The time of the inode's change tells of a changed mode, too.
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def token_source(settings: Settings) -> TokenSource | None:
    """The tokens that requests are measured by, as the settings say; None where none is asked for.

    Raises CannotStart when the file can't be used.
    """
    if settings.tokens_file is not None:
        try:
            return WatchedFile(settings.tokens_file)
        except Unusable as error:
            raise CannotStart(f"{TOKENS_FILE_VARIABLE}: {error}") from error
    if value := settings.token.get_secret_value():
        token = Token(name=ENVIRONMENT_NAME, role=Role.OPERATOR, sha256=digest_of(value), created_at="")
        only = Tokens([token])
        return lambda: only
    return None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Unusable(f"{folder} can't be opened ({error.strerror}): name a file in a folder of your own") from error
    try:
        # On the folder, since the file itself is replaced.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(target: Path, text: str) -> None:
    try:
        # Made with mode 0600.
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                # The server's user keeps its file when root changes it; nobody else may give files away.
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    status = target.stat()
                    os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fsync(descriptor)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Unusable(f"{target} can't be written ({error.strerror}): name a file in a folder of your own") from error
