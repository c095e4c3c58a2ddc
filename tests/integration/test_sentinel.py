"""A whole stop by way of a Sentinel URL: API, bridge and subscription all find the primary through it."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from agent_bridge import AgentBridge
from tests.browser import Browser, is_status
from tests.processes import RedisServer, Server, free_port, redis_binary, wait_until


@pytest.fixture
def sentinel_url(own_redis_server: RedisServer, tmp_path: Path) -> Iterator[str]:
    """A sentinel that watches the test's own server under the name `primary`."""
    port = free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor primary 127.0.0.1 {own_redis_server.port} 1\n"
    )
    with subprocess.Popen([redis_binary(), str(config), "--sentinel"], stdout=subprocess.DEVNULL) as process:
        try:
            with redis.Redis(port=port, socket_timeout=1) as sentinel:
                wait_until(lambda: _knows_primary(sentinel), "the sentinel to know the primary")
            yield f"redis+sentinel://127.0.0.1:{port}/primary/0"
        finally:
            process.kill()


def _knows_primary(sentinel: redis.Redis) -> bool:
    try:
        return bool(sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "primary"))
    except redis.RedisError:
        return False


async def test_everything_finds_the_primary_through_sentinel(sentinel_url: str, tmp_path: Path) -> None:
    with Server("coordinator", sentinel_url, tmp_path / "project") as server:
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=30) as client,
            Browser(server.ws_url) as browser,
            AgentBridge(session_id="s", redis_url=sentinel_url) as bridge,
        ):
            stopping = asyncio.create_task(client.post("/sessions/s/stop"))
            assert (await bridge.wait_for_stop()).session_id == "s"
            bridge.on_stop(lambda _: None)
            assert (await stopping).json()["message"] == "Session stopped successfully"
            await browser.until(is_status("s", "stopped"))
