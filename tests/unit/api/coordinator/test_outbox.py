"""What waits for one browser: in order, each once, bounded."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from agent_bus.bus import BusMessage
from agent_bus.tasks import end
from api.coordinator.outbox import CAN_NOT_KEEP_UP, SERVICE_RESTART, Batch, Outbox
from tests.wires import MemoryWire

MIB = 1024 * 1024
HEADER = 4  # of a frame of 126 to 65,535 bytes (RFC 6455 section 5.2)


def message(seq: int, session_id: str = "s", size: int = 10) -> BusMessage:
    return BusMessage(seq, session_id, b"%d" % seq + b" " * (size - len(str(seq))))


def numbers(frames: list[bytes]) -> list[int]:
    return [int(frame) for frame in frames]


async def test_an_outbox_keeps_the_order_and_takes_each_message_once() -> None:
    outbox = Outbox(MIB)
    for seq in (1, 2, 2, 1, 3):
        outbox.offer(message(seq))
    assert numbers(await outbox.take()) == [1, 2, 3]
    outbox.offer(message(3))
    outbox.offer(message(4))
    assert numbers(await outbox.take()) == [4]


async def test_an_outbox_with_sessions_takes_only_theirs_and_moves_on_all_the_same() -> None:
    outbox = Outbox(MIB, frozenset({"a"}))
    outbox.offer(message(1, "a"))
    outbox.offer(message(2, "b"))
    outbox.offer(message(3, ""))
    assert outbox.seq == 3
    assert numbers(await outbox.take()) == [1]


@given(limit=st.integers(1, 200), sizes=st.lists(st.integers(4, 300), max_size=30))
def test_a_full_outbox_closes_and_never_grows_beyond_its_limit_and_one_frame(limit: int, sizes: list[int]) -> None:
    outbox, waiting = Outbox(limit), 0
    for seq, size in enumerate(sizes, 1):
        outbox.offer(message(seq, size=size))
        if waiting > limit:
            assert outbox.close_code == CAN_NOT_KEEP_UP
        else:
            waiting += len(Batch([message(seq, size=size).json]).wire)
        assert outbox._size == sum(len(batch.wire) for batch in outbox._waiting) <= limit + max(sizes) + HEADER
    if outbox.close_code is not None:
        assert not outbox._waiting
        outbox.offer(message(10_000))
        assert not outbox._waiting


async def test_a_frame_larger_than_the_limit_still_goes_out() -> None:
    outbox = Outbox(10)
    outbox.put(Batch([b"x" * 1000]))
    assert (await outbox.take(), outbox.close_code) == ([b"x" * 1000], None)


async def test_closing_sends_what_is_buffered_first_and_the_first_reason_stays() -> None:
    outbox = Outbox(MIB)
    outbox.live = True
    outbox.offer(message(1))
    outbox.close(SERVICE_RESTART)
    outbox.close(CAN_NOT_KEEP_UP)
    outbox.offer(message(2))
    assert numbers(await outbox.take()) == [1]
    assert await outbox.take() == []
    assert (outbox.close_code, outbox.live) == (SERVICE_RESTART, False)


async def test_a_waiting_sender_is_woken_by_a_frame_and_by_closing() -> None:
    outbox = Outbox(MIB)
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.offer(message(1))
    assert numbers(await taking) == [1]
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.close(SERVICE_RESTART)
    assert await taking == []


async def test_drained_means_that_what_was_taken_has_been_sent_as_well() -> None:
    outbox = Outbox(MIB)
    outbox.offer(message(1))
    drained = asyncio.create_task(outbox.drained())
    await outbox.take()
    await asyncio.sleep(0)
    assert not drained.done()
    again = asyncio.create_task(outbox.take())
    await asyncio.wait_for(drained, 5)
    await end([again])


async def test_room_is_there_up_to_half_and_again_once_all_is_sent() -> None:
    outbox = Outbox(24)
    outbox.put(Batch([b"x" * 10]))
    await outbox.room()
    outbox.put(Batch([b"x"]))
    room = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not room.done()
    await outbox.take()
    sender = asyncio.create_task(outbox.take())
    await asyncio.wait_for(room, 5)
    await end([sender])


def put(outbox: Outbox, *seqs: int, size: int = 10) -> None:
    for seq in seqs:
        outbox.put(Batch([message(seq, size=size).json]))


async def test_a_wire_that_is_ready_is_written_to_at_once() -> None:
    wire = MemoryWire()
    outbox = Outbox(MIB, wire=wire)
    put(outbox, 1)
    assert numbers(wire.texts) == [1]
    outbox.put(Batch([b"2", b"3"]))
    assert (numbers(wire.texts), len(wire.writes), outbox._size) == ([1, 2, 3], 2, 0)


async def test_what_a_wire_does_not_take_waits_and_goes_out_in_order_as_far_as_it_does() -> None:
    wire = MemoryWire(takes=1)
    outbox = Outbox(MIB, wire=wire)
    put(outbox, 1, 2, 3, 4)
    assert numbers(wire.texts) == [1]
    wire.takes = 2
    put(outbox, 5)
    assert numbers(wire.texts) == [1], "nothing overtakes what waits"
    outbox.resume()
    assert numbers(wire.texts) == [1, 2, 3]
    outbox.resume()
    assert numbers(wire.texts) == [1, 2, 3]
    wire.takes = None
    outbox.resume()
    put(outbox, 6)
    assert (numbers(wire.texts), outbox._size, wire.codes) == ([1, 2, 3, 4, 5, 6], 0, [])


async def test_a_wire_that_takes_nothing_overflows_is_cleared_and_closed_once() -> None:
    wire = MemoryWire(takes=1)
    outbox = Outbox(30, wire=wire, live=True)
    put(outbox, *range(1, 20))
    assert (wire.codes, outbox.close_code, outbox.live) == ([CAN_NOT_KEEP_UP], CAN_NOT_KEEP_UP, False)
    assert (numbers(wire.texts), outbox._size, len(outbox._waiting)) == ([1], 0, 0)
    put(outbox, 20, 21)
    assert wire.codes == [CAN_NOT_KEEP_UP]
    await asyncio.wait_for(outbox.drained(), 5)


async def test_closing_a_wire_with_things_waiting_ends_it_only_after_they_are_written() -> None:
    wire = MemoryWire(takes=0)
    outbox = Outbox(MIB, wire=wire)
    put(outbox, 1, 2, 3)
    outbox.close(SERVICE_RESTART)
    put(outbox, 4)
    assert (wire.writes, wire.codes) == ([], [])
    wire.takes = 2
    outbox.resume()
    assert (numbers(wire.texts), wire.codes) == ([1, 2], [])
    wire.takes = None
    outbox.resume()
    assert (numbers(wire.texts), wire.codes) == ([1, 2, 3], [SERVICE_RESTART])


async def test_closing_a_wire_that_has_taken_everything_ends_it_at_once() -> None:
    wire = MemoryWire()
    outbox = Outbox(MIB, wire=wire)
    put(outbox, 1)
    outbox.close(SERVICE_RESTART)
    assert (numbers(wire.texts), wire.codes) == ([1], [SERVICE_RESTART])


async def test_a_browser_that_left_gets_nothing_more_and_nothing_is_kept_for_it() -> None:
    wire = MemoryWire(takes=0)
    outbox = Outbox(MIB, wire=wire, live=True)
    put(outbox, 1, 2)
    waiting = asyncio.create_task(outbox.drained())
    await asyncio.sleep(0)
    outbox.leave()
    await asyncio.wait_for(waiting, 5)
    wire.takes = None
    put(outbox, 3)
    outbox.offer(message(4))
    outbox.resume()
    assert (wire.writes, outbox._size, len(outbox._waiting), outbox.live) == ([], 0, 0, False)


async def test_drained_waits_for_a_wire_until_it_has_taken_everything() -> None:
    wire = MemoryWire()
    outbox = Outbox(MIB, wire=wire)
    put(outbox, 1)
    await asyncio.wait_for(outbox.drained(), 5)
    for waiting in (2, 3):
        wire.takes = 0
        put(outbox, waiting)
        drained = asyncio.create_task(outbox.drained())
        await asyncio.sleep(0)
        assert not drained.done()
        wire.takes = None
        outbox.resume()
        await asyncio.wait_for(drained, 5)
    assert numbers(wire.texts) == [1, 2, 3]


async def test_a_replay_goes_on_once_a_wire_has_room() -> None:
    wire = MemoryWire(takes=0)
    outbox = Outbox(24, wire=wire)
    put(outbox, 1, size=20)
    room = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not room.done()
    wire.takes = None
    outbox.resume()
    await asyncio.wait_for(room, 5)


@given(st.lists(st.one_of(st.integers(4, 300), st.sampled_from(["stall", "flow", "drip", "close"])), max_size=40))
def test_a_wire_carries_a_beginning_of_what_was_put_and_the_close_behind_it(steps: list[int | str]) -> None:
    limit, wire = 500, MemoryWire()
    outbox, wanted = Outbox(limit, wire=wire), list[int]()
    for seq, step in enumerate(steps, 1):
        if isinstance(step, int):
            if outbox.close_code is None:
                wanted.append(seq)
            put(outbox, seq, size=step)
        elif step == "close":
            outbox.close(SERVICE_RESTART)
        elif not wire.codes:
            wire.takes = {"stall": 0, "flow": None, "drip": 1}[step]
            outbox.resume()
        got = numbers(wire.texts)
        assert got == wanted[: len(got)]
        assert outbox._size == sum(len(batch.wire) for batch in outbox._waiting) <= limit + 300 + HEADER
        assert len(got) + len(outbox._waiting) == len(wanted) or outbox.close_code == CAN_NOT_KEEP_UP
        # Ending twice is allowed, and does nothing.
        assert set(wire.codes) == ({outbox.close_code} if outbox.close_code and not outbox._waiting else set())
