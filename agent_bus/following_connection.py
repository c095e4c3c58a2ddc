"""Connections that Sentinel manages, and that follow the primary: what redis-py leaves out of that.

A connection that broke in the middle of a command is made anew by redis-py for the next try, but to the host that it
had; where that has become a replica meanwhile, it would be asked to write for as long as the connection lives. And a
script that writes to a replica fails with an error that Redis 6.2 wraps in another, which redis-py does not know again.
"""

from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class FollowingConnection:
    """In front of `redis.asyncio.sentinel.SentinelManagedConnection`, or its like for TLS."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Sends a command; a connection that is not there is made to whom the Sentinels name now."""
        connection: Any = self
        if not connection.is_connected:
            await connection.connect()
        await super().send_packed_command(command, check_health)  # type: ignore[misc]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Reads an answer. Raises ConnectionError where a script may not write here any more, so that it is moved."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            connection: Any = self
            if "-READONLY " not in str(error):
                raise
            await connection.disconnect()
            raise RedisConnectionError("The previous primary is now a replica") from error
