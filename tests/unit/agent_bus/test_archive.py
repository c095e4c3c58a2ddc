from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from agent_bus import archive_format
from agent_bus.archive import Archive, ArchivedHistory
from agent_bus.archive_format import Damaged
from agent_bus.blobs import Blobs, open_store
from agent_bus.events import ArchivedObjectGone


class CountingBlobs(Blobs):
    """Counts what is fetched."""

    fetched = 0

    async def read_range(self, document_id: str, start: int, stop: int) -> bytes:
        self.fetched += 1
        return await super().read_range(document_id, start, stop)


@pytest.fixture
def blobs(tmp_path: Path) -> CountingBlobs:
    return CountingBlobs(open_store("", str(tmp_path)), "ns/history")


@pytest.fixture
def archive(blobs: CountingBlobs) -> Archive:
    return Archive(lambda: blobs)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_format, "BLOCK_BYTES", 500)


def event(number: int) -> bytes:
    return orjson.dumps({"id": number, "content": "x" * 40})


async def events(*numbers: int) -> AsyncIterator[bytes]:
    for number in numbers:
        yield event(number)


async def written(archive: Archive, *numbers: int) -> ArchivedHistory:
    archived = await archive.write(events(*numbers))
    assert archived is not None
    return archived


async def names(blobs: Blobs) -> list[str]:
    return [blob.document_id async for some in blobs.listed() for blob in some]


async def test_what_was_written_is_read_in_both_directions(archive: Archive) -> None:
    archived = await written(archive, *range(10, 110))
    assert (archived.last_id, archived.events) == (109, 100)
    assert ArchivedHistory.parse(str(archived)) == archived
    forward = await archive.read(str(archived), count=1000, after=0)
    assert forward == [(n, event(n)) for n in range(10, 110)]
    assert await archive.read(str(archived), count=1000) == forward[::-1]
    assert await archive.read(str(archived), count=3, before=50) == [(n, event(n)) for n in (49, 48, 47)]
    assert await archive.read(str(archived), count=3, after=50, before=53) == [(n, event(n)) for n in (51, 52)]


async def test_a_page_costs_its_blocks_and_once_the_index(archive: Archive, blobs: CountingBlobs) -> None:
    archived = str(await written(archive, *range(1, 500)))
    blobs.fetched = 0
    await archive.read(archived, count=3)
    assert blobs.fetched == 2
    await archive.read(archived, count=3)
    assert blobs.fetched == 2
    await archive.read(archived, count=3, before=100)
    assert blobs.fetched == 3


async def test_what_follows_its_last_event_costs_nothing(archive: Archive, blobs: CountingBlobs) -> None:
    archived = str(await written(archive, 1, 2, 3))
    blobs.fetched = 0
    assert await archive.read(archived, count=3, after=3) == []
    assert blobs.fetched == 0


async def test_no_events_leave_no_object(archive: Archive, blobs: Blobs) -> None:
    assert await archive.write(events()) is None
    assert await names(blobs) == []


async def test_an_object_that_is_gone_is_said_to_be(archive: Archive, blobs: Blobs) -> None:
    archived = await written(archive, 1, 2)
    await blobs.delete(archived.name)
    with pytest.raises(ArchivedObjectGone, match=archived.name):
        await archive.read(str(archived), count=1)


async def test_a_store_that_keeps_something_else_is_found_out_at_once(tmp_path: Path) -> None:
    class Forgetful(Blobs):
        async def put(self, document_id: str, chunks: AsyncIterator[bytes]) -> None:
            data = b"".join([chunk async for chunk in chunks])

            async def spoiled() -> AsyncIterator[bytes]:
                yield data[:200] + bytes([data[200] ^ 1]) + data[201:]

            await super().put(document_id, spoiled())

    blobs = Forgetful(open_store("", str(tmp_path)), "ns/history")
    with pytest.raises(Damaged):
        await Archive(lambda: blobs).write(events(*range(1, 100)))
    assert await names(blobs) == []


async def test_events_that_break_off_leave_no_object(archive: Archive, blobs: Blobs) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield event(1)
        raise RedisConnectionError("redis went away")

    with pytest.raises(RedisConnectionError):
        await archive.write(breaking())
    assert await names(blobs) == []


async def test_a_store_that_can_not_be_opened_fails_the_reading_only(tmp_path: Path) -> None:
    calls = 0

    def open_blobs() -> Blobs:
        nonlocal calls
        calls += 1
        return Blobs(open_store("", str(tmp_path)), "ns/history")

    archive = Archive(open_blobs)
    assert calls == 0
    assert await archive.read("0" * 32 + " 10 5 7 1", count=1, after=7) == []
    assert calls == 0
