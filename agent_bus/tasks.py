"""Ending tasks for sure.

A task that is cancelled once may go on: `asyncio.wait_for` of Python 3.11 loses a cancellation that comes in the moment
its own awaitable completes (python/cpython#86296), and the Redis client awaits so with each command it sends. Whoever
waits for such a task, an `asyncio.TaskGroup` among them, then waits for ever. So it is cancelled until it has ended.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

AGAIN_SECONDS = 0.1


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels tasks and waits until all have ended, however they do; their errors stay in them."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)


async def run_together(**coroutines: Coroutine[Any, Any, None]) -> None:
    """Runs coroutines, by name, until the first of them ends, and ends the others. Raises what the first raised."""
    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(tasks)
    for task in done:
        task.result()
