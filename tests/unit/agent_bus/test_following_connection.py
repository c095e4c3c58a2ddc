"""A client that Sentinel directs goes where the primary is, whatever it is in the middle of. No sentinel is asked."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from agent_bus.connection import connect
from tests.processes import RedisServer, free_port

WRITE = "return redis.call('INCR', KEYS[1])"


class Directed:
    """A client, and whom it is told is the primary."""

    def __init__(self, primary: RedisServer) -> None:
        self.primary = primary
        self.client: Redis = connect("redis+sentinel://127.0.0.1:1/primary", name="test")
        pool: Any = self.client.connection_pool
        pool.sentinel_manager.discover_master = self._discover

    async def _discover(self, _: str) -> tuple[str, int]:
        return "127.0.0.1", self.primary.port

    async def write(self, *, pipelined: bool = False) -> Any:
        if not pipelined:
            return await self.client.eval(WRITE, 1, "n")
        async with self.client.pipeline(transaction=False) as pipe:
            pipe.eval(WRITE, 1, "n")
            return (await pipe.execute(raise_on_error=False))[0]


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "other") as server:
        yield server


@pytest.fixture
async def directed(own_redis_server: RedisServer) -> AsyncIterator[Directed]:
    directed = Directed(own_redis_server)
    yield directed
    await directed.client.aclose()


@pytest.mark.parametrize("pipelined", [False, True])
async def test_a_script_that_may_not_write_any_more_is_run_on_the_new_primary(
    directed: Directed, other: RedisServer, pipelined: bool
) -> None:
    assert [await directed.write() for _ in range(3)] == [1, 2, 3]
    await directed.client.execute_command("REPLICAOF", "127.0.0.1", free_port())
    directed.primary = other
    assert await directed.write(pipelined=pipelined) == 1


@pytest.mark.parametrize("pipelined", [False, True])
async def test_a_command_whose_connection_breaks_is_sent_again_to_the_new_primary(
    directed: Directed, other: RedisServer, pipelined: bool
) -> None:
    assert await directed.write() == 1
    old = directed.primary
    old.pause()
    writing = asyncio.create_task(directed.write(pipelined=pipelined))
    await asyncio.sleep(0)
    directed.primary = other
    old.kill()
    # It listens again, as one that was restarted and does not know yet that it has been replaced.
    await asyncio.to_thread(old.start)
    assert await writing == 1
    async with connect(other.url, name="test") as client:
        assert await client.get("n") == b"1"
