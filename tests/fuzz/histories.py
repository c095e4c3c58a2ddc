"""Histories: archived objects as they come back, and the search in what events say."""

import contextlib
import gzip
from collections.abc import Iterator
from typing import Any

import orjson

from agent_bus.archive_format import Block, Damaged, Packer, newer_first, older_first, read_index, unpack
from agent_bus.outline import Search, outlined
from api.coordinator.ingest import InvalidEvent, parse_event
from tests.fuzz.harness import Harnesses, into, text_of
from tests.fuzz.reports import HEAD, MORE, WORDS

GROUP: Harnesses = {}


def _packed() -> tuple[bytes, int]:
    packer = Packer()
    data = b"".join(packer.add(b'{"id":%d,"a":"%b"}' % (number, b"x" * number)) for number in range(1, 20))
    rest, index_at = packer.finish()
    return data + rest, index_at


_OBJECT, _INDEX_AT = _packed()
_EMPTY = Packer().finish()[0]


def _index_of(entries: object) -> bytes:
    return _EMPTY.replace(b"[]", orjson.dumps(entries))


@into(
    GROUP, "archive-index", "an index is blocks of whole numbers in order; all else is Damaged",
    seeds=(_OBJECT[_INDEX_AT:], _EMPTY, _index_of([[1, 2, 2, 0, 10], [3, 9, 5, 10, 7]]), _index_of({"abcde": 1}),
           _index_of([["a", "b", "c", "d", "e"]]), _index_of([[1, 2, 3]]), _index_of([[5, 1, -1, 2, 3.5]])),
    words=(b"[[", b"]]", b"1", b"-1", b"1e5", b"null", b'"', b"\x00\x03\x00"),
)  # fmt: skip
def archive_index(data: bytes) -> None:
    # Most inputs of a fuzzer would be no index at all; so half of them get a frame.
    framed = data if data[:1] == b"\x1f" else _EMPTY.replace(b"[]", data)
    try:
        blocks = read_index(framed)
    except Damaged:
        return
    for block in blocks:
        numbers = (block.first, block.last, block.events, block.offset, block.length)
        assert all(type(number) is int and number >= 0 for number in numbers)
    assert list(newer_first(blocks, None)) == blocks[::-1]
    assert list(older_first(blocks, -1, None)) == blocks
    assert all(isinstance(block, Block) for block in newer_first(blocks, 5))


@into(
    GROUP, "archive-block", "a block is events with their ids; all else is Damaged",
    seeds=(_OBJECT[:_INDEX_AT], b"", b'{"id":1,"a":1}\n{"id":2,"a":2}\n', b'{"id":x,\n', b'{"id":7}\n', b"{}\n",
    b'{"id":1,'),
    words=(b'{"id":', b",", b"\n", b"\x1f\x8b\x08", b"99999999999999999999"),
)  # fmt: skip
def archive_block(data: bytes) -> None:
    for block in (data, gzip.compress(data, 1, mtime=0)):
        with contextlib.suppress(Damaged):
            for number, event in unpack(block):
                assert type(number) is int
                assert event.startswith(b'{"id":')


@into(
    GROUP, "archive", "events that were archived come back as they were, through the index",
    seeds=(b"", b"one", b"one\ntwo\nthree", b"x" * 3000),
)  # fmt: skip
def archive(data: bytes) -> None:
    events = [orjson.dumps({"id": number, "a": text_of(line)}) for number, line in enumerate(data.split(b"\n"), 1)]
    packer = Packer()
    whole = b"".join(packer.add(event) for event in events)
    rest, index_at = packer.finish()
    whole += rest
    blocks = read_index(whole[index_at:])
    found = [entry for block in blocks for entry in unpack(whole[block.offset : block.offset + block.length])]
    assert found == list(enumerate(events, 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


@into(
    GROUP, "search", "what is found is what a walk over the event's texts finds; its line is JSON",
    seeds=tuple(b"a\n" + orjson.dumps(HEAD | {"text": "Straße ABC \\\" \u2028"} | {k: v for k,
    v in more.items() if k != "x"}) for more in MORE),
    words=WORDS,
)  # fmt: skip
def search(data: bytes) -> None:
    q, _, body = data.partition(b"\n")
    wanted = text_of(q)
    if not wanted or "\0" in wanted or len(wanted) > 200:
        return
    try:
        _, record = parse_event(body)
    except InvalidEvent:
        return
    event = b'{"id":1,' + record.json_tail
    said = orjson.loads(outlined(1, event))
    fields = orjson.loads(event)
    assert (said["id"], said["timestamp"], said["event_type"]) == (1, fields["timestamp"], fields["event_type"])
    texts = [text.casefold() for text in _texts(fields)]
    for repeated in ("session_id", "session_name"):
        texts.remove(fields[repeated].casefold())
    there = wanted.casefold() in "\0".join(texts)
    assert Search(wanted).finds(event) == there
