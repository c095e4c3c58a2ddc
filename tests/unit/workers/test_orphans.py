from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent_bus.blobs import Blobs, open_store
from agent_bus.bus import Bus
from agent_bus.documents import Documents, NewDocument, new_document_id
from workers import orphans
from workers.orphans import TooManyOrphans, remove_orphans

AT_ONCE = timedelta(seconds=-60)


async def one_byte() -> AsyncIterator[bytes]:
    yield b"x"


async def listed(blobs: Blobs) -> set[str]:
    return {blob.document_id async for some in blobs.listed() for blob in some}


@pytest.fixture
def blobs(bus: Bus, tmp_path: Path) -> Blobs:
    return Blobs(open_store("", str(tmp_path)), bus.keys.namespace)


async def stored(blobs: Blobs) -> str:
    document_id = new_document_id()
    await blobs.put(document_id, one_byte())
    return document_id


async def test_bytes_of_documents_and_of_uploads_going_on_are_kept(bus: Bus, blobs: Blobs) -> None:
    documents = Documents(bus, "")
    document, uploading, orphan = [await stored(blobs) for _ in range(3)]
    for document_id in (document, uploading):
        await documents.begin_upload(document_id)
    await documents.create(document, NewDocument("a", "a/b", 1, "00", (), {}))
    assert await remove_orphans(blobs, Documents(bus, "").known, AT_ONCE) == 1
    assert await listed(blobs) == {document, uploading}
    assert orphan not in await listed(blobs)
    await documents.abandon_upload(uploading)
    assert await remove_orphans(blobs, Documents(bus, "").known, AT_ONCE) == 1
    assert await listed(blobs) == {document}


async def test_young_bytes_are_kept(bus: Bus, blobs: Blobs) -> None:
    orphan = await stored(blobs)
    assert await remove_orphans(blobs, Documents(bus, "").known) == 0
    assert await listed(blobs) == {orphan}


async def test_when_redis_has_lost_its_documents_nothing_is_removed(
    bus: Bus, blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphans, "SUSPICIOUS_NUMBER", 2)
    for _ in range(3):
        await stored(blobs)
    with pytest.raises(TooManyOrphans, match="3 of 3"):
        await remove_orphans(blobs, Documents(bus, "").known, AT_ONCE)
    assert len(await listed(blobs)) == 3


async def test_nothing_stored_is_nothing_to_remove(bus: Bus, blobs: Blobs) -> None:
    assert await remove_orphans(blobs, Documents(bus, "").known, AT_ONCE) == 0


def broken_off(namespace: str, folder: Path) -> tuple[str, Path]:
    """What a killed server leaves of an upload."""
    document_id = new_document_id()
    part = folder / namespace / document_id[:2] / f"{document_id}#1"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x")
    return document_id, part


async def test_what_killed_servers_left_of_uploads_is_removed(bus: Bus, blobs: Blobs, tmp_path: Path) -> None:
    (_, left), (uploading, going_on) = (broken_off(bus.keys.namespace, tmp_path) for _ in range(2))
    await Documents(bus, "").begin_upload(uploading)
    assert await remove_orphans(blobs, Documents(bus, "").known) == 0
    assert left.exists()
    assert await remove_orphans(blobs, Documents(bus, "").known, AT_ONCE) == 1
    assert not left.exists()
    assert going_on.exists()
