import asyncio

import pytest

from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.contract import VERSION
from agent_bus.settings import Settings
from api import bus_contract
from api.bus_contract import contract, refuse_newer, state_contract
from api.cannot_start import CannotStart
from tests.processes import RedisServer, free_port
from tests.unit.live import DEADLINE_SECONDS


def settings_of(bus: Bus, server: RedisServer) -> Settings:
    return Settings(namespace=bus.keys.namespace).model_copy(update={"redis_url": server.url})


async def test_a_newer_version_keeps_a_process_from_starting(real_bus: Bus, redis_server: RedisServer) -> None:
    settings = settings_of(real_bus, redis_server)
    for stated in (None, VERSION):
        if stated:
            await real_bus.redis.set(real_bus.keys.contract, stated)
        await asyncio.to_thread(refuse_newer, settings)
        assert await contract(real_bus) == "ok"
    await real_bus.redis.set(real_bus.keys.contract, "99.0")
    with pytest.raises(CannotStart, match=r"its bus contract is 99\.0"):
        await asyncio.to_thread(refuse_newer, settings)
    assert "its bus contract is 99.0" in await contract(real_bus)


async def test_nobody_knows_while_redis_is_away(real_bus: Bus) -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    await asyncio.to_thread(refuse_newer, Settings().model_copy(update={"redis_url": url}))
    assert await contract(Bus(connect(url, name="test", retries=0))) == "ok"


async def test_a_server_states_it_when_redis_is_there(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_contract, "RETRY_SECONDS", 0.01)
    own_redis_server.kill()
    async with connect(own_redis_server.url, name="test", retries=0) as redis:
        bus = Bus(redis)
        stating = asyncio.create_task(state_contract(bus))
        await asyncio.to_thread(own_redis_server.start)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await stating
        assert await redis.get(bus.keys.contract) == VERSION.encode()


async def test_a_server_that_finds_a_newer_one_says_so(real_bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    await real_bus.redis.set(real_bus.keys.contract, "99.0")
    await state_contract(real_bus)
    assert "its bus contract is 99.0" in caplog.text
