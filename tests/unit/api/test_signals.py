import asyncio
import logging
import os
import signal
from collections.abc import Callable

import pytest

from api import signals
from api.cannot_start import CannotStart
from api.signals import SIGNALS, stop_signals, unless
from api.supervisor import Supervisor
from tests.processes import DEADLINE_SECONDS


class Hurried(Supervisor):
    """Takes note of being hurried."""

    def __init__(self) -> None:
        super().__init__(lambda *_: None)
        self.hurried = asyncio.Event()

    def hurry(self) -> None:
        self.hurried.set()


def send(sig: signal.Signals) -> None:
    os.kill(os.getpid(), sig)


async def handled() -> None:
    """Waits until the loop has had its turn with what was sent before."""
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, reached.set)
    try:
        send(signal.SIGUSR1)
        await asyncio.wait_for(reached.wait(), DEADLINE_SECONDS)
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


@pytest.mark.parametrize("sig", SIGNALS)
async def test_a_signal_asks_to_stop_and_tells_what_will_be(
    sig: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stop, supervisor = asyncio.Event(), Hurried()
    with stop_signals(stop, supervisor, what="this, then that"):
        send(sig)
        await asyncio.wait_for(stop.wait(), DEADLINE_SECONDS)
    assert "stopping: this, then that; Ctrl-C again hurries" in caplog.text
    assert not supervisor.hurried.is_set()


async def test_a_later_signal_hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_REQUEST_SECONDS", 0)
    stop, supervisor = asyncio.Event(), Hurried()
    with stop_signals(stop, supervisor, what="all"):
        send(signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), DEADLINE_SECONDS)
        send(signal.SIGINT)
        await asyncio.wait_for(supervisor.hurried.wait(), DEADLINE_SECONDS)


async def test_one_request_that_comes_as_two_signals_does_not_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SAME_REQUEST_SECONDS", 3600)
    stop, supervisor = asyncio.Event(), Hurried()
    with stop_signals(stop, supervisor, what="all"):
        send(signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), DEADLINE_SECONDS)
        send(signal.SIGTERM)
        await handled()
    assert not supervisor.hurried.is_set()


async def work(end: Callable[[], None]) -> None:
    end()


async def test_work_is_done_unless_a_stop_comes_first() -> None:
    stop, done = asyncio.Event(), []
    assert await unless(stop, work(lambda: done.append(1)))
    assert done == [1]
    stop.set()
    assert not await unless(stop, asyncio.Event().wait())


async def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise CannotStart("this is why")

    with pytest.raises(CannotStart, match="this is why"):
        await unless(asyncio.Event(), work(fail))
