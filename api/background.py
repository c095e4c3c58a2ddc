"""Tasks that run beside the requests: named, and when one fails the process goes down rather than on without it."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from agent_bus.tasks import end

logger = logging.getLogger(__name__)


@asynccontextmanager
async def background(**coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the coroutines, by name, until the block is left; they are cancelled then and awaited."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("%s failed; shutting down", task.get_name(), exc_info=error)
            os.kill(os.getpid(), signal.SIGTERM)

    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        await end(tasks)
