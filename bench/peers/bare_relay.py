"""The fastest plain relay on the server that the coordinator runs on: the least that a fan-out can cost there.

A message's WebSocket frame is encoded once, and the frames of one tick of the loop go to each transport in one write.
There is no history, no position, no filter and no limit to what is buffered for a browser.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

CHANNEL = "events"

transports: set[asyncio.Transport] = set()
frames: list[bytes] = []


class OpenProtocol(WebSocketsSansIOProtocol):
    """Gives the application the transport, as `websocket.state.transport`."""

    def handle_connect(self, event: Request) -> None:
        self.app_state = {**self.app_state, "transport": self.transport}
        super().handle_connect(event)


def flush() -> None:
    joined = b"".join(frames)
    frames.clear()
    for transport in transports:
        transport.write(joined)


async def relay(pubsub: PubSub) -> None:
    loop = asyncio.get_running_loop()
    while True:
        # After a lost connection the next one subscribes by itself.
        with suppress(RedisConnectionError):
            async for message in pubsub.listen():
                if message["type"] == "message":
                    if not frames:
                        loop.call_soon(flush)
                    frames.append(Frame(Opcode.TEXT, message["data"]).serialize(mask=False))


async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    transport = websocket.state.transport
    transports.add(transport)
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
    transports.discard(transport)


def create_app(redis_url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with Redis.from_url(redis_url) as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            task = asyncio.create_task(relay(pubsub))
            yield
            task.cancel()

    return Starlette(routes=[WebSocketRoute("/ws", listen)], lifespan=lifespan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", required=True)
    options = parser.parse_args()
    uvicorn.run(
        create_app(options.redis_url),
        host="127.0.0.1",
        port=options.port,
        ws=OpenProtocol,
        ws_per_message_deflate=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
