"""One-time tickets: what opens a WebSocket where no header can be sent, at whichever replica.

A ticket stands in a query string, and these land in logs and histories. So it is worth nothing once it has been used,
or half a minute later. Redis knows a ticket by its hash: who sees its keys can't use what they see.
"""

import hashlib
import secrets

from agent_bus.bus import Bus

TICKET_SECONDS = 30
_BYTES = 32


class Tickets:
    """The tickets of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def issue(self, holder: str) -> str:
        """A ticket for the holder, good for one use within `TICKET_SECONDS`."""
        ticket = secrets.token_urlsafe(_BYTES)
        await self._bus.redis.set(self._key(ticket), holder, ex=TICKET_SECONDS)
        return ticket

    async def take(self, ticket: str) -> str | None:
        """Whom the ticket was given to; None if it was taken before, is too old, or is none of ours."""
        holder = await self._bus.run("take_ticket", (self._key(ticket),))
        return None if holder is None else bytes(holder).decode()

    def _key(self, ticket: str) -> str:
        return self._bus.keys.ticket(hashlib.sha256(ticket.encode("utf-8", "surrogateescape")).hexdigest())
