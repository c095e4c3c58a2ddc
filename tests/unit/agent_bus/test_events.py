"""Events: pages of a session's history, and batches that a bridge sends again."""

import orjson
import pytest

from agent_bus.bus import Bus
from agent_bus.commands import Appended
from agent_bus.event_records import EventRecord
from agent_bus.events import EventPage, Events, Producer
from agent_bus.sessions import Sessions


def record(mark: int, event_type: str = "message") -> EventRecord:
    body = {"event_type": event_type, "mark": mark}
    return EventRecord(event_type, "2026-01-24T10:00:00+00:00", 1769248800000000, "s", orjson.dumps(body)[1:])


async def append(bus: Bus, *marks: int, producer: Producer | None = None) -> Appended:
    await bus.load("append_events")
    call = Events(bus).append_call("s", [record(mark) for mark in marks], producer)
    return Events.read_append(await bus.redis.execute_command("EVALSHA", *call))


def marks(page: EventPage | None) -> list[int]:
    assert page is not None
    return [orjson.loads(event)["mark"] for event in page.events]


async def test_a_session_never_heard_of_has_no_page(bus: Bus) -> None:
    assert await Events(bus).page("s", limit=10) is None


async def test_a_session_without_events_has_an_empty_page(bus: Bus) -> None:
    await append(bus, 1)
    await bus.redis.delete(bus.keys.history("s"))
    assert await Events(bus).page("s", limit=10) == EventPage([], None, None, False)


async def test_the_newest_come_first_and_pages_lead_back_to_the_oldest(bus: Bus) -> None:
    await append(bus, *range(7))
    events = Events(bus)
    page = await events.page("s", limit=3)
    assert marks(page) == [4, 5, 6]
    seen: list[int] = []
    while page is not None:
        seen = marks(page) + seen
        page = await events.page("s", limit=3, before=page.first_id) if page.has_more else None
    assert seen == list(range(7))


async def test_after_an_id_pages_lead_forward(bus: Bus) -> None:
    await append(bus, *range(7))
    events = Events(bus)
    seen: list[int] = []
    page = await events.page("s", limit=3, after=0)
    while page is not None:
        seen += marks(page)
        page = await events.page("s", limit=3, after=page.last_id) if page.has_more else None
    assert seen == list(range(7))


async def test_a_full_last_page_says_that_there_is_no_more(bus: Bus) -> None:
    await append(bus, 1, 2)
    page = await Events(bus).page("s", limit=2)
    assert page is not None
    assert (len(page.events), page.has_more) == (2, False)


async def test_both_ends_can_be_given(bus: Bus) -> None:
    await append(bus, *range(5))
    whole = await Events(bus).page("s", limit=10)
    assert whole is not None
    assert whole.first_id is not None
    assert whole.last_id is not None
    assert marks(await Events(bus).page("s", limit=10, after=whole.first_id, before=whole.last_id)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("again", "first", "accepted"), [((1, 2, 3), 1, 0), ((2, 3, 4, 5), 2, 2), ((4,), 4, 1), ((3,), 3, 0), ((1,), 1, 0)]
)
async def test_a_batch_that_comes_again_is_accepted_once(
    bus: Bus, again: tuple[int, ...], first: int, accepted: int
) -> None:
    lease = await Sessions(bus).enter("s", "owner", record(0, "session_start"))
    assert (await append(bus, 1, 2, 3, producer=Producer(lease.run, "owner", 1))).accepted == 3
    repeated = await append(bus, *again, producer=Producer(lease.run, "owner", first))
    assert (repeated.accepted, repeated.run) == (accepted, lease.run)
    assert (repeated.last_id is None) == (accepted == 0)
    assert marks(await Events(bus).page("s", limit=10)) == list(range(4 + accepted))


async def test_counts_of_two_producers_do_not_meet(bus: Bus) -> None:
    lease = await Sessions(bus).enter("s", "one", record(0, "session_start"))
    await append(bus, 1, producer=Producer(lease.run, "one", 1))
    assert (await append(bus, 2, producer=Producer(lease.run, "two", 1))).accepted == 1
