"""Tasks end even when a cancellation is lost on the way."""

import asyncio

import pytest

from agent_bus.tasks import end, run_together


class LosesTheFirst:
    """A task body that goes on after its first cancellation, as one that is lost in `asyncio.wait_for` makes it."""

    def __init__(self) -> None:
        self.cancellations = 0
        self.entered = asyncio.Event()

    async def run(self) -> None:
        self.entered.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                if self.cancellations > 1:
                    raise


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    stubborn = LosesTheFirst()
    task = asyncio.create_task(stubborn.run())
    await stubborn.entered.wait()
    await end([task])
    assert task.cancelled()
    assert stubborn.cancellations == 2


async def test_ending_what_has_ended_or_failed_raises_nothing() -> None:
    async def fail() -> None:
        raise RuntimeError

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await end([task])
    assert isinstance(task.exception(), RuntimeError)


async def test_the_first_to_end_ends_the_others_and_its_error_is_raised() -> None:
    stubborn = LosesTheFirst()

    async def fail() -> None:
        await stubborn.entered.wait()
        raise RuntimeError("first")

    with pytest.raises(RuntimeError, match="first"):
        await run_together(stubborn=stubborn.run(), failing=fail())
    assert stubborn.cancellations == 2


async def test_cancelling_the_whole_ends_every_part() -> None:
    parts = [LosesTheFirst(), LosesTheFirst()]
    whole = asyncio.create_task(run_together(one=parts[0].run(), two=parts[1].run()))
    for part in parts:
        await part.entered.wait()
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert [part.cancellations for part in parts] == [2, 2]
