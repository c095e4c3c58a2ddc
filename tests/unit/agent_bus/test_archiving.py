"""Histories that move out of Redis and are read as if they had not."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_bus import archive_format
from agent_bus.archive import Archive
from agent_bus.archive_format import Damaged
from agent_bus.archiving import Archiving
from agent_bus.blobs import Blobs, open_store
from agent_bus.bus import Bus
from agent_bus.events import Events
from agent_bus.outline import Search, read_outline
from tests.unit.agent_bus.conftest import Driver, record


@pytest.fixture
def archive(bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setattr(archive_format, "BLOCK_BYTES", 700)
    blobs = Blobs(open_store("", str(tmp_path)), f"{bus.keys.namespace}/history")
    return Archive(lambda: blobs)


@pytest.fixture
def archiving(bus: Bus, archive: Archive) -> Archiving:
    return Archiving(bus, archive)


async def run_of(driver: Driver, *marks: int, session_id: str = "s") -> None:
    """A run with some messages, from its start to its end."""
    middle = [record("message", session_id, content=f"mark-{mark}") for mark in marks]
    await driver.append([record("session_start", session_id), *middle, record("session_stop", session_id)], session_id)


async def objects(archive: Archive) -> set[str]:
    return {blob.document_id async for some in archive.blobs.listed() for blob in some}


async def whole(events: Events, session_id: str = "s") -> list[bytes]:
    page = await events.page(session_id, limit=10_000)
    assert page is not None
    return list(page.events)


async def test_a_history_that_moved_reads_byte_for_byte_as_before(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, *range(40))
    before, session = await whole(driver.events), await driver.get()
    assert await archiving.move("s", 0)
    assert not await bus.redis.exists(bus.keys.history("s"))
    assert await whole(Events(bus, archive)) == before
    assert await driver.get() == session
    assert session is not None
    assert session["events"] == len(before) == 42


async def test_any_page_of_a_history_in_three_places_is_the_one_that_was_there_before(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    for _ in range(2):
        await run_of(driver, *range(30))
        assert await archiving.move("s", 0)
    await run_of(driver, *range(30))
    events = Events(bus, archive)
    every = await whole(events)
    ids = [archive_format.event_id(event) for event in every]
    assert (len(ids), ids) == (96, sorted(set(ids)))
    draw = random.Random(5)
    for _ in range(300):
        limit = draw.randrange(1, 50)
        before = draw.choice([None, draw.randrange(1, ids[-1] + 5)])
        after = draw.choice([None, draw.randrange(0, ids[-1] + 5)])
        fitting = [n for n in ids if (before is None or n < before) and (after is None or n > after)]
        expected = fitting[-limit:] if after is None else fitting[:limit]
        page = await events.page("s", limit=limit, before=before, after=after)
        assert page is not None
        assert [archive_format.event_id(event) for event in page.events] == expected, (limit, before, after)
        assert page.has_more == (len(fitting) > limit)


async def test_the_outline_and_its_search_see_what_moved(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, *range(100))
    assert await archiving.move("s", 0)
    await run_of(driver, 100)
    outline = await read_outline(Events(bus, archive), "s", limit=1000)
    assert outline is not None
    assert (len(outline.events), outline.scanned) == (105, 105)
    found = await read_outline(Events(bus, archive), "s", limit=1000, search=Search("MARK-7"))
    assert found is not None
    assert len(found.events) == 11


async def test_a_resumed_session_goes_on_in_redis_and_moves_again_as_one_object(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, 1, 2)
    assert await archiving.move("s", 0)
    first = await objects(archive)
    await run_of(driver, 3)
    session = await driver.get()
    assert session is not None
    assert session["events"] == 7
    before = await whole(Events(bus, archive))
    assert await archiving.move("s", 0)
    assert await whole(Events(bus, archive)) == before
    # The first one may still be wanted back by a Redis that forgets its last second.
    assert first < await objects(archive)
    assert await archiving.remove_unused(3600) == 0
    assert await archiving.remove_unused(-60) == 1
    assert len(await objects(archive)) == 1
    assert not await objects(archive) & first
    assert await whole(Events(bus, archive)) == before


async def test_sessions_that_go_on_or_were_heard_of_lately_stay(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, 1, session_id="over")
    await driver.post("session_start", "going on")
    await driver.sessions.enter("held", "owner", record("session_start", "held"))
    assert [name async for name in archiving.quiet(0)] == ["over"]
    assert [name async for name in archiving.quiet(60)] == []
    for session_id, silence in (("going on", 0), ("held", 0), ("over", 60), ("unheard of", 0)):
        assert not await archiving.move(session_id, silence)
    assert await objects(archive) == set()
    assert len(await whole(driver.events, "over")) == 3


async def test_what_is_in_the_archive_is_not_looked_at_again(driver: Driver, archiving: Archiving) -> None:
    await run_of(driver, 1)
    assert await archiving.move("s", 0)
    assert [name async for name in archiving.quiet(0)] == []
    assert not await archiving.move("s", 0)


async def test_an_event_that_comes_while_a_history_is_written_keeps_it_in_redis(
    bus: Bus, driver: Driver, archive: Archive
) -> None:
    class Overtaken(Archive):
        async def write(self, events: Any) -> Any:
            archived = await super().write(events)
            await driver.post("message", content="late")
            return archived

    await run_of(driver, 1)
    assert not await Archiving(bus, Overtaken(lambda: archive.blobs)).move("s", 0)
    assert await objects(archive) == set()
    assert len(await whole(driver.events)) == 4


async def test_a_session_deleted_and_begun_anew_meanwhile_is_left_alone(
    bus: Bus, driver: Driver, archive: Archive
) -> None:
    class Overtaken(Archive):
        async def write(self, events: Any) -> Any:
            archived = await super().write(events)
            await driver.sessions.delete("s")
            await run_of(driver, 2)
            return archived

    await run_of(driver, 1)
    assert not await Archiving(bus, Overtaken(lambda: archive.blobs)).move("s", 0)
    assert b"mark-2" in b"".join(await whole(driver.events))


async def test_events_that_can_not_be_read_keep_the_others_where_they_are(
    bus: Bus, driver: Driver, archive: Archive
) -> None:
    class Short(Archive):
        async def write(self, events: Any) -> Any:
            async def without_the_second() -> Any:
                number = 0
                async for event in events:
                    number += 1
                    if number != 2:
                        yield event

            return await super().write(without_the_second())

    await run_of(driver, 1)
    with pytest.raises(Damaged, match="only 2 events"):
        await Archiving(bus, Short(lambda: archive.blobs)).move("s", 0)
    assert await objects(archive) == set()
    assert len(await whole(driver.events)) == 3


async def test_a_reader_that_a_move_overtakes_reads_on_in_the_new_object(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, 1)
    assert await archiving.move("s", 0)
    await run_of(driver, 2)
    every = await whole(Events(bus, archive))

    class Overtaken(Archive):
        overtaken = False

        async def read(self, reference: str, **asked: Any) -> Any:
            if not self.overtaken:
                self.overtaken = True
                assert await archiving.move("s", 0)
                await archiving.remove_unused(-60)
            return await super().read(reference, **asked)

    assert await whole(Events(bus, Overtaken(lambda: archive.blobs))) == every


async def test_a_deleted_sessions_object_belongs_to_nobody(
    bus: Bus, driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, 1)
    assert await archiving.move("s", 0)
    assert await driver.sessions.delete("s") == 3
    assert await Events(bus, archive).page("s", limit=1) is None
    assert await archiving.remove_unused(-60) == 1
    assert await objects(archive) == set()


async def test_objects_in_use_and_those_let_go_are_known_and_others_are_not(
    driver: Driver, archive: Archive, archiving: Archiving
) -> None:
    await run_of(driver, 1)
    assert await archiving.move("s", 0)
    (used,) = await objects(archive)
    await run_of(driver, 2)
    assert await archiving.move("s", 0)
    (new,) = await objects(archive) - {used}
    assert await archiving.known([used, new, "0" * 32]) == [True, True, False]
    assert await archiving.known([]) == []


async def test_a_reader_without_the_archive_is_told_so(bus: Bus, driver: Driver, archiving: Archiving) -> None:
    await run_of(driver, 1)
    assert await archiving.move("s", 0)
    with pytest.raises(LookupError, match="archive"):
        await Events(bus).page("s", limit=10)


async def test_the_script_measures_silence_by_the_servers_clock(driver: Driver, archiving: Archiving) -> None:
    await run_of(driver, 1)
    session = await driver.get()
    assert session is not None
    assert datetime.fromisoformat(session["modified_at"]) > datetime.now(UTC) - timedelta(seconds=50)
    assert not await archiving.move("s", 50)
    assert await archiving.move("s", 0)
