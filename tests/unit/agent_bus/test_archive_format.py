import gzip
import random
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus import archive_format
from agent_bus.archive_format import Block, Damaged, Packer, event_id, newer_first, older_first, read_index, unpack


def event(number: int, size: int = 10) -> bytes:
    return orjson.dumps({"id": number, "event_type": "message", "content": "x" * size})


def pack(*events: bytes) -> tuple[bytes, int, list[Block]]:
    packer = Packer()
    data = b"".join(packer.add(one) for one in events)
    rest, index_at = packer.finish()
    return data + rest, index_at, packer.blocks


def test_gunzip_prints_the_events_a_line_each() -> None:
    events = [event(n) for n in range(1, 2000)]
    assert gzip.decompress(pack(*events)[0]).splitlines() == events


def test_the_index_says_where_each_block_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_format, "BLOCK_BYTES", 1000)
    events = [event(3 * n, random.Random(n).randrange(400)) for n in range(1, 300)]
    data, index_at, blocks = pack(*events)
    assert read_index(data[index_at:]) == blocks
    assert len(blocks) > 20
    found = [entry for block in blocks for entry in unpack(data[block.offset : block.offset + block.length])]
    assert found == [(3 * n, given) for n, given in enumerate(events, 1)]
    assert blocks[-1].offset + blocks[-1].length == index_at


def test_nothing_is_an_index_of_no_blocks() -> None:
    data, index_at, _ = pack()
    assert (index_at, read_index(data), gzip.decompress(data)) == (0, [], b"")


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[1:], lambda data: data[:-1], lambda data: data[:12] + b"{" + data[13:], lambda _: b""],
    ids=["begins later", "ends earlier", "other JSON", "empty"],
)
def test_an_index_that_is_none_is_found_out(spoil: Callable[[bytes], bytes]) -> None:
    data, index_at, _ = pack(event(1), event(2))
    with pytest.raises(Damaged):
        read_index(spoil(data[index_at:]))


def test_a_block_with_a_flipped_bit_is_found_out() -> None:
    data, index_at, _ = pack(*[event(n, 100) for n in range(1, 50)])
    for at in range(0, index_at, 7):
        spoiled = bytearray(data[:index_at])
        spoiled[at] ^= 16
        # What the header says of time and system means nothing to the events.
        if 4 <= at < 10:
            continue
        with pytest.raises(Damaged):
            unpack(bytes(spoiled))


def test_an_event_without_its_id_in_front_is_refused() -> None:
    with pytest.raises(Damaged, match="begins with"):
        event_id(b'{"event_type":"message","id":1}')


@pytest.mark.parametrize(
    "text", [b'{"id":7}', b'{"id":x,', b'{"id":,', b'{"id":-1,', b'{"id":1 ,', b'{"id":' + b"9" * 5000 + b","]
)
def test_an_event_whose_id_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(Damaged, match="no id"):
        event_id(text)
    with pytest.raises(Damaged):
        unpack(gzip.compress(text + b"\n"))


@pytest.mark.parametrize(
    "entries",
    [{"abcde": 1}, [["a", "b", "c", "d", "e"]], [[1, 2, 3]], [[1, 2, 3, 4, 5.5]], [[1, 2, 1, 0, -1]], [[2, 1, 1, 0, 1]],
     [[True, 1, 1, 0, 1]], [None], 1],
)  # fmt: skip
def test_an_index_of_anything_but_whole_numbers_is_found_out(entries: object) -> None:
    empty, _, _ = pack()
    with pytest.raises(Damaged):
        read_index(empty.replace(b"[]", orjson.dumps(entries)))


def test_line_ends_between_the_parts_of_an_event_make_no_second_line() -> None:
    data, index_at, _ = pack(b'{"id":1,\n"a":\n2}')
    assert unpack(data[:index_at]) == [(1, b'{"id":1, "a": 2}')]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=20, unique=True).map(sorted),
    st.integers(0, 70),
    st.one_of(st.none(), st.integers(0, 70)),
    st.integers(1, 4),
)
def test_only_blocks_that_may_hold_what_is_asked_for_are_read(
    ids: list[int], after: int, before: int | None, size: int
) -> None:
    groups = [ids[at : at + size] for at in range(0, len(ids), size)]
    blocks = [Block(group[0], group[-1], len(group), n, 1) for n, group in enumerate(groups)]
    held = dict(zip((block.offset for block in blocks), groups, strict=True))

    def wanted(number: int, after: int) -> bool:
        return number > after and (before is None or number < before)

    def read(chosen: list[Block], after: int) -> set[int]:
        return {number for block in chosen for number in held[block.offset] if wanted(number, after)}

    older, newer = list(older_first(blocks, after, before)), list(newer_first(blocks, before))
    assert read(older, after) == {number for number in ids if wanted(number, after)}
    assert read(newer, 0) == {number for number in ids if wanted(number, 0)}
    assert older == sorted(older, key=lambda block: block.first)
    assert newer == sorted(newer, key=lambda block: -block.first)
    assert all(block.last > after and (before is None or block.first < before) for block in older)
