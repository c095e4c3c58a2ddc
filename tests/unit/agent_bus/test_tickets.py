"""Tickets: good once, for half a minute, and not to be read in Redis."""

import asyncio

from agent_bus.bus import Bus
from agent_bus.tickets import TICKET_SECONDS, Tickets


async def test_a_ticket_is_good_once(bus: Bus) -> None:
    tickets = Tickets(bus)
    ticket = await tickets.issue("ci")
    assert await tickets.take(ticket) == "ci"
    assert await tickets.take(ticket) is None


async def test_of_those_who_come_at_once_one_gets_in(bus: Bus) -> None:
    ticket = await Tickets(bus).issue("ci")
    taken = await asyncio.gather(*(Tickets(bus).take(ticket) for _ in range(20)))
    assert sorted(filter(None, taken)) == ["ci"]


async def test_a_ticket_lapses(bus: Bus) -> None:
    ticket = await Tickets(bus).issue("ci")
    (key,) = await bus.redis.keys(f"{bus.keys.namespace}:ticket:*")
    assert 0 < await bus.redis.pttl(key) <= 1000 * TICKET_SECONDS
    await bus.redis.pexpire(key, 0)
    assert await Tickets(bus).take(ticket) is None


async def test_who_reads_redis_learns_no_ticket(bus: Bus) -> None:
    ticket = await Tickets(bus).issue("ci")
    assert ticket not in str(await bus.redis.keys("*"))


async def test_what_is_no_ticket_opens_nothing(bus: Bus) -> None:
    for text in ("", "*", "\x00", "\udc80", "ü" * 10_000):
        assert await Tickets(bus).take(text) is None


async def test_no_two_tickets_are_alike(bus: Bus) -> None:
    tickets = Tickets(bus)
    assert len({await tickets.issue("ci") for _ in range(50)}) == 50
