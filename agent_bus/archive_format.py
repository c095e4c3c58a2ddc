"""How an archived history is written: lines of JSON in gzip members, with an index behind them.

An object is a valid `.jsonl.gz`: `gunzip` prints a session's events, oldest first, a line each. A member (RFC 1952)
holds a block of them. So a reader that wants some events fetches and unpacks their blocks only; which these are stands
in the index, JSON in the comment of a last member that holds nothing.
"""

import gzip
import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

# Small enough to be unpacked in about a millisecond, large enough to pack well.
BLOCK_BYTES = 256 * 1024
# zlib's own default: the highest took five times as long for 4 % less.
LEVEL = 6

# RFC 1952, 2.3: magic number, deflate, the flag FCOMMENT, no time, no extra flags, unknown system.
_COMMENTED = b"\x1f\x8b\x08\x10\x00\x00\x00\x00\x00\xff"
# Deflate's empty final block, then the checksum and the size of nothing.
_NOTHING = b"\x03\x00" + struct.pack("<II", 0, 0)
_ID = b'{"id":'
# Of ids, in digits: they stay below 2^53.
LONGEST_ID = 16


class Damaged(Exception):
    """What was read back is not what was written."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive events: their first and last id, how many, and where in the object they lie (bytes)."""

    first: int
    last: int
    events: int
    offset: int
    length: int


def event_id(event: bytes) -> int:
    """The id that an event begins with. Raises Damaged."""
    if not event.startswith(_ID):
        raise Damaged(f"an event begins with {event[:20]!r} and not with its id")
    number, comma, _ = event[len(_ID) :].partition(b",")
    # Longer ones are no ids of ours, and cost Python more than they are worth.
    if not comma or not number.isdigit() or len(number) > LONGEST_ID:
        raise Damaged(f"an event begins with {event[:40]!r}, which is no id")
    return int(number)


class Packer:
    """Packs events, given oldest first, into an object's bytes."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._lines: list[bytes] = []
        self._waiting = self._written = 0

    def add(self, event: bytes) -> bytes:
        """Takes an event; returns the bytes that follow in the object, often none."""
        # JSON has line ends only between its parts, where a blank says the same.
        self._lines.append(event.replace(b"\n", b" "))
        self._waiting += len(event)
        return self._pack() if self._waiting >= BLOCK_BYTES else b""

    def finish(self) -> tuple[bytes, int]:
        """The last bytes, and where among all of them the index begins."""
        rest = self._pack() if self._lines else b""
        index = orjson.dumps([[b.first, b.last, b.events, b.offset, b.length] for b in self.blocks])
        return rest + _COMMENTED + index + b"\x00" + _NOTHING, self._written

    def _pack(self) -> bytes:
        packed = gzip.compress(b"\n".join(self._lines) + b"\n", LEVEL, mtime=0)
        first, last = event_id(self._lines[0]), event_id(self._lines[-1])
        self.blocks.append(Block(first, last, len(self._lines), self._written, len(packed)))
        self._lines, self._waiting = [], 0
        self._written += len(packed)
        return packed


def read_index(data: bytes) -> list[Block]:
    """The blocks, given the bytes from the index on. Raises Damaged."""
    body = data.removeprefix(_COMMENTED).removesuffix(b"\x00" + _NOTHING)
    if len(body) != len(data) - len(_COMMENTED) - 1 - len(_NOTHING):
        raise Damaged("there is no index where one should be")
    try:
        blocks = [Block(*entry) for entry in orjson.loads(body)]
    except (orjson.JSONDecodeError, TypeError) as error:
        raise Damaged(f"the index can't be read: {error}") from error
    if not all(_is_whole(block) for block in blocks):
        raise Damaged("the index holds what are no blocks")
    return blocks


def _is_whole(block: Block) -> bool:
    numbers = (block.first, block.last, block.events, block.offset, block.length)
    return all(type(number) is int and number >= 0 for number in numbers) and block.first <= block.last


def unpack(data: bytes) -> list[tuple[int, bytes]]:
    """A block's events with their ids. Raises Damaged."""
    try:
        lines = gzip.decompress(data).split(b"\n")[:-1]
    except (zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise Damaged(f"a block can't be unpacked: {error}") from error
    return [(event_id(line), line) for line in lines]


def older_first(blocks: Sequence[Block], after: int, before: int | None) -> Iterator[Block]:
    """The blocks that may hold ids between the two, both excluded, oldest first."""
    for block in blocks[bisect_right(blocks, after, key=lambda block: block.last) :]:
        if before is not None and block.first >= before:
            return
        yield block


def newer_first(blocks: Sequence[Block], before: int | None) -> Iterator[Block]:
    """The blocks that may hold ids below that, newest first."""
    end = len(blocks) if before is None else bisect_left(blocks, before, key=lambda block: block.first)
    yield from reversed(blocks[:end])
