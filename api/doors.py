"""How many may be connected to a server process at once, and who is still let in when it is full."""

import logging
import resource
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from api.control import is_control
from api.errors import RETRY_AFTER_SECONDS, problem

logger = logging.getLogger(__name__)

# So many beyond the limit are let in to be told so, and to stop agents; more are cut off.
SPARE = 200
# What a process opens beside its clients' connections: to Redis, logs, libraries.
OTHER_FILES = 300
CONNECTIONS_SETTING, WEBSOCKETS_SETTING = "AGENT_ORCHESTRATOR_MAX_CONNECTIONS", "AGENT_ORCHESTRATOR_MAX_WEBSOCKETS"


@dataclass(eq=False)
class Doors:
    """The connections of one process: how many there may be, and how many WebSockets there are."""

    most_connections: int = 10_000
    """Without a WebSocket."""
    most_websockets: int = 10_000
    websockets: int = 0
    _said_full: bool = False
    _said_no_room: bool = False

    def full(self, connections: int) -> bool:
        """Whether these are more than there may be; the log is told once, until there is room again."""
        over = connections > self.most_connections
        if over and not self._said_full:
            logger.warning(
                "%d connections are open, as many as are taken; others are refused (%s)",
                self.most_connections, CONNECTIONS_SETTING,
            )  # fmt: skip
        # Not again for each that comes and goes at the limit.
        self._said_full = over or (self._said_full and connections > self.most_connections // 2)
        return over

    def overrun(self, connections: int) -> bool:
        """Whether there are so many that nobody can be told any more."""
        return connections > self.most_connections + SPARE

    def refusing(self, app: ASGIApp) -> ASGIApp:
        """The application as it is for those who came when it was full: to be asked for what must get through."""

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or is_control(scope["method"], scope["path"]):
                await app(scope, receive, send)
                return
            detail = f"{self.most_connections} connections are open, as many as this server takes; try again shortly"
            headers = {"Retry-After": RETRY_AFTER_SECONDS, "Connection": "close"}
            await problem(503, detail, headers)(scope, receive, send)

        return refuse

    def let_in(self) -> bool:
        """Whether there is room for another WebSocket; the log is told once that there is none."""
        room = self.websockets < self.most_websockets
        if not room and not self._said_no_room:
            logger.warning(
                "%d WebSockets are open, as many as are taken; others are refused (%s)",
                self.most_websockets, WEBSOCKETS_SETTING,
            )  # fmt: skip
        self._said_no_room = not room or (self._said_no_room and self.websockets > self.most_websockets // 2)
        return room

    def allow_files(self) -> None:
        """Has the system allow the process as many files as it takes connections; says so if it does not."""
        wanted = self.most_connections + self.most_websockets + SPARE + OTHER_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        given = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (given, hard))
        except (OSError, ValueError) as error:
            logger.warning("the limit on open files can't be raised to %d: %s", given, error)
            return
        # A little less is no news; nobody has as many connections as the limit says by default.
        if given < wanted // 2:
            logger.info("the system allows %d open files; for all connections there would have to be %d", given, wanted)
