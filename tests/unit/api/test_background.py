"""Background tasks: named, ended with their block, and never silently dead."""

import asyncio
import logging
import os
import signal

import pytest

from api.background import background


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What this process would have been sent."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


async def forever(ended: asyncio.Event | None = None) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        if ended is not None:
            ended.set()


async def test_tasks_run_by_name_for_the_length_of_the_block(signals: list[tuple[int, int]]) -> None:
    ended = asyncio.Event()
    async with background(first=forever(ended), second=forever()):
        await asyncio.sleep(0)
        assert {"first", "second"} <= {task.get_name() for task in asyncio.all_tasks()}
    assert ended.is_set()
    assert not {"first", "second"} & {task.get_name() for task in asyncio.all_tasks()}
    assert signals == []


async def test_a_task_that_fails_brings_the_process_down_and_says_why(
    signals: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("broken for good")

    async with background(relay=fail(), other=forever()):
        while not signals:
            await asyncio.sleep(0)
    assert signals == [(os.getpid(), signal.SIGTERM)]
    (said,) = [entry for entry in caplog.records if entry.levelno == logging.CRITICAL]
    assert "relay failed" in said.message
    assert "broken for good" in caplog.text


async def test_a_task_that_is_done_is_no_failure(signals: list[tuple[int, int]]) -> None:
    async with background(quick=asyncio.sleep(0)):
        for _ in range(3):
            await asyncio.sleep(0)
    assert signals == []


async def test_an_error_of_the_block_gets_through_and_ends_the_tasks(signals: list[tuple[int, int]]) -> None:
    ended = asyncio.Event()
    with pytest.raises(KeyError):
        async with background(task=forever(ended)):
            await asyncio.sleep(0)
            raise KeyError
    assert ended.is_set()
    assert signals == []


async def test_a_task_that_fails_while_it_is_ended_is_waited_for(signals: list[tuple[int, int]]) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            raise RuntimeError("while leaving")

    async with background(stubborn=stubborn()):
        await asyncio.sleep(0)
