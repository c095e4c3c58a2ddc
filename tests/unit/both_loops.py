"""A test of a protocol, run on each of the loops that a server may run on."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import pytest
import uvloop

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}
TEST_SECONDS = 40


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a test once on each of the loops that a server may run on."""

    @pytest.mark.parametrize("loop", LOOPS)
    @wraps(test)
    def run(loop: str, **fixtures: Any) -> None:
        async def timed() -> None:
            async with asyncio.timeout(TEST_SECONDS):
                await test(**fixtures)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(timed())

    signature = inspect.signature(test)
    own = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), own])  # type: ignore[attr-defined]
    return run
