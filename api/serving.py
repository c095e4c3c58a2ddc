"""One server process: its sockets, uvicorn, and the order in which it lets go of its clients."""

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from agent_bus import tracing
from agent_bus.settings import Settings
from api.doors import Doors
from api.http_protocol import BoundedProtocol
from api.websocket_protocol import WireProtocol

logger = logging.getLogger(__name__)

# Browsers send nothing that is longer than a frame's header and a few words.
LARGEST_WEBSOCKET_MESSAGE = 16 * 1024
# What is buffered for a browser goes out within milliseconds; one that takes longer is not reading.
DRAIN_SECONDS = 5.0
# Above the five seconds that a stop request waits for its agent by default.
GRACEFUL_SECONDS = 8
KEEP_ALIVE_SECONDS = 30

Drain = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: the application, and what it wants done before its connections are closed.

    `drain` is awaited once no new connection is accepted, for at most `DRAIN_SECONDS`, on the server's loop and before
    the lifespan ends.
    """

    app: ASGIApp
    drain: Drain | None = None


CreateApp = Callable[[Settings], ASGIApp | Served]


class DrainingServer(uvicorn.Server):
    """A uvicorn server that sees its clients off before it closes on them."""

    def __init__(self, config: uvicorn.Config, drain: Drain | None = None) -> None:
        super().__init__(config)
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins the lifespan and then serves what waits on the sockets."""
        await super().startup(sockets)
        names = [listener.getsockname() for listener in sockets or []]
        logger.info("serving on %s", ", ".join(f"{name[0]} port {name[1]}" for name in names))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets nobody new in, drains, then closes what is open and ends the lifespan."""
        for server in self.servers:
            server.close()
        if self._drain is not None:
            try:
                await asyncio.wait_for(self._drain(), DRAIN_SECONDS)
            except TimeoutError:
                logger.warning("clients were not seen off within %g s; closing", DRAIN_SECONDS)
            except Exception:
                logger.exception("seeing clients off failed; closing")
        await super().shutdown(sockets)


def serve(create_app: CreateApp, settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """Serves the application that `create_app` makes on these sockets until SIGTERM or SIGINT.

    Exits the process with status 3 when the application does not start; its log says why.
    """
    made = create_app(settings)
    served = made if isinstance(made, Served) else Served(made)
    doors = Doors(settings.max_connections, settings.max_websockets)
    doors.allow_files()
    config = uvicorn.Config(
        served.app,
        loop="auto",
        # uvicorn only calls them.
        http=cast("type[BoundedProtocol]", partial(BoundedProtocol, doors=doors)),
        ws=cast("type[WireProtocol]", partial(WireProtocol, doors=doors)),
        ws_max_size=LARGEST_WEBSOCKET_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    server = DrainingServer(config, served.drain)
    # uvicorn raises the signal that ended it once more afterwards. It meets this handler then, and the process ends
    # with status 0, as a clean stop should.
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, server.handle_exit)
    try:
        server.run(list(sockets))
    finally:
        tracing.stop()
