from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_bus.blobs import BlobMissing, Blobs, BlobStoreFailed, open_store
from agent_bus.documents import new_document_id


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def read(blobs: Blobs, document_id: str, start: int = 0, stop: int | None = None) -> bytes:
    content = await blobs.get(document_id, start, stop)
    return b"".join([chunk async for chunk in content.chunks])


async def listed(blobs: Blobs) -> set[str]:
    return {blob.document_id async for some in blobs.listed() for blob in some}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(open_store("", str(tmp_path / "blobs")), "ao")


async def test_what_was_put_is_read_back_whole_and_in_part(blobs: Blobs) -> None:
    document_id = new_document_id()
    await blobs.put(document_id, in_pieces(b"0123", b"4567", b"89"))
    assert await read(blobs, document_id) == b"0123456789"
    assert await read(blobs, document_id, 3, 6) == b"345"
    assert (await blobs.get(document_id, 3, 6)).size_bytes == 10
    assert await listed(blobs) == {document_id}


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    document_id = new_document_id()
    await blobs.put(document_id, in_pieces())
    assert await read(blobs, document_id) == b""


async def test_a_put_that_breaks_off_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 6_000_000
        yield b"x" * 6_000_000
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await blobs.put(new_document_id(), broken())
    assert files(tmp_path) == []


async def test_deleting_twice_is_no_error(blobs: Blobs, tmp_path: Path) -> None:
    document_id = new_document_id()
    await blobs.put(document_id, in_pieces(b"x"))
    await blobs.delete(document_id)
    await blobs.delete(document_id)
    with pytest.raises(BlobMissing):
        await blobs.get(document_id)
    assert files(tmp_path) == []


@pytest.mark.parametrize("document_id", ["../../etc/passwd", "", "a/b", "A" * 32])
async def test_what_is_no_id_is_never_a_path(blobs: Blobs, document_id: str) -> None:
    with pytest.raises(ValueError, match="not a document's id"):
        await blobs.get(document_id)


async def test_namespaces_and_other_files_in_the_store_are_left_alone(blobs: Blobs, tmp_path: Path) -> None:
    other = Blobs(open_store("", str(tmp_path / "blobs")), "ao-2")
    document_id = new_document_id()
    await other.put(document_id, in_pieces(b"x"))
    (tmp_path / "blobs" / "ao").mkdir()
    (tmp_path / "blobs" / "ao" / "notes.txt").write_text("mine")
    assert await listed(blobs) == set()
    assert await listed(other) == {document_id}


def test_a_url_that_names_no_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(BlobStoreFailed, match="nonsense"):
        open_store("nonsense://x", str(tmp_path))


async def test_a_store_that_cannot_be_written_says_so(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "blobs" / "ao").write_text("in the way")
    with pytest.raises(BlobStoreFailed):
        await blobs.put(new_document_id(), in_pieces(b"x"))


async def test_whether_it_can_be_written_is_tried_and_what_is_written_is_no_blob(blobs: Blobs, tmp_path: Path) -> None:
    for _ in range(2):
        await blobs.check_writable()
    assert await listed(blobs) == set()
    assert len(files(tmp_path)) == 1
    folder = tmp_path / "blobs"
    for path in files(tmp_path):
        path.unlink()
    (folder / "ao").rmdir()
    # In the way of root, too.
    (folder / "ao").touch()
    with pytest.raises(BlobStoreFailed):
        await blobs.check_writable()


async def test_an_upload_that_goes_on_shows_as_a_part_and_no_longer_when_it_has_ended(blobs: Blobs) -> None:
    document_id, seen = new_document_id(), []

    async def watched() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 6_000_000
            seen.extend(await blobs.unfinished())

    await blobs.put(document_id, watched())
    assert {part.document_id for part in seen} == {document_id}
    assert await blobs.unfinished() == []
    await blobs.remove_part(seen[0])
    assert await listed(blobs) == {document_id}
