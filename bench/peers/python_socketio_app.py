"""python-socketio under uvicorn: Socket.IO for an ASGI application, with its Redis pub/sub manager between processes.

Clients join no rooms; what is published goes to all. Heartbeats are far apart, so that a short run has none.
"""

import argparse

import socketio
import uvicorn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", required=True)
    options = parser.parse_args()

    server = socketio.AsyncServer(
        async_mode="asgi",
        client_manager=socketio.AsyncRedisManager(options.redis_url),
        transports=["websocket"],
        ping_interval=120,
        ping_timeout=60,
    )
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main()
