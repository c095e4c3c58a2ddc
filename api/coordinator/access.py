"""`GET /whoami` and `POST /ws-ticket`: what a page has to know of its token, and how it opens a WebSocket with it."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from agent_bus.tickets import TICKET_SECONDS, Tickets
from api.authentication import principal_of
from api.coordinator.services import WithServices
from api.errors import DETAIL
from api.roles import Role

router = APIRouter(tags=["access"])


class Identity(BaseModel):
    """Whose the request's token is. Where no token is asked for, everybody is an operator without a name."""

    authentication: Literal["none", "token"]
    name: str | None
    role: Role


class Ticket(BaseModel):
    """Opens one WebSocket, at any replica, as `/ws?ticket=…`."""

    ticket: str
    expires_in: int


@router.get("/whoami", summary="Whether tokens are in use, and whose the request's is")
async def whoami(request: Request) -> Identity:
    """Answered with 401 where a token is needed and none was sent, or one that is not known."""
    principal = principal_of(request.scope)
    if principal is None:
        return Identity(authentication="none", name=None, role=Role.OPERATOR)
    return Identity(authentication="token", name=principal.name, role=principal.role)


@router.post("/ws-ticket", summary="A ticket for one WebSocket", responses={503: DETAIL})
async def post_ws_ticket(request: Request, services: WithServices) -> Ticket:
    """Web pages can't send headers with a WebSocket; what they put into its address instead is good for one use.

    Where no token is asked for, a ticket is not needed, and does no harm.
    """
    principal = principal_of(request.scope)
    ticket = await Tickets(services.bus).issue("" if principal is None else principal.digest)
    return Ticket(ticket=ticket, expires_in=TICKET_SECONDS)
