"""Backups of what goes on meanwhile. The rest of what they hold is compared by `test_restoration`."""

import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from agent_bus import backup as backup_module
from agent_bus.archive import Archive
from agent_bus.archiving import Archiving
from agent_bus.backup import Backup, PastLost
from agent_bus.backup_format import BackupReader, DocumentEntry, Manifest, SessionEntry
from agent_bus.blobs import Blobs, open_store
from agent_bus.bus import Bus
from agent_bus.documents import Documents, NewDocument, StoredDocument, new_document_id
from agent_bus.events import Events
from tests.unit.agent_bus.conftest import Driver, record


class System:
    """A namespace with its blob store, and something that may happen while a backup is taken of it."""

    def __init__(self, bus: Bus, folder: Path) -> None:
        self.bus = bus
        self.blobs = Blobs(open_store("", str(folder)), bus.keys.namespace)
        self.archive = Archive(lambda: Blobs(open_store("", str(folder)), f"{bus.keys.namespace}/history"))
        self.archiving = Archiving(bus, self.archive)
        self.documents = Documents(bus, "http://docs.example")
        self.told: list[tuple[str, int, int]] = []
        self.manifest: Manifest | None = None

    async def upload(self, content: bytes = b"abc", tags: tuple[str, ...] = (), **metadata: str) -> StoredDocument:
        document_id = new_document_id()

        async def parts() -> AsyncIterator[bytes]:
            yield content

        await self.documents.begin_upload(document_id)
        await self.blobs.put(document_id, parts())
        checksum = hashlib.sha256(content).hexdigest()
        new = NewDocument("a.txt", "text/plain", len(content), checksum, tags, metadata)
        return await self.documents.create(document_id, new)

    async def back_up(self) -> BackupReader:
        out = io.BytesIO()
        backup = Backup(self.bus, self.archive, self.blobs, lambda *told: self.told.append(told))
        self.manifest = await backup.write(out, "1.2.3")
        reader = BackupReader(out)
        assert list(reader.check())
        assert reader.manifest == self.manifest
        return reader


def sessions(backup: BackupReader) -> dict[str, tuple[dict[str, str], list[bytes]]]:
    return {
        entry.record.session["session_id"]: (entry.record.session, list(entry.events))
        for entry in backup.entries()
        if isinstance(entry, SessionEntry)
    }


def documents(backup: BackupReader) -> dict[str, tuple[dict[str, str], bytes]]:
    return {
        entry.record.document["id"]: (entry.record.document, b"".join(entry.content))
        for entry in backup.entries()
        if isinstance(entry, DocumentEntry)
    }


@pytest.fixture
def system(bus: Bus, tmp_path: Path) -> System:
    return System(bus, tmp_path)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`meanwhile(work)`: it happens once, after the first session was looked at and before its events are read."""

    def arrange(work: Any) -> None:
        inner, done = Backup._moment, False

        async def moment(self: Backup, session_id: str) -> Any:
            nonlocal done
            found = await inner(self, session_id)
            if not done:
                done = True
                await work()
            return found

        monkeypatch.setattr(Backup, "_moment", moment)

    return arrange


async def run_of(driver: Driver, *marks: int, session_id: str = "s", over: bool = True) -> None:
    middle = [record("message", session_id, content=f"mark-{mark}") for mark in marks]
    last = [record("session_stop", session_id)] if over else []
    await driver.append([record("session_start", session_id), *middle, *last], session_id)


async def whole(system: System, session_id: str) -> list[bytes]:
    page = await Events(system.bus, system.archive).page(session_id, limit=10_000)
    assert page is not None
    return list(page.events)


async def test_every_session_has_its_fields_and_its_whole_history_wherever_that_lies(
    system: System, driver: Driver
) -> None:
    await run_of(driver, *range(200), session_id="archived")
    assert await system.archiving.move("archived", 0)
    await run_of(driver, *range(3), session_id="both")
    assert await system.archiving.move("both", 0)
    await run_of(driver, 3, session_id="both", over=False)
    await run_of(driver, *range(90), session_id="in redis", over=False)
    await driver.sessions.enter("held", "owner", record("session_start", "held"))
    found = sessions(await system.back_up())
    assert set(found) == {"archived", "both", "in redis", "held"}
    for session_id, (fields, events) in found.items():
        assert events == await whole(system, session_id)
        stored: Any = await system.bus.redis.hgetall(system.bus.keys.session(session_id))
        expected = {name.decode(): value.decode() for name, value in stored.items()}
        assert fields == {
            name: value for name, value in expected.items() if name not in ("archive", "lease_owner", "lease_until")
        }
    assert system.manifest is not None
    assert (system.manifest.sessions, system.manifest.events, system.manifest.left_out) == (4, 202 + 7 + 91 + 1, [])


async def test_more_sessions_than_a_page_and_larger_than_memory_is_spent_on(
    system: System, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "SESSIONS_AT_ONCE", 3)
    monkeypatch.setattr(backup_module, "DOCUMENTS_AT_ONCE", 2)
    monkeypatch.setattr(backup_module, "HISTORY_IN_MEMORY", 10)
    for number in range(10):
        await run_of(driver, number, session_id=f"s{number}")
    uploaded = {(await system.upload(b"%d" % number)).document.id for number in range(7)}
    backup = await system.back_up()
    assert set(sessions(backup)) == {f"s{number}" for number in range(10)}
    assert set(documents(backup)) == uploaded
    assert ("sessions", 10, 10) in system.told
    assert ("documents", 7, 7) in system.told


async def test_events_that_come_after_a_sessions_moment_are_not_in_it(
    system: System, driver: Driver, meanwhile: Any
) -> None:
    await run_of(driver, 1, over=False)
    before = await whole(system, "s")
    meanwhile(lambda: driver.append([record("message", content="late"), record("session_stop")]))
    fields, events = sessions(await system.back_up())["s"]
    assert (fields["status"], events) == ("running", before)


async def test_a_history_that_moves_to_the_archive_meanwhile_is_there_whole(
    system: System, driver: Driver, meanwhile: Any
) -> None:
    await run_of(driver, *range(100))
    before = await whole(system, "s")
    meanwhile(lambda: system.archiving.move("s", 0))
    assert sessions(await system.back_up())["s"][1] == before


async def test_a_history_that_goes_on_and_moves_anew_meanwhile_ends_at_its_moment(
    system: System, driver: Driver, meanwhile: Any
) -> None:
    await run_of(driver, *range(100))
    assert await system.archiving.move("s", 0)
    before = await whole(system, "s")

    async def move_anew() -> None:
        await run_of(driver, 100)
        assert await system.archiving.move("s", 0)
        await system.archiving.remove_unused(-60)

    meanwhile(move_anew)
    assert sessions(await system.back_up())["s"][1] == before


async def test_a_session_deleted_meanwhile_is_left_out_and_no_problem(
    system: System, driver: Driver, meanwhile: Any
) -> None:
    for session_id in ("a", "b"):
        await run_of(driver, 1, session_id=session_id)
    # The newest is looked at first.
    meanwhile(lambda: driver.sessions.delete("b"))
    assert set(sessions(await system.back_up())) == {"a"}
    assert system.manifest is not None
    assert system.manifest.left_out == []


async def test_a_session_deleted_from_the_archive_meanwhile_is_left_out_and_no_problem(
    system: System, driver: Driver, meanwhile: Any
) -> None:
    await run_of(driver, 1)
    assert await system.archiving.move("s", 0)

    async def delete() -> None:
        await driver.sessions.delete("s")
        await system.archiving.remove_unused(-60)

    meanwhile(delete)
    assert sessions(await system.back_up()) == {}
    assert system.manifest is not None
    assert system.manifest.left_out == []


async def test_a_session_deleted_and_begun_anew_meanwhile_is_not_mixed(
    system: System, driver: Driver, meanwhile: Any
) -> None:
    await run_of(driver, 1)

    async def begin_anew() -> None:
        await driver.sessions.delete("s")
        await run_of(driver, 2)

    meanwhile(begin_anew)
    assert sessions(await system.back_up()) == {}


async def test_what_begins_meanwhile_is_not_there_and_comes_never_twice(
    system: System, driver: Driver, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "SESSIONS_AT_ONCE", 1)
    await run_of(driver, 1, session_id="old")
    await run_of(driver, 1, session_id="new")

    async def begin() -> None:
        # Older by its timestamp than all others, so that it would be looked at last.
        await driver.post("session_start", "late", timestamp="2020-01-01T00:00:00+00:00")
        await driver.sessions.delete("new")
        await driver.post("session_start", "new", timestamp="2020-01-01T00:00:00+00:00")
        await system.upload()

    meanwhile(begin)
    backup = await system.back_up()
    assert set(sessions(backup)) == {"old"}
    assert documents(backup) == {}


async def test_an_object_that_is_gone_is_told_and_the_others_are_there(system: System, driver: Driver) -> None:
    await run_of(driver, 1, session_id="broken")
    assert await system.archiving.move("broken", 0)
    async for some in system.archive.blobs.listed():
        for blob in some:
            await system.archive.blobs.delete(blob.document_id)
    await run_of(driver, 1, session_id="well")
    lost = (await system.upload()).document.id
    await system.blobs.delete(lost)
    kept = (await system.upload()).document.id
    backup = await system.back_up()
    assert (set(sessions(backup)), set(documents(backup))) == ({"well"}, {kept})
    assert system.manifest is not None
    assert [(one.kind, one.id) for one in system.manifest.left_out] == [("document", lost), ("session", "broken")]


async def test_what_could_not_be_restored_is_told_and_left_out(system: System, driver: Driver) -> None:
    await run_of(driver, 1)
    document_id = (await system.upload(b"abc")).document.id
    await system.bus.redis.hset(system.bus.keys.session("s"), "modified_at", "lately")
    await system.bus.redis.hset(system.bus.keys.document(document_id), "size_bytes", "4")
    await system.back_up()
    assert system.manifest is not None
    assert [one.why for one in system.manifest.left_out] == [
        "it has 3 bytes instead of 4",
        "its modified_at can't be 'lately'",
    ]


async def test_a_documents_fields_and_bytes_are_those_of_one_moment(system: System) -> None:
    content = bytes(range(256)) * 3000
    stored = await system.upload(content, ("a", "b"), author="Ann", description="d")
    empty = await system.upload(b"")
    await system.documents.patch(stored.document.id, tags=["b", "c"])
    found = documents(await system.back_up())
    fields, data = found[stored.document.id]
    assert (data, fields["tags"], fields["version"], fields["description"]) == (content, "b,c", "2", "d")
    assert json.loads(fields["metadata"]) == {"author": "Ann"}
    assert found[empty.document.id][1] == b""


async def test_uploads_that_go_on_are_not_there(system: System) -> None:
    await system.documents.begin_upload(new_document_id())
    assert documents(await system.back_up()) == {}


async def test_bytes_that_are_not_what_was_uploaded_are_taken_and_told(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    document_id = (await system.upload(b"abc")).document.id

    async def others() -> AsyncIterator[bytes]:
        yield b"abd"

    await system.blobs.put(document_id, others())
    assert documents(await system.back_up())[document_id][1] == b"abd"
    assert document_id in caplog.text


async def test_a_redis_that_loses_its_past_meanwhile_is_noticed(system: System, driver: Driver, meanwhile: Any) -> None:
    await run_of(driver, 1)
    meanwhile(lambda: system.bus.redis.delete(system.bus.keys.epoch, system.bus.keys.counter))
    with pytest.raises(PastLost):
        await system.back_up()


async def test_an_event_is_a_line_whatever_it_was_sent_as(system: System, driver: Driver) -> None:
    spread = record("message")._replace(json_tail=b'"event_type":"message",\n"content":\n[]}')
    await driver.append([record("session_start"), spread])
    events = sessions(await system.back_up())["s"][1]
    assert [orjson.loads(event)["event_type"] for event in events] == ["session_start", "message"]
