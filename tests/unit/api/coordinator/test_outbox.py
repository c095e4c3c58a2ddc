"""What waits for one browser: in order, each once, bounded."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from agent_bus.bus import BusMessage
from agent_bus.tasks import end
from api.coordinator.outbox import CAN_NOT_KEEP_UP, SERVICE_RESTART, Batch, Outbox

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
