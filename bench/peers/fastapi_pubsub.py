"""The obvious way with FastAPI: one Redis subscription, and a loop that sends each message to browser after browser.

Nothing is kept, so a browser that was away misses what was sent; and one that doesn't read holds up all others.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

CHANNEL = "events"

connections: set[WebSocket] = set()


async def relay(pubsub: PubSub) -> None:
    while True:
        # After a lost connection the next one subscribes by itself.
        with suppress(RedisConnectionError):
            async for message in pubsub.listen():
                if message["type"] == "message":
                    for ws in list(connections):
                        with suppress(WebSocketDisconnect, RuntimeError):
                            await ws.send_text(message["data"])


def create_app(redis_url: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with Redis.from_url(redis_url, decode_responses=True) as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            task = asyncio.create_task(relay(pubsub))
            yield
            task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws")
    async def listen(ws: WebSocket) -> None:
        await ws.accept()
        connections.add(ws)
        try:
            while True:
                await ws.receive_text()
        except WebSocketDisconnect:
            connections.discard(ws)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", required=True)
    options = parser.parse_args()
    uvicorn.run(
        create_app(options.redis_url),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main()
