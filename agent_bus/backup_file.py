"""The file that a backup is, as bytes: a tar whose last member has the SHA-256 of all others.

`tar -x` unpacks it, and `sha256sum -c SHA256SUMS` then checks it. It is written and read one member after the other, by
parts, so that neither takes more memory than a part does. Knows nothing of what the members hold.
"""

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

SUMS = "SHA256SUMS"
PART_BYTES = 256 * 1024
# The sums go to a temporary file where they grow beyond this: about ten thousand members.
SUMS_IN_MEMORY = 1024 * 1024


class BackupDamaged(Exception):
    """The file is not a whole backup. The message says where it goes wrong."""


class BackupWriter:
    """Writes members into a stream, which need not be seekable. Its methods raise OSError where that can't be written.

    Use it as a context; what is written is whole once `finish` has returned.
    """

    def __init__(self, out: BinaryIO, made_at: float) -> None:
        """made_at: what members give as their time, in seconds since 1970."""
        self._out = out
        self._made_at = int(made_at)
        self._sums = tempfile.SpooledTemporaryFile(SUMS_IN_MEMORY)  # noqa: SIM115 - closed at the context's end
        self._name = ""
        self._size = self._left = 0
        self._digest = hashlib.sha256()

    def __enter__(self) -> "BackupWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._sums.close()

    def add(self, name: str, data: bytes) -> None:
        """Writes a member that is at hand."""
        self.begin(name, len(data))
        self.write(data)
        self.end()

    def begin(self, name: str, size: int) -> None:
        """Begins a member of so many bytes; `write` takes them, and `end` ends it."""
        header = tarfile.TarInfo(name)
        header.size, header.mtime, header.mode = size, self._made_at, 0o600
        self._out.write(header.tobuf(tarfile.PAX_FORMAT))
        self._name, self._size, self._left = name, size, size
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Writes some of the member's bytes. Raises ValueError where these are more than was said."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"{self._name} has more than {self._size} bytes")
        self._digest.update(data)
        self._out.write(data)

    def end(self) -> str:
        """Ends the member; returns its SHA-256 in hex. Raises ValueError where it has fewer bytes than was said."""
        if self._left:
            raise ValueError(f"{self._name} has {self._left} bytes fewer than {self._size}")
        self._out.write(_padding(self._size))
        digest = self._digest.hexdigest()
        if self._name != SUMS:
            self._sums.write(_sum_line(digest, self._name))
        return digest

    def finish(self) -> None:
        """Writes the sums and the end."""
        size = self._sums.tell()
        self._sums.seek(0)
        self.begin(SUMS, size)
        while part := self._sums.read(PART_BYTES):
            self.write(part)
        self.end()
        self._out.write(bytes(2 * tarfile.BLOCKSIZE))


class Member:
    """One member while it is read: its name, its size in bytes, and where in the file its bytes begin."""

    def __init__(self, name: str, size: int, offset: int, file: BinaryIO) -> None:
        self.name, self.size, self.offset = name, size, offset
        self._file = file
        self._left = size
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many; none at the member's end. Raises BackupDamaged where the file ends."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        if len(data) < wanted:
            at = self.offset + self.size - self._left + len(data)
            raise BackupDamaged(f"the file is cut off at byte {at}, within {self.name}")
        self._left -= wanted
        self._digest.update(data)
        return data

    def parts(self) -> Iterator[bytes]:
        """What is left, by parts. Raises BackupDamaged."""
        while data := self.read(PART_BYTES):
            yield data

    def finish(self) -> str:
        """Reads what is left, and returns the SHA-256 of all of it in hex. Raises BackupDamaged."""
        for _ in self.parts():
            pass
        return self._digest.hexdigest()


def read_members(file: BinaryIO) -> Iterator[Member]:
    """The members of a seekable file in their order, without the sums, with which what was read is compared at the end.

    What a caller leaves of a member is read over. Raises BackupDamaged.
    """
    name = ""
    with tempfile.SpooledTemporaryFile(SUMS_IN_MEMORY) as sums:
        for member in _members(file):
            name = member.name
            if name == SUMS:
                sums.seek(0)
                _compare(member, sums)  # type: ignore[arg-type]  # it reads as a file does
                return
            yield member
            sums.write(_sum_line(member.finish(), name))
    after = f"after {name}" if name else "at its beginning"
    raise BackupDamaged(f"the file is cut off or damaged {after}: there is no {SUMS} at its end")


def _members(file: BinaryIO) -> Iterator[Member]:
    file.seek(0)
    try:
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - it holds nothing of its own
        while (header := tar.next()) is not None:
            # It would keep them all.
            tar.members.clear()  # type: ignore[attr-defined]  # documented by its source only
            if not header.isreg():
                raise BackupDamaged(f"{header.name[:80]!r} is not a plain file; no backup has such a thing")
            file.seek(header.offset_data)
            yield Member(header.name, header.size, header.offset_data, file)
    except tarfile.TarError as error:
        raise BackupDamaged(f"the file is no tar, or damaged at byte {file.tell()} ({error})") from error


def _compare(said: Member, found: BinaryIO) -> None:
    """Line by line what the sums say and what was found. Raises BackupDamaged, which names the first that differs."""
    rest = b""
    for part in said.parts():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            expected = found.readline()
            if line + b"\n" != expected:
                name, there = (each.decode(errors="replace").partition("  ")[2].strip() for each in (line, expected))
                if name != there:
                    raise BackupDamaged(f"{name} should stand where {there or 'nothing'} stands")
                raise BackupDamaged(f"{name} is not what was written: its SHA-256 is not the one in {SUMS}")
    if rest or found.readline():
        raise BackupDamaged(f"{SUMS} is cut off")


def _sum_line(digest: str, name: str) -> bytes:
    return f"{digest}  {name}\n".encode()


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
